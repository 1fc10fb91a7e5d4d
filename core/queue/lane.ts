import {
  hiddenAfter,
  hiddenKey,
  hiddenOf,
  laneEnd,
  laneKey,
  laneStart,
  type Place,
  placeBehind,
  placeKey,
  placeOf,
} from "./keys.js";
import type { MessageRow, QueueTables, Totals } from "./rows.js";

/** Values of the index entries: the kind of hiding, so that counting needs no message row. */
const MARK = Buffer.from([1]);
const DELAYED = Buffer.from([2]);
const IN_FLIGHT = Buffer.from([3]);

export type Index = "ready" | "inFlight" | "delayed";

export interface Found {
  readonly place: Place;
  readonly row: MessageRow;
}

/** A hidden message whose time has come. */
export interface Due {
  readonly place: Place;
  readonly visibleAt: number;
  readonly index: Index;
}

/** Rows held at once while going through many. */
const PIECE = 1_000;

/**
 * One lane inside one transaction: rows, the two indexes and the totals, always changed together. Open it, work, and
 * `save` once. Outside a transaction only the methods that read may be used.
 *
 *                 send                 receive, claim
 *   (none) ------------------> ready -----------------> hidden (in flight)
 *      |  send with delay        ^                          |
 *      +----> hidden (delayed) --+--- settle: time came ----+
 *   any ---- delete, expiry, move to the dead-letter queue ----> (none)
 */
export class Lane {
  readonly #tables: QueueTables;
  readonly id: number;
  readonly totals: Totals;

  constructor(tables: QueueTables, id: number) {
    this.#tables = tables;
    this.id = id;
    this.totals = tables.totals.get(laneKey(id)) ?? {
      ready: 0,
      inFlight: 0,
      delayed: 0,
      bytes: 0,
      records: 0,
      lastOrder: 0,
    };
  }

  save(): void {
    this.#tables.totals.put(laneKey(this.id), this.totals);
  }

  get(place: Place): MessageRow | undefined {
    return this.#tables.messages.get(placeKey(this.id, place));
  }

  /** Puts a message that is not there yet: visible, or hidden until `row.visibleAt`. */
  add(place: Place, row: MessageRow, index: Index): void {
    this.totals.bytes += row.bytes;
    this.totals.records += row.records;
    this.totals.lastOrder = Math.max(this.totals.lastOrder, place.order);
    this.#tables.messages.put(placeKey(this.id, place), row);
    this.#enter(place, row.visibleAt, index);
  }

  /** Puts a changed row of a message that is there. */
  replace(found: Found, row: MessageRow, index: Index): void {
    this.#leave(found);
    this.#tables.messages.put(placeKey(this.id, found.place), row);
    this.#enter(found.place, row.visibleAt, index);
  }

  /** Takes the message out; its body is the caller's business. */
  drop(found: Found): void {
    this.#leave(found);
    this.#tables.messages.remove(placeKey(this.id, found.place));
    this.totals.bytes -= found.row.bytes;
    this.totals.records -= found.row.records;
  }

  /** Visible messages in order, from a key on. */
  ready(from: Buffer, limit: number): Place[] {
    return this.#tables.ready.keys({ from, to: laneEnd(this.id), limit }).map(placeOf);
  }

  /** Hidden messages whose time has come, from a key on. */
  due(now: number, limit: number, from = laneStart(this.id)): Due[] {
    const range = { from, to: hiddenAfter(this.id, now), limit };
    return this.#tables.hidden.entries(range).map(({ key, value }) => {
      const { visibleAt, order, sequence } = hiddenOf(key);
      return { place: { order, sequence }, visibleAt, index: value.equals(DELAYED) ? "delayed" : "inFlight" };
    });
  }

  /** All of them, a piece at a time. */
  *everyDue(now: number): Generator<Due> {
    let from: Buffer | undefined;
    for (;;) {
      const piece = this.due(now, PIECE, from);
      yield* piece;
      const last = piece.at(-1);
      if (!last || piece.length < PIECE) return;
      from = hiddenKey(this.id, last.visibleAt, { ...last.place, sequence: last.place.sequence + 1 });
    }
  }

  /** When the next hidden message becomes visible; undefined when none is hidden. */
  nextDue(): number | undefined {
    const range = { from: laneStart(this.id), to: laneEnd(this.id), limit: 1 };
    const [key] = this.#tables.hidden.keys(range);
    return key && hiddenOf(key).visibleAt;
  }

  /** Time has overtaken a message that no write has moved or removed yet. */
  isOverdue(now: number, retentionMs: number): boolean {
    const next = this.nextDue();
    if (next !== undefined && next <= now) return true;
    const [oldest] = this.messages(laneStart(this.id), laneEnd(this.id), 1);
    return oldest !== undefined && oldest.place.order + retentionMs <= now;
  }

  /** Moves one that `due` named to the visible ones. The row stays as it is: its `visibleAt` has passed. */
  surface(due: Due): void {
    if (!this.#tables.hidden.remove(hiddenKey(this.id, due.visibleAt, due.place))) return;
    this.totals[due.index] -= 1;
    this.#enter(due.place, 0, "ready");
  }

  /** Messages in order of sending, from a key (inclusive) to a key (exclusive). */
  messages(from: Buffer, to: Buffer, limit: number): Found[] {
    return this.#tables.messages
      .entries({ from, to, limit })
      .map(({ key, value }) => ({ place: placeOf(key), row: value }));
  }

  /** All of them, a piece at a time. */
  *everyMessage(from: Buffer, to: Buffer): Generator<Found> {
    for (let start = from; ; ) {
      const piece = this.messages(start, to, PIECE);
      yield* piece;
      const last = piece.at(-1);
      if (!last || piece.length < PIECE) return;
      start = placeBehind(this.id, last.place);
    }
  }

  /** The index a message stands in. */
  indexOf({ place, row }: Found): Index {
    if (this.#tables.ready.has(placeKey(this.id, place))) return "ready";
    return row.delayed ? "delayed" : "inFlight";
  }

  #enter(place: Place, visibleAt: number, index: Index): void {
    if (index === "ready") this.#tables.ready.put(placeKey(this.id, place), MARK);
    else
      this.#tables.hidden.put(
        hiddenKey(this.id, visibleAt, place),
        index === "delayed" ? DELAYED : IN_FLIGHT,
      );
    this.totals[index] += 1;
  }

  #leave({ place, row }: Found): void {
    // A message that was never hidden is ready; any other is looked for where it was put last.
    if (row.visibleAt > 0 && this.#tables.hidden.remove(hiddenKey(this.id, row.visibleAt, place)))
      this.totals[row.delayed ? "delayed" : "inFlight"] -= 1;
    else if (this.#tables.ready.remove(placeKey(this.id, place))) this.totals.ready -= 1;
  }
}
