import type { BatchOutcome, Message, SendEntry, SentMessage } from "../contracts/index.js";
import type { Bodies } from "./bodies.js";
import type { Catalog } from "./catalog.js";
import type { Effects } from "./effects.js";
import { type Place, placeAfter, placeBehind } from "./keys.js";
import { type Found, Lane } from "./lane.js";
import { attributeBytes } from "./message-content.js";
import { messageId, parseMessageId, randomTail } from "./message-id.js";
import { LONGEST_VISIBILITY_SECONDS } from "./queue-attributes.js";
import { formatReceipt, parseReceipt } from "./receipt-handle.js";
import { entryRefusals, refusals } from "./refusals.js";
import type { MessageRow, QueueHost, QueueRow } from "./rows.js";
import { settle } from "./settle.js";
import { shownAttributes } from "./views.js";

/** Moves to the dead-letter queue within one receive; the next receive goes on. */
const MOST_MOVES = 1_000;

export interface Received {
  readonly messages: Message[];
  /** Something was moved to the dead-letter queue: an empty answer does not mean an empty queue. */
  readonly moved: boolean;
  /** As many are in flight as may be. */
  readonly full: boolean;
}

/**
 * What SQS's standard queues do, each operation inside a transaction of the caller. At-least-once of the service is
 * exactly-once-per-timeout here, and order is by time of sending: both within what a standard queue may do.
 */
export class StandardQueues {
  readonly #host: QueueHost;
  readonly #catalog: Catalog;
  readonly #bodies: Bodies;
  readonly mostInFlight: number;

  constructor(host: QueueHost, catalog: Catalog, bodies: Bodies, mostInFlight: number) {
    this.mostInFlight = mostInFlight;
    this.#host = host;
    this.#catalog = catalog;
    this.#bodies = bodies;
  }

  send(queue: string, entries: readonly SendEntry[], effects: Effects): SentMessage[] {
    const row = this.#catalog.row(queue);
    const prepared = entries.map((entry) => this.#prepare(queue, row, entry));
    if (prepared.length === 0) return [];
    const now = this.#host.now();
    const lane = new Lane(this.#host.tables, row.lane);
    const order = Math.max(now, lane.totals.lastOrder);
    let sequence = this.#catalog.next("sequence", prepared.length);
    const sent: SentMessage[] = [];
    for (const { entry, body, delayMs } of prepared) {
      const place: Place = { order, sequence };
      sequence += 1;
      const id = messageId(place, randomTail(this.#host.random));
      const delayed = delayMs > 0;
      const message: MessageRow = {
        id,
        sentAt: now,
        bytes: body.bytes,
        records: entry.records ?? 1,
        ...(entry.attributes === undefined ? {} : { attributes: entry.attributes }),
        ...this.#bodies.store(place, body),
        receiveCount: 0,
        firstReceivedAt: 0,
        receivedAt: 0,
        visibleAt: delayed ? now + delayMs : 0,
        delayed,
      };
      lane.add(place, message, delayed ? "delayed" : "ready");
      sent.push({ messageId: id });
    }
    lane.save();
    effects.woken.add(queue);
    return sent;
  }

  receive(queue: string, most: number, visibilityTimeoutMs: number | undefined, effects: Effects): Received {
    const row = this.#catalog.row(queue);
    const now = this.#host.now();
    const timeoutMs = visibilityTimeoutMs ?? row.attributes.VisibilityTimeout * 1000;
    const lane = new Lane(this.#host.tables, row.lane);
    const expired = settle(lane, row, now, this.#bodies, effects);
    const room = this.mostInFlight - lane.totals.inFlight;
    const messages: Message[] = [];
    let moves = 0;
    let from = placeAfter(lane.id, expired);
    while (messages.length < Math.min(most, room) && moves < MOST_MOVES) {
      const wanted = Math.min(most, room) - messages.length;
      const places = lane.ready(from, wanted);
      for (const place of places) {
        from = placeBehind(lane.id, place);
        const message = lane.get(place);
        if (!message) continue;
        const found = { place, row: message };
        if (this.#moveAside(queue, row, lane, found, effects)) moves += 1;
        else messages.push(this.#take(row, lane, found, now, timeoutMs, 1));
      }
      if (places.length < wanted) break;
    }
    lane.save();
    return { messages, moved: moves > 0, full: room <= 0 };
  }

  delete(queue: string, receiptHandles: readonly string[], effects: Effects): BatchOutcome[] {
    const row = this.#catalog.row(queue);
    const lane = new Lane(this.#host.tables, row.lane);
    const outcomes = receiptHandles.map((receiptHandle): BatchOutcome => {
      const receipt = parseReceipt(receiptHandle);
      if (receipt?.queueId !== row.id)
        return { receiptHandle, error: entryRefusals.invalidHandle(receiptHandle) };
      const found = this.#findTail(lane, receipt, receipt.tail);
      if (found) this.#remove(lane, found, effects);
      return { receiptHandle };
    });
    lane.save();
    return outcomes;
  }

  deleteById(queue: string, ids: readonly string[], effects: Effects): number {
    const row = this.#catalog.row(queue);
    const lane = new Lane(this.#host.tables, row.lane);
    let removed = 0;
    for (const id of ids) {
      const found = this.find(lane, row, id);
      if (!found) continue;
      this.#remove(lane, found, effects);
      removed += 1;
    }
    lane.save();
    return removed;
  }

  changeVisibility(
    queue: string,
    changes: readonly { readonly receiptHandle: string; readonly visibilityTimeoutMs: number }[],
    effects: Effects,
  ): BatchOutcome[] {
    const row = this.#catalog.row(queue);
    const now = this.#host.now();
    const lane = new Lane(this.#host.tables, row.lane);
    const outcomes = changes.map(({ receiptHandle, visibilityTimeoutMs }): BatchOutcome => {
      const error = this.#changeOne(row, lane, now, receiptHandle, visibilityTimeoutMs);
      return error === undefined ? { receiptHandle } : { receiptHandle, error };
    });
    lane.save();
    effects.woken.add(queue);
    return outcomes;
  }

  /** Receives these very messages without counting it (Queues.claim). */
  claim(queue: string, ids: readonly string[], visibilityTimeoutMs: number, effects: Effects): Message[] {
    const row = this.#catalog.row(queue);
    const now = this.#host.now();
    const lane = new Lane(this.#host.tables, row.lane);
    const messages: Message[] = [];
    for (const id of ids) {
      const found = this.find(lane, row, id);
      if (found) messages.push(this.#take(row, lane, found, now, visibilityTimeoutMs, 0));
    }
    lane.save();
    if (visibilityTimeoutMs === 0) effects.woken.add(queue);
    return messages;
  }

  /** The message of that id that is still to be kept, in whatever state; also outside a transaction. */
  find(lane: Lane, row: QueueRow, id: string): Found | undefined {
    const parsed = parseMessageId(id);
    if (!parsed) return undefined;
    const found = this.#findTail(lane, parsed, parsed.tail);
    if (!found) return undefined;
    return parsed.order + row.attributes.MessageRetentionPeriod * 1000 > this.#host.now() ? found : undefined;
  }

  #findTail(lane: Lane, { order, sequence }: Place, tail: number): Found | undefined {
    const place = { order, sequence };
    const row = lane.get(place);
    return row && parseMessageId(row.id)?.tail === tail ? { place, row } : undefined;
  }

  #prepare(queue: string, row: QueueRow, entry: SendEntry) {
    const body = this.#bodies.prepare(queue, entry.body);
    const counted =
      attributeBytes(queue, entry.attributes ?? {}) + ("inline" in body.content ? body.bytes : 0);
    const limit = row.attributes.MaximumMessageSize;
    if (counted > limit) throw refusals.tooLong(queue, limit);
    const delayMs = entry.delayMs ?? row.attributes.DelaySeconds * 1000;
    if (!(delayMs >= 0 && delayMs <= 900_000))
      throw refusals.parameter(
        queue,
        "DelaySeconds",
        delayMs / 1000,
        "DelaySeconds must be >= 0 and <= 900.",
      );
    const { records = 1 } = entry;
    if (!Number.isSafeInteger(records) || records < 0)
      throw refusals.parameter(queue, "records", records, "Must be a whole number, 0 or more.");
    return { entry, body, delayMs };
  }

  /** Moves a message that was received often enough to the dead-letter queue; false when it stays. */
  #moveAside(queue: string, row: QueueRow, lane: Lane, found: Found, effects: Effects): boolean {
    const policy = row.attributes.RedrivePolicy;
    if (policy === undefined || found.row.receiveCount < policy.maxReceiveCount) return false;
    const target = this.#catalog.find(policy.deadLetterTargetQueue);
    if (!target) return false; // deleted since: better delivered once more than lost
    lane.drop(found);
    const aside = new Lane(this.#host.tables, target.lane);
    aside.add(found.place, { ...found.row, visibleAt: 0, delayed: false, deadLetterSource: queue }, "ready");
    aside.save();
    effects.woken.add(policy.deadLetterTargetQueue);
    return true;
  }

  #take(row: QueueRow, lane: Lane, found: Found, now: number, timeoutMs: number, counts: 0 | 1): Message {
    const taken: MessageRow = {
      ...found.row,
      receiveCount: found.row.receiveCount + counts,
      firstReceivedAt: counts === 0 ? found.row.firstReceivedAt : found.row.firstReceivedAt || now,
      receivedAt: now,
      visibleAt: now + timeoutMs,
      delayed: false,
    };
    lane.replace(found, taken, timeoutMs > 0 ? "inFlight" : "ready");
    return {
      messageId: taken.id,
      receiptHandle: formatReceipt({
        queueId: row.id,
        ...found.place,
        tail: parseMessageId(taken.id)?.tail ?? 0,
        receiveNumber: taken.receiveCount,
      }),
      attributes: shownAttributes(taken),
      records: taken.records,
      bytes: taken.bytes,
      sentAt: taken.sentAt,
      firstReceivedAt: taken.firstReceivedAt || now,
      receiveCount: taken.receiveCount,
      body: () => this.#bodies.read(found.place, taken),
    };
  }

  #changeOne(
    row: QueueRow,
    lane: Lane,
    now: number,
    receiptHandle: string,
    timeoutMs: number,
  ): BatchOutcome["error"] {
    if (!(timeoutMs >= 0 && timeoutMs <= LONGEST_VISIBILITY_SECONDS * 1000))
      return entryRefusals.visibilityRange(timeoutMs / 1000);
    const receipt = parseReceipt(receiptHandle);
    if (receipt?.queueId !== row.id) return entryRefusals.invalidHandle(receiptHandle);
    const found = this.#findTail(lane, receipt, receipt.tail);
    const expired = receipt.order + row.attributes.MessageRetentionPeriod * 1000 <= now;
    if (!found || expired) return entryRefusals.notThere(receiptHandle);
    if (now - found.row.receivedAt + timeoutMs > LONGEST_VISIBILITY_SECONDS * 1000)
      return entryRefusals.visibilityTotal(timeoutMs / 1000);
    const changed = { ...found.row, visibleAt: now + timeoutMs, delayed: false };
    lane.replace(found, changed, timeoutMs > 0 ? "inFlight" : "ready");
    return undefined;
  }

  #remove(lane: Lane, found: Found, effects: Effects): void {
    lane.drop(found);
    this.#bodies.release(found.place, found.row, effects);
  }
}
