import type { Message, MessageAttributes, PeekedMessage } from "../contracts/index.js";
import type { Bodies } from "./bodies.js";
import type { Content } from "./content.js";
import { type Place, placeKey } from "./keys.js";
import type { Found, Lane } from "./lane.js";
import { messageId } from "./message-id.js";
import { Pack } from "./pack.js";
import { formatReceipt } from "./receipt-handle.js";
import type { QueueRow, QueueTables } from "./rows.js";

const NO_ATTRIBUTES: MessageAttributes = {};

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

type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** What everybody sees of a message. */
type Common = Omit<Message, "receiptHandle" | "firstReceivedAt">;

/** Turns what lies in a lane into what the contract shows. */
export class Shapes {
  readonly #tables: QueueTables;
  readonly #bodies: Bodies;

  constructor(tables: QueueTables, bodies: Bodies) {
    this.#tables = tables;
    this.#bodies = bodies;
  }

  /** As its receiver sees it, after the receive is written down. */
  received(row: QueueRow, lane: Lane, found: Found, now: number): Message {
    const { pack, index } = found;
    const { order, sequence } = pack.place;
    const content = lane.content(found);
    const message: Draft<Message> = {
      messageId: idOf(lane, found),
      receiptHandle: formatReceipt({
        queueId: row.id,
        order,
        sequence: sequence + index,
        index,
        tail: pack.tail(index),
        receiveNumber: pack.receiveCount(index),
      }),
      attributes: content.attributes ?? NO_ATTRIBUTES,
      records: pack.recordsOf(index),
      bytes: pack.bytesOf(index),
      sentAt: lane.packContent(pack).sentAt,
      firstReceivedAt: pack.firstReceivedAt(index) || now,
      receiveCount: pack.receiveCount(index),
      body: this.#bodyOf(lane, found, content),
    };
    return this.#complete(message, lane, found, content);
  }

  peeked(lane: Lane, found: Found, now: number): PeekedMessage {
    const { pack, index } = found;
    const content = lane.content(found);
    const state = pack.state(index);
    const hidden = pack.visibleAt(index) > now && state !== "ready";
    const message: Draft<PeekedMessage> = {
      messageId: idOf(lane, found),
      attributes: content.attributes ?? NO_ATTRIBUTES,
      records: pack.recordsOf(index),
      bytes: pack.bytesOf(index),
      sentAt: lane.packContent(pack).sentAt,
      firstReceivedAt: pack.firstReceivedAt(index) || undefined,
      receiveCount: pack.receiveCount(index),
      state: !hidden ? "visible" : state === "delayed" ? "delayed" : "inFlight",
      body: this.#bodyOf(lane, found, content),
    };
    return this.#complete(message, lane, found, content);
  }

  #bodyOf(lane: Lane, found: Found, content: Content): () => Buffer {
    const { body } = content;
    // A short body came with its pack: looking whether it is still there would cost as much as the receive.
    if (body !== undefined) return () => body;
    const { pack, index } = found;
    const { place } = pack;
    const sequence = place.sequence + index;
    const id = idOf(lane, found);
    const tail = pack.tail(index);
    return () =>
      this.#bodies.read({ id, sequence, content }, () => this.#isThere(lane.id, place, index, tail));
  }

  /** Adds what only some messages have, one by one: a copy for every optional part would be most of what it costs. */
  #complete<T extends Draft<Common>>(message: T, lane: Lane, found: Found, content: Content): T {
    const { group } = lane.packContent(found.pack);
    const { deduplicationId, traceHeader, deadLetterSource } = content;
    if (group !== undefined) message.groupId = group;
    if (deduplicationId !== undefined) message.deduplicationId = deduplicationId;
    if (lane.fifo) message.sequenceNumber = sequenceNumber(found.pack.place.sequence + found.index);
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
