/**
 * Dates and timestamps as text. Canonical forms: `2026-10-01`, and `2026-10-01T12:00:00.000Z` with 3 to 6 digits of
 * fraction, zeros beyond the third cut off. Two canonical timestamps are the same instant exactly when they are the
 * same text. Years 0001 to 9999, proleptic Gregorian calendar, no leap seconds.
 */

const ZERO = 48;

/** Two digits at `at`; NaN when they are none. */
function two(text: string, at: number): number {
  const tens = text.charCodeAt(at) - ZERO;
  const ones = text.charCodeAt(at + 1) - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

const leap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

function daysIn(year: number, month: number): number {
  if (month === 2) return leap(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** True when `YYYY-MM-DD` stands at the beginning and names a day of the calendar. */
function startsWithDate(text: string): boolean {
  if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return false;
  const year = two(text, 0) * 100 + two(text, 2);
  const month = two(text, 5);
  const day = two(text, 8);
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

/** True when `HH:MM:SS` stands at 11 and names a time of day. */
function hasTime(text: string): boolean {
  return (
    text.charCodeAt(13) === 58 &&
    text.charCodeAt(16) === 58 &&
    two(text, 11) <= 23 &&
    two(text, 14) <= 59 &&
    two(text, 17) <= 59
  );
}

/** A fraction of a second at 19: a point and digits up to `end`. */
function hasFraction(text: string, end: number): boolean {
  if (text.charCodeAt(19) !== 46) return false;
  for (let at = 20; at < end; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return false;
  }
  return true;
}

/** Days since 1970-01-01 (Howard Hinnant's days_from_civil); Date.UTC would read year 99 as 1999. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

const pad = (value: number, length: number): string => String(value).padStart(length, "0");

/** Epoch seconds as `YYYY-MM-DDTHH:MM:SS`; undefined outside years 1 to 9999. */
function civil(seconds: number): string | undefined {
  const days = Math.floor(seconds / 86_400);
  const rest = seconds - days * 86_400;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  if (year < 1 || year > 9999) return undefined;
  const time = `${pad(Math.floor(rest / 3600), 2)}:${pad(Math.floor((rest % 3600) / 60), 2)}:${pad(rest % 60, 2)}`;
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${time}`;
}

const SHAPE =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/;

function parseSlowly(text: string): string | undefined {
  const match = SHAPE.exec(text);
  if (match === null || !startsWithDate(text)) return undefined;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone = "Z"] = match;
  const digits = fraction.slice(0, 6).replace(/0+$/, "").padEnd(3, "0");
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const zoneHours = zone.length > 1 ? Number(zone.slice(1, 3)) : 0;
  const zoneMinutes = zone.length > 3 ? Number(zone.slice(-2)) : 0;
  if (zoneHours > 23 || zoneMinutes > 59) return undefined;
  const offset = (zoneHours * 3600 + zoneMinutes * 60) * (zone.startsWith("-") ? -1 : 1);
  const local =
    daysFromCivil(Number(year), Number(month), Number(day)) * 86_400 +
    Number(hour) * 3600 +
    Number(minute) * 60 +
    Number(second);
  const utc = civil(local - offset);
  return utc === undefined ? undefined : `${utc}.${digits}Z`;
}

/**
 * The canonical UTC form of an ISO 8601 text: `2026-10-01T12:00:00.000+0000` (Salesforce), `Z`, offsets with or without
 * a colon, a space for the `T`, seconds left out, date only (midnight UTC), no zone (taken as UTC). Digits beyond
 * microseconds are cut off. Undefined for anything else, for days and times that do not exist, and outside years 1 to 9999.
 */
export function normalizeTimestamp(text: string): string | undefined {
  return parseQuickly(text) ?? parseSlowly(text);
}

/**
 * Nearly every value has one of four shapes, which take a check of the characters and no arithmetic: with milliseconds and
 * `+0000` (Salesforce) or `Z`, with microseconds and `Z` (Slack), with seconds and `Z` (Zendesk).
 */
function parseQuickly(text: string): string | undefined {
  const { length } = text;
  const isOffset = length === 28 && text.endsWith("+0000");
  const isZulu = (length === 24 || length === 27 || length === 20) && text.charCodeAt(length - 1) === 90;
  if (!isOffset && !isZulu) return undefined;
  if (text.charCodeAt(10) !== 84 || !startsWithDate(text) || !hasTime(text)) return undefined;
  if (length === 20) return `${text.slice(0, 19)}.000Z`;
  if (!hasFraction(text, length === 27 ? 26 : 23)) return undefined;
  if (length === 24) return text;
  let end = length === 27 ? 26 : 23;
  while (end > 23 && text.charCodeAt(end - 1) === ZERO) end--;
  return end === 26 ? text : `${text.slice(0, end)}Z`;
}

/** True for `YYYY-MM-DD` of a day that exists. */
export function isDate(text: string): boolean {
  return text.length === 10 && startsWithDate(text);
}

/** The UTC day of a date or timestamp text; undefined when it is neither. */
export function dateOf(text: string): string | undefined {
  return isDate(text) ? text : normalizeTimestamp(text)?.slice(0, 10);
}

/** Order of two canonical timestamps. */
export function compareTimestamps(a: string, b: string): number {
  if (a === b) return 0;
  // `.123Z` against `.1234Z`: without the Z the shorter text is the earlier one.
  if (a.length !== b.length) return a.slice(0, -1) < b.slice(0, -1) ? -1 : 1;
  return a < b ? -1 : 1;
}

/** Epoch milliseconds of a canonical timestamp; microseconds are cut off. */
export function epochMs(canonical: string): number {
  const days = daysFromCivil(
    two(canonical, 0) * 100 + two(canonical, 2),
    two(canonical, 5),
    two(canonical, 8),
  );
  const seconds = days * 86_400 + two(canonical, 11) * 3600 + two(canonical, 14) * 60 + two(canonical, 17);
  return seconds * 1000 + Number(canonical.slice(20, 23));
}
