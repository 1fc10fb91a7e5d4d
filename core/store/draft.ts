import type { KeyRange } from "../queue/index.js";
import { LONGEST_SEALED_MORE, sealInto } from "./sealed-value.js";
import { SortedMap } from "./sorted-map.js";

/** One key as the works of a commit leave it. `sealed` undefined: it is gone. */
export interface Drafted {
  readonly key: Buffer;
  /** The value with its seal, good until the draft is cleared. */
  readonly sealed: Buffer | undefined;
}

interface Step {
  readonly table: DraftTable;
  readonly name: string;
  readonly before: Drafted | undefined;
}

/**
 * What the works of one commit have changed, before any of it is in LMDB. Each work can be undone alone, and what many
 * works change again and again (totals, counters, states that come and go) is written once.
 */
export class Draft {
  readonly #memory = new Arena();
  readonly #tables: DraftTable[] = [];
  readonly #steps: Step[] = [];

  /** The part of the draft that belongs to one table. */
  table(): DraftTable {
    const table = new DraftTable(this.#memory, this.#steps);
    this.#tables.push(table);
    return table;
  }

  /** A place to come back to with `undo`. */
  mark(): number {
    return this.#steps.length;
  }

  /** Takes back every change since the mark. */
  undo(mark: number): void {
    for (const { table, name, before } of this.#steps.splice(mark).reverse()) table.restore(name, before);
  }

  clear(): void {
    for (const table of this.#tables) table.clear();
    this.#steps.length = 0;
    this.#memory.clear();
  }
}

export class DraftTable {
  readonly #memory: Arena;
  readonly #steps: Step[];
  readonly #entries = new SortedMap<Drafted>();

  constructor(memory: Arena, steps: Step[]) {
    this.#memory = memory;
    this.#steps = steps;
  }

  isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  get(key: Buffer): Drafted | undefined {
    return this.#entries.size === 0 ? undefined : this.#entries.get(nameOf(key));
  }

  put(key: Buffer, value: Buffer): void {
    const memory = this.#memory.take(value.length + LONGEST_SEALED_MORE);
    this.#set({ key, sealed: sealInto(memory, key, value) });
  }

  remove(key: Buffer): void {
    this.#set({ key, sealed: undefined });
  }

  /** In the range's direction; its limit is not looked at. */
  within({ from, to, reverse = false }: KeyRange): Iterator<readonly [string, Drafted]> {
    return reverse
      ? this.#entries.down(nameOf(from), nameOf(to))
      : this.#entries.up(nameOf(from), nameOf(to));
  }

  /** In the order of the keys. */
  all(): Iterable<Drafted> {
    return this.#entries.values();
  }

  /** For Draft alone. */
  restore(name: string, before: Drafted | undefined): void {
    if (before) this.#entries.set(name, before);
    else this.#entries.delete(name);
  }

  /** For Draft alone. */
  clear(): void {
    if (this.#entries.size > 0) this.#entries.clear();
  }

  #set(entry: Drafted): void {
    const name = nameOf(entry.key);
    this.#steps.push({ table: this, name, before: this.#entries.set(name, entry) });
  }
}

/** One character a byte: text that sorts as the bytes do. */
export function nameOf(key: Buffer): string {
  return key.toString("latin1");
}

const SLAB_BYTES = 1024 * 1024;
/** Longer values get memory of their own. */
const LONGEST_IN_SLAB = SLAB_BYTES / 2;
/** Kept for the next commit: a page of a run takes about so many. */
const MOST_SLABS = 8;

/** Memory for values until their commit is written: the same slabs again and again, since allocating costs more than copying. */
class Arena {
  readonly #slabs: Buffer[] = [];
  #slab = 0;
  #offset = 0;

  take(bytes: number): Buffer {
    if (bytes > LONGEST_IN_SLAB) return Buffer.allocUnsafeSlow(bytes);
    if (this.#offset + bytes > SLAB_BYTES) {
      this.#slab += 1;
      this.#offset = 0;
    }
    const slab = this.#slabs[this.#slab] ?? this.#grow();
    const start = this.#offset;
    this.#offset += bytes;
    return slab.subarray(start, start + bytes);
  }

  clear(): void {
    this.#slabs.length = Math.min(this.#slabs.length, MOST_SLABS);
    this.#slab = 0;
    this.#offset = 0;
  }

  #grow(): Buffer {
    const slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#slabs.push(slab);
    return slab;
  }
}
