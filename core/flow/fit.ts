/**
 * Makes values fit their type. `fitter`: what a source may send for a field of that type, with nothing changed that
 * would lose anything. `converter`: the explicit `type:` of a map entry. Both give undefined for a value that cannot be.
 */
import { parse } from "lossless-json";
import { ExactNumber, type Field, type FieldType, type Value } from "../contracts/index.js";
import {
  type Decimal,
  decimalOf,
  decimalValue,
  exactly,
  fitsDecimal,
  formatDecimal,
  parseDecimal,
  wholeNumber,
} from "./decimal.js";
import { exactJson, MAX_DEPTH, withinDepth } from "./stringify.js";
import { dateOf, isDate, normalizeTimestamp } from "./timestamp.js";

/** Never called with null. */
export type Fit = (value: Value) => Value | undefined;

export const DEFAULT_PRECISION = 38;
export const DEFAULT_SCALE = 9;

/** The text of any value but null: numbers as bare digits, lists and objects as JSON. */
export function textOf(value: Value): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number" || value instanceof ExactNumber) {
    const decimal = decimalOf(value);
    return decimal === undefined ? undefined : formatDecimal(decimal);
  }
  return value !== null && withinDepth(value, MAX_DEPTH) ? exactJson(value) : undefined;
}

function integerOf(decimal: Decimal | undefined): Value | undefined {
  const whole = decimal === undefined ? undefined : wholeNumber(decimal);
  return whole === undefined ? undefined : decimalValue({ units: whole, scale: 0 });
}

const fitInteger: Fit = (value) => {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : integerOf(decimalOf(value));
  return value instanceof ExactNumber ? integerOf(decimalOf(value)) : undefined;
};

function decimalFitter(precision: number, scale: number): Fit {
  // Below half the limit nothing can round up to it, and below 1e21 and from 1e-6 doubles print without an exponent.
  const safe = Math.min(10 ** (precision - scale) / 2, 1e21);
  const exact = (decimal: Decimal | undefined): Value | undefined =>
    decimal !== undefined && fitsDecimal(decimal, precision, scale) ? decimalValue(decimal) : undefined;
  return (value) => {
    if (typeof value === "number") {
      const size = value < 0 ? -value : value;
      return size < safe && (size >= 1e-6 || size === 0) ? value : exact(decimalOf(value));
    }
    return value instanceof ExactNumber ? exact(decimalOf(value)) : undefined;
  };
}

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

const fitDouble: Fit = (value) => {
  if (typeof value === "number") return finite(value);
  return value instanceof ExactNumber ? finite(value.toNumber()) : undefined;
};

const fitJson: Fit = (value) => {
  if (typeof value === "number") return finite(value);
  return typeof value !== "object" || withinDepth(value, MAX_DEPTH) ? value : undefined;
};

export function fitter(field: Pick<Field, "type" | "precision" | "scale">): Fit {
  switch (field.type) {
    case "string":
      return textOf;
    case "integer":
      return fitInteger;
    case "decimal":
      return decimalFitter(field.precision ?? DEFAULT_PRECISION, field.scale ?? DEFAULT_SCALE);
    case "double":
      return fitDouble;
    case "boolean":
      return (value) => (typeof value === "boolean" ? value : undefined);
    case "date":
      return (value) => (typeof value === "string" && isDate(value) ? value : undefined);
    case "timestamp":
      return (value) => (typeof value === "string" ? normalizeTimestamp(value) : undefined);
    case "json":
      return fitJson;
  }
}

/** The number a value stands for when a number is asked for: a number, a text that is one, true as 1. */
function numberOf(value: Value): Decimal | undefined {
  if (typeof value === "string") return parseDecimal(value.trim());
  if (typeof value === "boolean") return { units: value ? 1n : 0n, scale: 0 };
  return typeof value === "number" || value instanceof ExactNumber ? decimalOf(value) : undefined;
}

function booleanOf(value: Value): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (typeof value === "object" && !(value instanceof ExactNumber)) return undefined;
  const text = textOf(value)?.trim().toLowerCase();
  if (text === "true" || text === "1") return true;
  return text === "false" || text === "0" ? false : undefined;
}

/** JSON text as a value, digits kept; undefined when it is no JSON, holds a key twice or nests too deep. */
function parseJson(text: string): Value | undefined {
  try {
    const value = asValue(parse(text, null, (digits) => exactly(digits) ?? new ExactNumber(digits)));
    return withinDepth(value, MAX_DEPTH) ? value : undefined;
  } catch (error) {
    // RangeError: a text of brackets only overflows the parser's stack.
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function asValue(value: unknown): Value {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value !== "object" || value === null) return null;
  if (value instanceof ExactNumber) return value;
  if (Array.isArray(value)) return value.map(asValue);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asValue(item)]));
}

const decimalFit = decimalFitter(DEFAULT_PRECISION, DEFAULT_SCALE);

const CONVERTERS: Readonly<Record<FieldType, Fit>> = {
  string: textOf,
  integer: (value) => integerOf(numberOf(value)),
  decimal: (value) => {
    const decimal = numberOf(value);
    return decimal === undefined ? undefined : decimalFit(decimalValue(decimal));
  },
  double: (value) => {
    const decimal = numberOf(value);
    return decimal === undefined ? undefined : finite(Number(formatDecimal(decimal)));
  },
  boolean: booleanOf,
  date: (value) => (typeof value === "string" ? dateOf(value.trim()) : undefined),
  timestamp: (value) => (typeof value === "string" ? normalizeTimestamp(value.trim()) : undefined),
  json: (value) => (typeof value === "string" ? parseJson(value) : value),
};

const MOMENTS: readonly FieldType[] = ["date", "timestamp"];
const NUMBERS: readonly FieldType[] = ["integer", "decimal", "double", "boolean"];

/** Undefined where no value of the one type can become the other: dates are no numbers. */
export function converter(from: FieldType, to: FieldType): Fit | undefined {
  const senseless =
    (MOMENTS.includes(from) && NUMBERS.includes(to)) || (NUMBERS.includes(from) && MOMENTS.includes(to));
  return senseless ? undefined : CONVERTERS[to];
}
