import type { Catalog } from "./catalog.js";
import type { Content } from "./content.js";
import type { Effects } from "./effects.js";
import { bodyKey } from "./keys.js";
import type { Found, Lane } from "./lane.js";
import { laneOf } from "./lanes.js";
import { idOf } from "./message.js";
import type { QueueHost, QueueRow } from "./rows.js";

/**
 * Moves messages that were received often enough to the dead-letter queue, within one receive.
 *
 * In a standard queue a message keeps its place, and with it the time from which its retention counts; in a FIFO queue
 * it gets a new one at the end, and its own id as deduplication id (SQS Developer Guide, dead-letter queues).
 */
export class DeadLettering {
  readonly #host: QueueHost;
  readonly #catalog: Catalog;
  readonly #queue: string;
  readonly #row: QueueRow;
  readonly #lane: Lane;
  readonly #effects: Effects;
  #target: { readonly row: QueueRow; readonly lane: Lane } | undefined;
  moves = 0;

  constructor(host: QueueHost, catalog: Catalog, queue: string, row: QueueRow, lane: Lane, effects: Effects) {
    this.#host = host;
    this.#catalog = catalog;
    this.#queue = queue;
    this.#row = row;
    this.#lane = lane;
    this.#effects = effects;
  }

  /** True when the message was moved and is not to be delivered. */
  takes(found: Found): boolean {
    const policy = this.#row.attributes.RedrivePolicy;
    if (policy === undefined) return false;
    const slot = found.pack.slot(found.index);
    if (slot.receiveCount < policy.maxReceiveCount) return false;
    const target = this.#open(policy.deadLetterTargetQueue);
    if (!target) return false; // deleted since: better delivered once more than lost
    const { sentAt, group } = this.#lane.packContent(found.pack);
    const { id, ...content } = this.#lane.content(found);
    const moved: Content = { ...content, deadLetterSource: this.#queue };
    const state = { ...slot, state: "ready", visibleAt: 0, changed: false } as const;
    const place = found.pack.placeOf(found.index);
    const common = group !== undefined && { group };
    if (!target.lane.fifo) target.lane.add(place, [state], { sentAt, ...common, messages: [moved] });
    else {
      const now = this.#host.now();
      const own = idOf(this.#lane, found);
      const sequence = this.#catalog.nextSequence();
      this.#moveBody(place.sequence, sequence);
      target.lane.add({ order: Math.max(now, target.lane.totals.lastOrder), sequence }, [state], {
        sentAt: now,
        ...common,
        messages: [{ ...moved, id: own, deduplicationId: own }],
      });
    }
    this.#lane.drop(found);
    this.moves += 1;
    return true;
  }

  save(): void {
    this.#target?.lane.save();
  }

  #open(name: string) {
    if (this.#target) return this.#target;
    const row = this.#catalog.find(name);
    if (!row) return undefined;
    this.#effects.wake(name);
    this.#target = { row, lane: laneOf(this.#host, row) };
    return this.#target;
  }

  #moveBody(from: number, to: number): void {
    const { bodies } = this.#host.tables;
    const body = bodies.get(bodyKey(from));
    if (!body) return;
    bodies.put(bodyKey(to), body);
    bodies.remove(bodyKey(from));
  }
}
