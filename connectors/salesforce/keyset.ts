import { type Page, type SourceRecord, TransientError, type Value } from "../../core/contracts/index.js";
import {
  cursorValue,
  earliest,
  type IdCursor,
  isoOf,
  isStamp,
  msOf,
  type Position,
  type Stamp,
  stampOf,
  type WindowCursor,
} from "./cursor.js";
import { and, or, quote } from "./soql.js";

/** What a keyset makes of a page of records. */
export interface Taken {
  readonly records: readonly SourceRecord[];
  /** What the engine needs to recognise repeats among them. */
  readonly info: Pick<Page, "window" | "repeatsBelow" | "rememberFrom">;
  /** The place is behind the last of them. False: it is before some, which will come again and be recognised. */
  readonly exact: boolean;
}

/**
 * The order a stream is read in, and the place reached. Every query goes on behind that place, so that a dead
 * locator, a timeout or a crash costs one query and no record.
 */
export interface Keyset {
  readonly orderBy: readonly string[];
  /** What is still to be read in the present segment; undefined: everything. */
  condition(): string | undefined;
  /** Moves the place behind these records. TransientError for records without key or stamp. */
  take(records: readonly SourceRecord[]): Taken;
  /** The segment was read to its end: goes on to the next one. False: there is none, all is read. */
  advance(): boolean;
  /** Whether the present segment is the last one. */
  isLast(): boolean;
  /** Asks for less at a time, after a timeout. False: it cannot. */
  narrow(): boolean;
  cursor(done: boolean): Value;
  readonly window: Page["window"];
}

/** Full reads: in the order of the ids. A record that is there all the while is read exactly once, however it changes. */
export class IdKeyset implements Keyset {
  readonly orderBy = ["Id"];
  readonly window = undefined;
  #id: string | undefined;

  constructor(cursor: IdCursor | undefined) {
    this.#id = cursor?.at?.id;
  }
  condition(): string | undefined {
    return this.#id === undefined ? undefined : `Id > ${quote(this.#id)}`;
  }
  take(records: readonly SourceRecord[]): Taken {
    const last = records.at(-1);
    if (last !== undefined) {
      if (typeof last.Id !== "string") throw unplaced("record", "Id");
      this.#id = last.Id;
    }
    return { records, info: {}, exact: true };
  }
  advance(): boolean {
    return false;
  }
  isLast(): boolean {
    return true;
  }
  narrow(): boolean {
    return false;
  }
  cursor(done: boolean): Value {
    return cursorValue({ field: null, at: this.#id === undefined ? null : { id: this.#id }, done });
  }
}

function unplaced(which: string, what: string): TransientError {
  return new TransientError("SALESFORCE_UNEXPECTED_ANSWER", `a ${which} has no ${what} to place it by`);
}

/** Queries of one window are halved so often at most before anything is read again. */
const MOST_HALVINGS = 4;
/** There was no Salesforce before. */
const BEGINNING = Date.UTC(1999, 0, 1);

/**
 * One frozen window, in the order of the cursor field and then the id. Timestamps are of one second and thousands of
 * records may share one: hence `>=`, `<` and the id. After timeouts the window is read in segments.
 *
 * A locator hands out records where they stood when the query began, with the stamps they have by now. A stamp beyond
 * the window is easy: the record waits for the next window. But a transaction that began before the window's end
 * and commits during the read moves records to stamps inside the window, at most `lookback` before its end: in the
 * tail. So a stamp in the tail does not tell where the query stands. The place therefore moves behind the last record
 * below the tail, or, where a page has none, to the least record of the page; what lies behind that place and was
 * handed out comes again after a resume, and the engine recognises it, since it remembers everything in the tail.
 */
export class WindowKeyset implements Keyset {
  readonly orderBy: readonly string[];
  readonly window: { readonly from: string | null; readonly to: string };
  #state: WindowCursor;
  #segment: { readonly from: Stamp | null; readonly to: Stamp };
  #halvings = 0;

  constructor(cursor: WindowCursor) {
    this.#state = cursor;
    this.#segment = cursor.window;
    this.orderBy = [cursor.field, "Id"];
    const { from, to } = cursor.window;
    this.window = { from: from === null ? null : isoOf(from), to: isoOf(to) };
  }

  get finished(): WindowCursor {
    return { ...this.#state, done: true };
  }

  condition(): string | undefined {
    const { field, at } = this.#state;
    const { from, to } = this.#segment;
    const behind =
      at === null || (from !== null && at.value < from)
        ? from === null
          ? undefined
          : `${field} >= ${isoOf(from)}`
        : or(`${field} = ${isoOf(at.value)} AND Id > ${quote(at.id)}`, `${field} > ${isoOf(at.value)}`);
    return and(behind, `${field} < ${isoOf(to)}`);
  }

  take(records: readonly SourceRecord[]): Taken {
    const { field, window, rememberFrom, repeatsBelow } = this.#state;
    let beyond = 0;
    let tail = 0;
    let last: SourceRecord | undefined;
    let lastBelowTail: SourceRecord | undefined;
    let leastOfTail: SourceRecord | undefined;
    for (const record of records) {
      const value = record[field];
      if (!isStamp(value)) {
        const which = typeof record.Id === "string" ? `record (Id ${record.Id})` : "record";
        throw unplaced(which, `${field} of the form 2026-10-01T12:00:00.000+0000`);
      }
      if (value >= window.to) {
        beyond++;
        continue;
      }
      last = record;
      if (value < rememberFrom) lastBelowTail = record;
      else {
        tail++;
        if (leastOfTail === undefined || this.#isBefore(record, leastOfTail)) leastOfTail = record;
      }
    }
    const at = lastBelowTail ?? leastOfTail;
    if (at !== undefined) this.#state = { ...this.#state, at: this.#placeOf(at) };
    const below = tail > 0 ? window.to : repeatsBelow;
    return {
      records: beyond === 0 ? records : records.filter((record) => !isFrom(record[field], window.to)),
      info: { window: this.window, rememberFrom, ...(below === null ? {} : { repeatsBelow: below }) },
      exact: last === lastBelowTail,
    };
  }

  #isBefore(first: SourceRecord, second: SourceRecord): boolean {
    const [a, b] = [this.#placeOf(first), this.#placeOf(second)];
    return a.value < b.value || (a.value === b.value && a.id < b.id);
  }

  #placeOf(record: SourceRecord): Position {
    const { [this.#state.field]: value, Id: id } = record;
    if (!isStamp(value) || typeof id !== "string") throw unplaced("record", "Id");
    return { value, id };
  }

  advance(): boolean {
    if (this.isLast()) return false;
    const from = this.#segment.to;
    const length = msOf(from) - this.#lowerMs();
    const to = stampOf(msOf(from) + Math.max(1000, length));
    this.#segment = { from, to: earliest(to, this.#state.window.to) };
    this.#halvings = 0;
    return true;
  }

  isLast(): boolean {
    return this.#segment.to === this.#state.window.to;
  }

  narrow(): boolean {
    const lower = this.#placeMs();
    const middle = stampOf((lower + msOf(this.#segment.to)) / 2);
    if (this.#halvings >= MOST_HALVINGS || msOf(middle) <= lower) return false;
    this.#halvings++;
    this.#segment = { from: this.#segment.from, to: middle };
    return true;
  }

  /** Where the present segment begins. */
  #lowerMs(): number {
    return this.#segment.from === null ? BEGINNING : msOf(this.#segment.from);
  }

  /** What is read already need not be halved. */
  #placeMs(): number {
    const { at } = this.#state;
    return Math.max(this.#lowerMs(), at === null ? 0 : msOf(at.value));
  }

  cursor(done: boolean): Value {
    return cursorValue({ ...this.#state, done });
  }
}

function isFrom(value: Value | undefined, to: Stamp): boolean {
  return typeof value === "string" && value >= to;
}
