import { isBefore, memberKey, memberPlace, membersEnd, type Place, textKey } from "./keys.js";
import type { QueueTables } from "./rows.js";
import type { Totals } from "./totals.js";
import { WaitingTurns } from "./waiting-turns.js";

const MARK = Buffer.from([1]);

/** Groups that are kept, and of each at most so many members. */
const MOST_GROUPS = 2_000;
const MOST_MEMBERS = 10;

/** What is known of a group. */
interface Known {
  turn: number | undefined;
  /** The first of its messages, in order. */
  members: Place[];
  /** They are all it has. */
  complete: boolean;
}

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
  readonly #turns: WaitingTurns;
  /** As the tables say: every message sent, received and deleted asks for its group. */
  readonly #known = new Map<string, Known>();
  /** Groups whose first message may be another one, or in another state, than before. In the order of the changes. */
  readonly #touched = new Set<string>();

  constructor(tables: QueueTables, lane: number, totals: Totals) {
    this.#tables = tables;
    this.#lane = lane;
    this.#totals = totals;
    this.#turns = new WaitingTurns(tables.turns, lane);
  }

  add(group: string, place: Place): void {
    const known = this.#of(group);
    const last = known.members.at(-1);
    // Places rise; whatever would lie in between is read again.
    if (last && isBefore(place, last)) this.#known.delete(group);
    else if (known.complete && known.members.length < MOST_MEMBERS) known.members.push(place);
    else known.complete = false;
    this.#tables.members.put(memberKey(this.#lane, group, place), MARK);
    this.#touched.add(group);
  }

  drop(group: string, place: Place): void {
    const { members } = this.#of(group);
    const at = members.findIndex(({ sequence }) => sequence === place.sequence);
    if (at >= 0) members.splice(at, 1);
    this.#tables.members.remove(memberKey(this.#lane, group, place));
    this.#touched.add(group);
  }

  touch(group: string): void {
    this.#touched.add(group);
  }

  /** Groups that may be served, the one that waits longest first. */
  waiting(limit: number): string[] {
    return this.#turns.first(limit);
  }

  /** The group has been served: it goes behind the others as soon as its first message is visible again. */
  served(group: string): void {
    this.#leave(group);
    this.#touched.add(group);
  }

  /** The messages of a group in order. */
  members(group: string, limit: number, behind?: Place): readonly Place[] {
    const known = this.#of(group);
    if (!known.complete && !behind && known.members.length < limit) this.#refill(group, known);
    const start = behind ? known.members.findIndex((place) => isBefore(behind, place)) : 0;
    const found = start < 0 ? [] : known.members.slice(start, start + limit);
    return found.length === limit || known.complete ? found : this.#read(group, limit, behind);
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
    const known = this.#of(group);
    if (known.turn !== undefined) return;
    this.#totals.turn += 1;
    known.turn = this.#totals.turn;
    this.#tables.groups.put(textKey(this.#lane, group), known.turn);
    this.#turns.enter(known.turn, group);
  }

  #leave(group: string): void {
    const known = this.#of(group);
    if (known.turn === undefined) return;
    this.#tables.groups.remove(textKey(this.#lane, group));
    this.#turns.leave(known.turn);
    known.turn = undefined;
  }

  #of(group: string): Known {
    const known = this.#known.get(group);
    if (known) return known;
    const turn = this.#tables.groups.get(textKey(this.#lane, group));
    const read: Known = { turn, members: [], complete: false };
    this.#refill(group, read);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= MOST_GROUPS && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(group, read);
    return read;
  }

  #refill(group: string, known: Known): void {
    known.members = this.#read(group, MOST_MEMBERS);
    known.complete = known.members.length < MOST_MEMBERS;
  }

  #read(group: string, limit: number, behind?: Place): Place[] {
    const from = behind
      ? memberKey(this.#lane, group, { ...behind, sequence: behind.sequence + 1 })
      : textKey(this.#lane, `${group}\0`);
    return this.#tables.members.keys({ from, to: membersEnd(this.#lane, group), limit }).map(memberPlace);
  }
}
