import type { Random } from "../contracts/index.js";

/** Longest single pause between tries, milliseconds. */
const LONGEST_PAUSE = 30_000;
const LONGEST_LIMIT_PAUSE = 60_000;

/** Pause before try `attempt + 1`: full jitter below an exponential ceiling, so that callers that failed together part. */
export function backoffMs(attempt: number, random: Random): number {
  return Math.round(random.next() * Math.min(LONGEST_PAUSE, 500 * 2 ** (attempt - 1)));
}

/** Pause of a rate limit that does not say how long: at least half of a growing span, since it will not lift at once. */
export function limitPauseMs(waits: number, random: Random): number {
  const span = Math.min(LONGEST_LIMIT_PAUSE, 2_000 * 2 ** waits);
  return Math.round(span / 2 + (random.next() * span) / 2);
}

/** `Retry-After` as milliseconds from `now`: seconds, or an HTTP date. Undefined when absent or unreadable. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  // Only what looks like a date: Date.parse takes almost anything.
  const at = /^[A-Za-z]{3,9}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
