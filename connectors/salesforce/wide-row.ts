import type { RefusedRecord, SourceRecord } from "../../core/contracts/index.js";

/** A chunk of a record's columns, and why it is refused, where it holds a key twice. */
export interface Part {
  readonly record: SourceRecord;
  readonly why: RefusedRecord | undefined;
}

/** A record that comes in parts, each with its key. */
export class WideRow {
  /** The part that told of the record. */
  readonly first: SourceRecord;
  #parts: Part[];
  #stray: RefusedRecord | undefined;

  constructor(first: Part) {
    this.first = first.record;
    this.#parts = [first];
  }

  add(part: Part): void {
    this.#parts.push(part);
  }

  /** All parts are asked for anew. */
  clear(): void {
    this.#parts = [];
  }

  /** A part came that cannot be told by its Id. */
  refuse(why: RefusedRecord): void {
    this.#stray = why;
  }

  get last(): SourceRecord {
    return this.#parts.at(-1)?.record ?? this.first;
  }

  /** Whether all `count` parts are there, and of one version. */
  isWhole(count: number, version: string | undefined): boolean {
    if (this.#parts.length !== count) return false;
    if (version === undefined) return true;
    const [first] = this.#parts;
    return this.#parts.every(({ record }) => record[version] === first?.record[version]);
  }

  /** Why the record as a whole is refused. Its text is nowhere: each part has its own. */
  get why(): RefusedRecord | undefined {
    const reasons = this.#parts.flatMap(({ why }) => why ?? []);
    const [first] = this.#stray === undefined ? reasons : [this.#stray];
    if (first === undefined) return undefined;
    const { rule, reason } = first;
    // What a stray part holds is of the record's other fields: its own key came with the first part.
    return { rule, reason, doubtful: [...new Set(reasons.flatMap(({ doubtful }) => doubtful))] };
  }

  /**
   * The record of these fields, in this order. Of several versions it has the newest values and the key of the oldest: the
   * newest one is then another version, and comes by itself.
   */
  joined(names: readonly string[], version: string | undefined): SourceRecord {
    const parts = this.#parts.length === 0 ? [this.first] : this.#parts.map(({ record }) => record);
    // Of parts that are equally old the last one, which is the one whose key is there already.
    const oldest = parts.reduce((old, part) => (isOlder(old, part, version) ? old : part));
    const values: SourceRecord = Object.assign({}, ...parts);
    if (oldest !== parts.at(-1)) Object.assign(values, sharedOf(oldest, parts));
    const record: SourceRecord = {};
    for (const name of names) {
      const value = values[name];
      if (value !== undefined) record[name] = value;
    }
    return record;
  }
}

/** The fields that all parts have, as this one has them: the key. */
function sharedOf(record: SourceRecord, parts: readonly SourceRecord[]): SourceRecord {
  const shared = Object.entries(record).filter(([name]) => parts.every((part) => name in part));
  return Object.fromEntries(shared);
}

function isOlder(part: SourceRecord, than: SourceRecord, version: string | undefined): boolean {
  if (version === undefined) return false;
  return String(part[version]) < String(than[version]);
}
