import { type Cell, compareNumbers, Digits } from "../cell.js";
import { isFilterable } from "../field.js";
import { parseId } from "../ids.js";
import type { FakeClock, Org } from "../org.js";
import type { Row, Table } from "../table.js";
import { pointed, type SoqlError } from "./error.js";
import { type BoundPath, bindPath } from "./path.js";
import { relativeRange } from "./relative.js";
import type { Comparison, Expression, Literal, Operator, Query } from "./syntax.js";

/**
 * A WHERE clause made ready: `test` for one row, and the shape kept so that an index can be used.
 *
 * SOQL's logic has two values: a comparison with a null field is false, except that `!=` and `NOT IN` are true.
 * Text compares without case; ids compare byte by byte.
 */
export type Predicate =
  | { readonly kind: "and" | "or"; readonly parts: readonly Predicate[]; test(row: Row): boolean }
  | { readonly kind: "not"; readonly part: Predicate; test(row: Row): boolean }
  | KeyTest
  | {
      readonly kind: "test";
      /** Name of the field when it belongs to the queried object. */
      readonly field: string | undefined;
      test(row: Row): boolean;
    };

/** A comparison that an index over (SystemModstamp, Id) can answer. */
export type KeyTest = {
  readonly kind: "key";
  readonly operator: "=" | "!=" | "<" | "<=" | ">" | ">=";
  test(row: Row): boolean;
} & (
  | { readonly key: "SystemModstamp"; readonly value: number }
  | { readonly key: "Id"; readonly value: string }
);

type TypeClass = "text" | "id" | "multipicklist" | "number" | "boolean" | "date" | "datetime" | "time";

export function bindWhere(org: Org, table: Table, query: Query, clock: FakeClock): Predicate | undefined {
  const bind = (expression: Expression): Predicate => {
    if (expression.kind === "comparison") return bindComparison(org, table, query.text, expression, clock);
    if (expression.kind === "not") {
      const part = bind(expression.part);
      return { kind: "not", part, test: (row) => !part.test(row) };
    }
    const parts = expression.parts.map(bind);
    return expression.kind === "and"
      ? { kind: "and", parts, test: (row) => parts.every((part) => part.test(row)) }
      : { kind: "or", parts, test: (row) => parts.some((part) => part.test(row)) };
  };
  return query.where === undefined ? undefined : bind(query.where);
}

function bindComparison(
  org: Org,
  table: Table,
  query: string,
  comparison: Comparison,
  clock: FakeClock,
): Predicate {
  const path = bindPath(org, table, comparison.path, query);
  const refuse = (sentence: string, code = "INVALID_FIELD"): SoqlError =>
    pointed(code, query, comparison.path.at, sentence);
  const name = path.spec.name;
  if (!isFilterable(path.spec)) throw refuse(`field '${name}' can not be filtered in a query call`);
  const type = typeClass(path.spec.type);
  const { operator } = comparison;
  const refusal = operatorRefusal(operator, type, path.spec.type);
  if (refusal !== undefined) throw refuse(refusal, "INVALID_QUERY_FILTER_OPERATOR");
  for (const literal of comparison.values) checkLiteral(literal, type, path, refuse);

  if (operator === "LIKE") {
    const pattern = likePattern(comparison.values[0]);
    return test(path, (cell) => typeof cell === "string" && pattern.test(cell));
  }
  if (operator === "INCLUDES" || operator === "EXCLUDES") {
    const wanted = comparison.values.map((v) => (v.kind === "string" ? v.text.toLowerCase().split(";") : []));
    const includes = (cell: Cell) => {
      const chosen = typeof cell === "string" ? new Set(cell.toLowerCase().split(";")) : new Set<string>();
      return wanted.some((all) => all.every((value) => chosen.has(value)));
    };
    return test(path, operator === "INCLUDES" ? includes : (cell) => !includes(cell));
  }
  if (operator === "IN" || operator === "NOT IN") {
    const equals = comparison.values.map((literal) => compare("=", literal, type, clock));
    const found = (cell: Cell) => equals.some((one) => one(cell));
    return test(path, operator === "IN" ? found : (cell) => !found(cell));
  }
  const literal = comparison.values[0];
  if (literal === undefined) throw refuse(`field '${name}' is compared with nothing`, "MALFORMED_QUERY");
  const matches = compare(operator, literal, type, clock);
  if (path.own && name === "SystemModstamp" && literal.kind === "datetime") {
    return {
      kind: "key",
      key: "SystemModstamp",
      operator,
      value: Date.parse(literal.text),
      test: (row) => matches(row.stamp),
    };
  }
  if (path.own && name === "Id" && literal.kind === "string") {
    const value = parseId(literal.text) ?? literal.text;
    return { kind: "key", key: "Id", operator, value, test: (row) => matches(row.id) };
  }
  return test(path, matches);
}

function test(path: BoundPath, matches: (cell: Cell) => boolean): Predicate {
  return {
    kind: "test",
    field: path.own ? path.spec.name : undefined,
    test: (row) => matches(path.read(row)),
  };
}

function typeClass(type: string): TypeClass {
  switch (type) {
    case "id":
    case "reference":
      return "id";
    case "int":
    case "long":
    case "double":
    case "currency":
    case "percent":
      return "number";
    case "boolean":
    case "date":
    case "datetime":
    case "time":
    case "multipicklist":
      return type;
    default:
      return "text";
  }
}

function operatorRefusal(operator: Operator, type: TypeClass, fieldType: string): string | undefined {
  const ordered = ["<", "<=", ">", ">="].includes(operator);
  if (operator === "LIKE" && type !== "text") return `invalid operator on ${fieldType} field`;
  if ((operator === "INCLUDES" || operator === "EXCLUDES") && type !== "multipicklist") {
    return "includes/excludes operator only valid on multipicklist field";
  }
  if (ordered && (type === "boolean" || type === "multipicklist"))
    return `invalid operator on ${fieldType} field`;
  return undefined;
}

const TYPE_WORDS: Readonly<Record<TypeClass, string>> = {
  text: "string",
  id: "string",
  multipicklist: "string",
  number: "double",
  boolean: "boolean",
  date: "date",
  datetime: "dateTime",
  time: "time",
};

function checkLiteral(
  literal: Literal,
  type: TypeClass,
  path: BoundPath,
  refuse: (sentence: string, code?: string) => SoqlError,
): void {
  if (literal.kind === "null") return;
  const quoted = type === "text" || type === "id" || type === "multipicklist";
  const fits =
    literal.kind === "string"
      ? quoted
      : literal.kind === "relative"
        ? type === "date" || type === "datetime"
        : literal.kind === type;
  if (!fits) {
    const words = quoted ? "should be enclosed in quotes" : "should not be enclosed in quotes";
    const field = path.spec.name;
    throw refuse(
      `value of filter criterion for field '${field}' must be of type ${TYPE_WORDS[type]} and ${words}`,
    );
  }
  if (
    type === "id" &&
    literal.kind === "string" &&
    literal.text !== "" &&
    parseId(literal.text) === undefined
  ) {
    throw refuse(`invalid ID field: ${literal.text}`, "INVALID_QUERY_FILTER_OPERATOR");
  }
  const when = literal.kind === "datetime" || literal.kind === "date";
  if (when && !isRealMoment(literal.text)) {
    throw refuse(`invalid ${literal.kind}: ${literal.text}`, "MALFORMED_QUERY");
  }
}

/** 30 February is no date, though Date.parse rolls it over. */
function isRealMoment(text: string): boolean {
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== text.slice(0, 10)) return false;
  return text.length === 10 || !Number.isNaN(Date.parse(text));
}

function holds(operator: Operator, order: number): boolean {
  switch (operator) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    default:
      return order >= 0;
  }
}

function compare(
  operator: Operator,
  literal: Literal,
  type: TypeClass,
  clock: FakeClock,
): (cell: Cell) => boolean {
  const onNull = operator === "!=";
  const ordered = (order: (cell: Cell) => number | undefined) => (cell: Cell) => {
    const result = cell === null ? undefined : order(cell);
    return result === undefined ? onNull : holds(operator, result);
  };
  switch (literal.kind) {
    case "null":
      return operator === "!=" ? (cell) => cell !== null : (cell) => operator === "=" && cell === null;
    case "boolean":
      return ordered((cell) => (cell === literal.value ? 0 : 1));
    case "number": {
      const exact = /[eE]/.test(literal.text) ? Number(literal.text) : numberOf(literal.text);
      return ordered((cell) =>
        typeof cell === "number" || cell instanceof Digits ? compareNumbers(cell, exact) : undefined,
      );
    }
    case "date":
    case "time":
      return ordered((cell) => (typeof cell === "string" ? binary(cell, literal.text) : undefined));
    case "datetime": {
      const at = Date.parse(literal.text);
      return ordered((cell) => (typeof cell === "number" ? cell - at : undefined));
    }
    case "relative": {
      const [from, to] = relativeRange(literal.name, literal.n, clock.now());
      return ordered((cell) => {
        const at =
          typeof cell === "number"
            ? cell
            : typeof cell === "string"
              ? Date.parse(`${cell}T00:00:00Z`)
              : undefined;
        return at === undefined ? undefined : at < from ? -1 : at >= to ? 1 : 0;
      });
    }
    case "string": {
      if (type === "id") {
        const id = parseId(literal.text) ?? literal.text;
        if (id === "")
          return operator === "!=" ? (cell) => cell !== null : (cell) => operator === "=" && cell === null;
        return ordered((cell) => (typeof cell === "string" ? binary(cell, id) : undefined));
      }
      const folded = literal.text.toLowerCase();
      // The empty string and null are one value to the service.
      if (folded === "" && (operator === "=" || operator === "!=")) {
        return (cell) => (cell === null || cell === "") === (operator === "=");
      }
      return ordered((cell) => (typeof cell === "string" ? binary(cell.toLowerCase(), folded) : undefined));
    }
  }
}

function numberOf(text: string): number | Digits {
  const plain = text.replace(/^\+/, "").replace(/^(-?)\./, "$10.");
  return plain.replace(/\D/g, "").length > 15 ? new Digits(plain) : Number(plain);
}

function binary(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `%` any text, `_` one character, a backslash before either takes it literally. */
function likePattern(literal: Literal | undefined): RegExp {
  const pattern = literal?.kind === "string" ? literal.pattern : "";
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    let char = pattern[at] ?? "";
    if (char === "%") source += "[\\s\\S]*";
    else if (char === "_") source += "[\\s\\S]";
    else {
      if (char === "\\") char = pattern[++at] ?? "";
      source += char.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
    }
  }
  return new RegExp(`^${source}$`, "iu");
}
