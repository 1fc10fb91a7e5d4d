import type { Readable } from "node:stream";

/**
 * The buffer: Amazon SQS semantics with SQS's names, limits and errors (SQS API reference). Times are milliseconds in
 * our interfaces; queue attributes keep SQS's names and seconds, since people set them by those names. Queues are
 * named, not addressed: URLs and ARNs belong to the wire.
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
  /** Which queues may name this one as their dead-letter queue; default all. At most ten names, only with byQueue. */
  readonly RedriveAllowPolicy?: {
    readonly redrivePermission: "allowAll" | "denyAll" | "byQueue";
    readonly sourceQueues?: readonly string[];
  };
  /** FIFO queues only; their names end in `.fifo`. Given at creation, never changed. */
  readonly FifoQueue?: true;
  /** FIFO only, default false: the SHA-256 of the body stands in for a deduplication id. */
  readonly ContentBasedDeduplication?: boolean;
  /** FIFO only, default queue. */
  readonly DeduplicationScope?: "queue" | "messageGroup";
  /** FIFO only, default perQueue; perMessageGroupId only with the scope messageGroup. */
  readonly FifoThroughputLimit?: "perQueue" | "perMessageGroupId";
  /** Kept and shown, without effect: this machine's files are protected by its file system. */
  readonly Policy?: string;
  readonly KmsMasterKeyId?: string;
  /** 60-86400. */
  readonly KmsDataKeyReusePeriodSeconds?: number;
  readonly SqsManagedSseEnabled?: boolean;
}

/** Null takes an optional attribute away. */
export type QueueAttributeChanges = {
  readonly [K in keyof QueueAttributes]?: QueueAttributes[K] | null;
};

/** What SQS shows of a queue beside its attributes and depth. Epoch ms. */
export interface QueueInfo {
  readonly fifo: boolean;
  readonly createdAt: number;
  readonly modifiedAt: number;
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

/** An attribute whose data type is not plain `String`: `Number`, `Binary.gif`, `String.label`. Binary values are bytes. */
export interface TypedAttribute {
  readonly dataType: string;
  readonly value: string | Buffer;
}

/** A bare string is of data type `String`. */
export type MessageAttribute = string | TypedAttribute;

export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

/** The attributes that are texts, by name: what the flows write on their messages. */
export function textAttributes(attributes: MessageAttributes): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(attributes).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

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
  /** UTF-8 text; at least one byte. A Buffer may be used again once it was sent. */
  readonly body: string | Buffer | StagedBody;
  /** 0-900000; default the queue's DelaySeconds. */
  readonly delayMs?: number;
  readonly attributes?: MessageAttributes;
  /** Records in the body, for depth by records; default 1. */
  readonly records?: number;
  /** FIFO: required. Standard queues: the tenant, for fair queues. 1-128 letters, digits and ASCII punctuation. */
  readonly groupId?: string;
  /** FIFO only; same characters. */
  readonly deduplicationId?: string;
  /** The AWSTraceHeader system attribute. */
  readonly traceHeader?: string;
}

export interface SentMessage {
  readonly messageId: string;
  /** FIFO only: 20 digits, rising within a group. */
  readonly sequenceNumber?: string;
}

/** An entry that was refused while others of its batch went through. `code` as in SQS's batch answers. */
export interface EntryFailure {
  readonly error: { readonly code: string; readonly message: string };
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
  readonly groupId?: string;
  /** FIFO only. In a FIFO dead-letter queue the message's own id. */
  readonly deduplicationId?: string;
  readonly sequenceNumber?: string;
  readonly traceHeader?: string;
  /** The queue it came from, once it has been moved to a dead-letter queue. */
  readonly deadLetterSource?: string;
  /**
   * The same bytes as sent. A short body came with the message; a longer one is read from the store when it is asked
   * for (a claim check is followed), and RecordError MESSAGE_GONE says that the message is gone by then. Not to be changed.
   */
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
  /** FIFO only (ReceiveRequestAttemptId): the same id within 5 minutes gives the same messages and handles again. */
  readonly attemptId?: string;
  /** Read only when the receive waits, so that a caller may make it then: most find messages at once. */
  readonly signal?: AbortSignal;
}

export interface BatchOutcome {
  readonly receiptHandle: string;
  /** Undefined: done. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** SQS's protection against creating a queue within 60 s of its deletion and against purging twice within 60 s. */
export interface Cooldown {
  /** Default false: the flows' own queues know none. */
  readonly cooldown?: boolean;
}

/** A dead-letter redrive under way or finished (SQS: message move task). */
export interface MoveTask {
  readonly taskId: string;
  readonly source: string;
  /** Undefined: every message goes back to the queue it came from. */
  readonly destination: string | undefined;
  /** 1-500 messages a second; undefined: as fast as it goes. */
  readonly maxPerSecond: number | undefined;
  readonly status: "RUNNING" | "COMPLETED" | "CANCELLING" | "CANCELLED" | "FAILED";
  /** Epoch ms. */
  readonly startedAt: number;
  readonly moved: number;
  /** As counted at the start. */
  readonly toMove: number;
  /** SQS's code for what stopped a FAILED one: `AWS.SimpleQueueService.NonExistentQueue`. */
  readonly failureReason?: string;
}

export interface OpenBody {
  readonly bytes: number;
  /** Epoch ms of the send. */
  readonly sentAt: number;
  /** Fails with ENOENT when the message went in the meantime. */
  read(): Readable;
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
  /**
   * Same attributes or none: returns; different ones: ConfigError QueueNameExists; QueueDeletedRecently within the
   * cooldown. Name: 1-80 of A-Z a-z 0-9 _ -, a FIFO queue's ending in `.fifo`.
   */
  createQueue(name: string, attributes?: Partial<QueueAttributes>, options?: Cooldown): Promise<void>;
  setQueueAttributes(name: string, attributes: QueueAttributeChanges): Promise<void>;
  queueInfo(name: string): QueueInfo;
  getQueueAttributes(name: string): QueueAttributes;
  listQueues(prefix?: string): string[];
  hasQueue(name: string): boolean;
  /** Messages and all. */
  deleteQueue(name: string): Promise<void>;
  /** PurgeQueueInProgress within the cooldown. Returns how many messages went. */
  purgeQueue(name: string, options?: Cooldown): Promise<number>;
  depth(name: string): QueueDepth;
  /** At most 50; keys of 1-128, values of 0-256 characters, no `aws:` prefix. */
  tagQueue(name: string, tags: Readonly<Record<string, string>>): Promise<void>;
  /** Unknown keys are harmless. */
  untagQueue(name: string, keys: readonly string[]): Promise<void>;
  listQueueTags(name: string): Readonly<Record<string, string>>;

  /** Queues whose RedrivePolicy names this one. */
  listDeadLetterSourceQueues(name: string): string[];
  /**
   * Moves the messages of a dead-letter queue, in the background and across restarts; each becomes a new message.
   * Returns the task's id. ConfigError ResourceNotFoundException, InvalidParameterValue.
   */
  startMessageMoveTask(request: {
    readonly source: string;
    readonly destination?: string;
    readonly maxPerSecond?: number;
  }): Promise<string>;
  /** Newest first; at most `limit` (1-10). */
  listMessageMoveTasks(source: string, limit: number): MoveTask[];
  /** Returns how many had been moved. ConfigError ResourceNotFoundException for a task that is not running. */
  cancelMessageMoveTask(taskId: string): Promise<number>;

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
  /** The same for each entry alone, as SendMessageBatch does; whatever concerns the whole request is thrown. */
  sendEach(queue: string, entries: readonly SendEntry[]): Promise<(SentMessage | EntryFailure)[]>;
  receive(queue: string, request: ReceiveRequest): Promise<Message[]>;
  delete(queue: string, receiptHandles: readonly string[]): Promise<BatchOutcome[]>;
  changeVisibility(
    queue: string,
    changes: readonly { readonly receiptHandle: string; readonly visibilityTimeoutMs: number }[],
  ): Promise<BatchOutcome[]>;

  /** Takes these very messages in flight, whatever their state, without counting a receive: an open load resumes with them. Missing ids are left out. */
  claim(queue: string, messageIds: readonly string[], visibilityTimeoutMs: number): Promise<Message[]>;
  /** Oldest first, starting behind `after`; at most `limit`. In a FIFO dead-letter queue `after` must still be there. */
  peek(queue: string, options: { readonly limit: number; readonly after?: string }): PeekedMessage[];
  get(queue: string, messageId: string): PeekedMessage | undefined;
  /** A body as a stream, for those of gigabytes; undefined when the message is gone. */
  openBody(queue: string, messageId: string): OpenBody | undefined;
}
