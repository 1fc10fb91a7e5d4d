import {
  BENCH_FIELDS,
  BENCH_OBJECT,
  BENCH_PREFIX,
  benchId,
  csvTemplate,
  NUMBER_WIDTH,
  NUMBERED_FIELDS,
  recordTemplate,
  STAMPED_FIELDS,
  templateRow,
} from "./bench-record.js";
import type { JobResult } from "./bulk/job.js";
import { datetimeText } from "./cell.js";
import type { FakeClock, Org } from "./org.js";
import { SoqlError } from "./soql/error.js";
import { bindPath } from "./soql/path.js";
import { bindWhere, type Predicate } from "./soql/predicate.js";
import { type Interval, prune } from "./soql/prune.js";
import { checkShape, type ResultSet } from "./soql/select.js";
import type { Query } from "./soql/syntax.js";
import type { Row, Table } from "./table.js";

export interface BenchOptions {
  /** Records of `Bench__c`; they cost no memory. At most 999,999,999. */
  readonly records: number;
  /** JSON of one record with all fields, about; default 1000. */
  readonly recordBytes?: number;
  /** Records that share one SystemModstamp; default 250. */
  readonly ties?: number;
  /** SystemModstamp of the first record; one second later with every tie group. Default 2025-01-01. */
  readonly firstStamp?: number;
}

/** Distinct record bodies; record n has the body n modulo this. A multiple of the page size, so pages seldom wrap. */
const RING = 6000;
/** Projections kept rendered; each holds RING records. */
const MAX_TEMPLATES = 4;
const MAX_POOLED = 4;
const STAMP_WIDTH = "2025-01-01T00:00:00".length;

/** The rendered ring for one projection: JSON with a comma behind each record, or CSV lines. */
interface Ring {
  readonly bytes: Buffer;
  /** Where record r starts; RING + 1 entries. */
  readonly starts: Int32Array;
  /** Offsets within the record, `perRecord` of them for each. */
  readonly numberAt: Int32Array;
  readonly numbers: number;
  readonly stampAt: Int32Array;
  readonly stamps: number;
}

/**
 * `Bench__c`: an object of any size whose pages are patched together rather than rendered.
 *
 * The JSON of RING records is rendered once per projection. A page is a copy of a stretch of it with nine digits
 * and a timestamp written over at known offsets, well under a millisecond for 2 MB. Record n is a pure function of
 * n, so any keyset resume, window or page size sees the same record again.
 */
export class Bench {
  readonly records: number;
  private readonly table: Table;
  private readonly rows: readonly Row[];
  private readonly ties: number;
  private readonly firstStamp: number;
  private readonly rings = new Map<string, Ring>();
  private readonly pool: Buffer[] = [];
  private readonly lent = new Map<Buffer, Buffer>();

  constructor(org: Org, options: BenchOptions) {
    if (!(options.records >= 0 && options.records < 1e9)) throw new Error("bench records: 0 to 999,999,999");
    this.records = options.records;
    this.ties = options.ties ?? 250;
    this.firstStamp = options.firstStamp ?? Date.UTC(2025, 0, 1);
    this.table = org.define(
      { name: BENCH_OBJECT, keyPrefix: BENCH_PREFIX, fields: BENCH_FIELDS },
      this.firstStamp,
    );
    this.rows = Array.from({ length: RING }, (_, at) =>
      templateRow(this.table, at, options.recordBytes ?? 1000, this.firstStamp),
    );
  }

  serves(query: Query): boolean {
    return query.object.name.toLowerCase() === BENCH_OBJECT.toLowerCase();
  }

  stampOf(n: number): number {
    return this.firstStamp + Math.floor(n / this.ties) * 1000;
  }

  run(query: Query, version: string, org: Org, clock: FakeClock): ResultSet {
    const { numbers, start, total } = this.match(query, org, clock);
    const countOnly = query.select === "count";
    const ring = query.select === "count" ? undefined : this.ring(query, version, org);
    return {
      total,
      countOnly,
      page: (from, to) => {
        if (ring === undefined) return "";
        const page = this.render(ring, numbers.slice(start + from, start + to));
        // Without the last comma.
        return page.length === 0 ? page : this.relend(page, page.length - 1);
      },
      release: (page) => this.takeBack(page),
    };
  }

  /** The same records as the result of a Bulk job. */
  csv(query: Query, org: Org, clock: FakeClock): JobResult {
    const { numbers, start, total } = this.match(query, org, clock);
    const ring = this.ring(query, "csv", org);
    return {
      header: `${this.names(query, org)
        .map((name) => `"${name}"`)
        .join(",")}\n`,
      total,
      page: (from, to) => this.render(ring, numbers.slice(start + from, start + to)),
      release: (page) => this.takeBack(page),
    };
  }

  private match(
    query: Query,
    org: Org,
    clock: FakeClock,
  ): { numbers: Numbers; start: number; total: number } {
    checkShape(query);
    this.checkOrder(query, org);
    const { keys, others } = split(bindWhere(org, this.table, query, clock));
    const everything = { from: 0, to: this.records };
    const order = {
      length: this.records,
      stampAt: (n: number) => this.stampOf(n),
      idAt: (n: number) => benchId(n),
      idsAscend: true,
    };
    let intervals: readonly Interval[] = [everything];
    for (const part of keys) intervals = intervals.flatMap((one) => prune(part, order, one).intervals);
    const chosen = others.length === 0 ? undefined : this.chosenRing(others);
    const numbers = new Numbers(intervals, chosen);
    const start = Math.min(query.offset, numbers.total);
    return {
      numbers,
      start,
      total: Math.min(query.limit ?? Number.POSITIVE_INFINITY, numbers.total - start),
    };
  }

  private checkOrder(query: Query, org: Org): void {
    const names = query.orderBy.map((term) => {
      const bound = bindPath(org, this.table, term.path, query.text);
      return term.descending || !bound.own ? "other" : bound.spec.name;
    });
    if (!["", "SystemModstamp", "SystemModstamp,Id", "Id"].includes(names.join(","))) {
      throw new SoqlError(
        "MALFORMED_QUERY",
        `${BENCH_OBJECT} is only read in the order of SystemModstamp, Id`,
      );
    }
  }

  /** Ring positions whose rows pass the conditions on fields that repeat with the ring. */
  private chosenRing(others: readonly Predicate[]): number[] {
    const chosen: number[] = [];
    this.rows.forEach((row, at) => {
      if (others.every((part) => part.test(row))) chosen.push(at);
    });
    return chosen;
  }

  private names(query: Query, org: Org): string[] {
    if (query.select === "count") throw new Error("COUNT() selects no fields");
    return query.select.map((path) => {
      const bound = bindPath(org, this.table, path, query.text);
      if (!bound.own) throw new SoqlError("INVALID_FIELD", `${BENCH_OBJECT} serves no parent fields`);
      return bound.spec.name;
    });
  }

  /** `version` of the REST API, or "csv". */
  private ring(query: Query, version: string, org: Org): Ring {
    const names = this.names(query, org);
    const key = `${version} ${names.join(",")}`;
    const known = this.rings.get(key);
    if (known !== undefined) return known;
    const ring = renderRing(this.table, this.rows, names, version);
    if (this.rings.size >= MAX_TEMPLATES) {
      const oldest = this.rings.keys().next();
      if (!oldest.done) this.rings.delete(oldest.value);
    }
    this.rings.set(key, ring);
    return ring;
  }

  private render(ring: Ring, numbers: readonly Stretch[]): Buffer {
    let size = 0;
    for (const { from, count } of numbers) size += ringBytes(ring, from % RING, count);
    const page = this.lend(size);
    let at = 0;
    for (const { from, count } of numbers) {
      const first = from % RING;
      const start = ring.starts[first] ?? 0;
      const end = ring.starts[first + count] ?? 0;
      ring.bytes.copy(page, at, start, end);
      this.patch(ring, page, at - start, from, count);
      at += end - start;
    }
    return page;
  }

  /** Writes number and stamp of `count` records over the template text; `shift`: page offset less ring offset. */
  private patch(ring: Ring, page: Buffer, shift: number, from: number, count: number): void {
    const digits = new Uint8Array(NUMBER_WIDTH);
    let stamp = Number.NaN;
    let stampText = Buffer.alloc(0);
    for (let n = from; n < from + count; n++) {
      const position = n % RING;
      const base = shift + (ring.starts[position] ?? 0);
      let rest = n;
      for (let d = NUMBER_WIDTH - 1; d >= 0; d--) {
        const next = Math.floor(rest / 10);
        digits[d] = 48 + rest - next * 10;
        rest = next;
      }
      for (let k = 0; k < ring.numbers; k++) {
        const to = base + (ring.numberAt[position * ring.numbers + k] ?? 0);
        for (let d = 0; d < NUMBER_WIDTH; d++) page[to + d] = digits[d] ?? 48;
      }
      if (ring.stamps === 0) continue;
      if (this.stampOf(n) !== stamp) {
        stamp = this.stampOf(n);
        stampText = Buffer.from(datetimeText(stamp).slice(0, STAMP_WIDTH), "latin1");
      }
      for (let k = 0; k < ring.stamps; k++) {
        page.set(stampText, base + (ring.stampAt[position * ring.stamps + k] ?? 0));
      }
    }
  }

  private lend(size: number): Buffer {
    const at = this.pool.findIndex((buffer) => buffer.length >= size);
    const whole =
      at < 0 ? Buffer.allocUnsafeSlow(Math.ceil(size / 65_536) * 65_536) : this.pool.splice(at, 1)[0];
    if (whole === undefined) throw new Error("the pool lost a buffer");
    const page = whole.subarray(0, size);
    this.lent.set(page, whole);
    return page;
  }

  private relend(page: Buffer, size: number): Buffer {
    const whole = this.lent.get(page);
    this.lent.delete(page);
    const shorter = page.subarray(0, size);
    if (whole !== undefined) this.lent.set(shorter, whole);
    return shorter;
  }

  /** Once a page is sent its memory serves the next one. */
  private takeBack(page: Buffer): void {
    const whole = this.lent.get(page);
    this.lent.delete(page);
    if (whole !== undefined && this.pool.length < MAX_POOLED) this.pool.push(whole);
  }
}

/** Records `from` .. `from + count - 1`, consecutive and not wrapping around the ring. */
interface Stretch {
  readonly from: number;
  readonly count: number;
}

/** The numbers of the matching records, by their place in the result. */
class Numbers {
  readonly total: number;
  private readonly intervals: readonly Interval[];
  private readonly chosen: readonly number[] | undefined;

  constructor(intervals: readonly Interval[], chosen: readonly number[] | undefined) {
    this.intervals = intervals;
    this.chosen = chosen;
    this.total = intervals.reduce((sum, one) => sum + this.rank(one.to) - this.rank(one.from), 0);
  }

  slice(from: number, to: number): Stretch[] {
    const stretches: { from: number; count: number }[] = [];
    let before = 0;
    for (const interval of this.intervals) {
      const first = this.rank(interval.from);
      const size = this.rank(interval.to) - first;
      for (let k = Math.max(0, from - before); k < Math.min(size, to - before); k++) {
        const n = this.nth(first + k);
        const last = stretches.at(-1);
        if (last !== undefined && last.from + last.count === n && n % RING !== 0) last.count += 1;
        else stretches.push({ from: n, count: 1 });
      }
      before += size;
    }
    return stretches;
  }

  /** How many matching records have a number below n, were the whole object matched. */
  private rank(n: number): number {
    if (this.chosen === undefined) return n;
    const within = n % RING;
    let below = 0;
    while (below < this.chosen.length && (this.chosen[below] ?? 0) < within) below++;
    return Math.floor(n / RING) * this.chosen.length + below;
  }

  private nth(rank: number): number {
    if (this.chosen === undefined) return rank;
    const cycle = Math.floor(rank / this.chosen.length);
    return cycle * RING + (this.chosen[rank % this.chosen.length] ?? 0);
  }
}

/** Conditions over the keys, which the order answers, and conditions over fields that repeat with the ring. */
function split(where: Predicate | undefined): { keys: Predicate[]; others: Predicate[] } {
  const keys: Predicate[] = [];
  const others: Predicate[] = [];
  const parts = where === undefined ? [] : [where];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const kinds = leaves(part);
    if (part.kind === "and") parts.push(...part.parts);
    else if (kinds.every((kind) => kind === "key")) keys.push(part);
    else if (kinds.every((kind) => kind === "ring")) others.push(part);
    else {
      throw new SoqlError(
        "MALFORMED_QUERY",
        `${BENCH_OBJECT}: join conditions on SystemModstamp and Id to others by AND only, and filter on no other numbered field`,
      );
    }
  }
  return { keys, others };
}

function leaves(predicate: Predicate): ("key" | "ring" | "refused")[] {
  if (predicate.kind === "key") return ["key"];
  if (predicate.kind === "not") return leaves(predicate.part);
  if (predicate.kind !== "test") return predicate.parts.flatMap(leaves);
  const { field } = predicate;
  const refused = field === undefined || NUMBERED_FIELDS.has(field) || STAMPED_FIELDS.has(field);
  return [refused ? "refused" : "ring"];
}

function ringBytes(ring: Ring, first: number, count: number): number {
  return (ring.starts[first + count] ?? 0) - (ring.starts[first] ?? 0);
}

function renderRing(table: Table, rows: readonly Row[], names: readonly string[], version: string): Ring {
  const isCsv = version === "csv";
  const templates = rows.map((row) =>
    isCsv ? csvTemplate(table, row, names) : recordTemplate(table, row, names, version),
  );
  const numbers = templates[0]?.numberAt.length ?? 0;
  const stamps = templates[0]?.stampAt.length ?? 0;
  const starts = new Int32Array(rows.length + 1);
  templates.forEach((template, at) => {
    starts[at + 1] = (starts[at] ?? 0) + template.text.length + 1;
  });
  const end = Buffer.from(isCsv ? "\n" : ",");
  return {
    bytes: Buffer.concat(templates.flatMap((template) => [template.text, end])),
    starts,
    numberAt: Int32Array.from(templates.flatMap((template) => template.numberAt)),
    numbers,
    stampAt: Int32Array.from(templates.flatMap((template) => template.stampAt)),
    stamps,
  };
}
