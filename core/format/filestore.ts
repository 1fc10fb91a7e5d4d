import type { KeyLimits } from "./layout.js";

/** Stored with a file where the system can: which part of which load it is. */
export interface FileMark {
  readonly load: string;
  readonly part: number;
  readonly records: number;
}

/** What became of creating a file. */
export type Creation =
  | { readonly created: true; readonly bytes: number }
  /** The key was taken: by this many bytes, with this mark (undefined: none, or the system keeps none). */
  | { readonly created: false; readonly bytes: number; readonly mark: FileMark | undefined };

export interface StoredText {
  readonly text: string;
  /** Changes with the content; for `swap`. */
  readonly version: string;
}

/**
 * A system that keeps files under keys: a bucket or a folder. What FileSinkWriter builds exactly-once upon. Every call
 * throws classed errors, and CancelledError soon after the signal aborts. Whatever resolves is durable.
 */
export interface FileStore {
  /** Prefix of error codes: `S3`, `FOLDER`. */
  readonly code: string;
  readonly limits: KeyLimits;
  /** Files carry marks. */
  readonly keepsMarks: boolean;
  /** Files worth creating at the same time. */
  readonly parallel: number;
  /** Full address of a key: `s3://bucket/key`, an absolute path. */
  address(key: string): string;
  /** The key of a full address; undefined: it is not in here. */
  keyOf(address: string): string | undefined;
  /** Makes what must exist before files can be created below `base`. Says in one sentence what it made, or would. */
  prepare(base: string, dryRun: boolean, signal: AbortSignal): Promise<string | undefined>;
  /** Puts a local file under a key, whole or not at all, never over another. Harmless when repeated. */
  create(
    key: string,
    file: { readonly path: string; readonly bytes: number },
    mark: FileMark,
    signal: AbortSignal,
  ): Promise<Creation>;
  /** A small text; undefined when absent. */
  read(key: string, signal: AbortSignal): Promise<StoredText | undefined>;
  /**
   * Writes a small text where the key still has this version (undefined: is absent). False: it has not, or the answer
   * was lost and it may be ours already; read again.
   */
  swap(key: string, text: string, version: string | undefined, signal: AbortSignal): Promise<boolean>;
  /** Bytes of a file; undefined when absent. */
  size(key: string, signal: AbortSignal): Promise<number | undefined>;
  /** Keys that start with `prefix`, which ends with a slash. Absent: none. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<string>;
  /** Removes; absent keys are fine. */
  remove(keys: readonly string[], signal: AbortSignal): Promise<void>;
}
