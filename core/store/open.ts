import { closeSync, existsSync, realpathSync } from "node:fs";
import { open, type RootDatabase } from "lmdb";
import { type Clock, ConfigError, type Environment, type Random } from "../contracts/index.js";
import type { Tables } from "../queue/index.js";
import { BlobFiles } from "./blob-files.js";
import { BlobMemory } from "./blob-memory.js";
import {
  checkDataFile,
  type DataDirPaths,
  dataDirPaths,
  Extent,
  openDataFile,
  prepareFolders,
  prepareLockFile,
} from "./data-dir.js";
import { StoredEnvironment } from "./environment.js";
import { LmdbTables } from "./lmdb-tables.js";
import { MemoryTables } from "./memory-tables.js";
import { shareTables } from "./shared-tables.js";
import { classed } from "./storage-error.js";

export interface EnvironmentOptions {
  /** Folder of everything that lasts; created when absent. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * `commit` (default): a transaction resolves after fsync and survives power loss. `none`: it survives the death of
   * the process, not that of the machine.
   */
  readonly sync?: "commit" | "none";
  /** Address space reserved for the database, bytes; it grows beyond when it must. Default 1 TiB: it costs nothing. */
  readonly mapSizeBytes?: number;
  /** Looks only: nothing is created, swept or written. */
  readonly readOnly?: boolean;
}

/** Of the tables and what they mean; a change that older code cannot read raises it. */
const FORMAT_VERSION = 2;
const FORMAT_KEY = Buffer.from("format");
const MOST_TABLES = 64;
const MAP_BYTES = 2 ** 40;
/** The lock file holds one slot a process (and one a reading thread). */
const MOST_READERS = 512;

/**
 * Opens the data directory. Several processes may have it open at once.
 * ConfigError: DATA_DIR_MISSING (readOnly), DATA_DIR_NOT_WRITABLE, DATA_DIR_NOT_A_FOLDER, DATA_DIR_DAMAGED,
 * DATA_DIR_VERSION. TransientError: DISK_FULL, here and in every transaction.
 */
export async function openEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { clock, random, readOnly = false } = options;
  const paths = dataDirPaths(options.dataDir);
  prepareFolders(paths, readOnly);
  checkDataFile(paths);
  if (readOnly && !existsSync(paths.data))
    throw new ConfigError("DATA_DIR_MISSING", "There is no data directory yet.", {
      place: options.dataDir,
      fix: "Run a flow first, or name another dataDir in sluice.yaml.",
    });
  if (!readOnly) prepareLockFile(paths);
  const tables = shareTables(realpathSync(paths.buffer), { readOnly, sync: options.sync ?? "commit" }, () =>
    openTables(paths, options),
  );
  const blobs = new BlobFiles(paths.blobs, clock, random);
  const onClose = () => blobs.close();
  try {
    await checkFormat(tables, paths, readOnly);
    const environment = new StoredEnvironment(tables, blobs, { clock, random, onClose });
    if (!readOnly) await environment.queues.recover();
    return environment;
  } catch (error) {
    await tables.close();
    onClose();
    throw classed(error, options.dataDir);
  }
}

/** Queues and store that live as long as the process. */
export function memoryEnvironment(options: { readonly clock: Clock; readonly random: Random }): Environment {
  return new StoredEnvironment(new MemoryTables(), new BlobMemory(options.random), options);
}

function openRoot(paths: DataDirPaths, options: EnvironmentOptions): RootDatabase<Buffer, Buffer> {
  try {
    return open<Buffer, Buffer>({
      path: paths.buffer,
      noSubdir: false,
      encoding: "binary",
      keyEncoding: "binary",
      maxDbs: MOST_TABLES,
      maxReaders: MOST_READERS,
      mapSize: options.mapSizeBytes ?? MAP_BYTES,
      readOnly: options.readOnly ?? false,
      // Classic LMDB: the commit itself ends with fsync. lmdb-js's overlapping sync resolves before the data is safe.
      overlappingSync: false,
      noSync: options.sync === "none",
      // Its batches leave a promise that nobody holds, and a failed commit (a full disk) would reject it unhandled. All
      // our writes are in transactions, which group themselves.
      eventTurnBatching: false,
    });
  } catch (error) {
    throw classed(error, paths.buffer);
  }
}

function openTables(paths: DataDirPaths, options: EnvironmentOptions): LmdbTables {
  const root = openRoot(paths, options);
  const file = openDataFile(paths);
  const extent = new Extent(paths);
  return new LmdbTables(root, {
    folder: paths.buffer,
    file,
    onClose: () => {
      closeSync(file);
      extent.close();
    },
    ...(options.readOnly ? {} : { onGrowth: (bytes: number) => extent.write(bytes) }),
  });
}

async function checkFormat(tables: Tables, paths: DataDirPaths, readOnly: boolean): Promise<void> {
  const format = tables.json<number>("format");
  const found = tables.read(() => format.get(FORMAT_KEY));
  if (found === FORMAT_VERSION) return;
  if (found !== undefined || readOnly)
    throw new ConfigError(
      "DATA_DIR_VERSION",
      `The data directory has format ${found ?? "none"}; this version of Sluice reads format ${FORMAT_VERSION}.`,
      { place: paths.buffer, fix: "Use the version of Sluice that wrote it, or name another dataDir." },
    );
  await tables.transaction(() => {
    if (!format.has(FORMAT_KEY)) format.put(FORMAT_KEY, FORMAT_VERSION);
  });
}
