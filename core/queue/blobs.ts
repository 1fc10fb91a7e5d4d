import type { Readable } from "node:stream";
import type { Table } from "./tables.js";

/**
 * The bodies that are too long for a message (claim check). A blob is written before the transaction that refers to
 * it and removed after the one that lets go of it, so a crash in between leaves a blob without a message, never a
 * message without a blob; `sweep`, at open, removes those.
 */
export interface BlobShelf {
  /** Resolves when the bytes are durable. */
  write(bytes: Buffer): Promise<string>;
  read(name: string): Buffer;
  stream(name: string): Readable;
  has(name: string): boolean;
  /** Absent ones are harmless. */
  remove(name: string): Promise<void>;
  /**
   * Removes blobs that no message refers to and whose writer is gone. Runs inside a transaction: since a send checks
   * inside its own that its blob is there, no message can come to refer to a blob that is swept.
   */
  sweep(inUse: (name: string) => boolean): number;
}

export interface BlobRow {
  /** Messages that refer to the blob. */
  readonly refs: number;
}

export type BlobTable = Table<BlobRow>;
