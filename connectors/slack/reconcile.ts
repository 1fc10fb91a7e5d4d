import type { Log, SourceRecord } from "../../core/contracts/index.js";
import type { Batch } from "./batch.js";
import type { Book, Window } from "./book.js";
import { readLedger } from "./cursor.js";
import type { Item, Step } from "./descent.js";
import { fingerprint, type Ledger } from "./ledger.js";
import type { Micros } from "./moment.js";
import type { WindowWork } from "./windows.js";

/** How records are made of what a window shows. */
export interface Shape {
  /** False: the options leave it out, as if it were not there. */
  readonly isWanted: (item: Item) => boolean;
  /** Of an item. `changed`: when it was found changed, null where it is new. */
  readonly record: (item: Item, changed: Micros | null) => SourceRecord;
  /** Of an entry of the ledger that is no longer there. */
  readonly gone: (key: string, changed: Micros) => SourceRecord;
  /** The place of a ledger's key; a key of messages is its own place. */
  readonly at: (key: string) => Micros | undefined;
  /** How a ledger is read and written. */
  readonly decode: (text: string) => Ledger;
  readonly ledger: (text: string) => LedgerText;
  /** True for an item that stands for something deleted. */
  readonly isGone: (item: Item) => boolean;
  /** Several may share one place of this width: a ledger that is full may hold some of them only. 0: every place is its own. */
  readonly grain: Micros;
}

/** A ledger that grows, newest first. */
export interface LedgerText {
  add(at: Micros, print: number, key: string): void;
  readonly size: number;
  readonly last: Micros;
  readonly text: string;
}

/** Set in the fingerprint of what was handed out as deleted: when it vanishes for good, that is no news. */
const GONE = 1;

export interface WorkContext {
  readonly book: Book;
  readonly batch: Batch;
  readonly log: Log;
  /** The key of its state in the book, and for the log. */
  readonly channel: string;
}

/**
 * One window against the ledger of the windows before it. An item that the ledger knows with the same fingerprint was handed out
 * and is passed over; with another one it has changed; one that it does not know is new, or came late; what it knows and the
 * window does not show is gone.
 */
export class ReconcilingWork implements WindowWork {
  readonly #context: WorkContext;
  readonly #window: Window;
  readonly #shape: Shape;
  /** What earlier windows handed out and this one has not shown yet, newest first. */
  readonly #known: Ledger;
  readonly #fresh: LedgerText;
  #full: boolean;
  /** Everything from here on is settled; null: down to the window's beginning. */
  #place: Micros | null;

  constructor(context: WorkContext, window: Window, shape: Shape) {
    this.#context = context;
    this.#window = window;
    this.#shape = shape;
    const { stream } = context.book;
    this.#known = readLedger(shape.decode, window.known, stream);
    // A window that is gone on with has shown, and settled, everything above its place.
    for (const key of this.#known.keys()) {
      const at = shape.at(key) ?? 0;
      if (at >= window.at || at < (window.from ?? 0)) this.#known.delete(key);
    }
    this.#fresh = readLedger(shape.ledger, window.fresh, stream);
    this.#full = window.full;
    this.#place = window.at;
  }

  async *take(step: Step): AsyncGenerator<undefined> {
    for (const item of step.items) this.#settle(item);
    this.#missing(step);
    this.#place = step.last ? null : step.low;
    if (step.last) {
      const { book, channel } = this.#context;
      const oldest = this.#fresh.last + this.#shape.grain;
      book.finish(channel, this.#window, { fresh: this.#fresh.text, full: this.#full, oldest });
    }
    yield undefined;
  }

  save(): void {
    if (this.#place === null) return;
    const { book, channel } = this.#context;
    book.progress(channel, this.#window, this.#place, { fresh: this.#fresh.text, full: this.#full });
  }

  #settle(item: Item): void {
    const { batch } = this.#context;
    const { remember, to } = this.#window;
    if (!this.#shape.isWanted(item)) {
      this.#known.delete(item.key);
      return;
    }
    const remembered = remember !== null && item.at >= remember && this.#hasRoom();
    const before = this.#known.get(item.key);
    // Most of a backfill is neither compared nor remembered.
    const print = remembered || before !== undefined ? this.#print(item) : 0;
    if (remembered) this.#fresh.add(item.at, print, item.key);
    if (before !== undefined) this.#known.delete(item.key);
    if (before === print && before !== undefined) return;
    const record = this.#shape.record(item, before === undefined ? null : to);
    if (item.refused === undefined) batch.add(record);
    else batch.addRefused(record, item.refused);
  }

  #print(item: Item): number {
    const print = fingerprint(item.raw) & ~GONE;
    return (this.#shape.isGone(item) ? print | GONE : print) >>> 0;
  }

  #hasRoom(): boolean {
    if (this.#full) return false;
    const { book, channel, log } = this.#context;
    if (this.#fresh.size < book.perChannel) return true;
    this.#full = true;
    log.warn(
      `edits and deletes are found among the newest ${this.#fresh.size} records of ${channel === "" ? book.stream : channel} only: it has more within options.rescan`,
      { channel },
    );
    return false;
  }

  /** What the ledger knows of the stretch that was seen, and was not shown. */
  #missing(step: Step): void {
    const { batch } = this.#context;
    // Below a free plan's horizon nothing is shown, deleted or not.
    const low = step.truncated && step.last ? (step.items.at(-1)?.at ?? this.#window.to) : step.low;
    for (const key of this.#known.keys()) {
      if ((this.#shape.at(key) ?? 0) < low) break;
      const isKnownGone = ((this.#known.get(key) ?? 0) & GONE) !== 0;
      this.#known.delete(key);
      if (!isKnownGone) batch.add(this.#shape.gone(key, this.#window.to));
    }
  }
}
