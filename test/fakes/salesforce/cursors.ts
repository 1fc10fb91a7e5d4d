import { id18 } from "./ids.js";
import type { FakeClock } from "./org.js";
import { Prng } from "./prng.js";
import type { ResultSet } from "./soql/select.js";

export interface CursorOptions {
  /** Open cursors kept; opening one more closes the oldest. Default 500. */
  readonly max?: number;
  /** A cursor not read for so long is gone. Default 15 minutes. */
  readonly ttlMs?: number;
  /** A locator belongs to the session that opened it and dies with it. Default false. */
  readonly perSession?: boolean;
}

/** Makes some pages shorter than asked, as the service may: clients must stop on `done` alone. */
export interface ShortPages {
  /** Chance per page, 0 to 1. */
  readonly probability: number;
  readonly seed?: number;
}

interface Cursor {
  readonly id: string;
  readonly result: ResultSet;
  readonly pageSize: number;
  readonly session: string;
  readonly version: string;
  readAt: number;
}

export interface CursorPage {
  readonly records: string | Buffer;
  readonly total: number;
  /** Path of the next page; undefined when done. */
  readonly next: string | undefined;
  readonly release: (() => void) | undefined;
}

/**
 * Query locators: server state that outlives a request. A locator names its cursor and a position
 * (`01g...-2000`), so reading one twice gives the same rows again.
 */
export class Cursors {
  private readonly open = new Map<string, Cursor>();
  private readonly options: Required<CursorOptions>;
  private readonly clock: FakeClock;
  private readonly short: { readonly probability: number; readonly random: Prng } | undefined;
  private opened = 0;

  constructor(options: CursorOptions, short: ShortPages | undefined, clock: FakeClock) {
    this.options = { max: 500, ttlMs: 15 * 60_000, perSession: false, ...options };
    this.clock = clock;
    this.short = short && {
      probability: short.probability,
      random: Prng.named(short.seed ?? 1, "short pages"),
    };
  }

  get count(): number {
    return this.open.size;
  }

  /** All cursors gone, as after a failover. */
  clear(): void {
    this.open.clear();
  }

  first(result: ResultSet, pageSize: number, session: string, version: string): CursorPage {
    const id = id18(`01g5g0000${String(++this.opened).padStart(5, "0")}A`.slice(0, 15));
    const cursor: Cursor = { id, result, pageSize, session, version, readAt: this.clock.now() };
    const page = this.read(cursor, 0);
    if (page.next !== undefined) {
      this.open.set(id, cursor);
      if (this.open.size > this.options.max) {
        const oldest = this.open.keys().next();
        if (!oldest.done) this.open.delete(oldest.value);
      }
    }
    return page;
  }

  /** `locator`: the last part of nextRecordsUrl. Undefined: expired, closed or never there. */
  next(locator: string, session: string): CursorPage | undefined {
    const [, id = "", position = ""] = /^([0-9A-Za-z]+)-(\d+)$/.exec(locator) ?? [];
    const cursor = this.open.get(id);
    const from = Number(position);
    if (cursor === undefined || from >= cursor.result.total) return undefined;
    if (this.options.perSession && cursor.session !== session) return undefined;
    if (this.clock.now() - cursor.readAt > this.options.ttlMs) {
      this.open.delete(id);
      return undefined;
    }
    cursor.readAt = this.clock.now();
    return this.read(cursor, from);
  }

  private read(cursor: Cursor, from: number): CursorPage {
    const { result, pageSize } = cursor;
    let size = pageSize;
    if (this.short?.random.chance(this.short.probability)) size = 1 + this.short.random.below(pageSize);
    const to = Math.min(result.total, from + size);
    const records = result.page(from, to);
    return {
      records,
      total: result.total,
      next: to < result.total ? `/services/data/v${cursor.version}/query/${cursor.id}-${to}` : undefined,
      release:
        records instanceof Buffer && result.release !== undefined
          ? () => result.release?.(records)
          : undefined,
    };
  }
}
