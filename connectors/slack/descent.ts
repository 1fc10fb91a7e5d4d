import type { RefusedRecord, SourceRecord } from "../../core/contracts/index.js";
import { TransientError } from "../../core/contracts/index.js";
import { listOf, type SlackAnswer, type SlackApi } from "./api.js";
import { INVALID_CURSOR, repeatedPage, unexpected } from "./errors.js";
import { type Micros, microsOf, tsOf } from "./moment.js";

/** Something with a place in time. */
export interface Item {
  /** Identity inside its channel: the `ts` of a message. */
  readonly key: string;
  readonly at: Micros;
  readonly raw: SourceRecord;
  /** It holds a key twice. */
  readonly refused: RefusedRecord | undefined;
}

/** One page of a window, newest first. */
export interface Step {
  readonly items: readonly Item[];
  /** Everything of the window from here on up was seen. */
  readonly low: Micros;
  /** The window was seen down to its beginning. */
  readonly last: boolean;
  /** A free plan hides what is older than this page: what is missing below is hidden, not deleted. */
  readonly truncated: boolean;
  readonly bytes: number;
}

export interface Range {
  /** Inclusive; null: the beginning of time. */
  readonly from: Micros | null;
  /** Exclusive. */
  readonly to: Micros;
}

/** Chains lost without a page in between, and empty pages in a row, before it is given up. */
const MOST_LOSSES = 5;
export const MOST_EMPTY = 1000;

/*
 * Messages of one channel in a window, from the newest to the oldest.
 *
 *   chain --page with cursor--> chain
 *   chain --page without cursor, has_more--> a new chain below the place reached   (has_more alone is no paging token)
 *   chain --invalid_cursor--> a new chain below the place reached
 *   chain --page without cursor--> the end
 *
 * `oldest` and `latest` are exclusive, so the first is one microsecond before the window.
 */
export async function* descendHistory(
  api: SlackApi,
  channel: string,
  range: Range,
  pageSize: number,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  let low = range.to;
  let chainTop = range.to;
  let cursor: string | undefined;
  let losses = 0;
  let empty = 0;
  for (;;) {
    const asked = api.quota.pageSize(pageSize);
    let answer: SlackAnswer;
    try {
      answer = await api.call(
        "conversations.history",
        {
          channel,
          limit: String(asked),
          latest: tsOf(chainTop),
          oldest: range.from === null ? undefined : tsOf(Math.max(0, range.from - 1)),
          include_all_metadata: "true",
          cursor,
        },
        signal,
      );
    } catch (error) {
      const isLost = error instanceof TransientError && error.code === INVALID_CURSOR;
      if (!isLost || cursor === undefined || ++losses > MOST_LOSSES) throw error;
      cursor = undefined;
      chainTop = low;
      continue;
    }
    const hasMore = Reflect.get(answer.body, "has_more") === true;
    const next = answer.nextCursor;
    const items = messagesOf(answer, low - 1);
    const below = items.filter((item) => item.at < low && (range.from === null || item.at >= range.from));
    // Every page lies below the one before: one that shows nothing new was shown before.
    if (items.length > 0 && below.length === 0 && items.some((item) => item.at >= low))
      throw repeatedPage(answer.place);
    if (next !== undefined && next === cursor) throw repeatedPage(answer.place);
    empty = below.length === 0 ? empty + 1 : 0;
    if (empty > MOST_EMPTY) throw repeatedPage(answer.place);
    if (below.length > 0) losses = 0;
    api.quota.saw({ asked, got: items.length, more: next !== undefined || hasMore });

    low = below.at(-1)?.at ?? low;
    const goesOn = next !== undefined || (hasMore && below.length > 0);
    yield {
      items: below,
      low: goesOn ? low : (range.from ?? 0),
      last: !goesOn,
      truncated: Reflect.get(answer.body, "is_limited") === true,
      bytes: answer.bytes,
    };
    if (!goesOn) return;
    cursor = next;
    if (next === undefined) chainTop = low;
  }
}

/**
 * The messages of a page, newest first whatever their order. One whose `ts` is in doubt takes the place of its neighbour: it is
 * handed on and moves nothing. `otherwise`: the place where a page holds no other.
 */
export function messagesOf(answer: SlackAnswer, otherwise: Micros): Item[] {
  const raws = listOf(answer, "messages");
  const refused = answer.refused("messages");
  const isDoubtful = (raw: SourceRecord) =>
    refused.size > 0 && refused.get(raw)?.doubtful.includes("ts") === true;
  const first = raws.find((raw) => !isDoubtful(raw));
  let neighbour = first === undefined ? otherwise : (microsOf(first.ts) ?? otherwise);
  let before = Number.POSITIVE_INFINITY;
  let sorted = true;
  const items = raws.map((raw): Item => {
    const at = isDoubtful(raw) ? neighbour : microsOf(raw.ts);
    if (at === undefined) throw unexpected(answer.place, "holds a message without ts");
    neighbour = at;
    sorted &&= at <= before;
    before = at;
    const key = typeof raw.ts === "string" ? raw.ts : tsOf(at);
    return { key, at, raw, refused: refused.size === 0 ? undefined : refused.get(raw) };
  });
  return sorted ? items : items.sort((a, b) => b.at - a.at);
}
