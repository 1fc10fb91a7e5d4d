import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  ConfigError,
  type ConnectorContext,
  type FinishedRun,
  type Load,
  type LoadReceipt,
  type PrepareRequest,
  RecordError,
  type Schema,
  type SchemaChange,
  type SinkWriter,
  TransientError,
  throwIfCancelled,
  type WriteMode,
} from "../../core/contracts/index.js";
import {
  type Duckdb,
  fileError,
  NdjsonSegment,
  quoteIdentifier,
  segmentError,
} from "../../core/format/index.js";
import type { DuckdbTarget } from "./config.js";
import { DatabaseFile, type DatabaseSettings } from "./database.js";
import {
  appliedRecords,
  createLedger,
  currentGeneration,
  enterGeneration,
  enterLoad,
  hasLoads,
} from "./ledger.js";
import {
  assignments,
  checkSchema,
  columnsOf,
  createStatement,
  planTable,
  quoteTable,
  stagingTable,
  stagingTables,
  type TableName,
} from "./table.js";
import { appendSegment, upsertSegment } from "./upsert.js";

export interface WriterOptions {
  readonly path: string;
  readonly settings: DatabaseSettings;
  readonly target: DuckdbTarget;
  readonly flow: string;
  readonly loadBytes: number;
  readonly context: ConnectorContext;
}

/*
 * A load:      not entered -> (one transaction: rows and ledger row) -> entered. Written again, it is found in the ledger.
 * A replace:   prepare makes `<table>__sluice_<hash of the generation>`; loads go there; finish, once the generation is
 *              complete, puts it in the place of the table in one transaction that also notes the generation. From then
 *              on late loads of that generation go to the table itself, and another finish does nothing.
 */
export class DuckdbWriter implements SinkWriter {
  readonly target: string;
  readonly mode: WriteMode;
  readonly loadBytes: number;
  readonly #options: WriterOptions;
  readonly #table: TableName;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.target = options.target.name;
    this.mode = options.target.write;
    this.loadBytes = options.loadBytes;
    this.#table = { schema: options.target.schema, table: options.target.table };
  }

  async prepare(request: PrepareRequest): Promise<readonly SchemaChange[]> {
    const { schema, signal, dryRun = false } = request;
    checkSchema(schema, this.#options.target);
    // Opening would make the file.
    if (dryRun && !existsSync(this.#options.path)) return [this.#creation(schema)];
    return this.#use(signal, async (duckdb) => {
      if (dryRun) return (await this.#plan(duckdb, schema, request.generation)).changes;
      await createLedger(duckdb);
      return transaction(duckdb, async () => {
        const { statements, changes } = await this.#plan(duckdb, schema, request.generation);
        for (const statement of statements) await duckdb.query(statement, { signal });
        return changes;
      });
    });
  }

  async write(load: Load, signal: AbortSignal): Promise<LoadReceipt> {
    throwIfCancelled(signal);
    checkSchema(load.schema, this.#options.target);
    const receipt = (repeated: boolean): LoadReceipt => ({
      records: load.records,
      bytes: load.bytes,
      files: [],
      repeated,
    });
    const segment = await this.#segment(load, signal);
    try {
      const applied = await this.#use(signal, async (duckdb) => {
        if ((await appliedRecords(duckdb, load.id, this.target)) !== undefined) return false;
        await this.#apply(duckdb, load, segment, signal);
        return true;
      });
      return receipt(!applied);
    } catch (error) {
      // A commit may have come through although its answer did not: the ledger knows.
      if (!(error instanceof TransientError)) throw error;
      const entered = await this.#use(signal, (duckdb) => appliedRecords(duckdb, load.id, this.target)).catch(
        () => undefined,
      );
      if (entered === undefined) throw error;
      return receipt(false);
    } finally {
      await segment.remove();
    }
  }

  async finish(run: FinishedRun, signal: AbortSignal): Promise<void> {
    throwIfCancelled(signal);
    if (this.mode !== "replace" || !run.complete) return;
    const { clock } = this.#options.context;
    const staging = stagingTable(this.#table, run.generation);
    await this.#use(signal, async (duckdb) => {
      // Swapped already, or a generation that another has replaced since.
      if ((await columnsOf(duckdb, staging)) === undefined) return;
      await transaction(duckdb, async () => {
        const all = await stagingTables(duckdb, this.#table);
        for (const stale of all)
          if (stale.table !== staging.table) await duckdb.query(`DROP TABLE ${quoteTable(stale)}`);
        await duckdb.query(`DROP TABLE IF EXISTS ${quoteTable(this.#table)}`);
        await duckdb.query(
          `ALTER TABLE ${quoteTable(staging)} RENAME TO ${quoteIdentifier(this.#table.table)}`,
        );
        await enterGeneration(duckdb, this.target, run.flow, run.generation, clock.now());
      });
    });
  }

  async close(): Promise<void> {}

  async #use<T>(signal: AbortSignal, work: (duckdb: Duckdb) => Promise<T>): Promise<T> {
    const { path, settings } = this.#options;
    const file = await DatabaseFile.at(path);
    return file.use(settings, signal, work);
  }

  #creation(schema: Schema): SchemaChange {
    return { kind: "createTable", text: `creates table ${this.target} with ${schema.fields.length} columns` };
  }

  /** Statements that make the target, and for `replace` the generation's table, hold the schema. */
  async #plan(
    duckdb: Duckdb,
    schema: Schema,
    generation: string,
  ): Promise<{ readonly statements: readonly string[]; readonly changes: readonly SchemaChange[] }> {
    const { target } = this.#options;
    const table = this.#table;
    const existing = await columnsOf(duckdb, table);
    // Late loads of the generation in force go to the table itself, which must have their columns.
    const isCurrent =
      this.mode === "replace" && (await currentGeneration(duckdb, this.target)) === generation;
    const statements: string[] = [];
    const changes: SchemaChange[] = [];
    if (existing === undefined) {
      if (table.schema !== "main")
        statements.push(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(table.schema)}`);
      statements.push(createStatement(table, schema));
      changes.push(this.#creation(schema));
    } else if (this.mode !== "replace" || isCurrent || target.schemaChange !== "evolve") {
      const plan = planTable(table, existing, schema, target.schemaChange, this.target);
      statements.push(...plan.statements);
      changes.push(...plan.changes);
    }
    if (this.mode !== "replace" || isCurrent) return { statements, changes };
    const staging = stagingTable(table, generation);
    const gathered = await columnsOf(duckdb, staging);
    if (gathered === undefined && (await hasLoads(duckdb, this.target, generation)))
      throw new ConfigError("DUCKDB_GENERATION_LOST", `what was gathered for ${this.target} is gone`, {
        place: this.target,
        fix: "Let only one flow replace a table, and run this one with --full.",
      });
    if (gathered !== undefined)
      statements.push(...planTable(staging, gathered, schema, target.schemaChange, this.target).statements);
    else if (existing !== undefined && target.schemaChange !== "evolve")
      statements.push(`CREATE TABLE ${quoteTable(staging)} AS FROM ${quoteTable(table)} LIMIT 0`);
    else statements.push(createStatement(staging, schema));
    return { statements, changes };
  }

  async #segment(load: Load, signal: AbortSignal): Promise<NdjsonSegment> {
    const { tmpDir } = this.#options.context;
    const path = join(tmpDir, `${load.id}.lines`);
    try {
      await mkdir(tmpDir, { recursive: true });
    } catch (error) {
      throw fileError(error, tmpDir);
    }
    return NdjsonSegment.write(load, path, signal);
  }

  async #apply(duckdb: Duckdb, load: Load, segment: NdjsonSegment, signal: AbortSignal): Promise<void> {
    const { target, context } = this.#options;
    try {
      await transaction(duckdb, async () => {
        const table = await this.#tableFor(duckdb, load.generation);
        const existing = await columnsOf(duckdb, table);
        if (existing === undefined)
          throw new ConfigError("DUCKDB_TABLE_MISSING", `table ${this.target} is not there any more`, {
            place: this.target,
            fix: "Run the flow again, so that the table is made.",
          });
        const columns = assignments(load.schema, existing, target.schemaChange, this.target);
        if (this.mode === "upsert") await upsertSegment(duckdb, segment, target, table, columns, signal);
        else await appendSegment(duckdb, segment, load, table, columns, signal);
        await enterLoad(duckdb, load, this.target, context.clock.now());
      });
    } catch (error) {
      const refusal = await segmentError(duckdb, segment, error, this.target);
      // What no value is to blame for, such as a full disk, concerns the file: DatabaseFile names it.
      throw refusal instanceof RecordError ? refusal : error;
    }
  }

  async #tableFor(duckdb: Duckdb, generation: string): Promise<TableName> {
    if (this.mode !== "replace") return this.#table;
    const isCurrent = (await currentGeneration(duckdb, this.target)) === generation;
    return isCurrent ? this.#table : stagingTable(this.#table, generation);
  }
}

/** Runs `work` in a transaction; a throw rolls it back. */
async function transaction<T>(duckdb: Duckdb, work: () => Promise<T>): Promise<T> {
  await duckdb.query("BEGIN TRANSACTION");
  try {
    const result = await work();
    await duckdb.query("COMMIT");
    return result;
  } catch (error) {
    // Fails when DuckDB has ended the transaction by itself; either way nothing of it stays.
    await duckdb.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
