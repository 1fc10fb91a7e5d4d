import { listOf, type SlackApi } from "./api.js";
import type { Channel } from "./channels.js";
import { isOfOneChannel } from "./errors.js";
import { SMALL_PAGE } from "./quota.js";

/** Channels that are tried, one call each: one with few messages tells nothing. */
const MOST_PROBES = 3;
const ASKED = 100;

/**
 * Whether the small quota shows: a page of exactly 15 messages with more behind it, though 100 were asked for. Costs one call per
 * channel tried, three at most.
 */
export async function seesSmallQuota(
  api: SlackApi,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<boolean> {
  for (const { id } of channels.slice(0, MOST_PROBES)) {
    if (api.quota.isSmall) return true;
    try {
      const answer = await api.call("conversations.history", { channel: id, limit: String(ASKED) }, signal);
      const got = listOf(answer, "messages").length;
      const more = answer.nextCursor !== undefined || Reflect.get(answer.body, "has_more") === true;
      api.quota.saw({ asked: ASKED, got, more });
      if (got > SMALL_PAGE) return false;
      if (got === SMALL_PAGE && more) return true;
    } catch (error) {
      if (!isOfOneChannel(error)) throw error;
    }
  }
  return api.quota.isSmall;
}
