/*
 * Slack's `ts` ("1512085950.000216") is the identity of a message inside its channel: seconds and six digits of microseconds,
 * as text. Sixteen digits do not survive a division or a parseFloat, so it is never made a fraction: as a whole number of
 * microseconds it is below 2^53 until the year 2255, and compares exactly.
 */

/** Microseconds since 1970, a whole number. */
export type Micros = number;

const TS = /^(\d{1,10})\.(\d{6})$/;

/** Undefined for anything that is no `ts`. */
export function microsOf(ts: unknown): Micros | undefined {
  if (typeof ts !== "string") return undefined;
  const parts = TS.exec(ts);
  if (parts === null) return undefined;
  const at = Number(parts[1]) * 1_000_000 + Number(parts[2]);
  return Number.isSafeInteger(at) ? at : undefined;
}

/** The `ts` of that instant: six decimals, always. */
export function tsOf(at: Micros): string {
  const seconds = Math.floor(at / 1_000_000);
  return `${seconds}.${String(at - seconds * 1_000_000).padStart(6, "0")}`;
}

let lastSecond = Number.NaN;
let lastText = "";

/**
 * `2017-11-30T23:52:30.000216Z`. Six digits even where they are zeros, so that texts compare as the instants do. Messages of
 * one page share their seconds or nearly so: the last one is kept.
 */
export function isoOf(at: Micros): string {
  const seconds = Math.floor(at / 1_000_000);
  if (seconds !== lastSecond) {
    lastSecond = seconds;
    lastText = new Date(seconds * 1000).toISOString().slice(0, 19);
  }
  return `${lastText}.${String(at - seconds * 1_000_000).padStart(6, "0")}Z`;
}

/** Epoch milliseconds as microseconds. */
export function microsOfMs(ms: number): Micros {
  return Math.round(ms) * 1000;
}

/**
 * A number of Slack's that tells a time: seconds mostly (`created`, users' `updated`), milliseconds in `updated` of channels.
 * Seconds above 1e11 would lie in the year 5138.
 */
export function microsOfNumber(value: unknown): Micros | undefined {
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) return undefined;
  return value > 1e11 ? microsOfMs(value) : Math.round(value) * 1_000_000;
}
