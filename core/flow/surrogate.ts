/** Half a character in a mapped record: a lone surrogate, which no UTF-8 file can hold. */
import { ExactNumber, type FieldType, type SourceRecord, type Value } from "../contracts/index.js";
import { shown } from "./fault.js";
import { wellFormed } from "./text.js";
import type { Rejection } from "./types.js";

/** A field as it goes into the line. */
export interface Column {
  readonly name: string;
  readonly type: FieldType;
  /** Its values never appear in reasons. */
  readonly hidden: boolean;
}

/** Half a character within a value. */
interface LoneSurrogate {
  /** Keys and positions down to the text; to its object where a key holds it. */
  readonly path: readonly string[];
  readonly isKey: boolean;
  /** All of the text or key. */
  readonly text: string;
  /** As JSON writes it: `\ud83d`. */
  readonly escape: string;
}

function findSurrogate(value: Value, path: readonly string[]): LoneSurrogate | undefined {
  if (typeof value === "string") return surrogateOf(value, path, false);
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) return undefined;
  for (const [key, item] of Object.entries(value)) {
    const found = surrogateOf(key, path, true) ?? findSurrogate(item, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function surrogateOf(text: string, path: readonly string[], isKey: boolean): LoneSurrogate | undefined {
  const [half] = /\p{Surrogate}/u.exec(text) ?? [];
  if (half === undefined) return undefined;
  return { path, isKey, text, escape: `\\u${half.charCodeAt(0).toString(16)}` };
}

/** Undefined for a record without any. `action`: what the flow does with rejected records. */
export function rejectSurrogate(
  record: SourceRecord,
  columns: readonly Column[],
  action: Rejection["action"],
): Rejection | undefined {
  for (const [name, value] of Object.entries(record)) {
    const found = findSurrogate(value, [name]);
    if (found === undefined) continue;
    const where = wellFormed(found.path.join("."));
    const hidden = columns.find((column) => column.name === name)?.hidden === true;
    const what = hidden
      ? "a lone surrogate"
      : `the lone surrogate ${found.escape} in ${shown(found.text, false)}`;
    return {
      stage: "map",
      rule: `lone surrogate on ${name}`,
      reason:
        `${found.isKey ? "a key of " : ""}${where} holds half a character (${what}), which UTF-8 cannot hold: ` +
        "correct it at the source, or leave the field out of map",
      action,
    };
  }
  return undefined;
}
