import { ExactNumber, type FieldType, type Value } from "../contracts/index.js";
import { textOf } from "./fit.js";
import { truncateText, wellFormed } from "./text.js";
import type { Rejection } from "./types.js";

/**
 * Why the record at hand is being rejected. One per plan, set by the closure that finds the fault and read at once by
 * the plan: no allocation for records that are fine.
 */
export class Fault {
  rule = "";
  reason = "";
  action: Rejection["action"];
  /** The default of the flow (errors.onReject); rules of `validate` set their own. */
  readonly #action: Rejection["action"];

  constructor(action: Rejection["action"]) {
    this.#action = action;
    this.action = action;
  }

  /** Returns undefined, for getters to return in turn. */
  set(rule: string, reason: string, action: Rejection["action"] = this.#action): undefined {
    this.rule = rule;
    this.reason = reason;
    this.action = action;
    return undefined;
  }
}

const LONGEST_VALUE = 60;

/** A value for a reason: JSON, cut short; only its kind where the flow masks or hashes the field. */
export function shown(value: Value, hidden: boolean): string {
  if (hidden) return value === null ? "null" : "a masked value";
  if (value === null || typeof value === "number" || typeof value === "boolean") return String(value);
  // A number as the source wrote it: its bare digits could be a thousand.
  const text = value instanceof ExactNumber ? value.text : textOf(value);
  if (text === undefined) return "a value that nests too deep";
  const short = truncateText(wellFormed(text), LONGEST_VALUE);
  const cut = short.length < text.length ? "..." : "";
  return typeof value === "string" ? JSON.stringify(short + cut) : short + cut;
}

const TYPE_NOUNS: Readonly<Record<FieldType, string>> = {
  string: "a text",
  integer: "an integer within 64 bits",
  decimal: "a decimal",
  double: "a number",
  boolean: "true or false",
  date: "a date",
  timestamp: "a timestamp",
  json: "a value that nests at most 200 levels",
};

export function typeNoun(type: FieldType, precision?: number, scale?: number): string {
  return type === "decimal" && precision !== undefined
    ? `a decimal(${precision},${scale ?? 0})`
    : TYPE_NOUNS[type];
}
