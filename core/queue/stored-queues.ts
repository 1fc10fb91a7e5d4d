import {
  type BatchOutcome,
  CancelledError,
  type Clock,
  type Message,
  type PeekedMessage,
  type QueueAttributes,
  type QueueDepth,
  type Queues,
  type QueuesTx,
  type Random,
  type ReceiveRequest,
  type SendEntry,
  type SentMessage,
  type StagedBody,
  throwIfCancelled,
} from "../contracts/index.js";
import type { BlobShelf } from "./blobs.js";
import { Bodies } from "./bodies.js";
import { Catalog } from "./catalog.js";
import { Effects } from "./effects.js";
import { Housekeeping } from "./housekeeping.js";
import { laneEnd, placeAfter, placeBehind } from "./keys.js";
import { Lane } from "./lane.js";
import { LongPolls } from "./long-poll.js";
import { parseMessageId } from "./message-id.js";
import { LONGEST_VISIBILITY_SECONDS } from "./queue-attributes.js";
import { refusals } from "./refusals.js";
import { openQueueTables, type QueueHost } from "./rows.js";
import { expireAll, expiredUpTo } from "./settle.js";
import { StandardQueues } from "./standard-queue.js";
import type { Tables } from "./tables.js";
import { availability, depthOf, peeked } from "./views.js";

/** SQS: about 120,000 messages of a standard queue may be in flight at once. */
const MOST_IN_FLIGHT = 120_000;
const MOST_ENTRIES = 10;
/** Bodies and attributes of one batch together (SQS API reference, SendMessageBatch). */
const LONGEST_BATCH_BYTES = 1_048_576;
const LONGEST_WAIT_MS = 20_000;

/** The buffer on any Tables: memory or LMDB. */
export class StoredQueues implements Queues {
  readonly #tables: Tables;
  readonly #clock: Clock;
  readonly #host: QueueHost;
  readonly #catalog: Catalog;
  readonly #bodies: Bodies;
  readonly #standard: StandardQueues;
  readonly #polls: LongPolls;
  readonly #housekeeping: Housekeeping;
  #closed = false;

  constructor(
    tables: Tables,
    blobs: BlobShelf,
    {
      clock,
      random,
      mostInFlight = MOST_IN_FLIGHT,
    }: { readonly clock: Clock; readonly random: Random; readonly mostInFlight?: number },
  ) {
    this.#tables = tables;
    this.#clock = clock;
    this.#host = {
      tables: openQueueTables(tables),
      snapshot: (work) => tables.read(work),
      now: () => clock.now(),
      random,
    };
    this.#catalog = new Catalog(this.#host);
    this.#bodies = new Bodies(this.#host.tables, blobs, this.#host.snapshot);
    this.#standard = new StandardQueues(this.#host, this.#catalog, this.#bodies, mostInFlight);
    this.#polls = new LongPolls(clock);
    this.#housekeeping = new Housekeeping(this.#host, this.#catalog, this.#bodies, (work) =>
      this.transact(work),
    );
  }

  /** Runs `work` in a transaction; once it is durable, wakes the long polls it concerns and removes released blobs. */
  async transact<T>(work: (effects: Effects) => T): Promise<T> {
    const effects = new Effects();
    const result = await this.#tables.transaction(() => work(effects));
    for (const queue of effects.woken) this.#polls.wake(queue);
    if (effects.releasedBlobs.length > 0) await this.#bodies.removeReleased(effects);
    return result;
  }

  /** The operations that may take part in a transaction. */
  inTransaction(effects: Effects): QueuesTx {
    return {
      send: (queue, entries) => this.#standard.send(queue, entries, effects),
      delete: (queue, handles) => this.#standard.delete(queue, handles, effects),
      deleteById: (queue, ids) => this.#standard.deleteById(queue, ids, effects),
    };
  }

  /** At open: removes what a killed process left behind; the rest goes on in the background. */
  async recover(): Promise<void> {
    await this.transact(() => this.#bodies.sweep());
    this.#housekeeping.wake();
  }

  /** Resolves when the background has nothing left to do. */
  async settled(): Promise<void> {
    await this.#housekeeping.idle();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#polls.wakeAll();
    await this.#housekeeping.stop();
  }

  async createQueue(name: string, attributes: Partial<QueueAttributes> = {}): Promise<void> {
    await this.transact(() => this.#catalog.create(name, attributes));
  }

  async setQueueAttributes(name: string, attributes: Partial<QueueAttributes>): Promise<void> {
    await this.transact((effects) => {
      const row = this.#catalog.row(name);
      const lane = new Lane(this.#host.tables, row.lane);
      expireAll(lane, row, this.#host.now(), this.#bodies, effects);
      lane.save();
      this.#catalog.setAttributes(name, attributes);
      effects.woken.add(name);
    });
  }

  getQueueAttributes(name: string): QueueAttributes {
    return this.#tables.read(() => this.#catalog.row(name).attributes);
  }

  listQueues(prefix?: string): string[] {
    return this.#tables.read(() => this.#catalog.names(prefix));
  }

  hasQueue(name: string): boolean {
    return this.#tables.read(() => this.#catalog.find(name) !== undefined);
  }

  async deleteQueue(name: string): Promise<void> {
    await this.transact((effects) => {
      this.#catalog.delete(name);
      effects.woken.add(name);
    });
    this.#housekeeping.wake();
  }

  async purgeQueue(name: string): Promise<number> {
    const purged = await this.transact(() => {
      const { depth } = this.#depth(name);
      this.#catalog.purge(name);
      return (
        depth.ApproximateNumberOfMessages +
        depth.ApproximateNumberOfMessagesNotVisible +
        depth.ApproximateNumberOfMessagesDelayed
      );
    });
    this.#housekeeping.wake();
    return purged;
  }

  depth(name: string): QueueDepth {
    const { depth, behind } = this.#tables.read(() => this.#depth(name));
    if (behind && !this.#closed) this.#housekeeping.wake();
    return depth;
  }

  stage(body: string | Buffer): Promise<StagedBody> {
    return this.#bodies.stage(body);
  }

  discard(staged: StagedBody): Promise<void> {
    return this.#bodies.discard(staged);
  }

  async send(queue: string, entries: readonly SendEntry[]): Promise<SentMessage[]> {
    checkEntries(queue, "SendMessageBatch", entries.length);
    const bytes = entries.reduce((sum, { body }) => sum + inlineBytes(body), 0);
    if (bytes > LONGEST_BATCH_BYTES) throw refusals.batchTooLong(queue, bytes, LONGEST_BATCH_BYTES);
    return this.transact((effects) => this.#standard.send(queue, entries, effects));
  }

  async receive(queue: string, request: ReceiveRequest): Promise<Message[]> {
    const attributes = this.getQueueAttributes(queue);
    const { maxNumberOfMessages: most, visibilityTimeoutMs, signal } = request;
    const waitMs = request.waitTimeMs ?? attributes.ReceiveMessageWaitTimeSeconds * 1000;
    if (!(Number.isInteger(most) && most >= 1 && most <= MOST_ENTRIES))
      throw refusals.parameter(queue, "MaxNumberOfMessages", most, "Must be between 1 and 10, if provided.");
    if (!(waitMs >= 0 && waitMs <= LONGEST_WAIT_MS))
      throw refusals.parameter(
        queue,
        "WaitTimeSeconds",
        waitMs / 1000,
        "Must be >= 0 and <= 20, if provided.",
      );
    if (visibilityTimeoutMs !== undefined) checkVisibility(queue, visibilityTimeoutMs);

    const end = this.#clock.monotonicMs() + waitMs;
    for (;;) {
      throwIfCancelled(signal);
      this.#throwIfClosed();
      // Looking first costs no write: an empty queue that is polled often leaves the disk alone.
      let next = this.#tables.read(() => this.#availability(queue));
      if (next.now) {
        const received = await this.transact((effects) =>
          this.#standard.receive(queue, most, visibilityTimeoutMs, effects),
        );
        if (received.messages.length > 0) return received.messages;
        if (received.moved) continue;
        if (received.full && waitMs === 0) throw refusals.overLimit(queue, this.#standard.mostInFlight);
        next = { now: false, at: undefined };
      }
      const leftMs = end - this.#clock.monotonicMs();
      if (leftMs <= 0) return [];
      const untilMs = next.at === undefined ? leftMs : next.at - this.#clock.now();
      await this.#polls.pause(queue, Math.min(leftMs, untilMs), signal);
    }
  }

  async delete(queue: string, receiptHandles: readonly string[]): Promise<BatchOutcome[]> {
    checkEntries(queue, "DeleteMessageBatch", receiptHandles.length);
    return this.transact((effects) => this.#standard.delete(queue, receiptHandles, effects));
  }

  async changeVisibility(
    queue: string,
    changes: readonly { readonly receiptHandle: string; readonly visibilityTimeoutMs: number }[],
  ): Promise<BatchOutcome[]> {
    checkEntries(queue, "ChangeMessageVisibilityBatch", changes.length);
    return this.transact((effects) => this.#standard.changeVisibility(queue, changes, effects));
  }

  async claim(queue: string, messageIds: readonly string[], visibilityTimeoutMs: number): Promise<Message[]> {
    checkVisibility(queue, visibilityTimeoutMs);
    return this.transact((effects) => this.#standard.claim(queue, messageIds, visibilityTimeoutMs, effects));
  }

  peek(queue: string, options: { readonly limit: number; readonly after?: string }): PeekedMessage[] {
    return this.#tables.read(() => {
      const row = this.#catalog.row(queue);
      const now = this.#host.now();
      const lane = new Lane(this.#host.tables, row.lane);
      let from = placeAfter(lane.id, expiredUpTo(row, now));
      const after = options.after === undefined ? undefined : parseMessageId(options.after);
      if (after) {
        const behind = placeBehind(lane.id, after);
        if (behind.compare(from) > 0) from = behind;
      }
      return lane
        .messages(from, laneEnd(lane.id), options.limit)
        .map((found) => peeked(found, now, this.#bodies));
    });
  }

  get(queue: string, messageId: string): PeekedMessage | undefined {
    return this.#tables.read(() => {
      const row = this.#catalog.row(queue);
      const lane = new Lane(this.#host.tables, row.lane);
      const found = this.#standard.find(lane, row, messageId);
      return found && peeked(found, this.#host.now(), this.#bodies);
    });
  }

  #depth(name: string) {
    const row = this.#catalog.row(name);
    return depthOf(new Lane(this.#host.tables, row.lane), row, this.#host.now());
  }

  #availability(queue: string) {
    const row = this.#catalog.row(queue);
    return availability(new Lane(this.#host.tables, row.lane), row, this.#host.now());
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new CancelledError("ENVIRONMENT_CLOSED", "The data directory was closed.");
  }
}

function checkEntries(queue: string, action: string, entries: number): void {
  if (entries === 0) throw refusals.emptyBatch(queue, action);
  if (entries > MOST_ENTRIES) throw refusals.tooManyEntries(queue, entries);
}

function checkVisibility(queue: string, timeoutMs: number): void {
  if (!(timeoutMs >= 0 && timeoutMs <= LONGEST_VISIBILITY_SECONDS * 1000))
    throw refusals.parameter(
      queue,
      "VisibilityTimeout",
      timeoutMs / 1000,
      "Must be between 0 and 43200, if provided.",
    );
}

function inlineBytes(body: SendEntry["body"]): number {
  if (typeof body === "string") return Buffer.byteLength(body);
  if (Buffer.isBuffer(body)) return body.length;
  return "inline" in body.content ? body.bytes : 0;
}
