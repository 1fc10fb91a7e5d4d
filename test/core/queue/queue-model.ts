/**
 * SQS standard queues in the plainest way there is: one array a queue, every rule spelled out, nothing indexed,
 * nothing counted in advance. What the real ones are compared with.
 */
export interface ModelMessage {
  /** Set once the real queue has named it. */
  id: string;
  readonly body: string;
  readonly records: number;
  readonly sentAt: number;
  visibleAt: number;
  delayed: boolean;
  receiveCount: number;
  firstReceivedAt: number | undefined;
  receivedAt: number;
  source: string | undefined;
}

export interface ModelAttributes {
  delayMs: number;
  retentionMs: number;
  visibilityTimeoutMs: number;
  redrive: { target: string; maxReceiveCount: number } | undefined;
}

/** A receive as the model sees it; the real handle is kept beside it. */
export interface ModelReceipt {
  readonly queue: string;
  readonly message: ModelMessage;
}

const TWELVE_HOURS_MS = 43_200_000;

export class QueueModel {
  now: number;
  readonly #queues = new Map<string, { attributes: ModelAttributes; messages: ModelMessage[] }>();

  constructor(now: number) {
    this.now = now;
  }

  create(queue: string, attributes: ModelAttributes): void {
    this.#queues.set(queue, { attributes, messages: [] });
  }

  /** What has expired by now stays gone, even when the retention is raised. */
  setAttributes(queue: string, attributes: Partial<ModelAttributes>): void {
    this.#queue(queue).messages = this.kept(queue);
    Object.assign(this.#queue(queue).attributes, attributes);
  }

  send(
    queue: string,
    entries: readonly { body: string; records: number; delayMs?: number }[],
  ): ModelMessage[] {
    const { attributes, messages } = this.#queue(queue);
    const sent = entries.map(({ body, records, delayMs = attributes.delayMs }) => ({
      id: "",
      body,
      records,
      sentAt: this.now,
      visibleAt: this.now + delayMs,
      delayed: delayMs > 0,
      receiveCount: 0,
      firstReceivedAt: undefined,
      receivedAt: 0,
      source: undefined,
    }));
    messages.push(...sent);
    return sent;
  }

  receive(queue: string, most: number, timeoutMs: number | undefined): ModelMessage[] {
    const { attributes } = this.#queue(queue);
    const received: ModelMessage[] = [];
    for (const message of this.kept(queue)) {
      if (received.length === most) break;
      if (message.visibleAt > this.now) continue;
      const { redrive } = attributes;
      if (redrive && message.receiveCount >= redrive.maxReceiveCount) {
        this.#remove(queue, message);
        message.source = queue;
        message.visibleAt = this.now;
        message.delayed = false;
        this.#queue(redrive.target).messages.push(message);
        continue;
      }
      message.receiveCount += 1;
      message.firstReceivedAt ??= this.now;
      this.#hide(message, timeoutMs ?? attributes.visibilityTimeoutMs);
      received.push(message);
    }
    return received;
  }

  delete({ queue, message }: ModelReceipt): void {
    this.#remove(queue, message);
  }

  deleteById(queue: string, message: ModelMessage): number {
    return this.kept(queue).includes(message) && this.#remove(queue, message) ? 1 : 0;
  }

  /** The error code, if any. */
  change({ queue, message }: ModelReceipt, timeoutMs: number): string | undefined {
    if (timeoutMs > TWELVE_HOURS_MS) return "InvalidParameterValue";
    if (!this.kept(queue).includes(message)) return "InvalidParameterValue";
    if (this.now - message.receivedAt + timeoutMs > TWELVE_HOURS_MS) return "InvalidParameterValue";
    message.visibleAt = this.now + timeoutMs;
    message.delayed = false;
    return undefined;
  }

  claim(queue: string, messages: readonly ModelMessage[], timeoutMs: number): ModelMessage[] {
    const there = messages.filter((message) => this.kept(queue).includes(message));
    for (const message of there) this.#hide(message, timeoutMs);
    return there;
  }

  purge(queue: string): number {
    const kept = this.kept(queue).length;
    this.#queue(queue).messages = [];
    return kept;
  }

  /** Not expired, in order of sending. */
  kept(queue: string): ModelMessage[] {
    const { attributes, messages } = this.#queue(queue);
    return messages
      .filter((message) => message.sentAt + attributes.retentionMs > this.now)
      .sort((a, b) => a.sentAt - b.sentAt || (a.id < b.id ? -1 : 1));
  }

  state(message: ModelMessage): "visible" | "delayed" | "inFlight" {
    if (message.visibleAt <= this.now) return "visible";
    return message.delayed ? "delayed" : "inFlight";
  }

  depth(queue: string) {
    const kept = this.kept(queue);
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

  #hide(message: ModelMessage, timeoutMs: number): void {
    message.receivedAt = this.now;
    message.visibleAt = this.now + timeoutMs;
    message.delayed = false;
  }

  #remove(queue: string, message: ModelMessage): boolean {
    const { messages } = this.#queue(queue);
    const at = messages.indexOf(message);
    if (at >= 0) messages.splice(at, 1);
    return at >= 0;
  }

  #queue(name: string) {
    const queue = this.#queues.get(name);
    if (!queue) throw new Error(`the model has no queue ${name}`);
    return queue;
  }
}
