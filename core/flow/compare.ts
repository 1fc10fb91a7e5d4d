/** Comparing a field's values with one literal of a flow file. */
import { ExactNumber, type Field, type Value } from "../contracts/index.js";
import { compareNumbers } from "./decimal.js";
import { textOf } from "./fit.js";
import { found } from "./issue.js";
import { compareText } from "./text.js";
import { compareTimestamps, isDate, normalizeTimestamp } from "./timestamp.js";

/**
 * Order of a value (never null) against the literal: negative, zero, positive. NaN: the value is not of the field's
 * type. Undefined: both are fine but cannot be compared (only where the field is json and promises no type).
 */
export type Comparator = (value: Value) => number | undefined;

function numeric(literal: number | ExactNumber): Comparator {
  if (typeof literal === "number") {
    return (value) => {
      if (typeof value === "number") return value - literal;
      return value instanceof ExactNumber ? compareNumbers(value, literal) : Number.NaN;
    };
  }
  return (value) =>
    typeof value === "number" || value instanceof ExactNumber ? compareNumbers(value, literal) : Number.NaN;
}

function dynamic(literal: string | number | boolean | ExactNumber): Comparator {
  const number = typeof literal === "number" || literal instanceof ExactNumber ? numeric(literal) : undefined;
  return (value) => {
    if (number !== undefined) {
      const order = number(value);
      return Number.isNaN(order) ? undefined : order;
    }
    if (typeof literal === "string")
      return typeof value === "string" ? compareText(value, literal) : undefined;
    return typeof value === "boolean" ? Number(value !== literal) : undefined;
  };
}

/** The comparator, or a message on why the literal does not suit the field. */
export function compiledComparator(field: Field, literal: Value): Comparator | string {
  const wrong = (expected: string) =>
    `expected ${expected}, since ${field.name} is of type ${field.type}, found ${found(literal)}`;
  switch (field.type) {
    case "string":
      if (typeof literal !== "string") return wrong("a text in quotes");
      return (value) => {
        const text = textOf(value);
        return text === undefined ? Number.NaN : compareText(text, literal);
      };
    case "integer":
    case "decimal":
    case "double":
      return typeof literal === "number" || literal instanceof ExactNumber
        ? numeric(literal)
        : wrong("a number");
    case "boolean":
      if (typeof literal !== "boolean") return wrong("true or false");
      return (value) => (typeof value === "boolean" ? Number(value !== literal) : Number.NaN);
    case "date":
      if (typeof literal !== "string" || !isDate(literal)) return wrong("a date such as 2026-10-01");
      return (value) =>
        typeof value === "string" && isDate(value) ? compareText(value, literal) : Number.NaN;
    case "timestamp": {
      const canonical = typeof literal === "string" ? normalizeTimestamp(literal) : undefined;
      if (canonical === undefined) return wrong("a timestamp such as 2026-10-01T00:00:00Z");
      return (value) => {
        const moment = typeof value === "string" ? normalizeTimestamp(value) : undefined;
        return moment === undefined ? Number.NaN : compareTimestamps(moment, canonical);
      };
    }
    case "json":
      if (literal === null || Array.isArray(literal)) return wrong("a text, a number, true or false");
      if (typeof literal === "object" && !(literal instanceof ExactNumber))
        return wrong("a text, a number, true or false");
      return dynamic(literal);
  }
}
