import type { OpenBody, PeekedMessage } from "../contracts/index.js";
import type { Bodies } from "./bodies.js";
import type { Catalog } from "./catalog.js";
import type { Deliveries } from "./deliveries.js";
import { isBefore, laneEnd, placeAfter, placeKey } from "./keys.js";
import { laneOf } from "./lanes.js";
import type { Shapes } from "./message.js";
import { parseMessageId } from "./message-id.js";
import { MOST_IN_PACK } from "./pack.js";
import type { QueueHost } from "./rows.js";
import { expiredUpTo } from "./settle.js";
import { availability, depthOf } from "./views.js";

/** Looking at a queue without changing it. Each call reads one snapshot of the caller. */
export class Looks {
  readonly #host: QueueHost;
  readonly #catalog: Catalog;
  readonly #bodies: Bodies;
  readonly #deliveries: Deliveries;
  readonly #shapes: Shapes;

  constructor(
    host: QueueHost,
    catalog: Catalog,
    bodies: Bodies,
    { deliveries, shapes }: { readonly deliveries: Deliveries; readonly shapes: Shapes },
  ) {
    this.#host = host;
    this.#bodies = bodies;
    this.#catalog = catalog;
    this.#deliveries = deliveries;
    this.#shapes = shapes;
  }

  depth(name: string) {
    const row = this.#catalog.row(name);
    return depthOf(laneOf(this.#host, row), row, this.#host.now());
  }

  availability(name: string) {
    return this.beforeReceive(name).next;
  }

  /** What a receive needs to know first, in one snapshot. */
  beforeReceive(name: string) {
    const row = this.#catalog.row(name);
    const next = availability(laneOf(this.#host, row), row, this.#host.now());
    return { attributes: row.attributes, next };
  }

  /** Oldest first. `after` need not be there any more. */
  peek(name: string, { limit, after }: { readonly limit: number; readonly after?: string }): PeekedMessage[] {
    const row = this.#catalog.row(name);
    const now = this.#host.now();
    const lane = laneOf(this.#host, row);
    let from = placeAfter(lane.id, expiredUpTo(row, now));
    const behind =
      after === undefined ? undefined : (lane.fifo && lane.aliased(after)) || parseMessageId(after);
    if (behind) {
      // The pack that the message lies in may begin up to so many numbers earlier.
      const sequence = Math.max(0, behind.sequence - MOST_IN_PACK + 1);
      const start = placeKey(lane.id, { order: behind.order, sequence });
      if (start.compare(from) > 0) from = start;
    }
    const seen: PeekedMessage[] = [];
    for (const pack of lane.everyPack(from, laneEnd(lane.id)))
      for (let index = 0; index < pack.count; index++) {
        if (seen.length >= limit) return seen;
        if (pack.state(index) === "gone" || (behind && !isBefore(behind, pack.placeOf(index)))) continue;
        seen.push(this.#shapes.peeked(lane, { pack, index }, now));
      }
    return seen;
  }

  get(name: string, messageId: string): PeekedMessage | undefined {
    const row = this.#catalog.row(name);
    const lane = laneOf(this.#host, row);
    const found = this.#deliveries.find(lane, row, messageId);
    return found && this.#shapes.peeked(lane, found, this.#host.now());
  }

  openBody(name: string, messageId: string): OpenBody | undefined {
    const row = this.#catalog.row(name);
    const lane = laneOf(this.#host, row);
    const found = this.#deliveries.find(lane, row, messageId);
    if (!found) return undefined;
    const { pack, index } = found;
    const content = lane.content(found);
    return {
      bytes: pack.bytesOf(index),
      sentAt: lane.packContent(pack).sentAt,
      read: () => this.#bodies.stream(pack.placeOf(index).sequence, content),
    };
  }
}
