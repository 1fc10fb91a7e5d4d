import {
  ConfigError,
  type EntryFailure,
  RecordError,
  type SendEntry,
  type SentMessage,
  type StagedBody,
} from "../contracts/index.js";
import type { Bodies } from "./bodies.js";
import type { Catalog } from "./catalog.js";
import type { Content } from "./content.js";
import type { Effects } from "./effects.js";
import type { Found, Lane } from "./lane.js";
import { laneOf } from "./lanes.js";
import { sequenceNumber } from "./message.js";
import { attributeBytes, checkGroupToken, plainAttributes } from "./message-content.js";
import { messageId, randomTail } from "./message-id.js";
import { MOST_IN_PACK, type Slot } from "./pack.js";
import { refusals } from "./refusals.js";
import { isFifo, type QueueHost, type QueueRow } from "./rows.js";

const LONGEST_DELAY_MS = 900_000;

/** While it is being put together: the hot path makes no copy for every optional part. */
type Draft<T> = { -readonly [K in keyof T]: T[K] };

const NEVER_RECEIVED = {
  state: "ready",
  receiveCount: 0,
  firstReceivedAt: 0,
  receivedAt: 0,
  visibleAt: 0,
  changed: false,
} as const satisfies Partial<Slot>;

/** An entry that may be sent. */
interface Prepared {
  readonly entry: SendEntry;
  readonly body: StagedBody;
  readonly delayMs: number;
  /** Given or made from the body; undefined in a standard queue. */
  readonly deduplicationId: string | undefined;
}

/** Sending, inside a transaction of the caller. */
export class Sending {
  readonly #host: QueueHost;
  readonly #catalog: Catalog;
  readonly #bodies: Bodies;

  constructor(host: QueueHost, catalog: Catalog, bodies: Bodies) {
    this.#host = host;
    this.#catalog = catalog;
    this.#bodies = bodies;
  }

  /** All or nothing. */
  send(queue: string, entries: readonly SendEntry[], effects: Effects): SentMessage[] {
    const row = this.#catalog.row(queue);
    const prepared = entries.map((entry) => this.#prepare(queue, row, entry));
    return this.#put(queue, row, prepared, effects);
  }

  /** Entries that cannot be sent do not hinder the others. */
  sendEach(queue: string, entries: readonly SendEntry[], effects: Effects): (SentMessage | EntryFailure)[] {
    const row = this.#catalog.row(queue);
    if (isFifo(row)) for (const entry of entries) checkFifoEntry(queue, row, entry, "batch");
    const outcomes = entries.map((entry) => this.#attempt(queue, row, entry));
    const sent = this.#put(
      queue,
      row,
      outcomes.filter((outcome): outcome is Prepared => !("error" in outcome)),
      effects,
    );
    return outcomes.map((outcome) => ("error" in outcome ? outcome : sent.shift()) ?? unreachable(queue));
  }

  /** Puts a message of another queue as a new one, whatever was sent before: a move task. Its own row stays. */
  resend(queue: string, from: Lane, found: Found, effects: Effects): void {
    const { pack, index } = found;
    const now = this.#host.now();
    const lane = laneOf(this.#host, this.#catalog.row(queue));
    const sequence = this.#catalog.nextSequence();
    const { id: _id, deadLetterSource: _source, ...content } = from.content(found);
    const before = pack.slot(index);
    const body = this.#bodies.staged(pack.placeOf(index).sequence, content, before.bytes);
    const stored = this.#bodies.store(sequence, body);
    const { group } = from.packContent(pack);
    lane.add(
      { order: Math.max(now, lane.totals.lastOrder), sequence },
      [
        {
          ...NEVER_RECEIVED,
          tail: randomTail(this.#host.random),
          bytes: before.bytes,
          records: before.records,
          body: stored.place,
        },
      ],
      { sentAt: now, ...(group !== undefined && { group }), messages: [{ ...content, ...stored.content }] },
    );
    lane.save();
    effects.wake(queue);
  }

  #attempt(queue: string, row: QueueRow, entry: SendEntry): Prepared | EntryFailure {
    try {
      return this.#prepare(queue, row, entry, "batch");
    } catch (error) {
      if (!(error instanceof RecordError || error instanceof ConfigError)) throw error;
      return { error: { code: error.code, message: error.message } };
    }
  }

  /** Checked, before anything is written. */
  #prepare(queue: string, row: QueueRow, entry: SendEntry, request: "one" | "batch" = "one"): Prepared {
    const { attributes } = row;
    const fifo = isFifo(row);
    const { groupId, deduplicationId: given, traceHeader, records = 1 } = entry;
    if (fifo) checkFifoEntry(queue, row, entry, request);
    else if (given !== undefined) throw refusals.notForThisType(queue, "MessageDeduplicationId", given);
    if (groupId !== undefined) checkGroupToken(queue, "MessageGroupId", groupId);
    if (given !== undefined) checkGroupToken(queue, "MessageDeduplicationId", given);
    if (traceHeader === "") throw refusals.emptySystemAttribute(queue, "AWSTraceHeader");
    const body = this.#bodies.prepare(queue, entry.body);
    const { attributes: own } = entry;
    const counted =
      (own === undefined ? 0 : attributeBytes(queue, own)) + ("inline" in body.content ? body.bytes : 0);
    if (counted > attributes.MaximumMessageSize)
      throw refusals.tooLong(queue, attributes.MaximumMessageSize, request);
    // In a FIFO queue zero means "the queue's delay", and nothing else can be asked for.
    const delayMs = fifo ? attributes.DelaySeconds * 1000 : (entry.delayMs ?? attributes.DelaySeconds * 1000);
    if (!(delayMs >= 0 && delayMs <= LONGEST_DELAY_MS))
      throw refusals.parameter(
        queue,
        "DelaySeconds",
        delayMs / 1000,
        "DelaySeconds must be >= 0 and <= 900.",
      );
    if (!Number.isSafeInteger(records) || records < 0 || records >= 2 ** 48)
      throw refusals.parameter(queue, "records", records, "Must be a whole number, 0 or more.");
    const deduplicationId = fifo ? (given ?? this.#bodies.digest(body)) : undefined;
    return { entry, body, delayMs, deduplicationId };
  }

  #put(queue: string, row: QueueRow, prepared: readonly Prepared[], effects: Effects): SentMessage[] {
    if (prepared.length === 0) return [];
    const now = this.#host.now();
    const lane = laneOf(this.#host, row);
    const order = Math.max(now, lane.totals.lastOrder);
    const sent = lane.fifo
      ? this.#putInOrder(row, lane, order, now, prepared, effects)
      : this.#putPacked(lane, order, now, prepared);
    lane.save();
    effects.wake(queue);
    return sent;
  }

  /** Standard queues: neighbours of one tenant lie together. */
  #putPacked(lane: Lane, order: number, now: number, prepared: readonly Prepared[]): SentMessage[] {
    let sequence = this.#catalog.nextSequence(prepared.length);
    const sent: SentMessage[] = [];
    for (let start = 0; start < prepared.length; ) {
      const group = prepared[start]?.entry.groupId;
      let end = start + 1;
      while (end < prepared.length && end - start < MOST_IN_PACK && prepared[end]?.entry.groupId === group)
        end += 1;
      this.#putPack(lane, { order, sequence }, now, prepared.slice(start, end), sent);
      sequence += end - start;
      start = end;
    }
    return sent;
  }

  /** FIFO queues: what was sent in the last five minutes is acknowledged and not put again. */
  #putInOrder(
    row: QueueRow,
    lane: Lane,
    order: number,
    now: number,
    prepared: readonly Prepared[],
    effects: Effects,
  ): SentMessage[] {
    const { repeats } = lane;
    repeats.forget(now);
    const sent: SentMessage[] = [];
    for (const each of prepared) {
      const { entry, deduplicationId = "" } = each;
      const scope = row.attributes.DeduplicationScope === "messageGroup" ? (entry.groupId ?? "") : "";
      const first = repeats.find(scope, deduplicationId, now);
      if (first) {
        this.#bodies.drop(each.body, effects);
        sent.push(first);
        continue;
      }
      const sequence = this.#catalog.nextSequence();
      this.#putPack(lane, { order, sequence }, now, [each], sent);
      const messageId = sent.at(-1)?.messageId ?? "";
      repeats.remember(scope, deduplicationId, { messageId, sequenceNumber: sequenceNumber(sequence) }, now);
    }
    return sent;
  }

  #putPack(
    lane: Lane,
    place: { readonly order: number; readonly sequence: number },
    now: number,
    prepared: readonly Prepared[],
    sent: SentMessage[],
  ): void {
    const slots: Slot[] = [];
    const messages: Content[] = [];
    for (let index = 0; index < prepared.length; index++) {
      const { entry, body, delayMs, deduplicationId } = prepared[index]!;
      const own = { order: place.order, sequence: place.sequence + index };
      const tail = randomTail(this.#host.random);
      const stored = this.#bodies.store(own.sequence, body);
      slots.push({
        state: delayMs > 0 ? "delayed" : "ready",
        tail,
        receiveCount: 0,
        firstReceivedAt: 0,
        receivedAt: 0,
        visibleAt: delayMs > 0 ? now + delayMs : 0,
        bytes: body.bytes,
        records: entry.records ?? 1,
        changed: false,
        body: stored.place,
      });
      const content: Draft<Content> = stored.content;
      if (entry.attributes !== undefined) content.attributes = plainAttributes(entry.attributes);
      if (entry.traceHeader !== undefined) content.traceHeader = entry.traceHeader;
      if (deduplicationId !== undefined) content.deduplicationId = deduplicationId;
      messages.push(content);
      const id = messageId(own, tail);
      sent.push(
        lane.fifo ? { messageId: id, sequenceNumber: sequenceNumber(own.sequence) } : { messageId: id },
      );
    }
    const group = prepared[0]?.entry.groupId;
    lane.add(
      place,
      slots,
      group === undefined ? { sentAt: now, messages } : { sentAt: now, group, messages },
    );
  }
}

function checkFifoEntry(queue: string, row: QueueRow, entry: SendEntry, request: "one" | "batch"): void {
  if (entry.groupId === undefined) throw refusals.groupMissing(queue, request);
  if (entry.deduplicationId === undefined && row.attributes.ContentBasedDeduplication !== true)
    throw refusals.deduplicationMissing(queue);
  if (entry.delayMs !== undefined && entry.delayMs !== 0)
    throw refusals.parameter(
      queue,
      "DelaySeconds",
      entry.delayMs / 1000,
      "The request include parameter that is not valid for this queue type.",
    );
}

function unreachable(queue: string): EntryFailure {
  return {
    error: { code: "InternalError", message: `an entry of queue ${queue} was neither sent nor refused` },
  };
}
