import { isBefore, laneEnd, type Place, placeKey, placeOf } from "./keys.js";
import type { Table } from "./tables.js";

/** Read from the table in one go. */
const PIECE = 50;
/** Kept, at most: a longer window loses its newer half. */
const LONGEST = 1_000;

/**
 * The index `ready` of a lane, and of it a stretch that is known: of a queue that keeps up with its senders all of it, so
 * that a receive need not look into the table.
 *
 *   known from `#low` (inclusive) to `#high` (exclusive; undefined: to the end of the lane)
 */
export class ReadyWindow {
  readonly #table: Table<Buffer>;
  readonly #lane: number;
  /** In order; those before `#first` are gone. */
  #places: Place[] = [];
  #first = 0;
  #low: Place | undefined;
  #high: Place | undefined;

  constructor(table: Table<Buffer>, lane: number) {
    this.#table = table;
    this.#lane = lane;
  }

  /** Places from `from` (inclusive) on. */
  from(from: Place, limit: number): readonly Place[] {
    if (this.#low === undefined || isBefore(from, this.#low) || (this.#high && isBefore(this.#high, from)))
      this.#begin(from);
    let at = this.#indexOf(from);
    while (this.#places.length - at < limit && this.#high !== undefined) {
      this.#extend(this.#high, limit);
      at = this.#indexOf(from);
    }
    return this.#places.slice(at, at + limit);
  }

  put(place: Place): void {
    this.#table.put(placeKey(this.#lane, place), MARK);
    if (!this.#covers(place)) return;
    const at = this.#indexOf(place);
    if (this.#isAt(at, place)) return;
    if (at === this.#places.length) this.#places.push(place);
    else this.#places.splice(at, 0, place);
    if (this.#places.length - this.#first > LONGEST) this.#shorten();
  }

  remove(place: Place): void {
    this.#table.remove(placeKey(this.#lane, place));
    const at = this.#indexOf(place);
    if (!this.#isAt(at, place)) return;
    if (at !== this.#first) this.#places.splice(at, 1);
    else if (++this.#first >= LONGEST) {
      this.#places = this.#places.slice(this.#first);
      this.#first = 0;
    }
  }

  #isAt(at: number, { order, sequence }: Place): boolean {
    const known = this.#places[at];
    return known?.sequence === sequence && known.order === order;
  }

  #covers(place: Place): boolean {
    if (this.#low === undefined || isBefore(place, this.#low)) return false;
    return this.#high === undefined || isBefore(place, this.#high);
  }

  #begin(from: Place): void {
    this.#places = [];
    this.#first = 0;
    this.#low = from;
    this.#high = from;
  }

  #extend(high: Place, limit: number): void {
    const most = Math.max(limit, PIECE);
    const range = { from: placeKey(this.#lane, high), to: laneEnd(this.#lane), limit: most };
    const keys = this.#table.keys(range);
    for (const key of keys) this.#places.push(placeOf(key));
    const last = this.#places.at(-1);
    this.#high = keys.length < most || !last ? undefined : behind(last);
  }

  #shorten(): void {
    const end = this.#first + LONGEST / 2;
    this.#high = this.#places[end];
    this.#places = this.#places.slice(this.#first, end);
    this.#first = 0;
  }

  /** Of the first known place that is not before this one. */
  #indexOf(place: Place): number {
    let low = this.#first;
    let high = this.#places.length;
    // Mostly it is one of the ends.
    if (low < high && !isBefore(this.#places[low]!, place)) return low;
    if (low < high && isBefore(this.#places[high - 1]!, place)) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#places[middle]!, place)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Index entries say all with their key. */
const MARK = Buffer.from([1]);

function behind({ order, sequence }: Place): Place {
  return { order, sequence: sequence + 1 };
}
