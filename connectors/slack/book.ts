import { ConfigError, type Page, type ReadRequest, type Value } from "../../core/contracts/index.js";
import type { Channel } from "./channels.js";
import { type ChannelState, type HistoryCursor, micros, parseHistoryCursor, tsOrNull } from "./cursor.js";
import { isoOf, type Micros, microsOfMs, tsOf } from "./moment.js";

/** Entries of all ledgers together, about 14 bytes each in every checkpoint; a channel's share is at least the second number. */
const MOST_ENTRIES = 200_000;
const LEAST_PER_CHANNEL = 200;

/** A stretch of one channel to read, newest first. */
export interface Window {
  /** Inclusive; null: the beginning of time. */
  readonly from: Micros | null;
  /** Exclusive. */
  readonly to: Micros;
  /** Read down to here already, by an earlier run. */
  readonly at: Micros;
  /** Everything from here on goes into the ledger; null: nothing does. */
  readonly remember: Micros | null;
  /** Ledger of what this window has handed out so far, and whether it holds all it may. */
  readonly fresh: string;
  readonly full: boolean;
  /** Ledger of what earlier windows have handed out. */
  readonly known: string;
}

/** The cursor of a read of messages, replies or files, opened. cursor.ts tells its states and moves. */
export class Book {
  readonly stream: string;
  readonly mode: HistoryCursor["mode"];
  /** The ends to read up to, one after the other; empty: there is nothing to read. */
  readonly ends: readonly Micros[];
  #to: Micros;
  readonly #from: Micros | null;
  /** Lower bound of a channel that was never read. */
  readonly #start: Micros | null;
  readonly #overlap: Micros;
  #perChannel = LEAST_PER_CHANNEL;
  readonly #states: Map<string, ChannelState>;

  /**
   * `now`: the newest instant that may be read. `overlapMs`: how far behind its bookmark a window begins. `leadMs`: how far before
   * the flow's start it does.
   */
  constructor(request: ReadRequest, now: Micros, overlapMs: number, leadMs = 0) {
    const { stream, cursorField, from } = request;
    this.stream = stream;
    this.mode = cursorField === undefined ? "full" : "incremental";
    this.#overlap = microsOfMs(overlapMs);
    this.#start = from === undefined ? null : Math.max(0, microsOfMs(from - leadMs));
    const end = request.to === undefined ? now : Math.min(now, microsOfMs(request.to));
    const cursor = usableCursor(request, this.mode);
    if (cursor === undefined) {
      if (from !== undefined && microsOfMs(from) >= end) throw emptyWindow(microsOfMs(from), end);
      this.#from = from === undefined ? null : microsOfMs(from);
      this.#to = end;
      this.ends = [end];
      this.#states = new Map();
      return;
    }
    const to = micros(cursor.to);
    this.#to = to;
    this.#states = new Map(Object.entries(cursor.channels));
    if (cursor.done) {
      // A clock that was set back does not take the watermark with it.
      this.ends = this.mode === "incremental" && end > to ? [end] : [];
      this.#from = this.ends.length > 0 ? to : cursor.from === null ? null : micros(cursor.from);
    } else {
      // The frozen window of an earlier run is finished first; what came since then follows.
      this.ends = this.mode === "incremental" && end > to ? [to, end] : [to];
      this.#from = cursor.from === null ? null : micros(cursor.from);
    }
  }

  /** Ids of the channels that were read before. */
  get channels(): ReadonlySet<string> {
    return new Set(this.#states.keys());
  }

  share(channels: number): void {
    this.#perChannel = Math.max(LEAST_PER_CHANNEL, Math.floor(MOST_ENTRIES / Math.max(1, channels)));
  }

  /** Most entries of one channel's ledger. */
  get perChannel(): number {
    return this.#perChannel;
  }

  freeze(end: Micros): void {
    this.#to = end;
  }

  get to(): Micros {
    return this.#to;
  }

  isOpen(id: string): boolean {
    return this.#states.get(id)?.open !== undefined;
  }

  /** What is to be read of a channel now; undefined: nothing. */
  windowOf(channel: Channel): Window | undefined {
    const state = this.#states.get(channel.id);
    const known = state?.known ?? "";
    if (state?.open !== undefined) {
      const { from, to, at, remember, full, fresh } = state.open;
      return {
        from: from === null ? null : micros(from),
        to: micros(to),
        at: micros(at ?? to),
        remember: remember === null ? null : micros(remember),
        fresh,
        full,
        known,
      };
    }
    const bookmark = state?.to === undefined ? undefined : micros(state.to);
    if (bookmark !== undefined && bookmark >= this.#to) return undefined;
    // Nobody writes into an archived channel, and archiving it was a change: all of it has been read, and read again.
    const rests = channel.isArchived && channel.updated !== undefined;
    if (rests && bookmark !== undefined && bookmark - this.#overlap > (channel.updated ?? 0))
      return undefined;
    const since = state?.since === undefined ? bookmark : micros(state.since);
    const from = bookmark === undefined ? this.#start : Math.max(since ?? bookmark, bookmark - this.#overlap);
    if (from !== null && from >= this.#to) return undefined;
    const remember = this.mode === "full" ? null : this.#to - this.#overlap;
    return { from, to: this.#to, at: this.#to, remember, fresh: "", full: false, known };
  }

  /** A window was read down to `at`. */
  progress(
    id: string,
    window: Window,
    at: Micros,
    ledger: { readonly fresh: string; readonly full: boolean },
    known?: string,
  ): void {
    const state = this.#states.get(id) ?? {};
    const open = {
      from: tsOrNull(window.from),
      to: tsOf(window.to),
      at: tsOf(at),
      remember: tsOrNull(window.remember),
      ...ledger,
    };
    this.#states.set(id, { ...state, ...(known === undefined ? {} : { known }), open });
  }

  /** A window was read to its beginning; `oldest`: the last entry of a ledger that is full. */
  finish(
    id: string,
    window: Window,
    ledger: { readonly fresh: string; readonly full: boolean; readonly oldest: Micros },
  ): void {
    const to = tsOf(window.to);
    if (window.remember === null) {
      this.#states.set(id, { to });
      return;
    }
    const since = ledger.full ? ledger.oldest : Math.max(window.from ?? 0, window.remember);
    this.#states.set(id, { to, since: tsOf(Math.min(since, window.to)), known: ledger.fresh });
  }

  cursor(done: boolean): Value {
    const channels: Record<string, Value> = {};
    for (const [id, { open, ...state }] of this.#states) {
      channels[id] = open === undefined ? state : { ...state, open };
    }
    return {
      stream: this.stream,
      mode: this.mode,
      from: tsOrNull(this.#from),
      to: tsOf(this.#to),
      done,
      channels,
    };
  }

  get window(): Page["window"] {
    return { from: this.#from === null ? null : isoOf(this.#from), to: isoOf(this.#to) };
  }

  /** The first window of what has no bookmark. */
  get start(): Micros | null {
    return this.#start;
  }
}

function usableCursor(request: ReadRequest, mode: HistoryCursor["mode"]): HistoryCursor | undefined {
  if (request.cursor === undefined) return undefined;
  const cursor = parseHistoryCursor(request.cursor, request.stream, mode);
  // A finished full read is followed by another one, unless the engine missed its end.
  return mode === "full" && cursor.done && request.resumes !== true ? undefined : cursor;
}

export function emptyWindow(from: Micros, to: Micros): ConfigError {
  return new ConfigError("SLACK_EMPTY_WINDOW", `the window from ${isoOf(from)} to ${isoOf(to)} is empty`, {
    fix: "Let start (or --from) lie before --to, and not in the future.",
  });
}
