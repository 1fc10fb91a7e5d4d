import { fstatSync } from "node:fs";
import type { Database, Key, RootDatabase } from "lmdb";
import { ConfigError, InvariantError } from "../contracts/index.js";
import type { KeyRange, Table, Tables } from "../queue/index.js";
import { Sealer, unsealed } from "./sealed-value.js";
import { classed, commitError } from "./storage-error.js";

interface Work {
  readonly run: () => void;
  readonly settle: (failure: { readonly error: unknown } | undefined) => void;
}

/**
 * Tables in one LMDB environment (lmdb-js). Several processes may open the same folder: LMDB lets one write at a time
 * and readers see the last commit.
 *
 * A commit ends with fsync before its promises resolve, so a resolved transaction survives SIGKILL and power loss; one
 * that did not resolve is there as a whole or not at all. With `sync: "none"` it survives SIGKILL, not power loss.
 *
 * Group commit: work asked for while a commit is under way waits for the next one and shares it. Each piece of work
 * runs as a nested LMDB transaction, since lmdb-js does not undo what a callback wrote before it threw.
 */
export class LmdbTables implements Tables {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #folder: string;
  readonly #onGrowth: ((bytes: number) => void) | undefined;
  readonly #file: number;
  readonly #onClose: () => void;
  readonly #sealer = new Sealer();
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

  #table<V>(name: string, codec: Codec<V>): Table<V> {
    return new LmdbTable<V>(name, this.#open(name), codec, this.#sealer, () => this.#throwUnlessWriting());
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
    try {
      await this.#root.transaction(() => {
        group = this.#waiting ?? [];
        this.#waiting = undefined;
        this.#writing = true;
        try {
          for (const work of group) {
            const failure = this.#nested(work);
            if (failure) failures.set(work, failure);
          }
        } finally {
          this.#writing = false;
        }
      });
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

  #nested(work: Work): { readonly error: unknown } | undefined {
    try {
      void this.#root.childTransaction(work.run);
      return undefined;
    } catch (error) {
      return { error: this.#classed(error) };
    }
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

interface Codec<V> {
  encode(value: V): Buffer;
  decode(bytes: Buffer): V;
}

/** Values are kept sealed (sealed-value.ts). */
class LmdbTable<V> implements Table<V> {
  readonly #name: string;
  readonly #database: Database<Buffer, Key>;
  readonly #codec: Codec<V>;
  readonly #sealer: Sealer;
  readonly #beforeChange: () => void;

  constructor(
    name: string,
    database: Database<Buffer, Key>,
    codec: Codec<V>,
    sealer: Sealer,
    beforeChange: () => void,
  ) {
    this.#name = name;
    this.#database = database;
    this.#codec = codec;
    this.#sealer = sealer;
    this.#beforeChange = beforeChange;
  }

  get(key: Buffer): V | undefined {
    const bytes = this.#database.get(key);
    return bytes && this.#codec.decode(unsealed(this.#name, key, bytes));
  }

  has(key: Buffer): boolean {
    return this.#database.doesExist(key);
  }

  put(key: Buffer, value: V): void {
    this.#beforeChange();
    this.#database.putSync(key, this.#sealer.seal(key, this.#codec.encode(value)));
  }

  remove(key: Buffer): boolean {
    this.#beforeChange();
    return this.#database.removeSync(key);
  }

  keys(range: KeyRange): Buffer[] {
    const keys: Buffer[] = [];
    for (const key of this.#database.getKeys(bounds(range))) keys.push(bytesOf(key));
    return keys;
  }

  entries(range: KeyRange): { key: Buffer; value: V }[] {
    const entries: { key: Buffer; value: V }[] = [];
    for (const { key, value } of this.#database.getRange(bounds(range))) {
      const own = bytesOf(key);
      entries.push({ key: own, value: this.#codec.decode(unsealed(this.#name, own, value)) });
    }
    return entries;
  }
}

function bounds({ from, to, limit, reverse }: KeyRange) {
  if (reverse) return { start: to, end: from, limit, reverse, exclusiveStart: true, inclusiveEnd: true };
  return { start: from, end: to, limit };
}

/** A copy: lmdb-js reuses the memory it hands keys out in. */
function bytesOf(key: Key): Buffer {
  if (key instanceof Uint8Array) return Buffer.from(key);
  throw new InvariantError("KEY_TYPE", "a table handed out a key that is not bytes");
}
