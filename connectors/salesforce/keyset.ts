import {
  type Page,
  type RefusedRecord,
  type SourceRecord,
  TransientError,
  type Value,
} from "../../core/contracts/index.js";
import {
  cursorValue,
  type IdCursor,
  isoOf,
  isStamp,
  msOf,
  type NextPage,
  type OpenSpan,
  type Position,
  type Stamp,
  type WindowCursor,
} from "./cursor.js";
import { JobProgress } from "./job-progress.js";
import { Segments, within } from "./segments.js";
import { and, or, quote } from "./soql.js";

/** Records of a page that hold a key twice. */
type Refused = ReadonlyMap<SourceRecord, RefusedRecord>;

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
  /** The same from the first of these records on, which are a page of it. */
  conditionFrom(page: readonly SourceRecord[]): string | undefined;
  /** Whether a record has left what is read, for a later window. */
  isBeyond(record: SourceRecord): boolean;
  /**
   * Moves the place behind these records. TransientError for records without key or stamp. One whose key or stamp is in
   * doubt is handed on and moves nothing: a wrong place would skip others.
   */
  take(records: readonly SourceRecord[], refused: Refused): Taken;
  /** Records that come in no order: those that belong here and are new. The place stays, `progress` moves. */
  takeUnordered(records: readonly SourceRecord[]): Taken;
  /** How far the present segment was read in no order. */
  readonly progress: JobProgress;
  /** The page behind the place, for the cursor; undefined where a query is to find it. */
  next: NextPage | undefined;
  /**
   * The segment was read to its end: goes on to the next one, which is the one of the next job ahead where there is one.
   * False: there is none, all is read. `twice`: it may be twice as long as the last.
   */
  advance(twice?: boolean): boolean;
  /** The present segment. */
  readonly span: OpenSpan;
  /** Another keyset in the last segment that has a job, to look at what comes behind it. */
  fork(): Keyset;
  /** Whether the present segment is the last one. */
  isLast(): boolean;
  /** Asks for less at a time, after a timeout. False: it cannot, or has done so `most` times in this segment. */
  narrow(most?: number): boolean;
  /** `done`: everything was handed out, in order or not. */
  cursor(done: boolean): Value;
  readonly window: Page["window"];
}

/** How a full read may be cut: by a field that every record has and that never changes. */
export interface Split {
  readonly field: string;
  /** Epoch ms: what comes later belongs to the last segment. */
  readonly nowMs: number;
}

const EVERYTHING: OpenSpan = { from: null, to: null };

/**
 * Full reads: in the order of the ids. A record that is there all the while is read exactly once, however it changes.
 * What is too much for one query or one job is cut by `split`; each segment then begins behind the id that was reached
 * before the first cut.
 */
export class IdKeyset implements Keyset {
  readonly orderBy = ["Id"];
  readonly window = undefined;
  readonly progress: JobProgress;
  next: NextPage | undefined;
  readonly #split: Split | undefined;
  readonly #segments: Segments;
  #id: string | null;
  #above: string | null;
  #unordered: boolean;

  constructor(cursor: IdCursor | undefined, split: Split | undefined) {
    this.#split = split;
    this.#id = cursor?.at?.id ?? null;
    this.#above = cursor?.segment?.above ?? null;
    const present = cursor?.segment && { from: cursor.segment.from, to: cursor.segment.to };
    this.#segments = new Segments(EVERYTHING, present, split?.nowMs ?? 0);
    this.progress = new JobProgress(cursor ?? {});
    this.next = cursor?.next;
    this.#unordered =
      cursor?.whole === true || (cursor?.segment ?? cursor?.job ?? cursor?.delivered) !== undefined;
  }
  condition(): string | undefined {
    return and(
      this.#id === null ? undefined : `Id > ${quote(this.#id)}`,
      this.#split === undefined ? undefined : within(this.#split.field, this.span),
    );
  }
  conditionFrom(page: readonly SourceRecord[]): string | undefined {
    const [first] = page;
    return and(
      typeof first?.Id === "string" ? `Id >= ${quote(first.Id)}` : undefined,
      this.#split === undefined ? undefined : within(this.#split.field, this.span),
    );
  }
  isBeyond(): boolean {
    return false;
  }
  take(records: readonly SourceRecord[], refused: Refused): Taken {
    const last = records.findLast((record) => !isDoubtful(record, refused, "Id"));
    if (last !== undefined) {
      if (typeof last.Id !== "string") throw unplaced("record", "Id");
      this.#id = last.Id;
    }
    return { records: this.progress.unseen(records), info: {}, exact: last !== undefined };
  }
  takeUnordered(records: readonly SourceRecord[]): Taken {
    const unseen = this.progress.unseen(records);
    this.progress.add(unseen);
    this.#unordered = true;
    return { records: unseen, info: {}, exact: true };
  }
  get span(): OpenSpan {
    return this.#segments.span;
  }
  advance(twice = false): boolean {
    if (!this.#segments.advance({ planned: this.progress.ahead[0], twice })) return false;
    this.#id = this.#above;
    this.progress.next();
    return true;
  }
  fork(): IdKeyset {
    const { from, to } = this.progress.ahead.at(-1) ?? this.span;
    const at = this.#id === null ? null : { id: this.#id };
    const segment = this.#segments.isWhole() ? undefined : { from, to, above: this.#above };
    return new IdKeyset({ field: null, at, segment, done: false }, this.#split);
  }
  isLast(): boolean {
    return this.#segments.isLast();
  }
  narrow(most?: number): boolean {
    if (this.#split === undefined || this.progress.delivered !== undefined) return false;
    if (this.#segments.isWhole()) this.#above = this.#id;
    // A read in parts is in no order as a whole.
    const narrowed = this.#segments.narrow(undefined, most);
    this.#unordered ||= narrowed;
    return narrowed;
  }
  cursor(done: boolean): Value {
    const at = this.#id === null ? null : { id: this.#id };
    if (done) return cursorValue({ field: null, at, whole: this.#unordered, done });
    const { job, ahead, delivered } = this.progress;
    const segment = this.#segments.isWhole() ? undefined : { ...this.span, above: this.#above };
    return cursorValue({ field: null, at, next: this.next, segment, job, ahead, delivered, done });
  }
}

function isDoubtful(record: SourceRecord, refused: Refused, field: string): boolean {
  if (refused.size === 0) return false;
  return refused.get(record)?.doubtful.some((name) => name === "Id" || name === field) === true;
}

function unplaced(which: string, what: string): TransientError {
  return new TransientError("SALESFORCE_UNEXPECTED_ANSWER", `a ${which} has no ${what} to place it by`);
}

/**
 * One frozen window, in the order of the cursor field and then the id. Timestamps are of one second and thousands of
 * records may share one: hence `>=`, `<` and the id. After timeouts, and for Bulk jobs, the window is read in segments.
 *
 * A locator hands out records where they stood when the query began, with the stamps they have by now. A stamp beyond
 * the window is easy: the record waits for the next window. A stamp inside says where the query stands as long as
 * nothing can move into the window: true of a settled one, whose end lies before every transaction that was running
 * when it was frozen.
 *
 * Where Salesforce names no such end, a transaction that began before the window's end may commit during the read and
 * move records to stamps at most `lookback` before the end: into the tail. There a stamp says nothing, since a whole
 * page of records may have moved, so the place stays at the beginning of the tail. After a resume the tail is read
 * again and the engine recognises what it has: it remembers everything in the tail.
 */
export class WindowKeyset implements Keyset {
  readonly orderBy: readonly string[];
  readonly window: { readonly from: string | null; readonly to: string };
  readonly progress: JobProgress;
  next: NextPage | undefined;
  readonly #deletes: boolean;
  readonly #segments: Segments;
  #state: WindowCursor;

  /** `deletes`: hard deletes follow the rows, so that the last page of these is not the last of all. */
  constructor(cursor: WindowCursor, deletes = false) {
    const { next, job, ahead, delivered, segment, ...state } = cursor;
    this.#state = state;
    this.next = next;
    this.#segments = new Segments(cursor.window, segment, msOf(cursor.window.to));
    this.#deletes = deletes;
    this.progress = new JobProgress({ job, ahead, delivered });
    this.orderBy = [cursor.field, "Id"];
    const { from, to } = cursor.window;
    this.window = { from: from === null ? null : isoOf(from), to: isoOf(to) };
  }

  /** All rows were handed out. */
  get finished(): WindowCursor {
    const { at: _, ...state } = this.#state;
    return this.#deletes ? { ...state, at: null, deletes: { at: null } } : { ...this.#state, done: true };
  }

  condition(): string | undefined {
    const { field, at } = this.#state;
    const { from, to } = this.span;
    if (at === null || (from !== null && at.value < from)) return within(field, { from, to });
    const behind = or(
      `${field} = ${isoOf(at.value)} AND Id > ${quote(at.id)}`,
      `${field} > ${isoOf(at.value)}`,
    );
    return and(behind, within(field, { from: null, to }));
  }

  /** A record that was moved has a later stamp than the page's first one has. */
  conditionFrom(page: readonly SourceRecord[]): string | undefined {
    const { field } = this.#state;
    const stamped = page.filter((record) => isStamp(record[field]));
    const first = stamped.reduce<SourceRecord | undefined>(
      (least, record) => (least === undefined || isBefore(record[field], least[field]) ? record : least),
      undefined,
    );
    if (first === undefined) return this.condition();
    const { value, id } = this.#placeOf(first);
    const from = or(`${field} = ${isoOf(value)} AND Id >= ${quote(id)}`, `${field} > ${isoOf(value)}`);
    return and(from, within(field, { from: null, to: this.span.to }));
  }

  isBeyond(record: SourceRecord): boolean {
    return isFrom(record[this.#state.field], this.#state.window.to);
  }

  take(records: readonly SourceRecord[], refused: Refused): Taken {
    const { field, window, rememberFrom, repeatsBelow, settled } = this.#state;
    let beyond = 0;
    let tail = 0;
    let last: SourceRecord | undefined;
    let lastBelowTail: SourceRecord | undefined;
    for (const record of records) {
      if (isDoubtful(record, refused, field)) continue;
      const value = this.#stampOf(record);
      if (value >= window.to) {
        beyond++;
        continue;
      }
      last = record;
      if (value < rememberFrom) lastBelowTail = record;
      else tail++;
    }
    const at = settled === true ? last : lastBelowTail;
    if (at !== undefined) this.#state = { ...this.#state, at: this.#placeOf(at) };
    const inside =
      beyond === 0
        ? records
        : records.filter((record) => !isFrom(record[field], window.to) || isDoubtful(record, refused, field));
    return {
      records: this.progress.unseen(inside),
      info: this.#info(settled !== true && tail > 0 ? window.to : repeatsBelow),
      exact: last !== undefined && last === at,
    };
  }

  takeUnordered(records: readonly SourceRecord[]): Taken {
    const { field, window, rememberFrom, repeatsBelow, settled } = this.#state;
    const inside = records.filter((record) => this.#stampOf(record) < window.to);
    const unseen = this.progress.unseen(inside);
    this.progress.add(unseen);
    // Of a tail that is not settled some may have come by REST already.
    const doubtful = settled !== true && unseen.some((record) => isFrom(record[field], rememberFrom));
    return { records: unseen, info: this.#info(doubtful ? window.to : repeatsBelow), exact: true };
  }

  #info(repeatsBelow: Stamp | null): Taken["info"] {
    const { rememberFrom } = this.#state;
    return { window: this.window, rememberFrom, ...(repeatsBelow === null ? {} : { repeatsBelow }) };
  }

  #stampOf(record: SourceRecord): Stamp {
    const { field } = this.#state;
    const value = record[field];
    if (isStamp(value)) return value;
    const which = typeof record.Id === "string" ? `record (Id ${record.Id})` : "record";
    throw unplaced(which, `${field} of the form 2026-10-01T12:00:00.000+0000`);
  }

  #placeOf(record: SourceRecord): Position {
    const { [this.#state.field]: value, Id: id } = record;
    if (!isStamp(value) || typeof id !== "string") throw unplaced("record", "Id");
    return { value, id };
  }

  get span(): OpenSpan {
    return this.#segments.span;
  }

  advance(twice = false): boolean {
    if (!this.#segments.advance({ planned: this.progress.ahead[0], twice })) return false;
    this.progress.next();
    return true;
  }

  fork(): WindowKeyset {
    const { from, to } = this.progress.ahead.at(-1) ?? this.span;
    const segment = to === null ? undefined : { from, to };
    return new WindowKeyset({ ...this.#state, segment }, this.#deletes);
  }

  isLast(): boolean {
    return this.#segments.isLast();
  }

  narrow(most?: number): boolean {
    // What was handed out in no order is listed for the whole segment.
    if (this.progress.delivered !== undefined) return false;
    const { at } = this.#state;
    // What is read already need not be halved.
    return this.#segments.narrow(at === null ? undefined : msOf(at.value), most);
  }

  cursor(done: boolean): Value {
    if (done) return cursorValue(this.finished);
    const { job, ahead, delivered } = this.progress;
    const { from, to } = this.span;
    const segment = this.#segments.isWhole() || to === null ? undefined : { from, to };
    return cursorValue({ ...this.#state, next: this.next, segment, job, ahead, delivered, done });
  }
}

function isBefore(value: Value | undefined, other: Value | undefined): boolean {
  return typeof value === "string" && typeof other === "string" && value < other;
}

function isFrom(value: Value | undefined, from: Stamp): boolean {
  return typeof value === "string" && value >= from;
}
