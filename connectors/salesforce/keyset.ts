import { type Page, type SourceRecord, TransientError, type Value } from "../../core/contracts/index.js";
import {
  cursorValue,
  earliest,
  type IdCursor,
  isoOf,
  isStamp,
  msOf,
  type Stamp,
  stampOf,
  type WindowCursor,
} from "./cursor.js";
import { and, or, quote } from "./soql.js";

/** What a keyset makes of a page of records. */
export interface Taken {
  readonly records: readonly SourceRecord[];
  /** The page holds only what was handed out before: the server goes round. */
  readonly repeated: boolean;
}

/**
 * The order a stream is read in, and the place reached. Every query goes on behind that place, so that a dead
 * locator, a timeout or a crash costs one query and no record.
 */
export interface Keyset {
  readonly orderBy: readonly string[];
  /** What is still to be read in the present segment; undefined: everything. */
  condition(): string | undefined;
  /** Moves the place behind these records. */
  take(records: readonly SourceRecord[]): Taken;
  /** The segment was read to its end: goes on to the next one. False: there is none, all is read. */
  advance(): boolean;
  /** Whether the present segment is the last one. */
  isLast(): boolean;
  /** Asks for less at a time, after a timeout. False: it cannot. */
  narrow(): boolean;
  /** Comparable text of the place, to notice that nothing moves. */
  place(): string;
  cursor(done: boolean): Value;
  readonly pageInfo: Pick<Page, "window" | "repeatsBelow" | "rememberFrom">;
}

/** Full reads: in the order of the ids. A record that is there all the while is read exactly once, however it changes. */
export class IdKeyset implements Keyset {
  readonly orderBy = ["Id"];
  readonly pageInfo = {};
  #id: string | undefined;

  constructor(cursor: IdCursor | undefined) {
    this.#id = cursor?.at?.id;
  }
  condition(): string | undefined {
    return this.#id === undefined ? undefined : `Id > ${quote(this.#id)}`;
  }
  take(records: readonly SourceRecord[]): Taken {
    const last = records.at(-1)?.Id;
    const repeated = last !== undefined && last === this.#id;
    if (typeof last === "string") this.#id = last;
    return { records, repeated };
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
  place(): string {
    return this.#id ?? "";
  }
  cursor(done: boolean): Value {
    return cursorValue({ field: null, at: this.#id === undefined ? null : { id: this.#id }, done });
  }
}

/** Queries of one window are halved so often at most before anything is read again. */
const MOST_HALVINGS = 4;
/** There was no Salesforce before. */
const BEGINNING = Date.UTC(1999, 0, 1);

/**
 * One frozen window, in the order of the cursor field and then the id. Timestamps are of one second and thousands of
 * records may share one: hence `>=`, `<` and the id. After timeouts the window is read in segments.
 */
export class WindowKeyset implements Keyset {
  readonly orderBy: readonly string[];
  readonly pageInfo: Pick<Page, "window" | "repeatsBelow" | "rememberFrom">;
  #state: WindowCursor;
  #segment: { readonly from: Stamp | null; readonly to: Stamp };
  #halvings = 0;

  constructor(cursor: WindowCursor) {
    this.#state = cursor;
    this.#segment = cursor.window;
    this.orderBy = [cursor.field, "Id"];
    const { window, repeatsBelow, rememberFrom } = cursor;
    this.pageInfo = {
      window: { from: window.from === null ? null : isoOf(window.from), to: isoOf(window.to) },
      ...(repeatsBelow === null ? {} : { repeatsBelow }),
      rememberFrom,
    };
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
    const { field, at, window } = this.#state;
    // A record that changed since the query began may show a stamp beyond the window. It belongs to the next one,
    // which finds it there; handed out here it would come twice.
    const inside = records.some((record) => isBeyond(record[field], window.to))
      ? records.filter((record) => !isBeyond(record[field], window.to))
      : records;
    const last = inside.at(-1);
    if (last === undefined) return { records: inside, repeated: false };
    const { [field]: value, Id: id } = last;
    if (!isStamp(value) || typeof id !== "string") {
      throw new TransientError(
        "SALESFORCE_UNEXPECTED_ANSWER",
        `a record has no ${field} of the form 2026-10-01T12:00:00.000+0000, or no Id`,
      );
    }
    const repeated = at !== null && (value < at.value || (value === at.value && id === at.id));
    if (!repeated) this.#state = { ...this.#state, at: { value, id } };
    return { records: inside, repeated };
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

  place(): string {
    const { at } = this.#state;
    return `${at?.value} ${at?.id} ${this.#segment.from} ${this.#segment.to}`;
  }

  cursor(done: boolean): Value {
    return cursorValue({ ...this.#state, done });
  }
}

function isBeyond(value: Value | undefined, to: Stamp): boolean {
  return typeof value === "string" && value >= to;
}
