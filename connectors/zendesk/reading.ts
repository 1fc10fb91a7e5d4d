import type { Log, Page, RefusedRecord, SourceRecord } from "../../core/contracts/index.js";
import type { Refused, ZendeskApi } from "./api.js";
import { cursorValue, type Edge, pageInfo, type Span, type State } from "./cursor.js";
import { type Item, idOf } from "./item.js";
import type { Shaper } from "./shape.js";
import { type Seconds, secondsOf } from "./stamp.js";
import type { StreamSpec } from "./streams.js";

/** What every way of paging needs of its read. */
export interface Reading {
  readonly spec: StreamSpec;
  readonly api: ZendeskApi;
  readonly shaper: Shaper;
  readonly log: Log;
  readonly incremental: boolean;
  readonly pageSize: number;
  /** Exclusive bound that the flow asked for (`--to`); undefined: none. */
  readonly until: Seconds | undefined;
  /** Epoch seconds before which everything is complete: now, less the settling time. */
  readonly settled: () => Seconds;
  /** For errors: `zendesk tickets`. */
  readonly place: string;
}

/** One page and the state behind it. The next step starts from that state, and so does a run after a crash. */
export interface Step<S extends State = State> {
  readonly page: Page;
  readonly state: S;
  /** There is no more for now, though the span is not read to its end. */
  readonly stops?: boolean;
}

/** `refused`: what of the items cannot be taken; the records made of them are refused in their place. */
export function stepOf<S extends State>(
  { shaper, incremental }: Reading,
  state: S,
  items: readonly Item[],
  bytes: number,
  refused: Refused = NONE,
): Step<S> {
  shaper.look(items);
  const records: SourceRecord[] = [];
  const carried = new Map<SourceRecord, RefusedRecord>();
  for (const item of items) {
    const before = records.length;
    shaper.add(item, records);
    const why = refused.size === 0 ? undefined : refused.get(item);
    if (why !== undefined) for (const record of records.slice(before)) carried.set(record, why);
  }
  const page = {
    records,
    cursor: cursorValue(state),
    bytes,
    ...(carried.size === 0 ? {} : { refused: carried }),
    ...pageInfo(state.span, incremental),
  };
  return { page, state };
}

const NONE: Refused = new Map();

/** Ids kept of the newest second; where more records share it, a resume may repeat some of them. */
const MOST_EDGE_IDS = 5_000;

/** Items of one page, sifted and measured in one go. */
export class Sieve {
  readonly #stampField: string | undefined;
  readonly #edge: Edge | null;
  readonly #edgeIds: ReadonlySet<string | number>;
  readonly #ids = new Map<string | number, unknown>();
  readonly kept: Item[] = [];
  /** Newest stamp of all items looked at; of the page and the edge before it. */
  newest: Seconds | null;
  /** Items left out since they lie beyond the bound. */
  beyond = 0;

  readonly #refused: Refused;

  constructor(stampField: string | undefined, edge: Edge | null, refused: Refused) {
    this.#refused = refused;
    this.#stampField = stampField;
    this.#edge = edge;
    this.#edgeIds = new Set(edge?.ids);
    this.newest = edge?.at ?? null;
  }

  stampOf(item: Item): Seconds | undefined {
    const name = this.#stampField;
    if (name === undefined) return undefined;
    // A stamp that is there twice is no place to go on from.
    if (this.#refused.size > 0 && this.#refused.get(item)?.doubtful.includes(name)) return undefined;
    return secondsOf(item[name]);
  }

  /**
   * Keeps what is new: not an item of the edge, nor one that the page itself has twice, nor one from `bound` on. With
   * `skip` also nothing from before the edge. An item without a stamp cannot be placed and is always kept.
   */
  take(items: readonly Item[], bound: Seconds | undefined, skip: boolean): void {
    for (const item of items) {
      const at = this.stampOf(item);
      const id = idOf(item);
      if (at !== undefined) {
        if (bound !== undefined && at >= bound) {
          this.beyond++;
          continue;
        }
        if (this.#edge !== null && at <= this.#edge.at && this.#wasHandedOut(at, id, skip)) continue;
        if (this.newest === null || at > this.newest) this.newest = at;
      }
      if (id !== undefined) {
        const version = this.#stampField === undefined ? undefined : item[this.#stampField];
        if (this.#ids.has(id) && this.#ids.get(id) === version) continue;
        this.#ids.set(id, version);
      }
      this.kept.push(item);
    }
  }

  #wasHandedOut(at: Seconds, id: string | number | undefined, skip: boolean): boolean {
    if (at < (this.#edge?.at ?? 0)) return skip;
    return id !== undefined && this.#edgeIds.has(id);
  }

  /** The ids handed out from `at` on, those of the edge before included. */
  edgeFrom(at: Seconds): Edge {
    const ids = new Set<string | number>(this.#edge !== null && this.#edge.at >= at ? this.#edge.ids : []);
    for (const item of this.kept) {
      const stamp = this.stampOf(item);
      const id = idOf(item);
      if (stamp !== undefined && stamp >= at && id !== undefined) ids.add(id);
    }
    return { at, ids: [...ids].slice(-MOST_EDGE_IDS) };
  }
}

/** A span that knows what its page has handed out. */
export function withNewest(span: Span, newest: Seconds | null): Span {
  if (newest === null || (span.newest !== null && newest <= span.newest)) return span;
  return { ...span, newest };
}
