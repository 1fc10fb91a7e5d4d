import { earliest, isoOf, msOf, type OpenSpan, type Stamp, stampOf } from "./cursor.js";
import { and } from "./soql.js";

/** Queries of one segment are halved so often at most before anything is read again. */
const MOST_HALVINGS = 4;
/** There was no Salesforce before. */
const BEGINNING = Date.UTC(1999, 0, 1);

/** Where to go on. */
export interface Advance {
  /** A later segment that is known already; between the two there is nothing. */
  readonly planned?: OpenSpan | undefined;
  /** There was so little in this one that the next may be longer. */
  readonly twice?: boolean;
}

/**
 * A span of time that is read in segments, one behind the other: what is too much for one query or one job is halved
 * until it is not.
 */
export class Segments {
  readonly #whole: OpenSpan;
  /** Stands for an open end where one has to be halved. */
  readonly #latestMs: number;
  #now: OpenSpan;
  #halvings = 0;

  constructor(whole: OpenSpan, present: OpenSpan | undefined, latestMs: number) {
    this.#whole = whole;
    this.#now = present ?? whole;
    this.#latestMs = latestMs;
  }

  /** The present one. */
  get span(): OpenSpan {
    return this.#now;
  }

  isWhole(): boolean {
    return this.#now.from === this.#whole.from && this.isLast();
  }

  isLast(): boolean {
    return this.#now.to === this.#whole.to;
  }

  /** Halves what of the segment is not yet read, from `readToMs` on. False: it cannot, or did so `most` times. */
  narrow(readToMs = 0, most = MOST_HALVINGS): boolean {
    const lower = Math.max(this.#lowerMs(), readToMs);
    const upper = this.#now.to === null ? this.#latestMs : msOf(this.#now.to);
    const middle = stampOf((lower + upper) / 2);
    if (this.#halvings >= most || msOf(middle) <= lower) return false;
    this.#halvings++;
    this.#now = { from: this.#now.from, to: middle };
    return true;
  }

  /** To the next segment: the one that was planned, or one of the same length, or twice it. False: this was the last. */
  advance({ planned, twice = false }: Advance = {}): boolean {
    const from = this.#now.to;
    if (from === null || this.isLast()) return false;
    const length = Math.max(1000, msOf(from) - this.#lowerMs());
    const to = this.#cut(stampOf(msOf(from) + (twice ? 2 : 1) * length));
    this.#now = planned === undefined ? { from, to } : { from: planned.from, to: planned.to };
    this.#halvings = 0;
    return true;
  }

  #cut(to: Stamp): Stamp | null {
    const end = this.#whole.to;
    if (end !== null) return earliest(to, end);
    return msOf(to) >= this.#latestMs ? null : to;
  }

  #lowerMs(): number {
    return this.#now.from === null ? BEGINNING : msOf(this.#now.from);
  }
}

/** SOQL; undefined for all of time. */
export function within(field: string, { from, to }: OpenSpan): string | undefined {
  return and(
    from === null ? undefined : `${field} >= ${isoOf(from)}`,
    to === null ? undefined : `${field} < ${isoOf(to)}`,
  );
}
