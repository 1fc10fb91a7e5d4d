import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../contracts/index.js";
import { classed } from "./storage-error.js";

/**
 * What lies where below `dataDir`, and the checks made before LMDB maps the file: a mapped file that is shorter than
 * its own pages say kills the process with SIGBUS instead of an error.
 *
 *   buffer/data.mdb   queues and store, one LMDB environment
 *   buffer/lock.mdb   LMDB's readers and its write lock
 *   buffer/extent     a length that data.mdb has reached, written after the commit that reached it
 *   blobs/            claim checks
 */
export interface DataDirPaths {
  readonly buffer: string;
  readonly data: string;
  readonly extent: string;
  readonly blobs: string;
}

export function dataDirPaths(dataDir: string): DataDirPaths {
  const buffer = join(dataDir, "buffer");
  return {
    buffer,
    data: join(buffer, "data.mdb"),
    extent: join(buffer, "extent"),
    blobs: join(dataDir, "blobs"),
  };
}

/** Creates the folders, unless `readOnly`. */
export function prepareFolders(paths: DataDirPaths, readOnly: boolean): void {
  try {
    if (readOnly) return;
    mkdirSync(paths.buffer, { recursive: true });
    mkdirSync(paths.blobs, { recursive: true });
  } catch (error) {
    throw classed(error, paths.buffer);
  }
}

/** At least what LMDB asks for: a header and 64 bytes for each of MOST_READERS (open.ts). */
const LOCK_BYTES = 64 * 1024;

/**
 * Makes LMDB's lock file with all its blocks. LMDB would make a sparse one and write it through a memory map, and on a
 * full disk such a write kills the process with SIGBUS instead of an error. It comes into place whole, by a link:
 * another process may open it at any instant.
 */
export function prepareLockFile({ buffer }: DataDirPaths): void {
  const lock = join(buffer, "lock.mdb");
  if (existsSync(lock)) return;
  const draft = join(buffer, `lock.${process.pid}.new`);
  try {
    writeFileSync(draft, Buffer.alloc(LOCK_BYTES));
    linkSync(draft, lock);
  } catch (error) {
    const failure = classed(error, buffer);
    // Another process was first; or a file system without links, where LMDB makes the file as it always did.
    if (failure.code === "DISK_FULL") throw failure;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** `MDB_MAGIC` as it stands behind the page header, and where (the page header is 24 bytes in this version of LMDB). */
const MAGIC = 0xbeefc0de;
const HEADER_BYTES = 24;

/** ConfigError DATA_DIR_DAMAGED for a data file that is not LMDB's or shorter than it once was. An absent one is fine. */
export function checkDataFile(paths: DataDirPaths): void {
  const damaged = (reason: string) =>
    new ConfigError("DATA_DIR_DAMAGED", `The data directory's file ${reason}.`, {
      place: paths.data,
      fix: "Restore the data directory from a backup, or name another dataDir.",
    });
  const reached = readExtent(paths);
  const file = openIfThere(paths.data);
  if (file === undefined) {
    if (reached > 0) throw damaged("is missing");
    return;
  }
  try {
    const { size } = fstatSync(file);
    if (size < reached) throw damaged(`has ${size} bytes where it had ${reached}`);
    if (size === 0) return; // created and not yet written by another process, or by one that was killed right then
    const head = Buffer.alloc(HEADER_BYTES + 4);
    if (readSync(file, head, 0, head.length, 0) < head.length || head.readUInt32LE(HEADER_BYTES) !== MAGIC)
      throw damaged("is not an LMDB file");
  } finally {
    closeSync(file);
  }
}

/** Opens for fstat; the descriptor lives as long as the environment. */
export function openDataFile(paths: DataDirPaths): number {
  return openSync(paths.data, "r");
}

/** Not fsynced and need not be: a smaller number than the truth only checks less. */
export function writeExtent(paths: DataDirPaths, bytes: number): void {
  try {
    writeFileSync(paths.extent, `${bytes}\n`);
  } catch (error) {
    // The commit is durable already; a full disk will show at the next one.
    if (classed(error, paths.extent).code !== "DISK_FULL") throw error;
  }
}

function readExtent(paths: DataDirPaths): number {
  const file = openIfThere(paths.extent);
  if (file === undefined) return 0;
  try {
    const bytes = Number(readFileSync(file, "utf8"));
    return Number.isSafeInteger(bytes) ? bytes : 0; // cut short while it was written
  } finally {
    closeSync(file);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw classed(error, path);
  }
}
