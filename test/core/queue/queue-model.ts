import {
  find,
  judgeFair,
  judgeFifo,
  judgeStandard,
  type ModelMessage,
  type Situation,
  stateAt,
} from "./queue-rules.js";

export interface ModelAttributes {
  delayMs: number;
  retentionMs: number;
  visibilityTimeoutMs: number;
  redrive: { target: string; maxReceiveCount: number } | undefined;
}

/** A receive as the model sees it. */
export interface ModelReceipt {
  readonly queue: string;
  readonly message: ModelMessage;
  readonly handle: string;
}

export interface ModelEntry {
  readonly body: string;
  readonly records: number;
  readonly delayMs?: number;
  readonly groupId?: string;
  readonly deduplicationId?: string;
}

/** Ids of what the real queue gave, in order. */
export interface Given {
  readonly ids: readonly string[];
  /** FIFO: what it moved to the dead-letter queue meanwhile. For standard queues the model knows. */
  readonly moved: readonly string[];
}

interface Attempt {
  readonly id: string;
  readonly at: number;
  readonly taken: readonly { readonly message: ModelMessage; readonly touched: number }[];
}

interface ModelQueue {
  readonly fifo: boolean;
  readonly attributes: ModelAttributes;
  /** In order. */
  messages: ModelMessage[];
  /** Deduplication: what has been sent in the last five minutes. */
  repeats: { readonly id: string; readonly until: number; readonly message: ModelMessage }[];
  attempts: Attempt[];
}

const TWELVE_HOURS_MS = 43_200_000;
const FIVE_MINUTES_MS = 300_000;

/**
 * SQS in the plainest way there is: one array a queue, every rule spelled out, nothing indexed, nothing counted in
 * advance. What the real queues are compared with. Where SQS leaves a choice (which group of a FIFO queue comes first,
 * when exactly a tenant is noisy) the model is told what was chosen and judges whether that was allowed.
 */
export class QueueModel {
  now: number;
  readonly #queues = new Map<string, ModelQueue>();

  constructor(now: number) {
    this.now = now;
  }

  create(name: string, attributes: ModelAttributes): void {
    const fifo = name.endsWith(".fifo");
    this.#queues.set(name, { fifo, attributes, messages: [], repeats: [], attempts: [] });
  }

  /** What has expired by now stays gone, even when the retention is raised. FIFO: a new delay holds for those delayed. */
  setAttributes(name: string, attributes: Partial<ModelAttributes>): void {
    const queue = this.#queue(name);
    queue.messages = this.kept(name);
    Object.assign(queue.attributes, attributes);
    if (!queue.fifo) return;
    for (const message of queue.messages)
      if (this.state(message) === "delayed") message.visibleAt = message.sentAt + queue.attributes.delayMs;
  }

  /** For each entry its message: a new one, or the one it repeats. */
  send(name: string, entries: readonly ModelEntry[]): { message: ModelMessage; isNew: boolean }[] {
    const queue = this.#queue(name);
    return entries.map((entry) => {
      const id = entry.deduplicationId;
      const repeat = queue.repeats.find((known) => known.id === id && known.until > this.now);
      if (queue.fifo && id !== undefined && repeat) return { message: repeat.message, isNew: false };
      const delayMs = entry.delayMs ?? queue.attributes.delayMs;
      const message = this.#enqueue(name, entry.body, entry.records, entry.groupId, delayMs);
      if (queue.fifo && id !== undefined)
        queue.repeats.push({ id, until: this.now + FIVE_MINUTES_MS, message });
      return { message, isNew: true };
    });
  }

  /** Takes what the real queue gave, once it is found to be what SQS may give. */
  receive(name: string, most: number, timeoutMs: number | undefined, given: Given): ModelMessage[] {
    const queue = this.#queue(name);
    const before = this.kept(name);
    const messages = find(before, given.ids);
    const situation: Situation = {
      now: this.now,
      kept: before,
      most,
      isSpent: (message) => this.#isSpent(name, message),
    };
    let moved: ModelMessage[] = [];
    if (queue.fifo) {
      moved = find(before, given.moved);
      judgeFifo(situation, messages, moved);
    } else if (before.some((message) => message.group !== undefined)) judgeFair(situation, messages);
    else moved = judgeStandard(situation, messages);

    for (const message of moved) this.#moveAside(name, message);
    for (const message of messages) {
      message.receiveCount += 1;
      message.firstReceivedAt ??= this.now;
      this.#hide(message, timeoutMs ?? queue.attributes.visibilityTimeoutMs);
    }
    return messages;
  }

  /** The messages that a receive request attempt of that id must get again; undefined: it is a receive like any other. */
  repeatAttempt(name: string, id: string, timeoutMs: number | undefined): ModelMessage[] | undefined {
    const queue = this.#queue(name);
    const attempt = queue.attempts.findLast((known) => known.id === id);
    if (!attempt || attempt.at + FIVE_MINUTES_MS <= this.now) return undefined;
    const kept = this.kept(name);
    const untouched = attempt.taken.every(
      ({ message, touched }) =>
        kept.includes(message) && message.touched === touched && message.visibleAt > this.now,
    );
    if (!untouched) return undefined;
    const messages = attempt.taken.map(({ message }) => message);
    for (const message of messages) {
      message.receivedAt = this.now;
      message.visibleAt = this.now + (timeoutMs ?? queue.attributes.visibilityTimeoutMs);
    }
    return messages;
  }

  rememberAttempt(name: string, id: string, messages: readonly ModelMessage[]): void {
    if (messages.length === 0) return;
    const taken = messages.map((message) => ({ message, touched: message.touched }));
    this.#queue(name).attempts.push({ id, at: this.now, taken });
  }

  /** The error code, if any. A FIFO handle is good while its own receive lasts; deleting what is gone is harmless. */
  delete({ queue, message, handle }: ModelReceipt): string | undefined {
    if (!this.kept(queue).includes(message)) return undefined;
    if (this.#isStale(queue, message, handle)) return "InvalidParameterValue";
    this.#remove(queue, message);
    return undefined;
  }

  deleteById(queue: string, message: ModelMessage): number {
    return this.kept(queue).includes(message) && this.#remove(queue, message) ? 1 : 0;
  }

  /** The error code, if any. */
  change({ queue, message, handle }: ModelReceipt, timeoutMs: number): string | undefined {
    if (timeoutMs > TWELVE_HOURS_MS) return "InvalidParameterValue";
    if (!this.kept(queue).includes(message)) return "InvalidParameterValue";
    if (this.#isStale(queue, message, handle)) return "InvalidParameterValue";
    if (this.now - message.receivedAt + timeoutMs > TWELVE_HOURS_MS) return "InvalidParameterValue";
    message.visibleAt = this.now + timeoutMs;
    message.delayed = false;
    message.touched += 1;
    return undefined;
  }

  claim(queue: string, messages: readonly ModelMessage[], timeoutMs: number): ModelMessage[] {
    const there = messages.filter((message) => this.kept(queue).includes(message));
    for (const message of there) this.#hide(message, timeoutMs);
    return there;
  }

  purge(name: string): number {
    const kept = this.kept(name).length;
    this.#queue(name).messages = [];
    this.#queue(name).repeats = [];
    return kept;
  }

  /** A move task over a queue whose messages are all visible: each becomes a new message where it came from, or at `to`, without delay. */
  redrive(name: string, to: string | undefined): ModelMessage[] {
    return this.kept(name).map((message) => {
      this.#remove(name, message);
      const target = to ?? message.source;
      if (target === undefined) throw new Error("the model cannot tell where this message came from");
      return this.#enqueue(target, message.body, message.records, message.group, 0);
    });
  }

  /** Not expired, in order: standard queues by time of sending, wherever a message has been meanwhile. */
  kept(name: string): ModelMessage[] {
    const { fifo, attributes, messages } = this.#queue(name);
    const kept = messages.filter((message) => message.sentAt + attributes.retentionMs > this.now);
    return fifo ? kept : kept.sort((a, b) => a.sentAt - b.sentAt || (a.id < b.id ? -1 : 1));
  }

  state(message: ModelMessage): "visible" | "delayed" | "inFlight" {
    return stateAt(message, this.now);
  }

  depth(name: string) {
    const kept = this.kept(name);
    const count = (state: string) => kept.filter((message) => this.state(message) === state).length;
    return {
      ApproximateNumberOfMessages: count("visible"),
      ApproximateNumberOfMessagesNotVisible: count("inFlight"),
      ApproximateNumberOfMessagesDelayed: count("delayed"),
      bytes: kept.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0),
      records: kept.reduce((sum, { records }) => sum + records, 0),
      oldestSentAt: kept[0]?.sentAt,
    };
  }

  #isSpent(name: string, message: ModelMessage): boolean {
    const { redrive } = this.#queue(name).attributes;
    return redrive !== undefined && message.receiveCount >= redrive.maxReceiveCount;
  }

  #isStale(name: string, message: ModelMessage, handle: string): boolean {
    return this.#queue(name).fifo && (message.handle !== handle || message.visibleAt <= this.now);
  }

  #enqueue(
    name: string,
    body: string,
    records: number,
    group: string | undefined,
    delayMs: number,
  ): ModelMessage {
    const message: ModelMessage = {
      id: "",
      body,
      records,
      group,
      sentAt: this.now,
      visibleAt: this.now + delayMs,
      delayed: delayMs > 0,
      receiveCount: 0,
      firstReceivedAt: undefined,
      receivedAt: 0,
      handle: "",
      touched: 0,
      source: undefined,
    };
    this.#queue(name).messages.push(message);
    return message;
  }

  /** On FIFO queues the time of sending, and with it the retention, begins anew. */
  #moveAside(name: string, message: ModelMessage): void {
    const { redrive } = this.#queue(name).attributes;
    if (!redrive) throw new Error(`${name} has no dead-letter queue`);
    this.#remove(name, message);
    message.source = name;
    message.visibleAt = this.now;
    message.delayed = false;
    if (this.#queue(name).fifo) message.sentAt = this.now;
    this.#queue(redrive.target).messages.push(message);
  }

  #hide(message: ModelMessage, timeoutMs: number): void {
    message.receivedAt = this.now;
    message.visibleAt = this.now + timeoutMs;
    message.delayed = false;
    message.touched += 1;
  }

  #remove(name: string, message: ModelMessage): boolean {
    const { messages } = this.#queue(name);
    const at = messages.indexOf(message);
    if (at >= 0) messages.splice(at, 1);
    return at >= 0;
  }

  #queue(name: string): ModelQueue {
    const queue = this.#queues.get(name);
    if (!queue) throw new Error(`the model has no queue ${name}`);
    return queue;
  }
}
