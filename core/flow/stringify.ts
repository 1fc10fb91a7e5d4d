import { ExactNumber, type SourceRecord, type Value } from "../contracts/index.js";

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

/**
 * JSON text of any value: ExactNumbers as bare digits, lone surrogates as the escapes that JSON.stringify makes of them, so
 * that the text parses back to the very value. Slower than JSON.stringify.
 */
export function exactJson(value: Value): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(exactJson).join(",")}]`;
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${exactJson(item)}`)
    .join(",")}}`;
}

/**
 * Escapes U+FFFE and U+FFFF: JSON text may hold them as they are, a message of Amazon SQS may not. V8 answers `includes`
 * at once for the Latin-1 text that most lines are.
 */
export function sendable(line: string): string {
  if (!line.includes("\ufffe") && !line.includes("\uffff")) return line;
  return line.replaceAll("\ufffe", "\\ufffe").replaceAll("\uffff", "\\uffff");
}

/** One line for any record, whatever its fields: what a dead letter holds. Slower than a plan's own writer. */
export function recordJson(record: SourceRecord): string {
  return sendable(exactJson(record));
}

/** One line of a record's JSON as its source wrote it, which may go over several: line ends only stand between values. */
export function recordLine(text: string): string {
  return sendable(text.replaceAll(/[\r\n\t]+/g, " "));
}
