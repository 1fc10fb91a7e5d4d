import { laneEnd, laneKey, timeKey, timeOf } from "./keys.js";
import type { Table } from "./tables.js";

/** Read in one go, at first and at most: a look wants one, a queue at work all. */
const FIRST_PIECE = 1;
const LONGEST_PIECE = 500;
const GROWTH = 10;
/** Kept, at most: of more turns the newer ones are read again when their time has come. */
const LONGEST = 5_000;

/** The index `turns` of a lane, and of it the beginning that is known: groups by their turn, lowest first. */
export class WaitingTurns {
  readonly #table: Table<Buffer>;
  readonly #lane: number;
  readonly #known = new Map<number, string>();
  /** What is known is all there is. */
  #complete = false;
  #piece = FIRST_PIECE;

  constructor(table: Table<Buffer>, lane: number) {
    this.#table = table;
    this.#lane = lane;
  }

  /** Groups that wait, the one that waits longest first. */
  first(limit: number): string[] {
    if (this.#known.size < limit && !this.#complete) this.#read(limit);
    const groups: string[] = [];
    for (const group of this.#known.values()) {
      if (groups.length >= limit) break;
      groups.push(group);
    }
    return groups;
  }

  /** `turn` is higher than any before. */
  enter(turn: number, group: string): void {
    this.#table.put(timeKey(this.#lane, turn), Buffer.from(group));
    if (!this.#complete) return;
    if (this.#known.size < LONGEST) this.#known.set(turn, group);
    else this.#complete = false;
  }

  leave(turn: number): void {
    this.#table.remove(timeKey(this.#lane, turn));
    this.#known.delete(turn);
  }

  #read(limit: number): void {
    const most = Math.max(limit, this.#piece);
    this.#piece = Math.min(this.#piece * GROWTH, LONGEST_PIECE);
    const range = { from: laneKey(this.#lane), to: laneEnd(this.#lane), limit: most };
    const entries = this.#table.entries(range);
    this.#known.clear();
    for (const { key, value } of entries) this.#known.set(timeOf(key), value.toString("utf8"));
    this.#complete = entries.length < most;
  }
}
