import {
  laneEnd,
  laneKey,
  memberKey,
  memberPlace,
  membersEnd,
  type Place,
  textKey,
  timeKey,
} from "./keys.js";
import type { QueueTables } from "./rows.js";
import type { Totals } from "./totals.js";

const MARK = Buffer.from([1]);

/**
 * Message groups of a FIFO lane. A group may be served while its first message is visible: then it has a turn, and the
 * one that waits longest has the lowest.
 *
 *   no turn --(its first message is visible)--> turn, behind all others
 *   turn    --(served, or its first message is hidden or gone)--> no turn
 */
export class Groups {
  readonly #tables: QueueTables;
  readonly #lane: number;
  readonly #totals: Totals;
  /** Groups whose first message may be another one, or in another state, than before. In the order of the changes. */
  readonly #touched = new Set<string>();

  constructor(tables: QueueTables, lane: number, totals: Totals) {
    this.#tables = tables;
    this.#lane = lane;
    this.#totals = totals;
  }

  add(group: string, place: Place): void {
    this.#tables.members.put(memberKey(this.#lane, group, place), MARK);
    this.#touched.add(group);
  }

  drop(group: string, place: Place): void {
    this.#tables.members.remove(memberKey(this.#lane, group, place));
    this.#touched.add(group);
  }

  touch(group: string): void {
    this.#touched.add(group);
  }

  /** Groups that may be served, the one that waits longest first. */
  waiting(limit: number): string[] {
    const range = { from: laneKey(this.#lane), to: laneEnd(this.#lane), limit };
    return this.#tables.turns.entries(range).map(({ value }) => value.toString("utf8"));
  }

  /** The group has been served: it goes behind the others as soon as its first message is visible again. */
  served(group: string): void {
    this.#leave(group);
    this.#touched.add(group);
  }

  /** The messages of a group in order. */
  members(group: string, limit: number, behind?: Place): Place[] {
    const from = behind
      ? memberKey(this.#lane, group, { ...behind, sequence: behind.sequence + 1 })
      : textKey(this.#lane, `${group}\0`);
    return this.#tables.members.keys({ from, to: membersEnd(this.#lane, group), limit }).map(memberPlace);
  }

  /** Gives and takes turns, at the end of a transaction. */
  save(isReady: (place: Place) => boolean): void {
    for (const group of this.#touched) {
      const [first] = this.members(group, 1);
      if (first && isReady(first)) this.#enter(group);
      else this.#leave(group);
    }
    this.#touched.clear();
  }

  #enter(group: string): void {
    const key = textKey(this.#lane, group);
    if (this.#tables.groups.has(key)) return;
    this.#totals.turn += 1;
    this.#tables.groups.put(key, this.#totals.turn);
    this.#tables.turns.put(timeKey(this.#lane, this.#totals.turn), Buffer.from(group));
  }

  #leave(group: string): void {
    const key = textKey(this.#lane, group);
    const turn = this.#tables.groups.get(key);
    if (turn === undefined) return;
    this.#tables.groups.remove(key);
    this.#tables.turns.remove(timeKey(this.#lane, turn));
  }
}
