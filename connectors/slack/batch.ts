import type { Clock, Page, RefusedRecord, SourceRecord, Value } from "../../core/contracts/index.js";

/** Progress without records is checkpointed so often, milliseconds: a thousand idle channels take many minutes. */
const LONGEST_SILENCE_MS = 10_000;

/**
 * Gathers what several calls found into one page: channels of three messages are not worth a transaction each. A page is due when
 * it holds half of what a call may bring, or when the last one is some seconds ago.
 */
export class Batch {
  readonly #clock: Clock;
  readonly #pageSize: () => number;
  #records: SourceRecord[] = [];
  #refused: Map<SourceRecord, RefusedRecord> | undefined;
  #bytes = 0;
  #calls = 0;
  #since: number;

  /** `pageSize`: what one call may bring at the time. */
  constructor(clock: Clock, pageSize: () => number) {
    this.#clock = clock;
    this.#pageSize = pageSize;
    this.#since = clock.monotonicMs();
  }

  add(record: SourceRecord): void {
    this.#records.push(record);
  }

  addRefused(record: SourceRecord, why: RefusedRecord): void {
    this.#refused ??= new Map();
    this.#refused.set(record, why);
    this.#records.push(record);
  }

  /** An answer was worked through. */
  count(bytes: number): void {
    this.#bytes += bytes;
    this.#calls++;
  }

  get isDue(): boolean {
    if (this.#records.length > 0 && this.#records.length >= this.#pageSize() / 2) return true;
    return this.#calls > 0 && this.#clock.monotonicMs() - this.#since >= LONGEST_SILENCE_MS;
  }

  /** Everything gathered, as a page; the batch begins anew. */
  take(cursor: Value, window: Page["window"]): Page {
    const page: Page = {
      records: this.#records,
      ...(this.#refused === undefined ? {} : { refused: this.#refused }),
      cursor,
      bytes: this.#bytes,
      ...(window === undefined ? {} : { window }),
    };
    this.#records = [];
    this.#refused = undefined;
    this.#bytes = 0;
    this.#calls = 0;
    this.#since = this.#clock.monotonicMs();
    return page;
  }
}
