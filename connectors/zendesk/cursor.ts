import { z } from "zod";
import { ConfigError, type Page, type Value } from "../../core/contracts/index.js";
import { boundOf, isoOf, type Seconds } from "./stamp.js";
import type { Paging } from "./streams.js";

/*
 * Where a read stands; all times are epoch seconds.
 *
 * Every state has a span, the window `>= from AND < to` that is being read:
 *   {"from":null,"to":1790856000,"repeats":null,"remember":1790855700,"newest":1790855000}
 * and, by kind of paging:
 *   cursorExport  {"after":"MTc5...","start":0,"edge":{"at":1790855000,"ids":[35436]},"skip":false}
 *   timeExport    {"start":1790855001,"edge":null}
 *   list          {"after":"eyJv...","page":null}
 *
 *   unfinished --page--> unfinished(further) --last page--> done --next run--> unfinished of the next span
 */

/** The newest second that was handed out, and what of it: so that a page that begins with it again is recognised. */
export interface Edge {
  readonly at: Seconds;
  readonly ids: readonly (string | number)[];
}

export interface Span {
  readonly from: Seconds | null;
  readonly to: Seconds;
  /** Records with a stamp below were possibly handed out by an earlier span; null: none was. */
  readonly repeats: Seconds | null;
  /** Records from here on will come again in the next span; null: none will. */
  readonly remember: Seconds | null;
  /** The newest stamp handed out. */
  readonly newest: Seconds | null;
}

export interface CursorExportState {
  readonly paging: "cursorExport";
  readonly span: Span;
  /** The cursor of the next page; null: it is asked for by `start`. */
  readonly after: string | null;
  readonly start: Seconds;
  readonly edge: Edge | null;
  /** What comes first was handed out already, up to the edge: see cursor-export.ts. */
  readonly skip: boolean;
  readonly done: boolean;
}

export interface TimeExportState {
  readonly paging: "timeExport";
  readonly span: Span;
  readonly start: Seconds;
  readonly edge: Edge | null;
  readonly done: boolean;
}

export interface ListState {
  readonly paging: "list";
  readonly span: Span;
  readonly after: string | null;
  /** Number of the next page, where the list knows no cursors. */
  readonly page: number | null;
  readonly done: boolean;
}

export type State = CursorExportState | TimeExportState | ListState;

const seconds = z.int();
const span = z.strictObject({
  from: seconds.nullable(),
  to: seconds,
  repeats: seconds.nullable(),
  remember: seconds.nullable(),
  newest: seconds.nullable(),
});
const edge = z.strictObject({ at: seconds, ids: z.array(z.union([z.string(), z.number()])) });
const state = z.discriminatedUnion("paging", [
  z.strictObject({
    paging: z.literal("cursorExport"),
    span,
    after: z.string().nullable(),
    start: seconds,
    edge: edge.nullable(),
    skip: z.boolean(),
    done: z.boolean(),
  }),
  z.strictObject({
    paging: z.literal("timeExport"),
    span,
    start: seconds,
    edge: edge.nullable(),
    done: z.boolean(),
  }),
  z.strictObject({
    paging: z.literal("list"),
    span,
    after: z.string().nullable(),
    page: z.int().nullable(),
    done: z.boolean(),
  }),
]);

/** The checkpoint of an earlier page. ConfigError where it belongs to another kind of stream. */
export function parseState(cursor: Value, paging: Paging): State {
  const parsed = state.safeParse(cursor);
  if (parsed.success && parsed.data.paging === paging) return parsed.data;
  throw new ConfigError("ZENDESK_CURSOR", "the checkpoint was not made by reading this stream", {
    fix: "Run the flow with --full to begin anew.",
  });
}

/** A plain JSON value for the checkpoint. */
export function cursorValue(current: State): Value {
  const { from, to, repeats, remember, newest } = current.span;
  const shared = {
    paging: current.paging,
    span: { from, to, repeats, remember, newest },
    done: current.done,
  };
  if (current.paging === "list") return { ...shared, after: current.after, page: current.page };
  const place = {
    start: current.start,
    edge: current.edge === null ? null : { at: current.edge.at, ids: [...current.edge.ids] },
  };
  if (current.paging === "timeExport") return { ...shared, ...place };
  return { ...shared, ...place, after: current.after, skip: current.skip };
}

/** What a page says of its span; full reads say nothing of repeats, since the engine keeps no account of them. */
export function pageInfo(
  current: Span,
  incremental: boolean,
): Pick<Page, "window" | "repeatsBelow" | "rememberFrom"> {
  const window = { from: current.from === null ? null : isoOf(current.from), to: isoOf(current.to) };
  if (!incremental) return { window };
  return {
    window,
    ...(current.repeats === null ? {} : { repeatsBelow: boundOf(current.repeats) }),
    ...(current.remember === null ? {} : { rememberFrom: boundOf(current.remember) }),
  };
}

/** The span of a first read. `from`: undefined for the beginning of time. */
export function firstSpan(from: Seconds | undefined, to: Seconds, lookback: Seconds): Span {
  const start = from ?? null;
  return { from: start, to, repeats: null, remember: rememberFrom(start, to, lookback), newest: null };
}

/**
 * The span behind a finished one: from `lookback` before its end, but not from before what the engine was told to
 * remember, since that would come twice. A clock that was set back does not take the watermark with it.
 */
export function nextSpan(before: Span, to: Seconds, lookback: Seconds): Span {
  const end = Math.max(to, before.to);
  const from = before.remember === null ? before.to : Math.max(before.to - lookback, before.remember);
  const beyond = before.newest === null ? before.to : Math.max(before.to, before.newest + 1);
  return {
    from,
    to: end,
    repeats: from < beyond ? beyond : null,
    remember: rememberFrom(from, end, lookback),
    newest: before.newest,
  };
}

function rememberFrom(from: Seconds | null, to: Seconds, lookback: Seconds): Seconds | null {
  if (lookback <= 0) return null;
  return from === null ? to - lookback : Math.max(from, to - lookback);
}
