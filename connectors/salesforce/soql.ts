import { createHash } from "node:crypto";

/**
 * Building SOQL text. Everything a user wrote reaches a query through `quote` or through a check against describe;
 * nothing is concatenated otherwise.
 */

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
};

/** A string literal. A backslash before anything but the escapes below is an error in SOQL, so each is doubled. */
export function quote(text: string): string {
  return `'${escaped(text)}'`;
}

/** The inside of a LIKE pattern that matches `text` itself: its % and _ stand for themselves. */
export function escapeLike(text: string): string {
  return escaped(text).replace(/[%_]/g, "\\$&");
}

function escaped(text: string): string {
  return text.replace(/[\\'"\n\r\t\b\f]/g, (character) => ESCAPES[character] ?? character);
}

/** `a AND b`, each in parentheses where it is an OR: SOQL refuses the two mixed without. */
export function and(...conditions: readonly (string | undefined)[]): string | undefined {
  const present = conditions.filter((condition) => condition !== undefined);
  if (present.length < 2) return present[0];
  return present.map((condition) => (isOr(condition) ? `(${condition})` : condition)).join(" AND ");
}

export function or(...conditions: readonly string[]): string {
  return conditions.map((condition) => `(${condition})`).join(" OR ");
}

/** Made by `or` of two and more: begins with a parenthesis whose partner is not the last character. */
function isOr(condition: string): boolean {
  return condition.startsWith("(") && condition.includes(") OR (");
}

export interface Query {
  /** Names checked against describe. */
  readonly fields: readonly string[];
  readonly object: string;
  readonly where: string | undefined;
  /** Empty: in no order. */
  readonly orderBy: readonly string[];
  /** So many at most. */
  readonly limit?: number;
}

export function selectText({ fields, object, where, orderBy, limit }: Query): string {
  const order = orderBy.length === 0 ? "" : ` ORDER BY ${orderBy.join(",")}`;
  const most = limit === undefined ? "" : ` LIMIT ${limit}`;
  return `SELECT ${fields.join(",")} FROM ${object}${whereText(where)}${order}${most}`;
}

export function countText(object: string, where: string | undefined): string {
  return `SELECT COUNT() FROM ${object}${whereText(where)}`;
}

function whereText(where: string | undefined): string {
  return where === undefined ? "" : ` WHERE ${where}`;
}

/** Tells a query from others. `where`: API version, and org; `deleted`: queryAll. */
export function queryDigest(where: string, deleted: boolean, soql: string): string {
  const asked = [where, deleted, soql].join("\n");
  return createHash("sha256").update(asked).digest("base64url").slice(0, 22);
}
