import type { BucketSpec } from "../../core/contracts/index.js";

/**
 * Calls a minute of each method, by its tier ("Rate limits", Web API). A tier is what Slack promises; it tolerates bursts and
 * says so by not refusing, so that calls are held back for a refusal (by all processes) or for a reserve, not for the tier.
 */
const TIERS: Readonly<Record<string, number>> = {
  "auth.test": 100,
  "conversations.history": 50,
  "conversations.replies": 50,
  "conversations.list": 20,
  "conversations.members": 100,
  "files.list": 50,
  "team.info": 50,
  "usergroups.list": 20,
  "users.conversations": 50,
  "users.list": 20,
};

/** One for each method: a refusal closes that one alone. */
export const BUCKETS: readonly BucketSpec[] = Object.entries(TIERS).map(([method, atLeast]) => ({
  name: method,
  title: `calls of ${method} a minute`,
  kind: "window",
  windowMs: 60_000,
  atLeast,
}));
