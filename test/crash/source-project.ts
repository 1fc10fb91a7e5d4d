import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface SourceFlow {
  /** Of the flow, its folder and its table. */
  readonly name: string;
  readonly stream: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly key: readonly string[];
  readonly fields: readonly string[];
}

/**
 * A project that reads one source: every flow appends to Parquet files and keeps a table current. Small messages and files, so
 * that a run of a few seconds passes every state many times. JSON is YAML.
 */
export function writeSourceCrashProject(
  dir: string,
  connector: string,
  connection: Readonly<Record<string, unknown>>,
  flows: readonly SourceFlow[],
): void {
  mkdirSync(join(dir, "flows"), { recursive: true });
  const project = {
    dataDir: ".sluice",
    connections: {
      [connector]: { connector, ...connection },
      files: { connector: "folder", path: "landed" },
      warehouse: { connector: "duckdb", path: "warehouse.duckdb" },
    },
    buffer: { messageSize: "16KiB" },
  };
  writeFileSync(join(dir, "sluice.yaml"), JSON.stringify(project));
  for (const { name, stream, options, key, fields } of flows) {
    const flow = {
      name,
      source: { connection: connector, stream, options },
      map: fields.map((field) => ({ from: field, to: field })),
      sinks: [
        { connection: "files", path: name, format: "parquet", fileSize: "100KB" },
        { connection: "warehouse", table: name, write: "upsert", key },
      ],
    };
    writeFileSync(join(dir, "flows", `${name}.yaml`), JSON.stringify(flow));
  }
}

/** How sluice.yaml names a value of the environment. */
export function fromEnv(name: string): string {
  return `\${env:${name}}`;
}
