import type { Cell, CompoundValue } from "./cell.js";
import type { FieldSpec } from "./field.js";
import { id18 } from "./ids.js";

/** One record. `stamp` is SystemModstamp in epoch milliseconds, one-second grain. */
export interface Row {
  readonly id: string;
  stamp: number;
  /** In the recycle bin: only queryAll shows it. */
  deleted: boolean;
  /** Purged: no query shows it any more; an open cursor skips it. */
  gone: boolean;
  /** By Column.at of the stored fields. */
  readonly cells: Cell[];
}

/** A field of a table, with the way to its value. */
export interface Column {
  readonly spec: FieldSpec;
  read(row: Row): Cell;
  /** Undefined for Id, IsDeleted, SystemModstamp and formulas: they have no cell. */
  readonly at: number | undefined;
}

export interface TableSpec {
  readonly name: string;
  readonly label?: string;
  readonly keyPrefix: string;
  readonly fields: readonly FieldSpec[];
  /** Default true. */
  readonly queryable?: boolean;
  /** Whether getUpdated and getDeleted answer; default as queryable. */
  readonly replicateable?: boolean;
  /** False: Bulk API refuses it, as it does some twenty objects. */
  readonly bulk?: boolean;
}

export type Values = Readonly<Record<string, Cell>>;

/**
 * One object of the org. Rows are found by id, and in (SystemModstamp, Id) order: the order of incremental reads.
 *
 * The order is an array that is never changed in place, so that an open query keeps the rows it matched. Changed
 * rows wait in `moved` and are merged into a new array when the order is next asked for.
 */
export class Table {
  readonly name: string;
  readonly label: string;
  readonly keyPrefix: string;
  readonly queryable: boolean;
  readonly replicateable: boolean;
  readonly bulk: boolean;
  /** When the definition last changed, epoch milliseconds; describe answers 304 by it. */
  definedAt: number;
  private readonly columnsByName = new Map<string, Column>();
  private readonly hidden = new Set<string>();
  private readonly byId = new Map<string, Row>();
  private order: readonly Row[] = [];
  private readonly moved = new Set<Row>();
  private removedSinceOrder = false;
  private storedCells = 0;
  /** Rows in the recycle bin; zero lets queries skip the check per row. */
  deletedRows = 0;
  /** Ids that were purged, with the time of their delete, for `/deleted`. */
  purged: { readonly id: string; readonly at: number }[] = [];
  /** Deletes before this are no longer listed. */
  deleteLogFrom = 0;

  constructor(spec: TableSpec, definedAt: number) {
    this.name = spec.name;
    this.label = spec.label ?? spec.name.replace(/__c$/, "").replaceAll("_", " ");
    this.keyPrefix = spec.keyPrefix;
    this.queryable = spec.queryable ?? true;
    this.replicateable = spec.replicateable ?? this.queryable;
    this.bulk = spec.bulk ?? true;
    this.definedAt = definedAt;
    for (const field of spec.fields) this.defineField(field);
  }

  get size(): number {
    return this.byId.size;
  }

  /** Visible fields in describe order. */
  columns(): Column[] {
    return [...this.columnsByName.values()].filter((column) => !this.hidden.has(column.spec.name));
  }

  /** By name, any case. Hidden fields do not exist for the caller, as with field-level security. */
  column(name: string): Column | undefined {
    const column = this.columnsByName.get(name.toLowerCase());
    return column !== undefined && !this.hidden.has(column.spec.name) ? column : undefined;
  }

  /** Adds a field to a live object; `fill` gives the value of rows that exist already (default null). */
  addField(spec: FieldSpec, at: number, fill?: (row: Row) => Cell): void {
    const column = this.defineField(spec);
    this.definedAt = at;
    if (column.at === undefined) return;
    for (const row of this.byId.values()) row.cells.push(fill ? fill(row) : null);
  }

  /** Field-level security taken away (or given back) in the middle of things. */
  hideField(name: string, hidden: boolean, at: number): void {
    if (hidden) this.hidden.add(name);
    else this.hidden.delete(name);
    this.definedAt = at;
  }

  get(id: string): Row | undefined {
    return this.byId.get(id.length === 15 ? id18(id) : id);
  }

  rows(): IterableIterator<Row> {
    return this.byId.values();
  }

  /** All rows, by (SystemModstamp, Id). The array belongs to the table: do not change it. */
  ordered(): readonly Row[] {
    if (this.moved.size === 0 && !this.removedSinceOrder) return this.order;
    const moved = [...this.moved].filter((row) => !row.gone).sort(byStampThenId);
    const kept = this.order.length === 0 ? [] : this.order.filter((row) => !row.gone && !this.moved.has(row));
    this.order = mergeOrdered(kept, moved);
    this.moved.clear();
    this.removedSinceOrder = false;
    return this.order;
  }

  /** Fields not named are null. */
  insert(id: string, stamp: number, values: Values): Row {
    if (this.byId.has(id)) throw new Error(`${this.name} ${id} exists already`);
    const row: Row = {
      id,
      stamp,
      deleted: false,
      gone: false,
      cells: new Array(this.storedCells).fill(null),
    };
    this.assign(row, values);
    this.byId.set(id, row);
    this.moved.add(row);
    return row;
  }

  /** As `insert`, for loaders: `cells` are in the order of `storedFields`, and the row may be deleted already. */
  load(id: string, stamp: number, deleted: boolean, cells: Cell[]): Row {
    if (cells.length !== this.storedCells)
      throw new Error(`${this.name}: ${cells.length} cells for ${this.storedCells} fields`);
    if (this.byId.has(id)) throw new Error(`${this.name} ${id} exists already`);
    const row: Row = { id, stamp, deleted, gone: false, cells };
    if (deleted) this.deletedRows += 1;
    this.byId.set(id, row);
    this.moved.add(row);
    return row;
  }

  /** Names of the fields that have a cell, in cell order. */
  storedFields(): string[] {
    return [...this.columnsByName.values()]
      .filter((column) => column.at !== undefined)
      .map((c) => c.spec.name);
  }

  update(id: string, stamp: number, values: Values): Row {
    const row = this.existing(id);
    this.assign(row, values);
    this.move(row, stamp);
    return row;
  }

  /** To the recycle bin; bumps SystemModstamp, as the real service does. */
  delete(id: string, stamp: number): void {
    const row = this.existing(id);
    if (!row.deleted) this.deletedRows += 1;
    row.deleted = true;
    this.move(row, stamp);
  }

  undelete(id: string, stamp: number): void {
    const row = this.existing(id);
    if (row.deleted) this.deletedRows -= 1;
    row.deleted = false;
    this.move(row, stamp);
  }

  /** Out of the recycle bin for good, or past it. */
  purge(id: string, at: number): void {
    const row = this.existing(id);
    if (row.deleted) this.deletedRows -= 1;
    row.gone = true;
    this.byId.delete(row.id);
    this.removedSinceOrder = true;
    this.purged.push({ id: row.id, at: row.deleted ? row.stamp : Math.floor(at / 1000) * 1000 });
  }

  /** The log of deletes is cut: what was deleted before `at` is no longer listed. */
  cutDeleteLog(at: number): void {
    this.deleteLogFrom = at;
    this.purged = this.purged.filter((one) => one.at >= at);
  }

  private existing(id: string): Row {
    const row = this.get(id);
    if (row === undefined) throw new Error(`${this.name} ${id} does not exist`);
    return row;
  }

  private move(row: Row, stamp: number): void {
    row.stamp = Math.floor(stamp / 1000) * 1000;
    this.moved.add(row);
    const modified = this.columnsByName.get("lastmodifieddate")?.at;
    if (modified !== undefined) row.cells[modified] = row.stamp;
  }

  private assign(row: Row, values: Values): void {
    for (const [name, value] of Object.entries(values)) {
      const column = this.columnsByName.get(name.toLowerCase());
      if (column === undefined) throw new Error(`${this.name} has no field ${name}`);
      if (column.at === undefined) throw new Error(`${this.name}.${name} cannot be written`);
      // No empty texts: the service stores null.
      row.cells[column.at] = value === "" ? null : value;
    }
  }

  private defineField(spec: FieldSpec): Column {
    const key = spec.name.toLowerCase();
    if (this.columnsByName.has(key)) throw new Error(`${this.name} has two fields ${spec.name}`);
    const column = this.makeColumn(spec);
    this.columnsByName.set(key, column);
    return column;
  }

  private makeColumn(spec: FieldSpec): Column {
    if (spec.name === "Id") return { spec, at: undefined, read: (row) => row.id };
    if (spec.name === "IsDeleted") return { spec, at: undefined, read: (row) => row.deleted };
    if (spec.name === "SystemModstamp") return { spec, at: undefined, read: (row) => row.stamp };
    const formula = spec.formula;
    if (formula !== undefined) {
      const read = (row: Row): Cell =>
        formula((name) => this.columnsByName.get(name.toLowerCase())?.read(row) ?? null);
      return { spec, at: undefined, read };
    }
    const at = this.storedCells++;
    return { spec, at, read: (row) => row.cells[at] ?? null };
  }
}

/** The compound value of an address from its parts; null when every part is. */
export function addressOf(prefix: string): (read: (field: string) => Cell) => Cell {
  const parts = [
    "city",
    "country",
    "geocodeAccuracy",
    "latitude",
    "longitude",
    "postalCode",
    "state",
    "street",
  ];
  const fieldOf = (part: string) => prefix + part.charAt(0).toUpperCase() + part.slice(1);
  return (read) => {
    const value: Record<string, string | number | null> = {};
    let some = false;
    for (const part of parts) {
      const cell = read(fieldOf(part));
      const plain = typeof cell === "string" || typeof cell === "number" ? cell : null;
      if (plain !== null) some = true;
      value[part] = plain;
    }
    const compound: CompoundValue = { parts: value };
    return some ? compound : null;
  };
}

export function byStampThenId(a: Row, b: Row): number {
  return a.stamp - b.stamp || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function mergeOrdered(left: readonly Row[], right: readonly Row[]): readonly Row[] {
  if (left.length === 0) return right;
  if (right.length === 0) return left;
  const merged: Row[] = new Array(left.length + right.length);
  let l = 0;
  let r = 0;
  for (let at = 0; at < merged.length; at++) {
    const a = left[l];
    const b = right[r];
    if (a !== undefined && (b === undefined || byStampThenId(a, b) <= 0)) {
      merged[at] = a;
      l++;
    } else if (b !== undefined) {
      merged[at] = b;
      r++;
    }
  }
  return merged;
}
