/** Microseconds since 1970: a `ts` without its point, exact below 2^53. */
export type Micros = number;

export function tsText(at: Micros): string {
  const seconds = Math.floor(at / 1_000_000);
  return `${seconds}.${String(at - seconds * 1_000_000).padStart(6, "0")}`;
}

/** Undefined for what Slack refuses as `invalid_ts_...`. */
export function parseTs(text: string): Micros | undefined {
  const [, seconds, fraction = ""] = /^(\d{1,10})(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1_000_000 + Number(fraction.padEnd(6, "0"));
}
