/**
 * Exact decimal numbers on BigInt. A number that arrives as a JavaScript double means its shortest text (0.1 is
 * exactly 0.1 here), an ExactNumber means its digits.
 */
import { ExactNumber } from "../contracts/index.js";

/** `units * 10^-scale`; scale is never negative. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

export type NumberValue = number | ExactNumber;

/** Longest text taken for a number, and largest exponent: a hostile `1e999999999` must not expand. */
const MAX_DIGITS = 1000;

/** Digits that a division keeps: the widest decimal of warehouses. */
export const DIVISION_DIGITS = 38;

/** Plain or exponent notation, optional sign; undefined for anything else and for more than 1,000 digits. */
export function parseDecimal(text: string): Decimal | undefined {
  if (text.length > MAX_DIGITS) return undefined;
  const match = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const fraction = match[3] ?? match[4] ?? "";
  const exponent = Number(match[5] ?? 0);
  if (Math.abs(exponent) > MAX_DIGITS) return undefined;
  const magnitude = BigInt((match[2] ?? "") + fraction || "0");
  const units = match[1] === "-" ? -magnitude : magnitude;
  const scale = fraction.length - exponent;
  return scale >= 0 ? { units, scale } : { units: units * 10n ** BigInt(-scale), scale: 0 };
}

/** Undefined for NaN, the infinities and an ExactNumber that holds no number. */
export function decimalOf(value: NumberValue): Decimal | undefined {
  return parseDecimal(typeof value === "number" ? String(value) : value.text);
}

/** Bare digits: no exponent, no zeros at the end of the fraction, no `-0`. */
export function formatDecimal({ units, scale }: Decimal): string {
  const negative = units < 0n;
  const digits = (negative ? -units : units).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const fraction = scale === 0 ? "" : digits.slice(-scale).replace(/0+$/, "");
  return `${negative ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

/** A number where a double prints exactly these digits, else an ExactNumber with bare digits. */
export function decimalValue(decimal: Decimal): NumberValue {
  const text = formatDecimal(decimal);
  const double = Number(text);
  return String(double) === text ? double : new ExactNumber(text);
}

/** A literal as it was written: a number where nothing is lost, else an ExactNumber. */
export function exactly(text: string): NumberValue | undefined {
  const decimal = parseDecimal(text);
  return decimal === undefined ? undefined : decimalValue(decimal);
}

function aligned(a: Decimal, b: Decimal): readonly [bigint, bigint, number] {
  const scale = Math.max(a.scale, b.scale);
  return [a.units * 10n ** BigInt(scale - a.scale), b.units * 10n ** BigInt(scale - b.scale), scale];
}

export function add(a: Decimal, b: Decimal): Decimal {
  const [x, y, scale] = aligned(a, b);
  return { units: x + y, scale };
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  const [x, y, scale] = aligned(a, b);
  return { units: x - y, scale };
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { units: a.units * b.units, scale: a.scale + b.scale };
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);
const digitCount = (value: bigint): number => magnitude(value).toString().length;

/** To 38 significant digits, rounded half up (away from zero). Undefined: division by zero. */
export function divide(a: Decimal, b: Decimal): Decimal | undefined {
  if (b.units === 0n) return undefined;
  if (a.units === 0n) return { units: 0n, scale: 0 };
  // At least one digit more than is kept, so that rounding always sees the digit it decides by.
  const shift = Math.max(0, DIVISION_DIGITS + 1 - (digitCount(a.units) - digitCount(b.units)));
  const quotient = (magnitude(a.units) * 10n ** BigInt(shift)) / magnitude(b.units);
  const surplus = digitCount(quotient) - DIVISION_DIGITS;
  const unit = 10n ** BigInt(surplus);
  const rounded = quotient / unit + ((quotient % unit) * 2n >= unit ? 1n : 0n);
  const units = a.units < 0n === b.units < 0n ? rounded : -rounded;
  const scale = a.scale - b.scale + shift - surplus;
  return scale >= 0 ? { units, scale } : { units: units * 10n ** BigInt(-scale), scale: 0 };
}

/** Negative, zero or positive; NaN when one of them is no number. Exact whatever the mix of doubles and ExactNumbers. */
export function compareNumbers(a: NumberValue, b: NumberValue): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const x = decimalOf(a);
  const y = decimalOf(b);
  if (x === undefined || y === undefined) return Number.NaN;
  const [left, right] = aligned(x, y);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** True when the value, rounded half up to `scale`, has at most `precision` digits. */
export function fitsDecimal(decimal: Decimal, precision: number, scale: number): boolean {
  const limit = 10n ** BigInt(precision);
  const units = magnitude(decimal.units);
  if (decimal.scale <= scale) return units * 10n ** BigInt(scale - decimal.scale) < limit;
  const unit = 10n ** BigInt(decimal.scale - scale);
  return units / unit + ((units % unit) * 2n >= unit ? 1n : 0n) < limit;
}

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** The whole number it is, within int64; undefined when it has a fraction or is out of range. */
export function wholeNumber({ units, scale }: Decimal): bigint | undefined {
  const unit = 10n ** BigInt(scale);
  if (units % unit !== 0n) return undefined;
  const whole = units / unit;
  return whole >= INT64_MIN && whole <= INT64_MAX ? whole : undefined;
}
