import { ExactNumber, type FieldType, type SourceRecord, type Value } from "../contracts/index.js";
import { wellFormed } from "./text.js";

/** Lists and objects nested deeper than this are refused when they are read, so that writing them cannot overflow the stack. */
export const MAX_DEPTH = 200;

/** True when the value nests no deeper than `depth` lists or objects. */
export function withinDepth(value: Value, depth: number): boolean {
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!withinDepth(item, depth - 1)) return false;
    return true;
  }
  for (const key in value) {
    const item = value[key];
    if (item !== undefined && !withinDepth(item, depth - 1)) return false;
  }
  return true;
}

/** JSON text of any value: ExactNumbers as bare digits, lone surrogates as U+FFFD. Slower than JSON.stringify. */
export function exactJson(value: Value): string {
  if (typeof value === "string") return JSON.stringify(wellFormed(value));
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(exactJson).join(",")}]`;
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(wellFormed(key))}:${exactJson(item)}`)
    .join(",")}}`;
}

/**
 * Escapes U+FFFE and U+FFFF: JSON text may hold them as they are, a message of Amazon SQS may not. V8 answers `includes`
 * at once for the Latin-1 text that most lines are.
 */
function sendable(line: string): string {
  if (!line.includes("\ufffe") && !line.includes("\uffff")) return line;
  return line.replaceAll("\ufffe", "\\ufffe").replaceAll("\uffff", "\\uffff");
}

/** One line for any record, whatever its fields: what a dead letter holds. Slower than a plan's own writer. */
export function recordJson(record: SourceRecord): string {
  return sendable(exactJson(record));
}

/**
 * The writer of a plan's records. JSON.stringify does nearly all of them; the exact and slower way is taken only when
 * a number field holds an ExactNumber, a json field may hold one inside, or a lone surrogate was escaped.
 */
export function recordWriter(
  fields: readonly { readonly name: string; readonly type: FieldType }[],
): (record: SourceRecord) => string {
  const numbers = fields
    .filter((field) => field.type === "integer" || field.type === "decimal")
    .map((field) => field.name);
  const holdsJson = fields.some((field) => field.type === "json");
  const count = numbers.length;
  return (record) => {
    for (let index = 0; index < count; index++)
      if (record[numbers[index] ?? ""] instanceof ExactNumber) return sendable(exactJson(record));
    const line = JSON.stringify(record);
    // An escaped lone surrogate; also the harmless text `\ud` itself, whose backslash is doubled.
    if (line.includes("\\ud")) return sendable(exactJson(record));
    // How JSON.stringify writes an ExactNumber inside a json value; an object that looks the same is merely written twice.
    if (holdsJson && line.includes('{"text":')) return sendable(exactJson(record));
    return sendable(line);
  };
}
