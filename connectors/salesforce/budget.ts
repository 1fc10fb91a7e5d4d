import type { BucketSpec, LimitFacts } from "../../core/contracts/index.js";
import { parseLimitInfo } from "./api.js";

/*
 * The limits of an org that its calls share with everything else that uses it ("API Request Limits and Allocations"). The
 * daily ones slide over 24 hours, and no answer says when calls are free again: after an hour it is worth asking.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Salesforce ends a REST call after ten minutes. */
export const LONGEST_CALL_MS = 660_000;

export const BUCKETS: readonly BucketSpec[] = [
  {
    name: "daily",
    title: "API calls in 24 hours",
    kind: "window",
    windowMs: DAY_MS,
    askAgainMs: HOUR_MS,
    learn: ({ "sforce-limit-info": header }) => callsLeft(header),
  },
  {
    // Salesforce counts those that take 20 seconds and more; which ones will, nobody knows before.
    name: "concurrent",
    title: "API calls at a time",
    kind: "concurrent",
    limit: 25,
    longestMs: LONGEST_CALL_MS,
  },
  {
    name: "bulkJobs",
    title: "Bulk query jobs in 24 hours",
    kind: "window",
    limit: 10_000,
    windowMs: DAY_MS,
    askAgainMs: HOUR_MS,
  },
];

/** What any call counts against, and one that creates a query job. */
export const CALL = ["daily", "concurrent"] as const;
export const JOB_CREATION = [...CALL, "bulkJobs"] as const;

/** An org may be let through some calls beyond its limit. */
function callsLeft(header: string | undefined): LimitFacts | undefined {
  const usage = parseLimitInfo(header);
  return usage && { limit: usage.limit, remaining: Math.max(0, usage.limit - usage.used) };
}
