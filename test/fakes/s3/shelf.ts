import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Bytes somewhere: in memory, or in a file behind its header line. */
export interface Content {
  readonly size: number;
  /** Bytes from `start` up to, not including, `end`. */
  read(start: number, end: number): Buffer;
}

/** One stored thing: what is known about it, and its bytes. */
export interface Stored {
  readonly header: unknown;
  readonly content: Content;
}

/**
 * Where bytes are kept. All synchronous: an operation that checks a condition and then stores does both in one
 * tick, so races between requests have exactly one winner.
 */
export interface Shelf {
  /** Whole or not at all, replacing what was there. Names are path segments safe in a file system. */
  keep(path: readonly string[], header: unknown, parts: readonly Content[]): Content;
  /** Removes one thing, or a folder of them. Absent is fine. */
  drop(path: readonly string[]): void;
  makeFolder(path: readonly string[]): void;
  folders(path: readonly string[]): string[];
  /** Everything directly in that folder. */
  stored(path: readonly string[]): { readonly name: string; readonly stored: Stored }[];
}

export function memoryContent(bytes: Buffer): Content {
  return { size: bytes.length, read: (start, end) => bytes.subarray(start, end) };
}

export function joined(parts: readonly Content[]): Buffer {
  return Buffer.concat(parts.map((part) => part.read(0, part.size)));
}

/** Keeps bytes as long as the process lives; starts empty. */
export const memoryShelf = (): Shelf => ({
  keep: (_path, _header, parts) => memoryContent(joined(parts)),
  drop: () => {},
  makeFolder: () => {},
  folders: () => [],
  stored: () => [],
});

/**
 * Keeps each thing as one file: a line of JSON, then the bytes. Written aside and renamed into place, so a killed
 * process leaves a whole file or none; a new process finds everything again.
 */
export function diskShelf(root: string): Shelf {
  const aside = join(root, ".tmp");
  // What a killed process was still writing.
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  let serial = 0;
  const at = (path: readonly string[]) => join(root, ...path);
  return {
    keep: (path, header, parts) => {
      const temporary = join(aside, String(serial++));
      const line = Buffer.from(`${JSON.stringify(header)}\n`);
      const file = openSync(temporary, "wx");
      try {
        writeAll(file, line);
        for (const part of parts) writeAll(file, part.read(0, part.size));
      } finally {
        closeSync(file);
      }
      const target = at(path);
      mkdirSync(dirname(target), { recursive: true });
      renameSync(temporary, target);
      const size = parts.reduce((sum, part) => sum + part.size, 0);
      return fileContent(target, line.length, size);
    },
    drop: (path) => rmSync(at(path), { recursive: true, force: true }),
    makeFolder: (path) => mkdirSync(at(path), { recursive: true }),
    folders: (path) => entries(at(path), true).filter((name) => name !== ".tmp"),
    stored: (path) => entries(at(path), false).map((name) => ({ name, stored: load(join(at(path), name)) })),
  };
}

function entries(folder: string, directories: boolean): string[] {
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() === directories)
    .map((entry) => entry.name);
}

function fileContent(path: string, offset: number, size: number): Content {
  return {
    size,
    read: (start, end) => {
      const bytes = Buffer.alloc(Math.max(0, Math.min(end, size) - start));
      const file = openSync(path, "r");
      try {
        fill(file, bytes, offset + start);
      } finally {
        closeSync(file);
      }
      return bytes;
    },
  };
}

function load(path: string): Stored {
  const file = openSync(path, "r");
  try {
    const size = fstatSync(file).size;
    let head = Buffer.alloc(0);
    for (;;) {
      const end = head.indexOf(10);
      if (end >= 0) {
        const header: unknown = JSON.parse(head.toString("utf8", 0, end));
        return { header, content: fileContent(path, end + 1, size - end - 1) };
      }
      if (head.length === size) throw new Error(`${path} is not a file of this fake: it has no header line`);
      const more = Buffer.alloc(Math.min(4096, size - head.length));
      fill(file, more, head.length);
      head = Buffer.concat([head, more]);
    }
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

function fill(file: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) {
    const read = readSync(file, bytes, at, bytes.length - at, position + at);
    if (read === 0) throw new Error("a file of this fake is shorter than it was");
    at += read;
  }
}
