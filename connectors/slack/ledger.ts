import { createHash } from "node:crypto";
import type { SourceRecord, Value } from "../../core/contracts/index.js";
import { type Micros, microsOf, tsOf } from "./moment.js";

/*
 * What was handed out, with a fingerprint of each record, so that the next look at the same stretch tells what is new, changed or
 * gone. It travels in the page's cursor, hence a terse text:
 *
 *   messages, newest first:  "1512085950.000216:1x2y3z,1a:9f8e7d"    the first ts whole, then the distance to the one before,
 *                                                                    in microseconds; numbers to the base 36
 *   everything else by id:   "U01:1x2y3z,U02:9f8e7d"
 */

/** Fingerprints by `ts`, newest first, or by id. */
export type Ledger = Map<string, number>;

/**
 * Differ from one reader or call to the next without the record having changed, or are copies of the thread's parent, whose changes
 * are its own.
 */
const VOLATILE: readonly string[] = ["subscribed", "last_read", "unread_count", "parent_user_id", "root"];

/** 32 bits over everything a record holds: two contents share them once in four thousand million times. */
export function fingerprint(record: SourceRecord): number {
  if (!VOLATILE.some((name) => record[name] !== undefined)) return fingerprintText(JSON.stringify(record));
  const lasting = { ...record };
  for (const name of VOLATILE) delete lasting[name];
  return fingerprintText(JSON.stringify(lasting));
}

export function fingerprintText(text: string): number {
  return createHash("md5").update(text).digest().readUInt32LE(0);
}

/** Grows as entries come, newest first, and is its own text. */
export class TimeLedger {
  #text = "";
  #size = 0;
  #last: Micros = 0;

  /** Goes on behind a text of its own kind. */
  static resume(text: string): TimeLedger {
    const ledger = new TimeLedger();
    const entries = decodeTimes(text);
    ledger.#text = text;
    ledger.#size = entries.size;
    const last = [...entries.keys()].at(-1);
    ledger.#last = last === undefined ? 0 : (microsOf(last) ?? 0);
    return ledger;
  }

  add(at: Micros, print: number): void {
    const place = this.#size === 0 ? tsOf(at) : `,${(this.#last - at).toString(36)}`;
    this.#text += `${place}:${print.toString(36)}`;
    this.#last = at;
    this.#size++;
  }

  get size(): number {
    return this.#size;
  }
  /** Of the oldest entry. */
  get last(): Micros {
    return this.#last;
  }
  get text(): string {
    return this.#text;
  }
}

/** The entries of a text, newest first; RangeError for a text that is none. */
export function decodeTimes(text: string): Ledger {
  const ledger: Ledger = new Map();
  let at = 0;
  for (const entry of text === "" ? [] : text.split(",")) {
    const [place = "", print = ""] = entry.split(":");
    const value = Number.parseInt(print, 36);
    at = ledger.size === 0 ? (microsOf(place) ?? Number.NaN) : at - Number.parseInt(place, 36);
    if (!Number.isSafeInteger(at) || !Number.isSafeInteger(value))
      throw new RangeError("the ledger cannot be read");
    ledger.set(tsOf(at), value);
  }
  return ledger;
}

/** In any order of `ts`: sorted, newest first. */
export function encodeTimes(ledger: Ledger): string {
  const sorted = new TimeLedger();
  const entries = [...ledger].map(([ts, print]) => [microsOf(ts) ?? 0, print] as const);
  entries.sort(([a], [b]) => b - a);
  for (const [at, print] of entries) sorted.add(at, print);
  return sorted.text;
}

export function encodeIds(ledger: Ledger): string {
  let text = "";
  for (const [id, print] of ledger) text += `${text === "" ? "" : ","}${id}:${print.toString(36)}`;
  return text;
}

export function decodeIds(text: string): Ledger {
  const ledger: Ledger = new Map();
  for (const entry of text === "" ? [] : text.split(",")) {
    const colon = entry.lastIndexOf(":");
    const print = Number.parseInt(entry.slice(colon + 1), 36);
    if (colon < 1 || !Number.isSafeInteger(print)) throw new RangeError("the ledger cannot be read");
    ledger.set(entry.slice(0, colon), print);
  }
  return ledger;
}

/** Texts of ids that hold neither `,` nor `:`; Slack's are letters and digits. */
export function isId(value: Value | undefined): value is string {
  return typeof value === "string" && /^[\w./-]{1,64}$/.test(value);
}
