import { createHash } from "node:crypto";
import { ExactNumber, type SourceRecord, type Value } from "../contracts/index.js";

/**
 * The order of a record's versions as text that sorts: the cursor value first, then the sequence in which the flow
 * read it. An upsert never overwrites a row with a smaller one, so a redelivered or redriven record undoes nothing.
 */
export function orderOf(cursorValue: Value | undefined, sequence: number): string {
  return `${sortable(cursorValue)}|${String(sequence).padStart(15, "0")}`;
}

/** Text of a cursor value that compares as the value does. */
export function sortable(value: Value | undefined): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || value instanceof ExactNumber) {
    const [whole = "", fraction] = value.toString().split(".");
    return whole.padStart(20, "0") + (fraction === undefined ? "" : `.${fraction}`);
  }
  return "";
}

/** The primary key of a record as one short text; undefined when a part of it is missing. */
export function keyOf(record: SourceRecord, primaryKey: readonly string[]): string | undefined {
  if (primaryKey.length === 0) return undefined;
  let key = "";
  for (const name of primaryKey) {
    const value = record[name];
    if (value === undefined || value === null) return undefined;
    const text =
      typeof value === "object" && !(value instanceof ExactNumber) ? JSON.stringify(value) : String(value);
    key += key === "" ? text : `\u0000${text}`;
  }
  return key.length <= 200 ? key : createHash("sha256").update(key).digest("base64url");
}
