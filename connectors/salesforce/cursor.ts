import { z } from "zod";
import { ConfigError, type Value } from "../../core/contracts/index.js";

/*
 * Where a read stands. A place in the order of the records, never a nextRecordsUrl: that is state of the server and dies.
 *
 * Incremental: the frozen window `>= from AND < to` of the cursor field, and the record behind which it is still to be
 * read (the last one handed out, or one before it: see WindowKeyset).
 *   {"field":"SystemModstamp","window":{"from":null,"to":"2026-10-01T12:00:00.000+0000"},
 *    "repeatsBelow":null,"rememberFrom":"2026-10-01T11:45:00.000+0000",
 *    "at":{"value":"2026-09-30T08:00:00.000+0000","id":"006xx0000000001AAA"},"done":false}
 * Full: records in the order of their ids; {"field":null,"at":{"id":"006xx0000000001AAA"},"done":false}
 *
 * What a Bulk job reads comes in no order, so `at` stays where it is; instead there are
 *   "job":{"query":"<digest>","id":"750...","locator":"<next page>","rows":20000}   the job and how far it was read
 *   "ahead":[{"from":...,"to":...,"query":"<digest>","id":"750..."}, ...]   the jobs of the segments behind, in order: they
 *     were made while this one is read, and a resume takes them over
 *   "delivered":["<ids of a page>", ...]   what came of the segment, for the case that the job is lost (id-set.ts)
 *   "next":{"query":"<digest>","path":"<nextRecordsUrl>"}   the page behind `at`, to find its answer where that was kept
 *   "segment":{"from":...,"to":...}   the part of the window that is read now; missing: the whole. In full reads a part by
 *     CreatedDate, which never changes
 *   "deletes":{"at":...}   the rows are complete, hard deletes follow (deleted.ts)
 *
 * Stamps are texts in the form of the REST answers, so that they compare with a record's value as texts.
 *
 *   unfinished(at) --page--> unfinished(later at) --last page--> done --next run--> unfinished(at: null) of
 *     [to - lookback, now)
 *   unfinished --job created--> unfinished(job) --page--> unfinished(job, later locator) --last page--> next segment
 *   unfinished --last row, deletes wanted--> unfinished(deletes) --page--> unfinished(later deletes) --last--> done
 */

/** `2026-10-01T12:00:00.000+0000`. */
export type Stamp = string;

/** The place of a record: value of the cursor field, then id. */
export interface Position {
  readonly value: Stamp;
  readonly id: string;
}

/** A part of time, half-open; `from` null for the beginning. */
export interface Span {
  readonly from: Stamp | null;
  readonly to: Stamp;
}

/** One that may reach into the future. */
export interface OpenSpan {
  readonly from: Stamp | null;
  readonly to: Stamp | null;
}

/** A Bulk job that is read page by page. */
export interface JobPlace {
  /** Digest of what was asked: the job of another query is of no use. */
  readonly query: string;
  readonly id: string;
  /** Of the next page; null for the first. */
  readonly locator: string | null;
  /** Rows of the pages before. */
  readonly rows: number;
  /** Its result holds records that another query of the same segment has handed out: see `delivered`. */
  readonly anew?: boolean | undefined;
}

/** The page that follows, by its address. */
export interface NextPage {
  /** Digest of what was asked: a page of another query is of no use. */
  readonly query: string;
  readonly path: string;
}

/** A job of a later segment, of which nothing was read yet; what lies between two of them is empty. */
export interface AheadJob extends OpenSpan, Pick<JobPlace, "query" | "id"> {}

/** What of a segment was handed out in no order: pieces of an IdSet; null: too many to list. */
export type Delivered = readonly string[] | null;

export interface WindowCursor {
  readonly field: string;
  readonly window: Span;
  /** True: no record can come into the window any more, since Salesforce itself named its end (updated.ts). */
  readonly settled?: boolean | undefined;
  /** Records below were possibly handed out by the window before; null for a first window. */
  readonly repeatsBelow: Stamp | null;
  /** The next window begins here at the earliest: what is below was not remembered. */
  readonly rememberFrom: Stamp;
  readonly at: Position | null;
  readonly next?: NextPage | undefined;
  readonly segment?: Span | undefined;
  readonly job?: JobPlace | undefined;
  readonly ahead?: readonly AheadJob[] | undefined;
  readonly delivered?: Delivered | undefined;
  readonly deletes?: { readonly at: Position | null } | undefined;
  /** Hard deletes are known up to here, where that is before the window's end. */
  readonly deletesTo?: Stamp | undefined;
  readonly done: boolean;
}

export interface IdCursor {
  readonly field: null;
  readonly at: { readonly id: string } | null;
  readonly next?: NextPage | undefined;
  /** The part that is read now, by CreatedDate, behind the id `above`. */
  readonly segment?: (OpenSpan & { readonly above: string | null }) | undefined;
  readonly job?: JobPlace | undefined;
  readonly ahead?: readonly AheadJob[] | undefined;
  readonly delivered?: Delivered | undefined;
  /** Read to the end in no order: there is nothing behind `at` to go on with. */
  readonly whole?: boolean | undefined;
  readonly done: boolean;
}

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/;
const stamp = z.string().regex(STAMP);

const span = z.strictObject({ from: stamp.nullable(), to: stamp });
const position = z.strictObject({ value: stamp, id: z.string() });
const jobId = z.string().regex(/^\w{15,18}$/);
const parts = {
  next: z.strictObject({ query: z.string(), path: z.string() }).optional(),
  job: z
    .strictObject({
      query: z.string(),
      id: jobId,
      locator: z.string().nullable(),
      rows: z.number(),
      anew: z.boolean().optional(),
    })
    .optional(),
  ahead: z
    .array(z.strictObject({ from: stamp.nullable(), to: stamp.nullable(), query: z.string(), id: jobId }))
    .optional(),
  delivered: z.array(z.string()).nullable().optional(),
};
const windowCursor = z.strictObject({
  field: z.string(),
  window: span,
  settled: z.boolean().optional(),
  repeatsBelow: stamp.nullable(),
  rememberFrom: stamp,
  at: position.nullable(),
  segment: span.optional(),
  ...parts,
  deletes: z.strictObject({ at: position.nullable() }).optional(),
  deletesTo: stamp.optional(),
  done: z.boolean(),
});
const idCursor = z.strictObject({
  field: z.null(),
  at: z.strictObject({ id: z.string() }).nullable(),
  segment: z
    .strictObject({ from: stamp.nullable(), to: stamp.nullable(), above: z.string().nullable() })
    .optional(),
  ...parts,
  whole: z.boolean().optional(),
  done: z.boolean(),
});

/** The checkpoint as a cursor over `field`. ConfigError where it belongs to another kind of read. */
export function parseWindowCursor(cursor: Value, field: string): WindowCursor {
  const parsed = windowCursor.safeParse(cursor);
  if (parsed.success && parsed.data.field === field) return parsed.data;
  throw foreign(`by ${field}`);
}

export function parseIdCursor(cursor: Value): IdCursor {
  const parsed = idCursor.safeParse(cursor);
  if (parsed.success) return parsed.data;
  throw foreign("in full");
}

function foreign(how: string): ConfigError {
  return new ConfigError("SALESFORCE_CURSOR", `the checkpoint was not made by reading ${how}`, {
    fix: "Run the flow with --full to begin anew.",
  });
}

/** A plain JSON value for the checkpoint. */
export function cursorValue(cursor: WindowCursor | IdCursor): Value {
  const { done, next, job, ahead = [], delivered } = cursor;
  const progress = {
    ...(next === undefined ? {} : { next: { ...next } }),
    ...(job === undefined ? {} : { job: jobValue(job) }),
    ...(ahead.length === 0 ? {} : { ahead: ahead.map((later) => ({ ...later })) }),
    ...(delivered === undefined ? {} : { delivered: delivered === null ? null : [...delivered] }),
  };
  if (cursor.field === null) {
    const at = cursor.at === null ? null : { ...cursor.at };
    const part: Record<string, Value> =
      cursor.segment === undefined ? {} : { segment: { ...cursor.segment } };
    return { field: null, at, ...part, ...progress, ...(cursor.whole === true ? { whole: true } : {}), done };
  }
  const { field, window, settled, repeatsBelow, rememberFrom, at, segment, deletes, deletesTo } = cursor;
  const place = (of: Position | null) => (of === null ? null : { ...of });
  return {
    field,
    window: { ...window },
    ...(settled === true ? { settled } : {}),
    repeatsBelow,
    rememberFrom,
    at: place(at),
    ...(segment === undefined ? {} : { segment: { ...segment } }),
    ...progress,
    ...(deletes === undefined ? {} : { deletes: { at: place(deletes.at) } }),
    ...(deletesTo === undefined ? {} : { deletesTo }),
    done,
  };
}

function jobValue({ query, id, locator, rows, anew }: JobPlace): Value {
  return { query, id, locator, rows, ...(anew === true ? { anew } : {}) };
}

/** Looks at the ends only, for every record of a page: Salesforce has one form of timestamps. */
export function isStamp(value: unknown): value is Stamp {
  return typeof value === "string" && value.length === 28 && value.endsWith("+0000");
}

/** Epoch ms as a stamp, rounded down to the second: Salesforce keeps no finer time. */
export function stampOf(ms: number): Stamp {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 23)}+0000`;
}

export function msOf(at: Stamp): number {
  return Date.parse(isoOf(at));
}

/** As ISO text, and as an unquoted SOQL literal: `2026-10-01T12:00:00.000Z`. */
export function isoOf(at: Stamp): string {
  return `${at.slice(0, 23)}Z`;
}

export function earliest(first: Stamp, second: Stamp): Stamp {
  if (second < first) return second;
  return first;
}

export function latest(first: Stamp, second: Stamp): Stamp {
  if (second > first) return second;
  return first;
}

/** Where a new window ends, and whether anything can still come into it. */
export interface WindowEnd {
  readonly to: Stamp;
  readonly settled: boolean;
}

/** The first window of a flow. `from`: epoch ms, undefined for the beginning of time. */
export function firstWindow(
  field: string,
  from: number | undefined,
  end: WindowEnd,
  lookbackMs: number,
): WindowCursor {
  const start = from === undefined ? null : stampOf(from);
  // A start behind the last settled second: there is nothing to read yet.
  const to = start === null ? end.to : latest(start, end.to);
  return { ...open(field, start, { ...end, to }, lookbackMs), repeatsBelow: null };
}

/** The cursor says that the rows are complete and hard deletes follow. */
export function isBeforeDeletes(cursor: Value): boolean {
  return typeof cursor === "object" && cursor !== null && Object.hasOwn(cursor, "deletes");
}

/**
 * The window after a finished one: from `lookback` behind its end, but not from before what was remembered, since
 * records from there would come twice. A clock that went back does not take the watermark with it.
 */
export function nextWindow(finished: WindowCursor, end: WindowEnd, lookbackMs: number): WindowCursor {
  const to = latest(end.to, finished.window.to);
  const overlap = stampOf(msOf(finished.window.to) - lookbackMs);
  const from = latest(overlap, finished.rememberFrom);
  const { deletesTo } = finished;
  return {
    ...open(finished.field, from, { to, settled: end.settled && to === end.to }, lookbackMs),
    repeatsBelow: finished.window.to,
    ...(deletesTo === undefined ? {} : { deletesTo }),
  };
}

function open(
  field: string,
  from: Stamp | null,
  { to, settled }: WindowEnd,
  lookbackMs: number,
): Omit<WindowCursor, "repeatsBelow"> {
  const overlap = stampOf(msOf(to) - lookbackMs);
  const rememberFrom = from === null ? overlap : latest(from, overlap);
  return {
    field,
    window: { from, to },
    ...(settled ? { settled } : {}),
    rememberFrom,
    at: null,
    done: false,
  };
}
