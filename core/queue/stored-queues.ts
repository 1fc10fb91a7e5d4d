import {
  type BatchOutcome,
  CancelledError,
  type Clock,
  type Cooldown,
  type EntryFailure,
  type Message,
  type MoveTask,
  type OpenBody,
  type PeekedMessage,
  type QueueAttributeChanges,
  type QueueAttributes,
  type QueueDepth,
  type QueueInfo,
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
import { Deliveries, type Received } from "./deliveries.js";
import { Effects } from "./effects.js";
import { Housekeeping } from "./housekeeping.js";
import { laneOf } from "./lanes.js";
import { LongPolls } from "./long-poll.js";
import { Looks } from "./looks.js";
import { Shapes } from "./message.js";
import { attributesSize, checkGroupToken } from "./message-content.js";
import { MoveTasks } from "./move-tasks.js";
import { LONGEST_VISIBILITY_SECONDS } from "./queue-attributes.js";
import { refusals } from "./refusals.js";
import { isFifo, openQueueTables, type QueueHost } from "./rows.js";
import { Sending } from "./sending.js";
import { expireAll, redelay } from "./settle.js";
import type { Tables } from "./tables.js";

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
  readonly #sending: Sending;
  readonly #deliveries: Deliveries;
  readonly #looks: Looks;
  readonly #moveTasks: MoveTasks;
  readonly #polls: LongPolls;
  readonly #housekeeping: Housekeeping;
  /** Queues in which there may be something, as far as this process has seen. */
  readonly #promising = new Set<string>();
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
      cache: () => tables.cache,
      now: () => clock.now(),
      random,
    };
    this.#catalog = new Catalog(this.#host);
    this.#bodies = new Bodies(this.#host.tables, blobs, this.#host.snapshot);
    const shapes = new Shapes(this.#host.tables, this.#bodies);
    this.#sending = new Sending(this.#host, this.#catalog, this.#bodies);
    this.#deliveries = new Deliveries(this.#host, this.#catalog, this.#bodies, shapes, mostInFlight);
    this.#looks = new Looks(this.#host, this.#catalog, this.#bodies, {
      deliveries: this.#deliveries,
      shapes,
    });
    const transact = <T>(work: (effects: Effects) => T) => this.transact(work);
    const parts = { catalog: this.#catalog, bodies: this.#bodies, sending: this.#sending };
    this.#moveTasks = new MoveTasks(this.#host, clock, parts, transact);
    this.#polls = new LongPolls(clock);
    this.#housekeeping = new Housekeeping(this.#host, this.#catalog, this.#bodies, transact);
  }

  /** Runs `work` in a transaction; once it is durable, wakes the long polls it concerns and removes released blobs. */
  async transact<T>(work: (effects: Effects) => T): Promise<T> {
    const effects = new Effects();
    const result = await this.#tables.transaction(() => work(effects));
    for (const queue of effects.woken) {
      this.#promising.add(queue);
      this.#polls.wake(queue);
    }
    if (effects.releasedBlobs.length > 0) await this.#bodies.removeReleased(effects);
    return result;
  }

  /** The operations that may take part in a transaction. */
  inTransaction(effects: Effects): QueuesTx {
    return {
      send: (queue, entries) => this.#sending.send(queue, entries, effects),
      delete: (queue, handles) => this.#deliveries.delete(queue, handles, effects),
      deleteById: (queue, ids) => this.#deliveries.deleteById(queue, ids, effects),
    };
  }

  /** At open: removes what a killed process left behind; the rest goes on in the background. */
  async recover(): Promise<void> {
    await this.transact(() => this.#bodies.sweep());
    this.#housekeeping.wake();
    this.#moveTasks.wake();
  }

  /** Resolves when the background has nothing left to do. */
  async settled(): Promise<void> {
    await this.#moveTasks.idle();
    await this.#housekeeping.idle();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#polls.wakeAll();
    await this.#moveTasks.stop();
    await this.#housekeeping.stop();
  }

  async createQueue(
    name: string,
    attributes: Partial<QueueAttributes> = {},
    { cooldown = false }: Cooldown = {},
  ): Promise<void> {
    await this.transact(() => this.#catalog.create(name, attributes, cooldown));
  }

  async setQueueAttributes(name: string, changes: QueueAttributeChanges): Promise<void> {
    await this.transact((effects) => {
      const row = this.#catalog.row(name);
      const lane = laneOf(this.#host, row);
      expireAll(lane, row, this.#host.now(), this.#bodies, effects);
      this.#catalog.setAttributes(name, changes);
      // A FIFO queue's delay holds for what it has already been sent (SQS Developer Guide, delay queues).
      if (lane.fifo && typeof changes.DelaySeconds === "number")
        redelay(lane, changes.DelaySeconds * 1000, this.#host.now());
      lane.save();
      effects.wake(name);
    });
  }

  queueInfo(name: string): QueueInfo {
    return this.#tables.read(() => {
      const row = this.#catalog.row(name);
      return { fifo: isFifo(row), createdAt: row.createdAt, modifiedAt: row.modifiedAt };
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
    await this.transact(() => this.#catalog.delete(name));
    this.#promising.delete(name);
    this.#polls.wakeAll(name);
    this.#housekeeping.wake();
  }

  async purgeQueue(name: string, { cooldown = false }: Cooldown = {}): Promise<number> {
    const purged = await this.transact(() => {
      const { depth } = this.#looks.depth(name);
      this.#catalog.purge(name, cooldown);
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
    const { depth, behind } = this.#tables.read(() => this.#looks.depth(name));
    if (behind && !this.#closed) this.#housekeeping.wake();
    return depth;
  }

  async tagQueue(name: string, tags: Readonly<Record<string, string>>): Promise<void> {
    await this.transact(() => this.#catalog.tag(name, tags));
  }

  async untagQueue(name: string, keys: readonly string[]): Promise<void> {
    await this.transact(() => this.#catalog.untag(name, keys));
  }

  listQueueTags(name: string): Readonly<Record<string, string>> {
    return this.#tables.read(() => this.#catalog.row(name).tags ?? {});
  }

  listDeadLetterSourceQueues(name: string): string[] {
    return this.#tables.read(() => {
      this.#catalog.row(name);
      return this.#catalog.sourcesOf(name);
    });
  }

  async startMessageMoveTask(request: {
    readonly source: string;
    readonly destination?: string;
    readonly maxPerSecond?: number;
  }): Promise<string> {
    const { source, destination, maxPerSecond } = request;
    const taskId = await this.transact(() => this.#moveTasks.start(source, destination, maxPerSecond));
    this.#moveTasks.wake();
    return taskId;
  }

  listMessageMoveTasks(source: string, limit: number): MoveTask[] {
    return this.#tables.read(() => this.#moveTasks.list(source, limit));
  }

  cancelMessageMoveTask(taskId: string): Promise<number> {
    return this.transact(() => this.#moveTasks.cancel(taskId));
  }

  stage(body: string | Buffer): Promise<StagedBody> {
    return this.#bodies.stage(body);
  }

  discard(staged: StagedBody): Promise<void> {
    return this.#bodies.discard(staged);
  }

  async send(queue: string, entries: readonly SendEntry[]): Promise<SentMessage[]> {
    checkEntries(queue, "SendMessageBatch", entries.length);
    if (entries.length > 1) checkTogether(queue, entries);
    return this.transact((effects) => this.#sending.send(queue, entries, effects));
  }

  async sendEach(queue: string, entries: readonly SendEntry[]): Promise<(SentMessage | EntryFailure)[]> {
    checkEntries(queue, "SendMessageBatch", entries.length);
    checkTogether(queue, entries);
    return this.transact((effects) => this.#sending.sendEach(queue, entries, effects));
  }

  async receive(queue: string, request: ReceiveRequest): Promise<Message[]> {
    const { maxNumberOfMessages: most, visibilityTimeoutMs, attemptId, waitTimeMs } = request;
    this.#checkReceive(queue, request);
    const asked = {
      ...(visibilityTimeoutMs !== undefined && { visibilityTimeoutMs }),
      ...(attemptId !== undefined && { attemptId }),
    };
    const take = () => this.transact((effects) => this.#deliveries.receive(queue, most, asked, effects));
    const startedAt = this.#clock.monotonicMs();
    this.#throwIfClosed();
    // It was sent to, or the last receive left something: looking first would be walking twice.
    if (this.#promising.has(queue)) {
      const received = await take();
      if (received.messages.length > 0) return this.#given(queue, received);
      this.#promising.delete(queue);
    }
    const before = this.#tables.read(() => this.#looks.beforeReceive(queue));
    const end = startedAt + (waitTimeMs ?? before.attributes.ReceiveMessageWaitTimeSeconds * 1000);
    // Looking first costs no write: an empty queue that is polled often leaves the disk alone.
    for (let { next } = before; ; ) {
      this.#throwIfClosed();
      if (next.now || attemptId !== undefined) {
        const received = await take();
        if (received.messages.length > 0) return this.#given(queue, received);
        next = this.#tables.read(() => this.#looks.availability(queue));
        if (received.moved) continue;
        if (received.full && end === startedAt && before.attributes.FifoQueue !== true)
          throw refusals.overLimit(queue, this.#deliveries.mostInFlight);
        // What made it look available was time: now it is known when there will be something.
        if (next.now) next = { now: false, at: undefined };
      }
      const leftMs = end - this.#clock.monotonicMs();
      if (leftMs <= 0) return [];
      const untilMs = next.at === undefined ? leftMs : next.at - this.#clock.now();
      const { signal } = request;
      throwIfCancelled(signal);
      await this.#polls.pause(queue, Math.min(leftMs, untilMs), signal);
      throwIfCancelled(signal);
      next = this.#tables.read(() => this.#looks.availability(queue));
    }
  }

  #given(queue: string, { messages, more }: Received): Message[] {
    if (more) this.#polls.wake(queue);
    else this.#promising.delete(queue);
    return messages;
  }

  /** Throws what a receive may not ask for; that there is no such queue comes first. */
  #checkReceive(queue: string, request: ReceiveRequest): void {
    try {
      checkReceive(queue, request);
    } catch (error) {
      this.#tables.read(() => this.#catalog.row(queue));
      throw error;
    }
  }

  async delete(queue: string, receiptHandles: readonly string[]): Promise<BatchOutcome[]> {
    checkEntries(queue, "DeleteMessageBatch", receiptHandles.length);
    return this.transact((effects) => this.#deliveries.delete(queue, receiptHandles, effects));
  }

  async changeVisibility(
    queue: string,
    changes: readonly { readonly receiptHandle: string; readonly visibilityTimeoutMs: number }[],
  ): Promise<BatchOutcome[]> {
    checkEntries(queue, "ChangeMessageVisibilityBatch", changes.length);
    return this.transact((effects) => this.#deliveries.changeVisibility(queue, changes, effects));
  }

  async claim(queue: string, messageIds: readonly string[], visibilityTimeoutMs: number): Promise<Message[]> {
    checkVisibility(queue, visibilityTimeoutMs);
    return this.transact((effects) =>
      this.#deliveries.claim(queue, messageIds, visibilityTimeoutMs, effects),
    );
  }

  peek(queue: string, options: { readonly limit: number; readonly after?: string }): PeekedMessage[] {
    return this.#tables.read(() => this.#looks.peek(queue, options));
  }

  get(queue: string, messageId: string): PeekedMessage | undefined {
    return this.#tables.read(() => this.#looks.get(queue, messageId));
  }

  openBody(queue: string, messageId: string): OpenBody | undefined {
    return this.#tables.read(() => this.#looks.openBody(queue, messageId));
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new CancelledError("ENVIRONMENT_CLOSED", "The data directory was closed.");
  }
}

function checkEntries(queue: string, action: string, entries: number): void {
  if (entries === 0) throw refusals.emptyBatch(queue, action);
  if (entries > MOST_ENTRIES) throw refusals.tooManyEntries(queue, entries);
}

function checkTogether(queue: string, entries: readonly SendEntry[]): void {
  const bytes = entries.reduce(
    (sum, { body, attributes = {} }) => sum + inlineBytes(body) + attributesSize(attributes),
    0,
  );
  if (bytes > LONGEST_BATCH_BYTES) throw refusals.batchTooLong(queue, bytes, LONGEST_BATCH_BYTES);
}

function checkReceive(
  queue: string,
  { maxNumberOfMessages: most, visibilityTimeoutMs, attemptId, waitTimeMs = 0 }: ReceiveRequest,
): void {
  if (!(Number.isInteger(most) && most >= 1 && most <= MOST_ENTRIES))
    throw refusals.parameter(queue, "MaxNumberOfMessages", most, "Must be between 1 and 10, if provided.");
  if (!(waitTimeMs >= 0 && waitTimeMs <= LONGEST_WAIT_MS))
    throw refusals.parameter(
      queue,
      "WaitTimeSeconds",
      waitTimeMs / 1000,
      "Must be >= 0 and <= 20, if provided.",
    );
  if (visibilityTimeoutMs !== undefined) checkVisibility(queue, visibilityTimeoutMs);
  if (attemptId !== undefined) checkGroupToken(queue, "ReceiveRequestAttemptId", attemptId);
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
