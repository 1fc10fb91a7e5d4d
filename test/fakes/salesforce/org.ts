import type { Cell } from "./cell.js";
import { recordId } from "./ids.js";
import { Prng } from "./prng.js";
import { type Row, Table, type TableSpec, type Values } from "./table.js";
import { Transaction } from "./transaction.js";

/** Wall time in epoch milliseconds; tests pass their own. */
export interface FakeClock {
  now(): number;
}

/**
 * The data of the fake: tables by object name, and the moves that tests and demos make while a client reads.
 * Every move sets SystemModstamp to now with a one-second grain, unless `at` says otherwise.
 */
export class Org {
  readonly organizationId = "00D5g000000Sluc";
  private readonly clock: FakeClock;
  private readonly tables = new Map<string, Table>();
  private readonly open = new Set<Transaction>();
  private inserted = 0;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  define(spec: TableSpec, definedAt = this.clock.now()): Table {
    const key = spec.name.toLowerCase();
    if (this.tables.has(key)) throw new Error(`the org has ${spec.name} already`);
    const table = new Table(spec, definedAt);
    this.tables.set(key, table);
    return table;
  }

  /** Any case; undefined where the org has no such object. */
  find(object: string): Table | undefined {
    return this.tables.get(object.toLowerCase());
  }

  /** As `find`, but throws. */
  table(object: string): Table {
    const table = this.find(object);
    if (table === undefined) throw new Error(`the org has no object ${object}`);
    return table;
  }

  all(): Table[] {
    return [...this.tables.values()];
  }

  /** The table whose ids begin as this one does: how a polymorphic reference finds its parent. */
  tableOfId(id: string): Table | undefined {
    for (const table of this.tables.values()) if (id.startsWith(table.keyPrefix)) return table;
    return undefined;
  }

  /** Begins a transaction: what it does is stamped at once and seen at its commit. */
  begin(): Transaction {
    const transaction = new Transaction(this, this.clock, () => this.open.delete(transaction));
    this.open.add(transaction);
    return transaction;
  }

  /** When the longest running transaction began; undefined while none runs. */
  oldestTransaction(): number | undefined {
    const starts = [...this.open].map(({ startedAt }) => startedAt);
    return starts.length === 0 ? undefined : Math.min(...starts);
  }

  /** Inserts without Id, else updates (or inserts under that Id). Returns the Id. */
  upsert(object: string, values: Values & { readonly Id?: string }, at = this.clock.now()): string {
    const table = this.table(object);
    const { Id, ...rest } = values;
    if (Id !== undefined && table.get(Id) !== undefined) return table.update(Id, at, rest).id;
    const id = Id ?? this.newId(table);
    const stamp = Math.floor(at / 1000) * 1000;
    const created: Record<string, Cell> = {};
    for (const name of ["CreatedDate", "LastModifiedDate"]) if (table.column(name)) created[name] = stamp;
    return table.insert(id, stamp, { ...created, ...rest }).id;
  }

  /** Sets SystemModstamp (and `values`) of these rows. */
  touch(object: string, ids: readonly string[], values: Values = {}, at = this.clock.now()): void {
    const table = this.table(object);
    for (const id of ids) table.update(id, at, values);
  }

  delete(object: string, ids: readonly string[], at = this.clock.now()): void {
    for (const id of ids) this.table(object).delete(id, at);
  }

  undelete(object: string, ids: readonly string[], at = this.clock.now()): void {
    for (const id of ids) this.table(object).undelete(id, at);
  }

  purge(object: string, ids: readonly string[], at = this.clock.now()): void {
    for (const id of ids) this.table(object).purge(id, at);
  }

  addField(object: string, spec: TableSpec["fields"][number], fill?: (row: Row) => Cell): void {
    this.table(object).addField(spec, this.clock.now(), fill);
  }

  hideField(object: string, field: string, hidden = true): void {
    this.table(object).hideField(field, hidden, this.clock.now());
  }

  /** Changes one text field of `count` rows chosen by `seed`; returns their ids. */
  changeSome(object: string, count: number, seed: number, field?: string): string[] {
    const table = this.table(object);
    const name = field ?? changeableField(table);
    const ids = this.choose(table, count, seed);
    ids.forEach((id, n) => {
      table.update(id, this.clock.now(), { [name]: `changed ${seed}.${n} “✓”` });
    });
    return ids;
  }

  /** Inserts `count` copies of rows chosen by `seed`, under new ids; returns those. */
  insertSome(object: string, count: number, seed: number): string[] {
    const table = this.table(object);
    const stored = table.storedFields();
    const rows = [...table.rows()];
    const random = Prng.named(seed, `insert ${table.name}`);
    const ids: string[] = [];
    for (let n = 0; n < count; n++) {
      const model = random.pick(rows);
      const values = Object.fromEntries(stored.map((name, at) => [name, model.cells[at] ?? null]));
      const stamp = Math.floor(this.clock.now() / 1000) * 1000;
      for (const audit of ["CreatedDate", "LastModifiedDate"]) if (audit in values) values[audit] = stamp;
      ids.push(table.insert(this.newId(table), stamp, values).id);
    }
    return ids;
  }

  /** Deletes (or purges) `count` rows chosen by `seed`; returns their ids. */
  deleteSome(object: string, count: number, seed: number, purge = false): string[] {
    const table = this.table(object);
    const ids = this.choose(table, count, seed);
    for (const id of ids) {
      if (purge) table.purge(id, this.clock.now());
      else table.delete(id, this.clock.now());
    }
    return ids;
  }

  private choose(table: Table, count: number, seed: number): string[] {
    const live = [...table.rows()].filter((row) => !row.deleted);
    const random = Prng.named(seed, `choose ${table.name}`);
    const chosen: string[] = [];
    for (let n = 0; n < count && live.length > 0; n++) {
      const at = random.below(live.length);
      const row = live[at];
      const last = live.pop();
      if (last !== undefined && at < live.length) live[at] = last;
      if (row !== undefined) chosen.push(row.id);
    }
    return chosen;
  }

  /** New ids lie far behind generated ones, and step over ids that a folder brought along. */
  private newId(table: Table): string {
    for (;;) {
      const id = recordId(table.keyPrefix, 1_000_000_000 + this.inserted++);
      if (table.get(id) === undefined) return id;
    }
  }
}

const CHANGEABLE = ["Description", "Subject", "Title", "NextStep", "Notes__c", "Name", "LastName"];

function changeableField(table: Table): string {
  const stored = new Set(table.storedFields());
  const known = CHANGEABLE.find((name) => stored.has(name));
  if (known !== undefined) return known;
  const text = table
    .columns()
    .find((c) => c.at !== undefined && ["string", "textarea"].includes(c.spec.type));
  if (text === undefined) throw new Error(`${table.name} has no text field to change`);
  return text.spec.name;
}
