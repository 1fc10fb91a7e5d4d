import type { SourceRecord } from "../../core/contracts/index.js";
import { TransientError } from "../../core/contracts/index.js";
import type { SlackAnswer, SlackApi } from "./api.js";
import { type Item, MOST_EMPTY, messagesOf } from "./descent.js";
import { INVALID_CURSOR, isOfOneChannel, repeatedPage, THREAD_NOT_FOUND } from "./errors.js";
import { decodeTimes, encodeTimes, fingerprintText, type Ledger } from "./ledger.js";
import { type Micros, microsOf, tsOf } from "./moment.js";

/** Replies of one thread, oldest first. */
export interface ThreadPage {
  readonly replies: readonly Item[];
  readonly last: boolean;
  readonly bytes: number;
}

const MOST_LOSSES = 5;

/**
 * Pages of a thread, without its parent. Whether later pages repeat the parent is not documented and told both ways: it is known
 * by its ts wherever it stands, and replies that were seen are passed over. A thread that is gone has no replies.
 */
export async function* threadPages(
  api: SlackApi,
  channel: string,
  parent: string,
  pageSize: number,
  signal: AbortSignal,
): AsyncGenerator<ThreadPage> {
  let high: Micros = 0;
  let chainStart: Micros | undefined;
  let cursor: string | undefined;
  let losses = 0;
  let empty = 0;
  for (;;) {
    const asked = api.quota.pageSize(pageSize);
    let answer: SlackAnswer;
    try {
      const oldest = chainStart === undefined ? undefined : tsOf(chainStart);
      answer = await api.call(
        "conversations.replies",
        { channel, ts: parent, limit: String(asked), oldest, include_all_metadata: "true", cursor },
        signal,
      );
    } catch (error) {
      if (isOfOneChannel(error) && error.code === THREAD_NOT_FOUND) {
        yield { replies: [], last: true, bytes: 0 };
        return;
      }
      const isLost = error instanceof TransientError && error.code === INVALID_CURSOR;
      if (!isLost || cursor === undefined || ++losses > MOST_LOSSES) throw error;
      cursor = undefined;
      if (high > 0) chainStart = high;
      continue;
    }
    const hasMore = Reflect.get(answer.body, "has_more") === true;
    const next = answer.nextCursor;
    const items = messagesOf(answer, high + 1).reverse();
    const replies = items.filter((item) => item.key !== parent && item.at > high);
    const isRepeated = items.some(({ key }) => key !== parent) && replies.length === 0;
    empty = replies.length === 0 ? empty + 1 : 0;
    if (isRepeated || (next !== undefined && next === cursor) || empty > MOST_EMPTY)
      throw repeatedPage(answer.place);
    api.quota.saw({ asked, got: items.length, more: next !== undefined || hasMore });
    high = replies.at(-1)?.at ?? high;
    const goesOn = next !== undefined || (hasMore && replies.length > 0);
    yield { replies, last: !goesOn, bytes: answer.bytes };
    if (!goesOn) return;
    cursor = next;
    if (next === undefined) chainStart = high;
  }
}

/** What a parent tells of its thread; 0 is no fingerprint of any: such a thread is read again. */
export const UNREAD = 0;

export function threadPrint(parent: SourceRecord): number {
  const { reply_count, latest_reply, subtype } = parent;
  const text = JSON.stringify([reply_count ?? 0, latest_reply ?? null, subtype === "tombstone"]);
  return Math.max(1, fingerprintText(text));
}

export function hasReplies(message: SourceRecord): boolean {
  return typeof message.reply_count === "number" && message.reply_count > 0;
}

/** What was handed out of one thread. */
export interface ThreadState {
  readonly print: number;
  readonly replies: Ledger;
}

/** By the parent's ts, newest first. */
export type Threads = Map<string, ThreadState>;

/** `ts=print=replies;...` */
export function encodeThread(ts: string, { print, replies }: ThreadState): string {
  return `${ts}=${print.toString(36)}=${encodeTimes(replies)}`;
}

export function encodeThreads(threads: Threads): string {
  return [...threads].map(([ts, state]) => encodeThread(ts, state)).join(";");
}

/** RangeError for a text that is none. */
export function decodeThreads(text: string): Threads {
  const threads: Threads = new Map();
  for (const entry of text === "" ? [] : text.split(";")) {
    const [ts = "", print = "", replies = ""] = entry.split("=");
    const value = Number.parseInt(print, 36);
    if (microsOf(ts) === undefined || !Number.isSafeInteger(value))
      throw new RangeError("the ledger cannot be read");
    threads.set(ts, { print: value, replies: decodeTimes(replies) });
  }
  return threads;
}
