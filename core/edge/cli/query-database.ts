import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import {
  CancelledError,
  type Clock,
  ConfigError,
  TransientError,
  throwIfCancelled,
} from "../../contracts/index.js";
import { quoteIdentifier, quoteLiteral } from "../../format/sql.js";
import type { LandedFormat } from "./landed-files.js";

const INTERRUPT_MS = 50;
/** How long another process may go on writing to a database before it is left out. */
const LOCKED_MS = 5_000;
const LOCKED_POLL_MS = 100;

/** A table or view that a query can name. */
export interface QueryTable {
  readonly name: string;
  readonly origin: string;
}

/** Rows of a query. Integers above 32 bits, decimals and times are exact text; NULL is null. */
export interface QueryRows {
  readonly columns: readonly { readonly name: string; readonly type: string; readonly number: boolean }[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** The result has more rows than were asked for. */
  readonly more: boolean;
}

/** An in-memory DuckDB over the project's databases (attached read-only) and views over landed files. */
export class QueryDatabase {
  /** Folder for downloads and for what DuckDB spills; removed by `close`. */
  readonly dir: string;
  readonly tables: QueryTable[] = [];
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #schemas = ["memory.main"];

  private constructor(dir: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.dir = dir;
    this.#instance = instance;
    this.#connection = connection;
  }

  static async open(): Promise<QueryDatabase> {
    const dir = mkdtempSync(join(tmpdir(), "sluice-query-"));
    const instance = await DuckDBInstance.create(":memory:", { temp_directory: join(dir, "spill") });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    return new QueryDatabase(dir, instance, connection);
  }

  /** Makes the tables of a DuckDB file readable as `<name>.<table>` and, where no other has the name, as `<table>`. */
  async attach(name: string, file: string, signal: AbortSignal, clock: Clock): Promise<void> {
    const database = quoteIdentifier(name);
    const until = clock.monotonicMs() + LOCKED_MS;
    for (;;) {
      try {
        await this.#connection.run(`ATTACH ${quoteLiteral(file)} AS ${database} (READ_ONLY)`);
        break;
      } catch (error) {
        if (!(error instanceof Error) || !/could not set lock/i.test(error.message)) throw error;
        if (clock.monotonicMs() >= until) {
          throw new TransientError(
            "DATABASE_IN_USE",
            `another process is writing to ${file}; ask again later`,
            {
              place: name,
              cause: error,
            },
          );
        }
      }
      // A run has the file open only while it writes a load.
      await clock.sleep(LOCKED_POLL_MS, signal);
    }
    const schemas = await this.#connection.runAndReadAll(
      `SELECT DISTINCT schema_name, table_name FROM (
         SELECT schema_name, table_name, database_name FROM duckdb_tables()
         UNION ALL SELECT schema_name, view_name, database_name FROM duckdb_views() WHERE NOT internal
       ) WHERE database_name = ${quoteLiteral(name)} ORDER BY schema_name <> 'main', schema_name, table_name`,
    );
    const found = new Set<string>();
    for (const [schema, table] of schemas.getRowsJson()) {
      found.add(String(schema));
      // The sink's own ledger can be asked, and is not what people look for.
      if (String(table).startsWith("_sluice_")) continue;
      const path = schema === "main" ? [table] : [schema, table];
      this.tables.push({ name: path.map((part) => plainIdentifier(String(part))).join("."), origin: name });
    }
    this.#schemas.push(...[...found].map((schema) => `${database}.${quoteIdentifier(schema)}`));
    await this.#connection.run(`SET search_path = ${quoteLiteral(this.#schemas.join(","))}`);
  }

  /** A view over files of one format. */
  async view(name: string, format: LandedFormat, files: readonly string[], origin: string): Promise<void> {
    const list = `[${files.map(quoteLiteral).join(", ")}]`;
    // Types are taken from all rows, not from a sample. CSV says nothing of types, and guessing would turn the
    // postcode 01067 into a number: every column is text there.
    const read = {
      parquet: `read_parquet(${list}, union_by_name = true, hive_partitioning = false)`,
      jsonl: `read_json(${list}, format = 'newline_delimited', union_by_name = true, sample_size = -1, hive_partitioning = false)`,
      csv: `read_csv(${list}, header = true, all_varchar = true, union_by_name = true, hive_partitioning = false)`,
    }[format];
    await this.#connection.run(`CREATE VIEW memory.main.${quoteIdentifier(name)} AS SELECT * FROM ${read}`);
    this.announce(name, origin);
  }

  /** A view that would be made if a query named it. */
  announce(name: string, origin: string): void {
    this.tables.push({ name: plainIdentifier(name), origin });
  }

  /** Runs SQL; of several statements the last one's rows count. ConfigError SQL with the position of a mistake. */
  async query(sql: string, limit: number, signal: AbortSignal, clock: Clock): Promise<QueryRows> {
    throwIfCancelled(signal);
    let stopInterrupting = () => {};
    const interrupt = () => {
      // An interrupt that comes before DuckDB has begun is forgotten, so it is said until it is heard.
      stopInterrupting = clock.every(INTERRUPT_MS, () => this.#connection.interrupt());
    };
    signal.addEventListener("abort", interrupt, { once: true });
    try {
      const reader = await this.#connection.streamAndReadUntil(sql, limit + 1);
      const rows = reader.getRowObjectsJson();
      const types = reader.columnTypes();
      return {
        columns: reader.deduplicatedColumnNames().map((name, index) => {
          const type = String(types[index]);
          return { name, type, number: NUMBER_TYPE.test(type) };
        }),
        rows: rows.slice(0, limit),
        more: rows.length > limit,
      };
    } catch (error) {
      if (signal.aborted) throw new CancelledError("CANCELLED", "the query was cancelled", { cause: error });
      throw sqlError(error);
    } finally {
      signal.removeEventListener("abort", interrupt);
      stopInterrupting();
    }
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const NUMBER_TYPE = /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|DECIMAL|DOUBLE|FLOAT)\b/;

function plainIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/i.test(name) ? name : quoteIdentifier(name);
}

/**
 * DuckDB's message as one sentence with a place: it draws the position as `LINE 2: ...` over a caret
 * (`Binder Error: ...\nDid you mean "a"?\n\nLINE 2:   foo from b\n          ^`).
 */
function sqlError(error: unknown): ConfigError {
  const message = error instanceof Error ? error.message : String(error);
  const drawing = /\n+LINE (\d+): (.*)\n( *)\^[\s\S]*$/.exec(message);
  const words = (drawing === null ? message : message.slice(0, drawing.index))
    .replace(/^Failed to extract statements: /, "")
    .replace(/!?\s*\n+/g, "; ")
    .replace(/[!.]$/, "");
  const line = drawing?.[1];
  const column = drawing === null ? 0 : (drawing[3] ?? "").length - `LINE ${line}: `.length + 1;
  return new ConfigError("SQL", words, {
    place: line === undefined ? "query" : `query:${line}:${Math.max(1, column)}`,
    // The one mistake that knowing SQL does not help against.
    ...(/^(Catalog|Parser) Error/.test(words)
      ? { fix: "`sluice query` without SQL lists the tables; a flow's name has _ for -." }
      : {}),
  });
}
