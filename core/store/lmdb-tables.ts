import { fstatSync } from "node:fs";
import type { Database, Key, RootDatabase } from "lmdb";
import { ConfigError, InvariantError } from "../contracts/index.js";
import { type Table, TableCache, type Tables } from "../queue/index.js";
import { Draft } from "./draft.js";
import { type Codec, LmdbTable, type TableParts, writeDraft } from "./lmdb-table.js";
import { classed, commitError } from "./storage-error.js";

interface Work {
  readonly run: () => void;
  readonly settle: (failure: { readonly error: unknown } | undefined) => void;
}

/** Changes held back before they are written: scans walk around what is drafted. */
const MOST_DRAFTED = 1000;

/**
 * Tables in one LMDB environment (lmdb-js). Several processes may open the same folder: LMDB lets one write at a time
 * and readers see the last commit.
 *
 * A commit ends with fsync before its promises resolve, so a resolved transaction survives SIGKILL and power loss; one
 * that did not resolve is there as a whole or not at all. With `sync: "none"` it survives SIGKILL, not power loss.
 *
 * Group commit: work asked for while a commit is under way waits for the next one and shares it. The works of a commit
 * change a draft, where each can be undone alone; LMDB gets what comes of them all, once the last has run:
 *
 *   waiting --the write lock is ours--> drafting, work by work --> written to LMDB --fsync--> settled
 */
export class LmdbTables implements Tables {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #folder: string;
  readonly #onGrowth: ((bytes: number) => void) | undefined;
  readonly #file: number;
  readonly #onClose: () => void;
  readonly #draft = new Draft();
  /** By name. */
  readonly #parts = new Map<string, TableParts>();
  readonly #cache = new TableCache();
  /**
   * Number of the last transaction, once it is known to be committed and to have changed something. Undefined: what the
   * cache holds may not be what LMDB holds.
   */
  #committedTxnId: number | undefined;
  #waiting: Work[] | undefined;
  #writing = false;
  #closed = false;
  #running = new Set<Promise<unknown>>();
  #size = 0;

  /** `file`: descriptor of the data file; `onGrowth` hears of its new size after a commit that made it longer. */
  constructor(
    root: RootDatabase<Buffer, Buffer>,
    options: {
      readonly folder: string;
      readonly file: number;
      readonly onGrowth?: (bytes: number) => void;
      readonly onClose?: () => void;
    },
  ) {
    this.#root = root;
    this.#folder = options.folder;
    this.#file = options.file;
    this.#onGrowth = options.onGrowth;
    this.#onClose = options.onClose ?? (() => {});
  }

  get cache(): TableCache | undefined {
    return this.#writing ? this.#cache : undefined;
  }

  json<V>(name: string): Table<V> {
    return this.#table<V>(name, {
      encode: (value) => Buffer.from(JSON.stringify(value)),
      decode: (bytes) => JSON.parse(bytes.toString("utf8")),
    });
  }

  bytes(name: string): Table<Buffer> {
    return this.#table<Buffer>(name, { encode: (value) => value, decode: (bytes) => bytes });
  }

  read<T>(work: () => T): T {
    // lmdb-js keeps one snapshot for a turn of the event loop; another process may have committed since.
    if (!this.#writing) {
      this.#throwIfClosed();
      this.#root.resetReadTxn();
    }
    try {
      return work();
    } catch (error) {
      throw this.#classed(error);
    }
  }

  transaction<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#throwIfClosed();
      if (this.#writing)
        throw new InvariantError("NESTED_TRANSACTION", "a transaction was asked for inside a transaction");
      let result: { readonly value: T } | undefined;
      this.#enqueue({
        run: () => {
          result = { value: work() };
        },
        settle: (failure) => {
          if (failure) reject(failure.error);
          else if (result) resolve(result.value);
        },
      });
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    await this.#root.close();
    this.#onClose();
  }

  /** Everybody who opens a table of this name shares its draft: the works of one commit see each other's changes. */
  #table<V>(name: string, codec: Codec<V>): Table<V> {
    const shared = this.#parts.get(name) ?? { name, database: this.#open(name), draft: this.#draft.table() };
    this.#parts.set(name, shared);
    return new LmdbTable<V>(shared, codec, () => this.#throwUnlessWriting());
  }

  #open(name: string): Database<Buffer, Key> {
    const database: Database<Buffer, Key> | undefined = this.#root.openDB<Buffer, Key>({
      name,
      encoding: "binary",
      keyEncoding: "binary",
    });
    if (database) return database;
    throw new ConfigError("DATA_DIR_DAMAGED", `The data directory has no table ${name}.`, {
      place: this.#folder,
      fix: "Restore it from a backup, or name another dataDir.",
    });
  }

  #enqueue(work: Work): void {
    if (this.#waiting) {
      this.#waiting.push(work);
      return;
    }
    this.#waiting = [work];
    const commit = this.#commit();
    this.#running.add(commit);
    void commit.finally(() => this.#running.delete(commit));
  }

  /** One LMDB transaction over everything that waits by the time the write lock is ours. Never rejects. */
  async #commit(): Promise<void> {
    let group: readonly Work[] = [];
    const failures = new Map<Work, { readonly error: unknown }>();
    let changed: number | undefined;
    try {
      await this.#root.transaction(() => {
        group = this.#waiting ?? [];
        this.#waiting = undefined;
        this.#writing = true;
        const txnId = this.#root.getWriteTxnId();
        // Another process has written since, or the last transaction may have failed.
        if (this.#committedTxnId === undefined || txnId !== this.#committedTxnId + 1) this.#cache.forget();
        this.#committedTxnId = undefined;
        let puts = 0;
        try {
          // All or nothing: lmdb-js commits what a callback wrote before it threw, unless the transaction is a nested one.
          void this.#root.childTransaction(() => {
            for (const work of group) {
              const failure = this.#attempt(work);
              if (failure) failures.set(work, failure);
              if (this.#draft.mark() >= MOST_DRAFTED) puts += this.#write();
            }
            puts += this.#write();
          });
          // A transaction that puts nothing may leave its number to the next one, of whatever process.
          if (puts > 0) changed = txnId;
        } finally {
          this.#draft.clear();
          this.#writing = false;
        }
      });
      this.#committedTxnId = changed;
      this.#noteGrowth();
    } catch (error) {
      const failure = { error: await this.#commitError(error) };
      // When LMDB could not even begin, the callback never ran and everything still waits.
      if (group.length === 0) {
        group = this.#waiting ?? [];
        this.#waiting = undefined;
      }
      for (const work of group) if (!failures.has(work)) failures.set(work, failure);
    }
    for (const work of group) work.settle(failures.get(work));
  }

  #attempt(work: Work): { readonly error: unknown } | undefined {
    const mark = this.#draft.mark();
    try {
      work.run();
      return undefined;
    } catch (error) {
      this.#draft.undo(mark);
      this.#cache.forget();
      return { error: this.#classed(error) };
    }
  }

  /** Returns how many values were put. */
  #write(): number {
    let puts = 0;
    for (const parts of this.#parts.values()) puts += writeDraft(parts);
    this.#draft.clear();
    return puts;
  }

  /** LMDB's own errors get a class; what the work itself throws passes as it is. */
  #classed(error: unknown): unknown {
    const ofLmdb = error instanceof Error && error.message.startsWith("MDB_");
    return ofLmdb ? classed(error, this.#folder) : error;
  }

  #commitError(error: unknown) {
    return commitError(error, this.#folder, fstatSync(this.#file).size);
  }

  #noteGrowth(): void {
    if (!this.#onGrowth) return;
    const { size } = fstatSync(this.#file);
    if (size <= this.#size) return;
    this.#size = size;
    this.#onGrowth(size);
  }

  /** Without this, lmdb-js would make a transaction of its own, one commit for every value. */
  #throwUnlessWriting(): void {
    if (!this.#writing)
      throw new InvariantError("NO_TRANSACTION", "a table was changed outside a transaction");
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new InvariantError("ENVIRONMENT_CLOSED", "the environment was closed before");
  }
}
