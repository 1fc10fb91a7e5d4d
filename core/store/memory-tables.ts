import { InvariantError } from "../contracts/index.js";
import { type KeyRange, type Table, TableCache, type Tables } from "../queue/index.js";
import { nameOf } from "./draft.js";
import { SortedMap } from "./sorted-map.js";

type Undo = () => void;

/** Tables that live as long as the process: for tests, previews and flows that may lose their buffer. */
export class MemoryTables implements Tables {
  readonly #maps = new Map<string, SortedMap<Buffer>>();
  /** Of the transaction that is running; undefined between transactions. */
  #undo: Undo[] | undefined;
  readonly #cache = new TableCache();
  #closed = false;

  get cache(): TableCache | undefined {
    return this.#undo && this.#cache;
  }

  json<V>(name: string): Table<V> {
    return new MemoryTable<V>(
      this.#map(name),
      (value) => Buffer.from(JSON.stringify(value)),
      (bytes) => JSON.parse(bytes.toString()),
      (undo) => this.#record(undo),
    );
  }

  bytes(name: string): Table<Buffer> {
    return new MemoryTable<Buffer>(
      this.#map(name),
      (value) => Buffer.from(value),
      (bytes) => Buffer.from(bytes),
      (undo) => this.#record(undo),
    );
  }

  read<T>(work: () => T): T {
    return work();
  }

  async transaction<T>(work: () => T): Promise<T> {
    await undefined; // like a database, never before the caller's own turn is over
    if (this.#closed) throw new InvariantError("ENVIRONMENT_CLOSED", "the environment was closed before");
    const undo: Undo[] = [];
    this.#undo = undo;
    try {
      return work();
    } catch (error) {
      for (const step of undo.reverse()) step();
      this.#cache.forget();
      throw error;
    } finally {
      this.#undo = undefined;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #map(name: string): SortedMap<Buffer> {
    const map = this.#maps.get(name) ?? new SortedMap<Buffer>();
    this.#maps.set(name, map);
    return map;
  }

  #record(undo: Undo): void {
    if (!this.#undo) throw new InvariantError("NO_TRANSACTION", "a table was changed outside a transaction");
    this.#undo.push(undo);
  }
}

class MemoryTable<V> implements Table<V> {
  readonly #map: SortedMap<Buffer>;
  readonly #encode: (value: V) => Buffer;
  readonly #decode: (bytes: Buffer) => V;
  readonly #record: (undo: Undo) => void;

  constructor(
    map: SortedMap<Buffer>,
    encode: (value: V) => Buffer,
    decode: (bytes: Buffer) => V,
    record: (undo: Undo) => void,
  ) {
    this.#map = map;
    this.#encode = encode;
    this.#decode = decode;
    this.#record = record;
  }

  get(key: Buffer): V | undefined {
    const bytes = this.#map.get(nameOf(key));
    return bytes && this.#decode(bytes);
  }

  has(key: Buffer): boolean {
    return this.#map.get(nameOf(key)) !== undefined;
  }

  put(key: Buffer, value: V): void {
    const name = nameOf(key);
    const before = this.#map.get(name);
    this.#record(() => (before ? this.#map.set(name, before) : this.#map.delete(name)));
    this.#map.set(name, this.#encode(value));
  }

  remove(key: Buffer): void {
    const name = nameOf(key);
    const before = this.#map.get(name);
    this.#record(() => before && this.#map.set(name, before));
    this.#map.delete(name);
  }

  keys(range: KeyRange): Buffer[] {
    return this.#scan(range).map(([key]) => Buffer.from(key, "latin1"));
  }

  entries(range: KeyRange): { key: Buffer; value: V }[] {
    return this.#scan(range).map(([key, bytes]) => ({
      key: Buffer.from(key, "latin1"),
      value: this.#decode(bytes),
    }));
  }

  #scan({ from, to, limit, reverse }: KeyRange): (readonly [string, Buffer])[] {
    const found: (readonly [string, Buffer])[] = [];
    if (limit <= 0) return found;
    const walk = reverse ? this.#map.down(nameOf(from), nameOf(to)) : this.#map.up(nameOf(from), nameOf(to));
    for (const entry of walk) {
      found.push(entry);
      if (found.length >= limit) break;
    }
    return found;
  }
}
