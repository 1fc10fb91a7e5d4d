import { ExactNumber, type Value } from "../../core/contracts/index.js";
import { parseJson } from "../../core/http/index.js";

/*
 * A value of a Bulk CSV as the REST API would have answered it. An empty value is null: Salesforce keeps no empty texts.
 * What does not have the form of its type stays the text it is, for the flow to judge.
 */

/** From the text of a CSV value, never empty. */
export type Convert = (text: string) => Value;

const asText: Convert = (text) => text;
const asBoolean: Convert = (text) => (text === "true" ? true : text === "false" ? false : text);

/** `2026-10-01T12:00:00.000Z` -> `2026-10-01T12:00:00.000+0000`, the form of the REST answers and of the cursors. */
const asTimestamp: Convert = (text) => (text.endsWith("Z") ? `${text.slice(0, -1)}+0000` : text);

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Of more digits than a double surely holds, the REST answer's own parser decides. NaN and Infinity stay texts. */
const asNumber: Convert = (text) => {
  if (!NUMBER.test(text)) return text;
  if (text.length < 16) return Number(text);
  const value = parseJson(Buffer.from(text));
  return typeof value === "number" || value instanceof ExactNumber ? value : text;
};

const CONVERTS: Readonly<Record<string, Convert>> = {
  boolean: asBoolean,
  int: asNumber,
  long: asNumber,
  double: asNumber,
  percent: asNumber,
  currency: asNumber,
  datetime: asTimestamp,
};

/** By describe's type. */
export function converterOf(type: string): Convert {
  return CONVERTS[type] ?? asText;
}
