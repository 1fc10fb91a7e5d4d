import { z } from "zod";
import { parseDuration } from "../../contracts/config.js";
import { ConfigError } from "../../contracts/index.js";

/** Schemas of what people type behind options. Commander gives strings, `true` for a flag, undefined for nothing. */

/** A flag: absent is false. */
export const flag = z.boolean().default(false);

/** A whole number from 0; `0` means no limit where the option says so. */
export function count(preset: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, "expected a whole number")
    .transform(Number)
    .default(preset);
}

/** How many of something a second; undefined: as many as go. */
export const perSecond = z
  .string()
  .regex(/^[1-9]\d{0,6}$/, "expected a whole number of records per second, at least 1")
  .transform(Number)
  .optional();

/** A port to listen on; 0 takes a free one. */
export const port = z
  .string()
  .regex(/^\d{1,5}$/, "expected a port, 0 to 65535")
  .transform(Number)
  .refine((number) => number <= 65_535, "expected a port, 0 to 65535");

export const optionalText = z.string().min(1, "expected a text that is not empty").optional();

/** Names typed one after the other. */
export const names = z.array(z.string()).default([]);

/**
 * A moment: an ISO date or time, or a duration back from now. Without a zone the time is UTC, as everywhere in
 * Sluice; a date is its first instant.
 */
export interface Moment {
  readonly typed: string;
  /** Epoch ms. */
  at(now: number): number;
}

const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/;

export const moment = z
  .string()
  .transform((typed, context): Moment => {
    const back = parseDuration(typed) ?? weeks(typed);
    if (back !== undefined) return { typed, at: (now) => now - back };
    const time = isoTime(typed);
    if (time !== undefined) return { typed, at: () => time };
    context.issues.push({
      code: "custom",
      input: typed,
      message: `expected a date (2026-10-01), a time (2026-10-01T12:00:00Z) or a duration back from now (90m, 24h, 7d), found ${typed}`,
    });
    return z.NEVER;
  })
  .optional();

function isoTime(typed: string): number | undefined {
  const match = ISO.exec(typed);
  if (match === null) return undefined;
  const [, date, time = "00:00", zone = "Z"] = match;
  const parsed = Date.parse(
    `${date}T${time}${/^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`,
  );
  if (Number.isNaN(parsed)) return undefined;
  // Date.parse takes 2026-02-31 for 2026-03-03.
  return new Date(Date.parse(`${date}T00:00Z`)).toISOString().startsWith(`${date}T`) ? parsed : undefined;
}

function weeks(typed: string): number | undefined {
  const match = /^(\d{1,4}) ?w$/.exec(typed);
  return match === null ? undefined : Number(match[1]) * 7 * 86_400_000;
}

/** Refuses a window that holds nothing. */
export function assertWindow(
  from: number | undefined,
  to: number | undefined,
  [first, last]: readonly [string, string] = ["--from", "--to"],
): void {
  if (from === undefined || to === undefined || from < to) return;
  throw new ConfigError(
    "USAGE",
    `the window is empty: ${first} ${iso(from)} is not before ${last} ${iso(to)}`,
    { fix: `Give ${first} the earlier moment.` },
  );
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
