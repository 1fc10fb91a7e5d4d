import { z } from "zod";
import { ConfigError, type Value } from "../../core/contracts/index.js";

/*
 * Where a read stands. Never a nextRecordsUrl: that is state of the server and dies.
 *
 * Incremental: the frozen window `>= from AND < to` of the cursor field, and the record behind which it is still to be
 * read (the last one handed out, or one before it: see WindowKeyset).
 *   {"field":"SystemModstamp","window":{"from":null,"to":"2026-10-01T12:00:00.000+0000"},
 *    "repeatsBelow":null,"rememberFrom":"2026-10-01T11:45:00.000+0000",
 *    "at":{"value":"2026-09-30T08:00:00.000+0000","id":"006xx0000000001AAA"},"done":false}
 * Full: records in the order of their ids; {"field":null,"at":{"id":"006xx0000000001AAA"},"done":false}
 *
 * Stamps are texts in the form of the REST answers, so that they compare with a record's value as texts.
 *
 *   unfinished(at) --page--> unfinished(later at) --last page--> done --next run--> unfinished(at: null) of
 *     [to - lookback, now)
 */

/** `2026-10-01T12:00:00.000+0000`. */
export type Stamp = string;

/** The place of a record: value of the cursor field, then id. */
export interface Position {
  readonly value: Stamp;
  readonly id: string;
}

export interface WindowCursor {
  readonly field: string;
  readonly window: { readonly from: Stamp | null; readonly to: Stamp };
  /** Records below were possibly handed out by the window before; null for a first window. */
  readonly repeatsBelow: Stamp | null;
  /** The next window begins here at the earliest: what is below was not remembered. */
  readonly rememberFrom: Stamp;
  readonly at: Position | null;
  readonly done: boolean;
}

export interface IdCursor {
  readonly field: null;
  readonly at: { readonly id: string } | null;
  readonly done: boolean;
}

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/;
const stamp = z.string().regex(STAMP);

const windowCursor = z.strictObject({
  field: z.string(),
  window: z.strictObject({ from: stamp.nullable(), to: stamp }),
  repeatsBelow: stamp.nullable(),
  rememberFrom: stamp,
  at: z.strictObject({ value: stamp, id: z.string() }).nullable(),
  done: z.boolean(),
});
const idCursor = z.strictObject({
  field: z.null(),
  at: z.strictObject({ id: z.string() }).nullable(),
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
  if (cursor.field === null)
    return { field: null, at: cursor.at === null ? null : { ...cursor.at }, done: cursor.done };
  const { field, window, repeatsBelow, rememberFrom, at, done } = cursor;
  return {
    field,
    window: { ...window },
    repeatsBelow,
    rememberFrom,
    at: at === null ? null : { ...at },
    done,
  };
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

function latest(first: Stamp, second: Stamp): Stamp {
  if (second > first) return second;
  return first;
}

/** The first window of a flow. `from`: epoch ms, undefined for the beginning of time. */
export function firstWindow(
  field: string,
  from: number | undefined,
  to: Stamp,
  lookbackMs: number,
): WindowCursor {
  const start = from === undefined ? null : stampOf(from);
  return { ...open(field, start, to, lookbackMs), repeatsBelow: null };
}

/**
 * The window after a finished one: from `lookback` behind its end, but not from before what was remembered, since
 * records from there would come twice. A clock that went back does not take the watermark with it.
 */
export function nextWindow(finished: WindowCursor, to: Stamp, lookbackMs: number): WindowCursor {
  const end = latest(to, finished.window.to);
  const overlap = stampOf(msOf(finished.window.to) - lookbackMs);
  const from = latest(overlap, finished.rememberFrom);
  return { ...open(finished.field, from, end, lookbackMs), repeatsBelow: finished.window.to };
}

function open(
  field: string,
  from: Stamp | null,
  to: Stamp,
  lookbackMs: number,
): Omit<WindowCursor, "repeatsBelow"> {
  const overlap = stampOf(msOf(to) - lookbackMs);
  const rememberFrom = from === null ? overlap : latest(from, overlap);
  return { field, window: { from, to }, rememberFrom, at: null, done: false };
}
