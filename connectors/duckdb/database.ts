import { mkdir, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError, throwIfCancelled } from "../../core/contracts/index.js";
import { type Duckdb, duckdbError, fileError, openDuckdb } from "../../core/format/index.js";

/*
 * Only one process may hold a DuckDB file: while one has it open, others cannot even read it. So a file is open only
 * while somebody works on it, and `sluice query` or another tool gets its turn between two loads. Opening and closing
 * takes some 20 ms and gives back the memory that DuckDB keeps for an open file (415 MB after 14 loads, else 170).
 *
 * Inside one process DuckDB would open the same file twice without a word, and then two writers spoil it: all work on a
 * file goes through the one DatabaseFile of this process, one piece of work at a time.
 *
 *   closed -> opening -> working -> (somebody waits? working : closed)
 */

export interface DatabaseSettings {
  readonly threads: number;
  readonly memoryLimitBytes: number;
  /** Where DuckDB may spill. */
  readonly tempDirectory: string;
}

export class DatabaseFile {
  readonly path: string;
  #open: Duckdb | undefined;
  #waiting = 0;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(path: string) {
    this.path = path;
  }

  static readonly #files = new Map<string, DatabaseFile>();

  /** The one of this process for a path; its folder is made. */
  static async at(path: string): Promise<DatabaseFile> {
    let real: string;
    try {
      await mkdir(dirname(path), { recursive: true });
      real = await realpath(path).catch(async () => join(await realpath(dirname(path)), basename(path)));
    } catch (error) {
      throw fileError(error, path);
    }
    const file = DatabaseFile.#files.get(real) ?? new DatabaseFile(real);
    DatabaseFile.#files.set(real, file);
    return file;
  }

  /**
   * Runs `work` on the open database when everybody before has finished. A throw of DuckDB comes out classed
   * (duckdbError), and rolls back what was not committed, since the database is closed after it.
   */
  async use<T>(
    settings: DatabaseSettings,
    signal: AbortSignal,
    work: (duckdb: Duckdb) => Promise<T>,
  ): Promise<T> {
    this.#waiting++;
    const turn = this.#tail.then(async () => {
      let failed = true;
      try {
        throwIfCancelled(signal);
        this.#open ??= await this.#openFile(settings);
        const result = await work(this.#open);
        failed = false;
        return result;
      } catch (error) {
        throw databaseError(error, this.path);
      } finally {
        this.#waiting--;
        if (failed || this.#waiting === 0) await this.#close();
      }
    });
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  #openFile({ threads, memoryLimitBytes, tempDirectory }: DatabaseSettings): Promise<Duckdb> {
    const memoryLimitMb = Math.floor(memoryLimitBytes / 2 ** 20);
    return openDuckdb({ path: this.path, threads, memoryLimitMb, tempDirectory });
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.close();
  }
}

/** What opening a file adds to DuckDB's errors. */
function databaseError(error: unknown, path: string): Error {
  const text = error instanceof Error ? error.message : String(error);
  if (/not a valid DuckDB database file|database file with version number|Is a directory/i.test(text))
    return new ConfigError("DUCKDB_FILE", `${path} is no DuckDB file that this version reads`, {
      place: path,
      fix: "Name another file in the connection's path, or move this one away.",
      cause: error,
    });
  if (/Permission denied|Read-only file system/i.test(text))
    return new ConfigError("DUCKDB_PERMISSION", `${path} cannot be opened for writing: permission denied`, {
      place: path,
      fix: "Give this user the right to write the file and its folder, or choose another path.",
      cause: error,
    });
  return duckdbError(error, path);
}
