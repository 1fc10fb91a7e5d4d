import type { FakeClock } from "./workspace.js";

/** `none`: every call is answered. `tiers`: as documented. `unlisted`: one call a minute and 15 messages for history and replies. */
export type RateLimits = "none" | "tiers" | "unlisted";

/** Calls a minute; the lower bounds that Slack promises. */
const TIERS: Readonly<Record<string, number>> = {
  "conversations.list": 20,
  "users.list": 20,
  "usergroups.list": 20,
  "conversations.members": 100,
};
const TIER_3 = 50;
const UNLISTED: ReadonlySet<string> = new Set(["conversations.history", "conversations.replies"]);
const MINUTE_MS = 60_000;
export const UNLISTED_PAGE = 15;

/** Calls of the last minute, per method. */
export class Limits {
  mode: RateLimits;
  private readonly clock: FakeClock;
  private readonly calls = new Map<string, number[]>();

  constructor(mode: RateLimits, clock: FakeClock) {
    this.mode = mode;
    this.clock = clock;
  }

  /** Counts a call; seconds to wait where it is one too many. */
  admit(method: string): number | undefined {
    if (this.mode === "none" || method === "auth.test" || method === "oauth.v2.access") return undefined;
    const most = this.mode === "unlisted" && UNLISTED.has(method) ? 1 : (TIERS[method] ?? TIER_3);
    const now = this.clock.now();
    const recent = (this.calls.get(method) ?? []).filter((at) => at > now - MINUTE_MS);
    this.calls.set(method, recent);
    const first = recent[recent.length - most];
    if (recent.length >= most && first !== undefined)
      return Math.max(1, Math.ceil((first + MINUTE_MS - now) / 1000));
    recent.push(now);
    return undefined;
  }

  /** How many messages a page holds, of those asked for. */
  pageSize(method: string, asked: number): number {
    return this.mode === "unlisted" && UNLISTED.has(method) ? Math.min(asked, UNLISTED_PAGE) : asked;
  }
}
