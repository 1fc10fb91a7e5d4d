import { Prng } from "../salesforce/prng.js";

/** Wall time of the account, epoch milliseconds. */
export interface FakeClock {
  now(): number;
}

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** A record as it will be sent. */
export type Row = { id: number; [name: string]: Json };

/** What a kind of record is ordered and changed by. */
export interface Kind {
  /** Where the stamp stands; tickets have a second one in epoch seconds. */
  readonly stamp: string;
  readonly epochStamp?: string;
  /** A text that changes when a record does; undefined: records of this kind never change. */
  readonly text?: string;
  /** How a record shows that it is deleted; `gone`: not at all. */
  readonly deleted: "status" | "active" | "deleted_at" | "deleted" | "is_deleted" | "gone";
}

export const KINDS: Readonly<Record<string, Kind>> = {
  tickets: { stamp: "updated_at", epochStamp: "generated_timestamp", text: "subject", deleted: "status" },
  users: { stamp: "updated_at", text: "name", deleted: "active" },
  organizations: { stamp: "updated_at", text: "name", deleted: "deleted_at" },
  ticket_events: { stamp: "created_at", epochStamp: "timestamp", deleted: "gone" },
  ticket_metric_events: { stamp: "time", deleted: "gone" },
  ticket_fields: { stamp: "updated_at", text: "title", deleted: "gone" },
  user_fields: { stamp: "updated_at", text: "title", deleted: "gone" },
  organization_fields: { stamp: "updated_at", text: "title", deleted: "gone" },
  groups: { stamp: "updated_at", text: "name", deleted: "deleted" },
  group_memberships: { stamp: "updated_at", deleted: "gone" },
  organization_memberships: { stamp: "updated_at", deleted: "gone" },
  brands: { stamp: "updated_at", text: "name", deleted: "is_deleted" },
  ticket_forms: { stamp: "updated_at", text: "name", deleted: "gone" },
  sla_policies: { stamp: "updated_at", text: "title", deleted: "gone" },
  macros: { stamp: "updated_at", text: "title", deleted: "gone" },
  triggers: { stamp: "updated_at", text: "title", deleted: "gone" },
  views: { stamp: "updated_at", text: "title", deleted: "gone" },
  satisfaction_ratings: { stamp: "updated_at", text: "comment", deleted: "gone" },
  audit_logs: { stamp: "created_at", deleted: "gone" },
  articles: { stamp: "updated_at", text: "title", deleted: "gone" },
};

interface Pending {
  readonly at: number;
  readonly table: string;
  readonly row: Row;
}

/** The records of one account, by kind, and what happens to them. */
export class Account {
  readonly clock: FakeClock;
  /** Every answer of the account is `skewMs` away from the clock. */
  skewMs = 0;
  private readonly tables = new Map<string, Map<number, Row>>();
  private readonly sorted = new Map<string, Row[]>();
  private pending: Pending[] = [];
  private nextId = 360_000_000_000_000;

  constructor(clock: FakeClock) {
    this.clock = clock;
    for (const kind of Object.keys(KINDS)) this.tables.set(kind, new Map());
  }

  /** Epoch ms as this account sees it. */
  now(): number {
    return this.clock.now() + this.skewMs;
  }

  newId(): number {
    this.nextId += 7;
    return this.nextId;
  }

  table(name: string): ReadonlyMap<number, Row> {
    this.settle();
    return this.of(name);
  }

  put(name: string, row: Row): void {
    this.of(name).set(row.id, row);
    this.sorted.delete(name);
  }

  /** Epoch seconds of a record. */
  stampOf(name: string, row: Row): number {
    const kind = KINDS[name];
    const epoch = kind?.epochStamp === undefined ? undefined : row[kind.epochStamp];
    if (typeof epoch === "number") return epoch;
    const text = row[kind?.stamp ?? ""];
    return typeof text === "string" ? Math.floor(Date.parse(text) / 1000) : 0;
  }

  /** In the order of stamp and id. */
  inOrder(name: string): readonly Row[] {
    this.settle();
    const known = this.sorted.get(name);
    if (known !== undefined) return known;
    const rows = [...this.of(name).values()].sort(
      (a, b) => this.stampOf(name, a) - this.stampOf(name, b) || a.id - b.id,
    );
    this.sorted.set(name, rows);
    return rows;
  }

  /**
   * Changes some records, or adds some where they never change; their ids. `at`: epoch ms of the stamp, default now.
   * `visibleAt`: the change is seen only from then on, with its stamp of the past: its transaction was long.
   */
  changeSome(
    name: string,
    count: number,
    seed = 1,
    { at = this.now(), visibleAt }: { readonly at?: number; readonly visibleAt?: number } = {},
  ): number[] {
    const kind = KINDS[name];
    if (kind?.text === undefined) return this.copySome(name, count, seed, at);
    const rows = this.pick(name, count, seed);
    for (const row of rows) {
      const next: Row = { ...row, [kind.text]: `${String(row[kind.text] ?? "")} ✎${seed}`.slice(-200) };
      this.stamp(name, next, at);
      if (visibleAt === undefined) this.put(name, next);
      else this.pending.push({ at: visibleAt, table: name, row: next });
    }
    return rows.map((row) => row.id);
  }

  /** New records that are copies of others but for id and stamp. */
  copySome(name: string, count: number, seed = 1, at = this.now()): number[] {
    return this.pick(name, count, seed).map((row) => {
      const copy: Row = { ...structuredClone(row), id: this.newId() };
      if ("created_at" in copy) copy.created_at = isoSeconds(at);
      if (Array.isArray(copy.child_events)) {
        for (const child of copy.child_events) {
          if (typeof child === "object" && child !== null && !Array.isArray(child)) child.id = this.newId();
        }
      }
      this.stamp(name, copy, at);
      this.put(name, copy);
      return copy.id;
    });
  }

  /** Deletes some records as Zendesk does: most stay and say so. */
  deleteSome(name: string, count: number, seed = 1): number[] {
    const kind = KINDS[name];
    const rows = this.pick(name, count, seed).filter((row) => row.status !== "deleted");
    for (const row of rows) {
      const next: Row = { ...row };
      this.stamp(name, next, this.now());
      switch (kind?.deleted) {
        case "status":
          next.status = "deleted";
          next.metric_set = null;
          break;
        case "active":
          next.active = false;
          break;
        case "deleted_at":
          next.deleted_at = isoSeconds(this.now());
          break;
        case "deleted":
        case "is_deleted":
          next[kind.deleted] = true;
          break;
        default:
          this.of(name).delete(row.id);
          this.sorted.delete(name);
          continue;
      }
      this.put(name, next);
    }
    return rows.map((row) => row.id);
  }

  private stamp(name: string, row: Row, at: number): void {
    const kind = KINDS[name];
    if (kind === undefined) throw new Error(`there are no ${name}`);
    row[kind.stamp] = isoSeconds(at);
    if (kind.epochStamp !== undefined) row[kind.epochStamp] = Math.floor(at / 1000);
  }

  private pick(name: string, count: number, seed: number): Row[] {
    const random = Prng.named(seed, `pick ${name}`);
    const rows = [...this.table(name).values()].filter((row) => row.status !== "deleted");
    const picked: Row[] = [];
    while (picked.length < count && rows.length > 0) {
      picked.push(...rows.splice(random.below(rows.length), 1));
    }
    return picked;
  }

  /** Makes visible what has become so by now. */
  private settle(): void {
    if (this.pending.length === 0) return;
    const due = this.pending.filter(({ at }) => at <= this.now());
    if (due.length === 0) return;
    this.pending = this.pending.filter(({ at }) => at > this.now());
    for (const { table, row } of due) this.put(table, row);
  }

  private of(name: string): Map<number, Row> {
    const table = this.tables.get(name);
    if (table === undefined) throw new Error(`there are no ${name}`);
    return table;
  }
}

/** `2026-10-01T12:00:00Z`. */
export function isoSeconds(ms: number): string {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}
