import { ExactNumber, type RefusedRecord, type SourceRecord } from "../contracts/index.js";
import { decodeUtf8, stringEnd } from "./json.js";

/*
 * JSON.parse keeps the last of duplicate keys and says nothing. Which of the values is the right one only the source
 * knows, so a record with such a key is refused. Two steps, since hardly any page holds one:
 *
 *   1. Count the ends of strings that a colon follows in the bytes, and the keys of the parsed tree. Every key is such an end, so the
 *      first count is never too small; equal counts mean that no key was lost.
 *   2. Otherwise read the text for the records it concerns. A text that begins with a colon (":smile:") also leads here,
 *      and then nothing is found.
 */

const NONE: ReadonlyMap<SourceRecord, RefusedRecord> = new Map();

/**
 * Records of a body that hold a key twice, at the top or further inside, by the object that parsing made of them.
 * `value` is what parseJson made of `body`; `path` leads through its objects to a list of records or to a single one.
 */
export function refusedRecords(
  body: Buffer,
  value: unknown,
  path: readonly string[],
): ReadonlyMap<SourceRecord, RefusedRecord> {
  if (typeof value !== "object" || value === null) return NONE;
  if (countKeyEnds(body) === countKeys(value, DEEPEST)) return NONE;
  const text = decodeUtf8(body);
  const found = new Scan(text, path).run();
  if (found.size === 0) return NONE;
  const target = valueAt(value, path);
  const refused = new Map<SourceRecord, RefusedRecord>();
  for (const [position, { start, end, duplicates }] of found) {
    const record: unknown = Array.isArray(target) ? target[position] : target;
    if (isObject(record)) refused.set(record, refusal(duplicates, text.slice(start, end)));
  }
  return refused;
}

/** The same refusals for records that a connector has made anew from those of the answer, one for one. */
export function carryRefused(
  refused: ReadonlyMap<SourceRecord, RefusedRecord>,
  from: readonly unknown[],
  to: readonly SourceRecord[],
): ReadonlyMap<SourceRecord, RefusedRecord> {
  if (refused.size === 0) return refused;
  const carried = new Map<SourceRecord, RefusedRecord>();
  for (const [record, why] of refused) {
    const same = to[from.indexOf(record)];
    if (same !== undefined) carried.set(same, why);
  }
  return carried;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;

/** Quotes before a colon, but for escaped ones, which stand inside a text. */
function countKeyEnds(body: Buffer): number {
  let count = 0;
  // The native search for one byte costs 10 ns a hit: less than any loop over the bytes.
  for (let colon = body.indexOf(COLON); colon >= 0; colon = body.indexOf(COLON, colon + 1)) {
    let quote = colon - 1;
    while (isSpace(body[quote])) quote--;
    if (body[quote] !== QUOTE) continue;
    let before = quote - 1;
    while (body[before] === BACKSLASH) before--;
    if ((quote - before) % 2 === 1) count++;
  }
  return count;
}

function isSpace(unit: number | undefined): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

/** Deeper trees are read as text: JSON.parse goes down any number of levels, this stack does not. */
const DEEPEST = 500;

/** Keys of all objects in a tree; NaN, which equals no count, where it is too deep. */
function countKeys(value: object, depth: number): number {
  if (depth === 0) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      if (typeof item === "object" && item !== null) count += countKeys(item, depth - 1);
    }
  } else if (isObject(value)) {
    for (const key in value) {
      count++;
      const item = value[key];
      if (typeof item === "object" && item !== null) count += countKeys(item, depth - 1);
    }
  }
  return count;
}

function isObject(value: unknown): value is SourceRecord {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const key of path) at = isObject(at) ? at[key] : undefined;
  return at;
}

/** Keys from the record down to the one that occurs more than once. */
interface Duplicate {
  readonly path: readonly string[];
  times: number;
}

/** Where a record stands in the text, and its duplicates by path. */
interface Found {
  readonly start: number;
  end: number;
  readonly duplicates: Map<string, Duplicate>;
}

/** An object or list that is open at the place reached. */
interface Open {
  readonly isList: boolean;
  /** Key or position in its parent. */
  readonly name: string;
  /** On the way to the records. */
  readonly isOnPath: boolean;
  /** Keys seen so far; undefined in a list. */
  readonly keys: Set<string> | undefined;
  /** The member at hand; in a list undefined. */
  key: string | undefined;
  /** Position in a list. */
  index: number;
}

/** One pass over a text that JSON.parse has accepted. */
class Scan {
  readonly #text: string;
  readonly #path: readonly string[];
  readonly #open: Open[] = [];
  /** By position in the list; a single record is at 0. */
  readonly #found = new Map<number, Found>();
  /** The record at hand and how many are open around it. */
  #record: (Found & { readonly depth: number; readonly position: number }) | undefined;

  constructor(text: string, path: readonly string[]) {
    this.#text = text;
    this.#path = path;
  }

  run(): ReadonlyMap<number, Found> {
    const text = this.#text;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) {
        const end = stringEnd(text, at);
        const top = this.#open.at(-1);
        if (top?.keys !== undefined && top.key === undefined) this.#enter(top, keyText(text.slice(at, end)));
        at = end - 1;
      } else if (unit === COMMA) {
        const top = this.#open.at(-1);
        if (top !== undefined) {
          top.key = undefined;
          top.index++;
        }
      } else if (unit === 0x7b) this.#push(at, false);
      else if (unit === 0x5b) this.#push(at, true);
      else if (unit === 0x7d || unit === 0x5d) this.#pop(at);
    }
    return this.#found;
  }

  #push(at: number, isList: boolean): void {
    const depth = this.#open.length;
    const parent = this.#open.at(-1);
    const name = parent === undefined ? "" : (parent.key ?? String(parent.index));
    const isOnPath =
      parent === undefined || (parent.isOnPath && !parent.isList && name === this.#path[depth - 1]);
    const isTarget = isOnPath && depth === this.#path.length;
    // The list itself may occur twice: parsing kept the last one.
    if (isTarget) this.#found.clear();
    const isItem = parent?.isOnPath === true && parent.isList && depth === this.#path.length + 1;
    if (!isList && (isTarget || isItem)) {
      const position = isItem ? parent.index : 0;
      this.#record = { depth, position, start: at, end: at, duplicates: new Map() };
    }
    this.#open.push({
      isList,
      name,
      isOnPath: isOnPath && depth <= this.#path.length,
      keys: isList ? undefined : new Set(),
      key: undefined,
      index: 0,
    });
  }

  #pop(at: number): void {
    this.#open.pop();
    const record = this.#record;
    if (record === undefined || this.#open.length !== record.depth) return;
    record.end = at + 1;
    if (record.duplicates.size > 0) this.#found.set(record.position, record);
    this.#record = undefined;
  }

  #enter(top: Open, key: string): void {
    top.key = key;
    if (top.keys === undefined || !top.keys.has(key)) {
      top.keys?.add(key);
      return;
    }
    const record = this.#record;
    if (record === undefined) return;
    const path = [...this.#open.slice(record.depth + 1).map(({ name }) => name), key];
    const id = JSON.stringify(path);
    const known = record.duplicates.get(id);
    if (known === undefined) record.duplicates.set(id, { path, times: 2 });
    else known.times++;
  }
}

/** `"a"` and `"\u0061"` are the same key. */
function keyText(literal: string): string {
  return literal.includes("\\") ? String(JSON.parse(literal)) : literal.slice(1, -1);
}

const LONGEST_NAME = 100;
const MOST_NAMES = 5;

function refusal(duplicates: ReadonlyMap<string, Duplicate>, text: string): RefusedRecord {
  const all = [...duplicates.values()];
  const names = all.slice(0, MOST_NAMES).map(({ path }) => nameOf(path));
  const more = all.length > names.length ? ` and ${all.length - names.length} more` : "";
  const [{ times } = { times: 2 }] = all;
  const often = times === 2 ? "twice" : `${times} times`;
  const what =
    all.length === 1
      ? `the key ${names[0]} occurs ${often} in this record`
      : `the keys ${names.join(", ")}${more} occur more than once in this record`;
  return {
    rule: `duplicate key on ${names[0]}`,
    reason: `${what}, and only the source knows which value holds: correct the record there`,
    text,
    doubtful: [...new Set(all.map(({ path }) => path[0] ?? ""))],
  };
}

function nameOf(path: readonly string[]): string {
  const name = path.map((key) => (key === "" ? '""' : key)).join(".");
  return name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME).toWellFormed()}...`;
}
