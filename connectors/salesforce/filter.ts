import { type Condition, ExactNumber, type Filter, type Value } from "../../core/contracts/index.js";
import type { DescribedField } from "./describe.js";
import { and, escapeLike, or, quote } from "./soql.js";

/*
 * What of a filter Salesforce takes over. The engine applies the whole filter to every record anyway, so a pushed
 * condition may let too much through and must never hold back a record that the filter accepts. Where SOQL and the
 * filter differ:
 *
 * - SOQL compares texts without regard to case and orders them by language: equals, in, contains, startsWith and endsWith
 *   are pushed (they find more), orders and negations of texts are not.
 * - A negation is true for null here, and in SOQL not reliably: pushed as `(x != 5 OR x = null)`.
 * - `not` is not pushed: the opposite of "finds more" finds less.
 * - A calculated number may differ in its last digits from the value we receive; calculated fields are not pushed.
 * - What Salesforce would refuse as a literal is left to us, where it merely matches nothing.
 */

export interface PushedFilter {
  readonly where: string | undefined;
  /** For people, one entry per condition that must hold. */
  readonly pushed: readonly string[];
  readonly notPushed: readonly string[];
}

/** `fieldOf`: the described field of a condition, undefined where it cannot be filtered by Salesforce. */
export function pushDown(
  filter: Filter | undefined,
  fieldOf: (name: string) => DescribedField | undefined,
): PushedFilter {
  const pushed: string[] = [];
  const notPushed: string[] = [];
  const parts: string[] = [];
  for (const part of filter === undefined ? [] : conjuncts(filter)) {
    const translated = translate(part, fieldOf);
    if (translated === undefined) {
      notPushed.push(filterText(part));
      continue;
    }
    parts.push(translated.soql);
    pushed.push(filterText(part));
    if (!translated.whole) notPushed.push(`${filterText(part)} (in part)`);
  }
  return { where: and(...parts), pushed, notPushed };
}

/** The fields a filter names. */
export function filterFields(filter: Filter | undefined): string[] {
  if (filter === undefined) return [];
  if ("all" in filter) return filter.all.flatMap(filterFields);
  if ("any" in filter) return filter.any.flatMap(filterFields);
  return "not" in filter ? filterFields(filter.not) : [filter.field];
}

function conjuncts(filter: Filter): readonly Filter[] {
  return "all" in filter ? filter.all.flatMap(conjuncts) : [filter];
}

interface Translated {
  readonly soql: string;
  /** False: only some of its conditions could be taken over. */
  readonly whole: boolean;
}

type FieldOf = (name: string) => DescribedField | undefined;

/** SOQL that is true wherever the filter is; undefined where there is none but "everything". */
function translate(filter: Filter, fieldOf: FieldOf): Translated | undefined {
  if ("not" in filter) return undefined;
  if ("all" in filter) {
    const parts = filter.all.map((part) => translate(part, fieldOf));
    const found = parts.filter((part) => part !== undefined);
    const soql = and(...found.map((part) => part.soql));
    if (soql === undefined) return undefined;
    return { soql, whole: found.length === parts.length && found.every((part) => part.whole) };
  }
  if ("any" in filter) {
    const parts = filter.any.map((part) => translate(part, fieldOf));
    const found = parts.filter((part) => part !== undefined);
    // One branch that Salesforce cannot decide may be true for any record.
    if (found.length === 0 || found.length < parts.length) return undefined;
    return { soql: or(...found.map((part) => part.soql)), whole: found.every((part) => part.whole) };
  }
  const field = fieldOf(filter.field);
  if (field === undefined || field.calculated === true) return undefined;
  const soql = condition(filter, field);
  return soql === undefined ? undefined : { soql, whole: true };
}

/** More values than this make the query longer than they save records. */
const MOST_VALUES = 200;

const COMPARISONS: Readonly<Record<string, string>> = {
  greaterThan: ">",
  greaterThanOrEquals: ">=",
  lessThan: "<",
  lessThanOrEquals: "<=",
};

function condition({ field: name, operator, value }: Condition, field: DescribedField): string | undefined {
  const kind = kindOf(field);
  if (kind === undefined) return undefined;
  if (operator === "isNull" || operator === "isNotNull") {
    // A checkbox is never null, and a path is null for two reasons.
    if (kind === "boolean" || name.includes(".")) return undefined;
    return `${name} ${operator === "isNull" ? "=" : "!="} null`;
  }
  if (kind === "text" && (operator === "contains" || operator === "startsWith" || operator === "endsWith")) {
    if (typeof value !== "string" || !isPlainText(value)) return undefined;
    const [before, after] = [operator === "startsWith" ? "" : "%", operator === "endsWith" ? "" : "%"];
    return `${name} LIKE '${before}${escapeLike(value)}${after}'`;
  }
  const values = Array.isArray(value) ? value : [value ?? null];
  const literals = values.map((item) => literal(item, field, kind));
  if (values.length > MOST_VALUES || literals.some((text) => text === undefined)) return undefined;
  const [first, second] = literals;
  if (first === undefined) return undefined;
  const ordered = kind === "number" || kind === "date" || kind === "datetime";
  switch (operator) {
    case "equals":
      return `${name} = ${first}`;
    case "in":
      return `${name} IN (${literals.join(",")})`;
    case "notEquals":
      return ordered || kind === "boolean" ? orNull(name, `${name} != ${first}`, kind) : undefined;
    case "notIn":
      return ordered ? orNull(name, `${name} NOT IN (${literals.join(",")})`, kind) : undefined;
    case "between":
      return ordered && second !== undefined ? `${name} >= ${first} AND ${name} <= ${second}` : undefined;
    default: {
      const comparison = COMPARISONS[operator];
      return ordered && comparison !== undefined ? `${name} ${comparison} ${first}` : undefined;
    }
  }
}

function orNull(name: string, soql: string, kind: Kind): string {
  return kind === "boolean" ? soql : or(soql, `${name} = null`);
}

type Kind = "text" | "id" | "number" | "date" | "datetime" | "boolean";

/** Types whose comparisons are understood well enough to be left to Salesforce. */
const KINDS: Readonly<Record<string, Kind>> = {
  string: "text",
  picklist: "text",
  combobox: "text",
  phone: "text",
  url: "text",
  email: "text",
  textarea: "text",
  id: "id",
  reference: "id",
  int: "number",
  double: "number",
  currency: "number",
  percent: "number",
  date: "date",
  datetime: "datetime",
  boolean: "boolean",
};

function kindOf(field: DescribedField): Kind | undefined {
  return field.filterable === false ? undefined : KINDS[field.type];
}

/** The value as a SOQL literal; undefined where Salesforce might refuse it or read it differently. */
function literal(value: Value, field: DescribedField, kind: Kind): string | undefined {
  switch (kind) {
    case "boolean":
      return typeof value === "boolean" ? String(value) : undefined;
    case "number":
      return numberLiteral(value, field.type === "int");
    case "text":
      return typeof value === "string" && isPlainText(value) ? quote(value) : undefined;
    case "id":
      return typeof value === "string" && /^[A-Za-z0-9]{18}$/.test(value) ? quote(value) : undefined;
    case "date":
      return typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value) && inRange(value)
        ? value
        : undefined;
    case "datetime":
      return typeof value === "string" ? datetimeLiteral(value) : undefined;
  }
}

function numberLiteral(value: Value, isInteger: boolean): string | undefined {
  if (typeof value !== "number" && !(value instanceof ExactNumber)) return undefined;
  const digits = String(value);
  if (!/^-?\d{1,18}(\.\d{1,18})?$/.test(digits)) return undefined;
  if (isInteger && (digits.includes(".") || Math.abs(Number(digits)) >= 2 ** 31)) return undefined;
  return digits;
}

/** Not empty (null, to Salesforce), not trimmed by anyone, nothing that a URL or SOQL cannot carry. */
function isPlainText(text: string): boolean {
  return text !== "" && text.length <= 1000 && text === text.trim() && !/\p{Cc}|\p{Surrogate}/u.test(text);
}

/** Salesforce refuses days outside these years. */
function inRange(text: string): boolean {
  const year = Number(text.slice(0, 4));
  return year >= 1700 && year < 4000 && !Number.isNaN(Date.parse(text.slice(0, 10)));
}

/** UTC, unquoted. Fractions of a second are left to us: Salesforce keeps whole seconds and may cut a literal. */
function datetimeLiteral(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d)?(?:\.0+)?(Z|z|[+-]\d\d:?\d\d)?)?$/.exec(text);
  if (match === null || !inRange(text)) return undefined;
  const [, day = "", minute = "00:00", second = ":00", zone = "Z"] = match;
  const offset = zone.toUpperCase() === "Z" ? "Z" : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  const at = Date.parse(`${day}T${minute}${second}${offset}`);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString().replace(".000Z", "Z");
}

/** A filter as a person reads it. */
export function filterText(filter: Filter): string {
  if ("all" in filter) return `all of (${filter.all.map(filterText).join("; ")})`;
  if ("any" in filter) return `any of (${filter.any.map(filterText).join("; ")})`;
  if ("not" in filter) return `not (${filterText(filter.not)})`;
  return filter.value === undefined
    ? `${filter.field} ${filter.operator}`
    : `${filter.field} ${filter.operator} ${valueText(filter.value)}`;
}

function valueText(value: Value): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  return typeof value === "string" ? value : JSON.stringify(value);
}
