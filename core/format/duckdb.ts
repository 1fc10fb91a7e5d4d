import type { DuckDBConnection, DuckDBInstance, DuckDBValue, Json } from "@duckdb/node-api";
import { CancelledError, ConfigError, throwIfCancelled } from "../contracts/index.js";
import { quoteLiteral } from "./sql.js";

/** Settings of a DuckDB instance. */
export interface DuckdbSettings {
  /** A file, or `:memory:`. */
  readonly path: string;
  readonly threads: number;
  /** MiB that DuckDB's buffer manager may hold. */
  readonly memoryLimitMb: number;
  /** Where it may spill; empty: nowhere. */
  readonly tempDirectory: string;
}

/**
 * Without these DuckDB's allocator keeps up to 250 MB that were freed long ago, since every query may run on another
 * thread of node's pool and each has its own arena. Writing 1 M rows of 1 KB as Parquet: by default 282 MB and 2.9 s of
 * CPU time, with 8 MB 84 MB and 3.2 s, with 1 MB 74 MB and 3.7 s.
 */
const FLUSH_THRESHOLD = "1MB";
const BULK_FLUSH_THRESHOLD = "8MB";

/** DuckDB, loaded at first use. ConfigError where this platform has no native build. */
async function loadDuckdb(): Promise<typeof import("@duckdb/node-api")> {
  try {
    return await import("@duckdb/node-api");
  } catch (cause) {
    throw new ConfigError(
      "DUCKDB_MISSING",
      `DuckDB's native build for ${process.platform}-${process.arch} cannot be loaded`,
      {
        place: "@duckdb/node-api",
        fix: "Set `engine: parquetjs` on file sinks, or run `npm ci` on a platform that DuckDB supports.",
        cause,
      },
    );
  }
}

/** Name of the attached file; only one that no user's schema has, or DuckDB finds names ambiguous. */
const CATALOG = "_sluice_file";
/**
 * Rows of a row group in a database file, instead of 122,880. A full group is compressed and written once while the
 * load is inserted; what does not fill one goes through the WAL and is compressed again by the next checkpoint. Loads
 * of 65,000 rows took 9.6 s of CPU time per million rows with the default and 6.5 with this, at two thirds of the size.
 */
const FILE_ROW_GROUP_ROWS = 16_384;
/** Full groups held back before they are written, instead of 5: 30 MB less. */
const FILE_ROW_GROUPS_HELD = 1;

/** Opens a database with settings that keep memory flat and the network out. */
export async function openDuckdb(settings: DuckdbSettings): Promise<Duckdb> {
  const { DuckDBInstance } = await loadDuckdb();
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(settings.threads),
    memory_limit: `${settings.memoryLimitMb}MiB`,
    temp_directory: settings.tempDirectory,
    allocator_flush_threshold: FLUSH_THRESHOLD,
    allocator_bulk_deallocation_flush_threshold: BULK_FLUSH_THRESHOLD,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
  });
  try {
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'; SET preserve_insertion_order = true");
    if (settings.path !== ":memory:")
      await connection.run(
        `SET write_buffer_row_group_count = ${FILE_ROW_GROUPS_HELD}; ATTACH ${quoteLiteral(settings.path)} AS ${CATALOG} (ROW_GROUP_SIZE ${FILE_ROW_GROUP_ROWS}); USE ${CATALOG}`,
      );
    return new Duckdb(instance, connection);
  } catch (error) {
    instance.closeSync();
    throw error;
  }
}

/** One connection to one DuckDB instance. Statements run one after the other. */
export class Duckdb {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  /** Runs `work` when every earlier `exclusive` has ended: several statements that belong together. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /**
   * Runs one or more statements; resolves to the rows of the last. Aborting interrupts it with CancelledError.
   * Errors are DuckDB's own; see duckdbError.
   */
  async query(
    sql: string,
    options: { readonly signal?: AbortSignal; readonly values?: DuckDBValue[] } = {},
  ): Promise<Record<string, Json>[]> {
    const { signal, values } = options;
    throwIfCancelled(signal);
    const interrupt = () => this.#connection.interrupt();
    signal?.addEventListener("abort", interrupt, { once: true });
    try {
      const reader = await this.#connection.runAndReadAll(sql, values);
      return reader.getRowObjectsJson();
    } catch (error) {
      if (signal?.aborted) throw new CancelledError("CANCELLED", "cancelled", { cause: error });
      throw error;
    } finally {
      signal?.removeEventListener("abort", interrupt);
    }
  }

  /** Closes when the running `exclusive` work has ended. Twice is harmless. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#tail;
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

let shared: Promise<Duckdb> | undefined;

/**
 * The one in-memory DuckDB of this process that writes files. One thread: it reads, casts and compresses 300,000 rows
 * of 1 KB a second; two were no faster on two cores that also run the source, and hold twice the memory. It never spills, since it only streams.
 */
export function sharedDuckdb(): Promise<Duckdb> {
  if (shared === undefined) {
    const opening = openDuckdb({ path: ":memory:", threads: 1, memoryLimitMb: 256, tempDirectory: "" });
    shared = opening;
    opening.catch(() => {
      if (shared === opening) shared = undefined;
    });
  }
  return shared;
}

/** Gives the shared DuckDB's memory back; the next use opens it again. */
export async function closeSharedDuckdb(): Promise<void> {
  const open = shared;
  shared = undefined;
  if (open !== undefined) await (await open).close();
}
