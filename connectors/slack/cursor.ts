import { z } from "zod";
import { ConfigError, type Value } from "../../core/contracts/index.js";
import { type Micros, microsOf, tsOf } from "./moment.js";

/*
 * Where a read of messages, replies or files stands. Slack's own page cursors are short-lived and opaque, so none is kept: pages
 * run from the newest to the oldest, and the place is the `ts` down to which a window was read.
 *
 * One read freezes one end, `to`, for all channels. Each channel has its bookmark and its window:
 *
 *   {"stream":"messages","mode":"incremental","from":"1590969600.000000","to":"1600000000.000000","done":false,"channels":{
 *     "C01":{"to":"1600000000.000000","since":"1599395200.000000","known":"1599999000.000100:1x2y3z,..."},
 *     "C02":{"to":"1599000000.000000","since":"...","known":"...",
 *            "open":{"from":"1598395200.000000","to":"1600000000.000000","at":"1599700000.000200",
 *                    "remember":"1599395200.000000","full":false,"fresh":"1599999999.000000:9f8e7d,..."}}}}
 *
 *   unread --page--> open(at) --page--> open(lower at) --last page--> bookmarked(to, since, known)
 *   bookmarked --next run--> open(from: since) ... --last page--> bookmarked(later to)
 *   any --refused (not_in_channel, ...)--> as it was: the bookmark does not move, what is open stays open
 *
 * - `to` of a channel: everything below was handed out, down to the flow's start. It moves when a whole window was read, never
 *   within one: what a page shows is newer than everything that is still to come.
 * - `known` (ledger.ts): what was handed out from `since` on. The next window begins at `since`, so it sees that stretch
 *   again and finds what is new, changed and gone in it.
 * - `at` of an open window: everything from there to its `to` was handed out; `fresh` is the ledger of that part. A kill costs
 *   the page that was not stored, and the window goes on below `at`.
 */

const ts = z.string().refine((text) => microsOf(text) !== undefined);

const openWindow = z.strictObject({
  from: ts.nullable(),
  to: ts,
  at: ts.nullable(),
  remember: ts.nullable(),
  full: z.boolean(),
  fresh: z.string(),
});

const channelState = z.strictObject({
  to: ts.optional(),
  since: ts.optional(),
  known: z.string().optional(),
  open: openWindow.optional(),
});

const historyCursor = z.strictObject({
  stream: z.string(),
  mode: z.enum(["incremental", "full"]),
  from: ts.nullable(),
  to: ts,
  done: z.boolean(),
  channels: z.record(z.string(), channelState),
});

export type OpenWindow = z.output<typeof openWindow>;
export type ChannelState = z.output<typeof channelState>;
export type HistoryCursor = z.output<typeof historyCursor>;

/** The checkpoint as a cursor of this stream and mode. ConfigError where it belongs to another kind of read. */
export function parseHistoryCursor(
  cursor: Value,
  stream: string,
  mode: HistoryCursor["mode"],
): HistoryCursor {
  const parsed = historyCursor.safeParse(cursor);
  if (parsed.success && parsed.data.stream === stream && parsed.data.mode === mode) return parsed.data;
  throw foreignCursor(stream, mode);
}

/*
 * Where a read of a list stands (users, channels, ...): lists have no order to go on in, so a list that was not finished is
 * asked for again, and `fresh` tells what of it was handed out.
 *   {"stream":"users","mode":"incremental","from":"...","to":"...","done":true,"known":"U01:1x2y3z,...","fresh":null}
 */
const listCursor = z.strictObject({
  stream: z.string(),
  mode: z.enum(["incremental", "full"]),
  from: ts.nullable(),
  to: ts,
  done: z.boolean(),
  known: z.string(),
  fresh: z.string().nullable(),
});
export type ListCursor = z.output<typeof listCursor>;

export function parseListCursor(cursor: Value, stream: string, mode: ListCursor["mode"]): ListCursor {
  const parsed = listCursor.safeParse(cursor);
  if (parsed.success && parsed.data.stream === stream && parsed.data.mode === mode) return parsed.data;
  throw foreignCursor(stream, mode);
}

/*
 * Where a read of channel_members stands: channels in the order of their ids; those up to `after` are done.
 *   {"stream":"channel_members","after":"C01","open":{"channel":"C02","fresh":"U01:0,U02:0"},"done":false}
 */
const memberCursor = z.strictObject({
  stream: z.literal("channel_members"),
  after: z.string().nullable(),
  open: z.strictObject({ channel: z.string(), fresh: z.string() }).nullable(),
  done: z.boolean(),
});
export type MemberCursor = z.output<typeof memberCursor>;

export function parseMemberCursor(cursor: Value): MemberCursor {
  const parsed = memberCursor.safeParse(cursor);
  if (parsed.success) return parsed.data;
  throw foreignCursor("channel_members", "full");
}

/** A ledger in a checkpoint that cannot be read any more. */
export function foreignCursor(stream: string, mode: string): ConfigError {
  return new ConfigError("SLACK_CURSOR", `the checkpoint was not made by reading ${stream} (${mode})`, {
    place: `slack ${stream}`,
    fix: "Run the flow with --full to begin anew.",
  });
}

/** `decode` of a ledger out of a checkpoint; ConfigError where it is damaged. */
export function readLedger<T>(decode: (text: string) => T, text: string, stream: string): T {
  try {
    return decode(text);
  } catch (error) {
    if (error instanceof RangeError) throw foreignCursor(stream, "its ledger is damaged");
    throw error;
  }
}

/** A `ts` of a checkpoint, which its schema has checked. */
export function micros(text: string): Micros {
  return microsOf(text) ?? 0;
}

export function tsOrNull(at: Micros | null): string | null {
  return at === null ? null : tsOf(at);
}
