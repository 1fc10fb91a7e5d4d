import {
  laneEnd,
  laneKey,
  memberKey,
  memberPlace,
  membersEnd,
  type Place,
  placeKey,
  placeOf,
  textKey,
} from "./keys.js";
import type { QueueTables } from "./rows.js";
import type { Totals } from "./totals.js";

const MARK = Buffer.from([1]);

/** A tenant is noisy from here on (SQS Developer Guide, fair queues: 10 % of the messages in flight, at least 30). */
const NOISY_SHARE = 0.1;
const NOISY_MESSAGES = 30;

/** Fewer than this many tenants can each hold more than NOISY_SHARE: the next one is quiet. */
export const MORE_THAN_NOISY = 10;

/** The oldest pack with a visible message of one tenant. */
export interface Head {
  readonly group: string;
  readonly place: Place;
}

/**
 * The groups of a standard lane: how many messages each has in flight, and where its oldest visible one lies, so that a
 * receive passes by a noisy tenant's backlog however long it is. SQS also calls a tenant noisy for its share of recent
 * processing time and does not say how it becomes quiet again; here it is quiet as soon as it holds fewer.
 */
export class Tenants {
  readonly #tables: QueueTables;
  readonly #lane: number;
  readonly #inFlight = new Map<string, number>();
  readonly #touched = new Set<string>();

  constructor(tables: QueueTables, lane: number) {
    this.#tables = tables;
    this.#lane = lane;
  }

  /** The tenant has so many more messages in flight. */
  add(group: string, change: number): void {
    this.#inFlight.set(group, (this.#inFlight.get(group) ?? 0) + change);
    this.#touched.add(group);
  }

  /** The pack has visible messages from now on, or none any more. */
  show(group: string, place: Place, visible: boolean): void {
    const key = memberKey(this.#lane, group, place);
    if (visible) this.#tables.members.put(key, MARK);
    else this.#tables.members.remove(key);
    this.#touched.add(group);
  }

  /** Of each tenant the oldest pack with a visible message, oldest first. */
  heads(limit: number): Head[] {
    const range = { from: laneKey(this.#lane), to: laneEnd(this.#lane), limit };
    return this.#tables.heads
      .entries(range)
      .map(({ key, value }) => ({ place: placeOf(key), group: value.toString("utf8") }));
  }

  isNoisy(group: string, { inFlight }: Totals): boolean {
    const own =
      (this.#tables.tenants.get(textKey(this.#lane, group))?.inFlight ?? 0) +
      (this.#inFlight.get(group) ?? 0);
    return own >= NOISY_MESSAGES && own > inFlight * NOISY_SHARE;
  }

  save(): void {
    for (const group of this.#touched) {
      const key = textKey(this.#lane, group);
      const row = this.#tables.tenants.get(key);
      const inFlight = (row?.inFlight ?? 0) + (this.#inFlight.get(group) ?? 0);
      const head = this.#head(group);
      if (row?.head?.sequence !== head?.sequence) {
        if (row?.head) this.#tables.heads.remove(placeKey(this.#lane, row.head));
        if (head) this.#tables.heads.put(placeKey(this.#lane, head), Buffer.from(group));
      }
      if (inFlight > 0 || head) this.#tables.tenants.put(key, { inFlight, ...(head && { head }) });
      else this.#tables.tenants.remove(key);
    }
    this.#inFlight.clear();
    this.#touched.clear();
  }

  #head(group: string): Place | undefined {
    const range = { from: textKey(this.#lane, `${group}\0`), to: membersEnd(this.#lane, group), limit: 1 };
    const [key] = this.#tables.members.keys(range);
    return key && memberPlace(key);
  }
}
