/**
 * The buffer: Amazon SQS semantics with SQS's names, limits and errors (facts/sqs.md). Times are milliseconds in
 * our interfaces; queue attributes keep SQS's names and seconds, since people set them by those names.
 */

export interface QueueAttributes {
  /** 0-900, default 0. */
  readonly DelaySeconds: number;
  /** 1024-1048576 bytes of body and attributes; default 262144. */
  readonly MaximumMessageSize: number;
  /** 60-1209600; default 1209600 (a buffer keeps as long as SQS allows). */
  readonly MessageRetentionPeriod: number;
  /** 0-20, default 0. */
  readonly ReceiveMessageWaitTimeSeconds: number;
  /** 0-43200, default 30. */
  readonly VisibilityTimeout: number;
  /** Where messages go after maxReceiveCount receives. */
  readonly RedrivePolicy?: { readonly deadLetterTargetQueue: string; readonly maxReceiveCount: number };
}

export interface QueueDepth {
  /** Visible now. */
  readonly ApproximateNumberOfMessages: number;
  /** In flight. */
  readonly ApproximateNumberOfMessagesNotVisible: number;
  /** In their first delay. */
  readonly ApproximateNumberOfMessagesDelayed: number;
  /** Bytes of all bodies held, in whatever state. */
  readonly bytes: number;
  /** Sum of the `records` attributes of all messages held. */
  readonly records: number;
  /** Epoch ms; undefined when empty. */
  readonly oldestSentAt: number | undefined;
}

/** String attributes only in this half; binary and number come with the wire. */
export type MessageAttributes = Readonly<Record<string, string>>;

/**
 * A body prepared by Queues.stage, outside any transaction since it may write a file: short ones stay in memory,
 * longer ones wait as a claim check. Good for one message.
 */
export interface StagedBody {
  /** Bytes of the body as sent. */
  readonly bytes: number;
  readonly content: { readonly inline: Buffer } | { readonly blob: string };
}

export interface SendEntry {
  /** UTF-8 text; at least one byte. */
  readonly body: string | Buffer | StagedBody;
  /** 0-900000; default the queue's DelaySeconds. */
  readonly delayMs?: number;
  readonly attributes?: MessageAttributes;
  /** Records in the body, for depth by records; default 1. */
  readonly records?: number;
}

export interface SentMessage {
  readonly messageId: string;
}

export interface Message {
  readonly messageId: string;
  /** Proof of this receive. A later receive makes a new one. */
  readonly receiptHandle: string;
  readonly attributes: MessageAttributes;
  readonly records: number;
  readonly bytes: number;
  /** Epoch ms. */
  readonly sentAt: number;
  readonly firstReceivedAt: number;
  readonly receiveCount: number;
  /** Read lazily from the store; the same bytes as sent (a claim check is followed). Throws after the message is gone. */
  body(): Buffer;
}

/** A look at a message that neither hides nor counts it. */
export interface PeekedMessage extends Omit<Message, "receiptHandle" | "firstReceivedAt"> {
  readonly state: "visible" | "inFlight" | "delayed";
  readonly firstReceivedAt: number | undefined;
}

export interface ReceiveRequest {
  /** 1-10. */
  readonly maxNumberOfMessages: number;
  /** Default the queue's VisibilityTimeout. */
  readonly visibilityTimeoutMs?: number;
  /** Long poll, 0-20000; default the queue's ReceiveMessageWaitTimeSeconds. */
  readonly waitTimeMs?: number;
  readonly signal?: AbortSignal;
}

export interface BatchOutcome {
  readonly receiptHandle: string;
  /** Undefined: done. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** Operations that take part in an Environment transaction. All synchronous; all or nothing. */
export interface QueuesTx {
  /** SQS's per-message validation applies (InvalidMessageContents, too long -> claim check is made by the caller's Queues.stage). */
  send(queue: string, entries: readonly SendEntry[]): SentMessage[];
  /** By receipt handle; deleting twice is harmless; stale handles delete as SQS standard queues do. */
  delete(queue: string, receiptHandles: readonly string[]): BatchOutcome[];
  /** By message id, whatever their state; for closing loads. Absent ids are harmless. Returns how many were there. */
  deleteById(queue: string, messageIds: readonly string[]): number;
}

export interface Queues {
  /** Same attributes or none: returns; different ones: ConfigError QueueNameExists. Name: 1-80 of A-Z a-z 0-9 _ -. */
  createQueue(name: string, attributes?: Partial<QueueAttributes>): Promise<void>;
  setQueueAttributes(name: string, attributes: Partial<QueueAttributes>): Promise<void>;
  getQueueAttributes(name: string): QueueAttributes;
  listQueues(prefix?: string): string[];
  hasQueue(name: string): boolean;
  /** Messages and all. */
  deleteQueue(name: string): Promise<void>;
  purgeQueue(name: string): Promise<number>;
  depth(name: string): QueueDepth;

  /**
   * Makes a body of up to 2 GB ready to be sent: up to 262144 bytes stay in the message, a longer one is written to a
   * file and fsynced (claim check). Resolves when the file is durable. RecordError InvalidMessageContents or
   * BODY_TOO_LARGE; TransientError DISK_FULL.
   */
  stage(body: string | Buffer): Promise<StagedBody>;
  /** Removes what `stage` wrote for a body that will not be sent after all; harmless once it has been sent. */
  discard(staged: StagedBody): Promise<void>;

  /** 1 to 10 entries, all or nothing. */
  send(queue: string, entries: readonly SendEntry[]): Promise<SentMessage[]>;
  receive(queue: string, request: ReceiveRequest): Promise<Message[]>;
  delete(queue: string, receiptHandles: readonly string[]): Promise<BatchOutcome[]>;
  changeVisibility(
    queue: string,
    changes: readonly { readonly receiptHandle: string; readonly visibilityTimeoutMs: number }[],
  ): Promise<BatchOutcome[]>;

  /** Takes these very messages in flight, whatever their state, without counting a receive: an open load resumes with them. Missing ids are left out. */
  claim(queue: string, messageIds: readonly string[], visibilityTimeoutMs: number): Promise<Message[]>;
  /** Oldest first, starting behind `after`; at most `limit`. */
  peek(queue: string, options: { readonly limit: number; readonly after?: string }): PeekedMessage[];
  get(queue: string, messageId: string): PeekedMessage | undefined;
}
