import type { Message, PeekedMessage } from "../contracts/index.js";
import type { Bodies } from "./bodies.js";
import { type Place, placeKey } from "./keys.js";
import type { Found, Lane } from "./lane.js";
import { messageId } from "./message-id.js";
import { Pack, type Slot } from "./pack.js";
import { formatReceipt } from "./receipt-handle.js";
import type { QueueRow, QueueTables } from "./rows.js";

/** First of the 20 digits: SQS's sequence numbers have as many, and none begins with a zero. */
const SEQUENCE_BASE = 10_000_000_000_000_000_000n;

export function sequenceNumber(sequence: number): string {
  return String(SEQUENCE_BASE + BigInt(sequence));
}

export function idOf(lane: Lane, found: Found): string {
  const { pack, index } = found;
  const own = lane.fifo ? lane.content(found).id : undefined;
  return own ?? messageId(pack.placeOf(index), pack.tail(index));
}

type Common = { -readonly [K in keyof Omit<Message, "receiptHandle" | "firstReceivedAt">]: Message[K] };

/** Turns what lies in a lane into what the contract shows. */
export class Shapes {
  readonly #tables: QueueTables;
  readonly #bodies: Bodies;

  constructor(tables: QueueTables, bodies: Bodies) {
    this.#tables = tables;
    this.#bodies = bodies;
  }

  /** As its receiver sees it; `slot` as the receive left it. */
  received(row: QueueRow, lane: Lane, found: Found, slot: Slot, now: number): Message {
    const { order, sequence } = found.pack.placeOf(found.index);
    const { index } = found;
    const { tail, receiveCount: receiveNumber } = slot;
    const receiptHandle = formatReceipt({ queueId: row.id, order, sequence, index, tail, receiveNumber });
    return Object.assign(this.#common(lane, found, slot), {
      receiptHandle,
      firstReceivedAt: slot.firstReceivedAt || now,
    });
  }

  peeked(lane: Lane, found: Found, now: number): PeekedMessage {
    const slot = found.pack.slot(found.index);
    const hidden = slot.visibleAt > now && slot.state !== "ready";
    const state = !hidden ? "visible" : slot.state === "delayed" ? "delayed" : "inFlight";
    return Object.assign(this.#common(lane, found, slot), {
      firstReceivedAt: slot.firstReceivedAt || undefined,
      state,
    } as const);
  }

  #common(lane: Lane, found: Found, slot: Slot) {
    const { pack, index } = found;
    const { place } = pack;
    const { sentAt, group } = lane.packContent(pack);
    const content = lane.content(found);
    const id = idOf(lane, found);
    const sequence = place.sequence + index;
    const { deduplicationId, traceHeader, deadLetterSource } = content;
    const message: Common = {
      messageId: id,
      attributes: content.attributes ?? {},
      records: slot.records,
      bytes: slot.bytes,
      sentAt,
      receiveCount: slot.receiveCount,
      // A short body came with its pack: looking whether it is still there would cost as much as the receive.
      body: () =>
        content.body ??
        this.#bodies.read({ id, sequence, content }, () => this.#isThere(lane.id, place, index, slot.tail)),
    };
    // One by one: ten messages a receive, and a copy for every optional part would be most of what it costs.
    if (group !== undefined) message.groupId = group;
    if (deduplicationId !== undefined) message.deduplicationId = deduplicationId;
    if (lane.fifo) message.sequenceNumber = sequenceNumber(sequence);
    if (traceHeader !== undefined) message.traceHeader = traceHeader;
    if (deadLetterSource !== undefined) message.deadLetterSource = deadLetterSource;
    return message;
  }

  #isThere(lane: number, place: Place, index: number, tail: number): boolean {
    const bytes = this.#tables.states.get(placeKey(lane, place));
    if (!bytes) return false;
    const pack = Pack.read(place, bytes);
    return pack.state(index) !== "gone" && pack.tail(index) === tail;
  }
}
