/*
 * DuckDB: a warehouse in one file, without a server. Rows and the ledger row of their load are one transaction, so each
 * load is there once, whatever happens in between.
 * Limits: one process at a time holds the file; it is open only while a load is written. Column names that differ only
 * in case are the same to DuckDB. Extensions are never downloaded.
 */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import type {
  CheckReport,
  ConnectorContext,
  Sink,
  SinkConnector,
  SinkSpec,
} from "../../core/contracts/index.js";
import { configSchema, type DuckdbConfig, DuckdbTarget, duckdbPath, targetSchema } from "./config.js";
import { DatabaseFile, type DatabaseSettings } from "./database.js";
import { DuckdbWriter } from "./writer.js";

export { duckdbPath } from "./config.js";

const spec: SinkSpec = {
  name: "duckdb",
  title: "DuckDB",
  description: "Tables in a DuckDB file on this machine: append, upsert and replace, exactly once.",
  configSchema,
  targetSchema,
  capabilities: { kind: "table", writeModes: ["append", "upsert", "replace"], loadBytes: 64_000_000 },
};

export const duckdb: SinkConnector = {
  spec,
  connect: (config, context) => connect(configSchema.parse(config), context),
};

function connect(config: DuckdbConfig, context: ConnectorContext): Sink {
  const path = duckdbPath(config, context.projectDir);
  const settings: DatabaseSettings = {
    threads: config.threads,
    memoryLimitBytes: config.memoryLimit,
    tempDirectory: context.tmpDir,
  };
  return {
    databaseFile: path,
    check: (signal) => check(path, settings, signal),
    open: (target, flow) =>
      new DuckdbWriter({
        path,
        settings,
        target: DuckdbTarget.from(target),
        flow,
        loadBytes: spec.capabilities.loadBytes,
        context,
      }),
    close: async () => {},
  };
}

/** Opens the file, which makes it when it is not there, and counts what is in it. */
async function check(path: string, settings: DatabaseSettings, signal: AbortSignal): Promise<CheckReport> {
  const isNew = !existsSync(path);
  const file = await DatabaseFile.at(path);
  const facts = await file.use(settings, signal, async (duckdb) => {
    const [row] = await duckdb.query(
      "SELECT version() AS version, (SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database() AND NOT starts_with(table_name, '_sluice_'))::VARCHAR AS tables",
    );
    return { version: String(row?.version), tables: String(row?.tables) };
  });
  const { size } = await stat(file.path);
  return {
    identity: file.path,
    details: {
      version: `DuckDB ${facts.version}`,
      tables: facts.tables,
      size: `${(size / 1e6).toFixed(1)} MB`,
      ...(isNew ? { created: "yes" } : {}),
    },
    warnings: [],
  };
}
