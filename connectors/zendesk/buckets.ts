import type { BucketSpec, LimitFacts } from "../../core/contracts/index.js";
import { rateLimitHeaders, rateLimitList } from "../../core/http/index.js";
import type { Bucket } from "./budget.js";

/** A minute, and what requests may arrive unequally late: two that left a minute apart must not count in one. */
const WINDOW_MS = 60_250;

/** Of an account without the High Volume add-on. */
export const USUAL_EXPORTS_PER_MINUTE = 10;

/** The limits of an account ("Rate limits", API basics): by plan, so that all but the exports' are learned from answers. */
export const BUCKETS: readonly BucketSpec[] = [
  {
    name: "account",
    title: "requests a minute",
    kind: "window",
    windowMs: WINDOW_MS,
    learn: rateLimitHeaders,
  },
  {
    name: "exports",
    title: "export requests a minute",
    kind: "window",
    windowMs: WINDOW_MS,
    limit: USUAL_EXPORTS_PER_MINUTE,
    learn: exportLimit,
  },
  {
    name: "helpCenter",
    title: "Help Center requests a minute",
    kind: "window",
    windowMs: WINDOW_MS,
    learn: rateLimitHeaders,
  },
];

/** What a request counts against: an export against the account's minute as well. */
export function countsAgainst(bucket: Bucket): readonly Bucket[] {
  return bucket === "exports" ? ["exports", "account"] : [bucket];
}

/** `Zendesk-RateLimit-incremental-...: total=10; remaining=9; resets=43`; the sample endpoint has a bucket of its own. */
function exportLimit(headers: Readonly<Record<string, string>>): LimitFacts | undefined {
  for (const [name, value] of Object.entries(headers)) {
    if (/^zendesk-rate-?limit-.*incremental/.test(name) && !/sample/.test(name)) return rateLimitList(value);
  }
  return undefined;
}
