import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../contracts/index.js";
import { findDamage } from "./page-walk.js";
import { classed } from "./storage-error.js";

/**
 * What lies where below `dataDir`, and the checks made before LMDB maps the file: a mapped file that is shorter than
 * its own pages say kills the process with SIGBUS instead of an error.
 *
 *   buffer/data.mdb   queues and store, one LMDB environment
 *   buffer/lock.mdb   LMDB's readers and its write lock
 *   buffer/extent     a length that data.mdb has reached, written after the commit that reached it
 *   blobs/            claim checks
 *   ahead/            answers of sources that were asked for before their turn (kept-answers.ts)
 */
export interface DataDirPaths {
  readonly buffer: string;
  readonly data: string;
  readonly extent: string;
  readonly blobs: string;
  readonly ahead: string;
}

export function dataDirPaths(dataDir: string): DataDirPaths {
  const buffer = join(dataDir, "buffer");
  return {
    buffer,
    data: join(buffer, "data.mdb"),
    extent: join(buffer, "extent"),
    blobs: join(dataDir, "blobs"),
    ahead: join(dataDir, "ahead"),
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

/**
 * ConfigError DATA_DIR_DAMAGED for a data file that is not LMDB's, is shorter than it once was, or whose pages do not
 * fit together (page-walk.ts). An absent one is fine.
 */
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
    const damage = findDamage(file);
    if (damage !== undefined) throw damaged(damage);
  } finally {
    closeSync(file);
  }
}

/** Opens for fstat; the descriptor lives as long as the environment. */
export function openDataFile(paths: DataDirPaths): number {
  return openSync(paths.data, "r");
}

/** Digits of the extent: a fixed width, so that writing over it never leaves a tail. */
const EXTENT_DIGITS = 16;

/** The record of how long the data file once was. Kept open: it is written after every commit that made it longer. */
export class Extent {
  readonly #paths: DataDirPaths;
  #file: number | undefined;

  constructor(paths: DataDirPaths) {
    this.#paths = paths;
  }

  /** Not fsynced and need not be: a smaller number than the truth only checks less. */
  write(bytes: number): void {
    try {
      this.#file ??= openSync(this.#paths.extent, constants.O_RDWR | constants.O_CREAT);
      writeSync(this.#file, `${String(bytes).padStart(EXTENT_DIGITS)}\n`, 0);
    } catch (error) {
      // The commit is durable already; a full disk will show at the next one.
      if (classed(error, this.#paths.extent).code !== "DISK_FULL") throw error;
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
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
