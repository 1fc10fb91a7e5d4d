import { type Cell, compareNumbers, Digits } from "../cell.js";
import { isSortable } from "../field.js";
import type { FakeClock, Org } from "../org.js";
import type { Row, Table } from "../table.js";
import { pointed, SoqlError } from "./error.js";
import { type BoundPath, bindPath } from "./path.js";
import { bindWhere } from "./predicate.js";
import { prune } from "./prune.js";
import { compileWriter, type RowWriter } from "./render.js";
import type { Path, Query } from "./syntax.js";

/** What a query matched, in order, held by a cursor while its pages are read. */
export interface ResultSet {
  /** Matches at query time: `totalSize`. */
  readonly total: number;
  /** True for `SELECT COUNT()`: the answer is the total alone. */
  readonly countOnly: boolean;
  /** The records at positions [from, to), comma-separated JSON, with the values of this moment. */
  page(from: number, to: number): string | Buffer;
  /** Gives back what `page` lent, once its bytes are sent. */
  release?(page: Buffer): void;
}

/** Largest OFFSET the service takes. */
const MAX_OFFSET = 2000;

export function findObject(org: Org, query: Query): Table {
  const table = org.find(query.object.name);
  if (table === undefined) {
    throw pointed(
      "INVALID_TYPE",
      query.text,
      query.object.at,
      `sObject type '${query.object.name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.`,
    );
  }
  if (!table.queryable) {
    throw new SoqlError("INVALID_TYPE_FOR_OPERATION", `entity type ${table.name} does not support query`);
  }
  return table;
}

/** Refuses a field selected twice and an OFFSET out of range. */
export function checkShape(query: Query): void {
  if (query.offset > MAX_OFFSET) {
    throw new SoqlError("NUMBER_OUTSIDE_VALID_RANGE", `SOQL offset must be at most ${MAX_OFFSET}`);
  }
  if (query.select === "count") return;
  const seen = new Set<string>();
  for (const path of query.select) {
    const name = path.names.join(".").toLowerCase();
    if (seen.has(name)) {
      throw pointed(
        "INVALID_FIELD",
        query.text,
        path.at,
        `duplicate field selected: ${path.names.join(".")}`,
      );
    }
    seen.add(name);
  }
}

/** The rows of this moment that a query finds, in its order: those of `rows` from `from` to `to`. */
export interface Matches {
  readonly table: Table;
  readonly rows: readonly Row[];
  readonly from: number;
  readonly to: number;
}

/** Runs a query over the rows of this moment. `all`: deleted rows too (queryAll). */
export function runQuery(org: Org, query: Query, all: boolean, version: string, clock: FakeClock): ResultSet {
  const table = findObject(org, query);
  checkShape(query);
  const write =
    query.select === "count" ? undefined : compileWriter(org, table, query.select, version, query.text);
  const { rows, from, to } = matchRows(org, query, all, clock);
  return new RowSet(rows, { from, to }, write, all);
}

export function matchRows(org: Org, query: Query, all: boolean, clock: FakeClock): Matches {
  const table = findObject(org, query);
  checkShape(query);
  const where = bindWhere(org, table, query, clock);
  const terms = query.orderBy.map((term) => ({
    ...term,
    bound: bindOrder(org, table, term.path, query.text),
  }));

  const order = table.ordered();
  const everything = { from: 0, to: order.length };
  const pruned =
    where === undefined
      ? { intervals: [everything], exact: true }
      : prune(
          where,
          {
            length: order.length,
            stampAt: (at) => order[at]?.stamp ?? 0,
            idAt: (at) => order[at]?.id ?? "",
            idsAscend: false,
          },
          everything,
        );
  const keepDeleted = all || table.deletedRows === 0;
  const matches: Row[] = [];
  const single = pruned.exact && keepDeleted && pruned.intervals.length <= 1 && inIndexOrder(terms);
  if (single) {
    const interval = pruned.intervals[0] ?? { from: 0, to: 0 };
    return { table, rows: order, ...cut(interval.from, interval.to, query) };
  }
  for (const interval of pruned.intervals) {
    for (let at = interval.from; at < interval.to; at++) {
      const row = order[at];
      if (row === undefined || (!keepDeleted && row.deleted)) continue;
      if (pruned.exact || where === undefined || where.test(row)) matches.push(row);
    }
  }
  if (!inIndexOrder(terms)) matches.sort(comparator(terms));
  return { table, rows: matches, ...cut(0, matches.length, query) };
}

interface BoundTerm {
  readonly bound: BoundPath;
  readonly descending: boolean;
  readonly nullsLast: boolean;
}

/** The index order serves `ORDER BY SystemModstamp [, Id]` and, since any order will do there, no ORDER BY. */
function inIndexOrder(terms: readonly BoundTerm[]): boolean {
  const names = terms.map((term) => (term.bound.own && !term.descending ? term.bound.spec.name : "other"));
  return ["", "SystemModstamp", "SystemModstamp,Id"].includes(names.join(","));
}

function bindOrder(org: Org, table: Table, path: Path, query: string): BoundPath {
  const bound = bindPath(org, table, path, query);
  if (!isSortable(bound.spec)) {
    throw pointed(
      "INVALID_FIELD",
      query,
      path.at,
      `field '${bound.spec.name}' can not be sorted in a query call`,
    );
  }
  return bound;
}

function cut(from: number, to: number, query: Query): { from: number; to: number } {
  const start = Math.min(to, from + query.offset);
  return { from: start, to: query.limit === undefined ? to : Math.min(to, start + query.limit) };
}

function comparator(terms: readonly BoundTerm[]): (a: Row, b: Row) => number {
  return (a, b) => {
    for (const { bound, descending, nullsLast } of terms) {
      const [left, right] = [bound.read(a), bound.read(b)];
      if (left === null || right === null) {
        if (left === right) continue;
        return (left === null) === nullsLast ? 1 : -1;
      }
      const order = compareCells(left, right, bound.spec.type);
      if (order !== 0) return descending ? -order : order;
    }
    return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
  };
}

function compareCells(a: Cell, b: Cell, type: string): number {
  const number = (cell: Cell) => typeof cell === "number" || cell instanceof Digits;
  if (number(a) && number(b)) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return compareNumbers(a instanceof Digits ? a : Number(a), b instanceof Digits ? b : Number(b));
  }
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  const fold = type !== "id" && type !== "reference";
  const [left, right] = [
    fold ? String(a).toLowerCase() : String(a),
    fold ? String(b).toLowerCase() : String(b),
  ];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Rows fixed when the query ran; values, and whether a row still exists, as of the moment a page is read. */
class RowSet implements ResultSet {
  readonly total: number;
  readonly countOnly: boolean;
  private readonly rows: readonly Row[];
  private readonly start: number;
  private readonly write: RowWriter | undefined;
  private readonly all: boolean;

  constructor(
    rows: readonly Row[],
    range: { from: number; to: number },
    write: RowWriter | undefined,
    all: boolean,
  ) {
    this.rows = rows;
    this.start = range.from;
    this.total = range.to - range.from;
    this.write = write;
    this.all = all;
    this.countOnly = write === undefined;
  }

  page(from: number, to: number): string {
    if (this.write === undefined) return "";
    let text = "";
    for (let at = this.start + from; at < this.start + to; at++) {
      const row = this.rows[at];
      if (row === undefined || row.gone || (row.deleted && !this.all)) continue;
      text += text === "" ? this.write(row) : `,${this.write(row)}`;
    }
    return text;
  }
}
