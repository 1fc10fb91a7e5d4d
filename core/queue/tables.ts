import type { TableCache } from "./table-cache.js";

/**
 * What the buffer and the store ask of a database: ordered tables and transactions over them. Implemented by
 * core/store on LMDB and in memory; everything above is written once, against this.
 */
export interface KeyRange {
  /** Inclusive. */
  readonly from: Buffer;
  /** Exclusive. */
  readonly to: Buffer;
  /** Every scan is bounded. */
  readonly limit: number;
  /** Walks down from `to` (exclusive) to `from` (inclusive). */
  readonly reverse?: boolean;
}

/** Keys compare byte by byte. Scans return arrays, so that a caller may change the table while going through one. */
export interface Table<V> {
  get(key: Buffer): V | undefined;
  has(key: Buffer): boolean;
  /** Inside a transaction only. The key is the table's from then on; the value is copied: its memory may be used again. */
  put(key: Buffer, value: V): void;
  /** Inside a transaction only. The key is the table's from then on; it need not be there. */
  remove(key: Buffer): void;
  keys(range: KeyRange): Buffer[];
  entries(range: KeyRange): { readonly key: Buffer; readonly value: V }[];
}

export interface Tables {
  /** Inside a transaction; undefined outside. */
  readonly cache: TableCache | undefined;
  /** Values go through JSON. Open every table before the first transaction. */
  json<V>(name: string): Table<V>;
  /** A value read is a copy: it stays valid. */
  bytes(name: string): Table<Buffer>;
  /** Reads of `work` see one snapshot: the newest commit of any process, or the transaction that is running. */
  read<T>(work: () => T): T;
  /** All of `work` or nothing; resolves when it is durable. Concurrent calls share a commit, each still alone in failing. */
  transaction<T>(work: () => T): Promise<T>;
  /** Waits for running transactions. */
  close(): Promise<void>;
}
