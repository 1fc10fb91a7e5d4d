import { type Field, RecordError } from "../contracts/index.js";
import { decimalShape } from "./sql.js";

/*
 * Values for the portable writers, from the text of a line's tokens: exact, or a RecordError. The lines come from the
 * flow's plan and are valid for their types; what is checked here is what a type of the file cannot hold.
 */

const MICROS_PER_MS = 1000n;
const MS_PER_DAY = 86_400_000;

function unfit(field: Field, token: string, holds: string): RecordError {
  const shown = token.length > 60 ? `${token.slice(0, 60)}...` : token;
  return new RecordError("VALUE_RANGE", `${field.name}: ${shown} does not fit ${holds}`, {
    place: field.name,
    fix: `Map ${field.name} to a type that holds the value, such as string.`,
  });
}

/** An int64. */
export function integerOf(field: Field, token: string): bigint {
  if (/^-?\d{1,19}$/.test(token)) {
    const value = BigInt(token);
    if (BigInt.asIntN(64, value) === value) return value;
  }
  throw unfit(field, token, "a 64-bit integer");
}

/** Days since 1970-01-01. */
export function daysOf(field: Field, text: string): number {
  const ms = Date.parse(text);
  if (/^\d{4}-\d\d-\d\d$/.test(text) && Number.isInteger(ms / MS_PER_DAY)) return ms / MS_PER_DAY;
  throw unfit(field, text, "a date");
}

/** Microseconds since 1970-01-01T00:00:00Z. */
export function microsOf(field: Field, text: string): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})(\d{0,3})Z$/.exec(text);
  const ms = match === null ? Number.NaN : Date.parse(`${match[1]}Z`);
  if (Number.isNaN(ms)) throw unfit(field, text, "a timestamp of microseconds");
  return BigInt(ms) * MICROS_PER_MS + BigInt((match?.[2] ?? "").padEnd(3, "0"));
}

/** A decimal as an integer of `scale` digits after the point, rounded half away from zero. */
export function unscaledOf(field: Field, token: string): bigint {
  const { precision, scale } = decimalShape(field);
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,6}))?$/.exec(token);
  if (match === null) throw unfit(field, token, `decimal(${precision},${scale})`);
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = (whole + fraction).replace(/^0+/, "");
  // Where the point stands in `digits` once the value is multiplied by 10^scale.
  const point = digits.length - fraction.length + Number(exponent) + scale;
  if (digits === "" || point < 0) return 0n;
  if (point > precision) throw unfit(field, token, `decimal(${precision},${scale})`);
  let unscaled = BigInt(digits.slice(0, point).padEnd(point, "0") || "0");
  if (point < digits.length && digits.charCodeAt(point) >= 53) unscaled += 1n;
  if (unscaled.toString().length > precision) throw unfit(field, token, `decimal(${precision},${scale})`);
  return sign === "-" ? -unscaled : unscaled;
}

/** `-12.50` of -1250 at scale 2. */
export function decimalText(unscaled: bigint, scale: number): string {
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return `${negative ? "-" : ""}${whole}${scale === 0 ? "" : `.${digits.slice(digits.length - scale)}`}`;
}
