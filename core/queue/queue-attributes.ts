import type { QueueAttributeChanges, QueueAttributes } from "../contracts/index.js";
import { refusals } from "./refusals.js";

export const DEFAULT_ATTRIBUTES: QueueAttributes = {
  DelaySeconds: 0,
  MaximumMessageSize: 262144,
  MessageRetentionPeriod: 1209600,
  ReceiveMessageWaitTimeSeconds: 0,
  VisibilityTimeout: 30,
};

const FIFO_DEFAULTS = {
  ContentBasedDeduplication: false,
  DeduplicationScope: "queue",
  FifoThroughputLimit: "perQueue",
} as const;

/** Whole numbers only, both ends included (SQS API reference, SetQueueAttributes). */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  DelaySeconds: [0, 900],
  MaximumMessageSize: [1024, 1048576],
  MessageRetentionPeriod: [60, 1209600],
  ReceiveMessageWaitTimeSeconds: [0, 20],
  VisibilityTimeout: [0, 43200],
  KmsDataKeyReusePeriodSeconds: [60, 86400],
};

/** One of these values. */
const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  FifoQueue: [true],
  ContentBasedDeduplication: [true, false],
  DeduplicationScope: ["queue", "messageGroup"],
  FifoThroughputLimit: ["perQueue", "perMessageGroupId"],
  SqsManagedSseEnabled: [true, false],
};

/** Any text. */
const TEXTS: ReadonlySet<string> = new Set(["Policy", "KmsMasterKeyId"]);
const LONGEST_POLICY_BYTES = 8192;

/** SQS tells these two apart from those it merely does not know on a standard queue. */
const UNKNOWN_ON_STANDARD: ReadonlySet<string> = new Set(["FifoQueue", "ContentBasedDeduplication"]);
const FIFO_ONLY: ReadonlySet<string> = new Set(["DeduplicationScope", "FifoThroughputLimit"]);

/** Seconds a message may stay hidden, counted from its receive. */
export const LONGEST_VISIBILITY_SECONDS = 43200;
const MOST_SOURCES = 10;

const NAME = /^[A-Za-z0-9_-]{1,80}$/;
const FIFO_NAME = /^[A-Za-z0-9_-]{1,75}\.fifo$/;

export function checkQueueName(name: string, fifo: boolean): void {
  const valid = fifo ? FIFO_NAME.test(name) : NAME.test(name);
  if (!valid) throw refusals.queueName(name, fifo);
}

/** Attributes of a new queue: what was given over what is usual for its type. */
export function initialAttributes(given: Partial<QueueAttributes>): QueueAttributes {
  return { ...DEFAULT_ATTRIBUTES, ...(given.FifoQueue && FIFO_DEFAULTS), ...withKey(given) };
}

/** Null takes away. */
export function changedAttributes(current: QueueAttributes, changes: QueueAttributeChanges): QueueAttributes {
  const next = withoutAbsent({ ...current, ...withKey(changes) });
  // Of the required ones none can be null: checkAttributes has seen to it.
  return { ...DEFAULT_ATTRIBUTES, ...(current.FifoQueue && FIFO_DEFAULTS), ...next };
}

/** A KMS key turns the managed encryption off, as SQS does. */
function withKey<T extends QueueAttributeChanges>(changes: T): T {
  return typeof changes.KmsMasterKeyId === "string" && changes.SqsManagedSseEnabled == null
    ? { ...changes, SqsManagedSseEnabled: false }
    : changes;
}

/** What this queue may name as dead-letter target, and whether that one agrees. */
export interface TargetOf {
  readonly fifo: boolean;
  readonly allows: QueueAttributes["RedriveAllowPolicy"];
}

/** `fifo`: the type of the queue; `target` answers for a queue by name. */
export function checkAttributes(
  queue: string,
  attributes: QueueAttributeChanges,
  { fifo, target }: { readonly fifo: boolean; readonly target: (name: string) => TargetOf | undefined },
): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    if (!fifo && UNKNOWN_ON_STANDARD.has(name)) throw refusals.unknownAttribute(queue, name);
    if (!fifo && FIFO_ONLY.has(name)) throw refusals.fifoOnly(queue, name);
    checkValue(queue, name, value);
  }
  if (attributes.KmsMasterKeyId && attributes.SqsManagedSseEnabled === true) throw refusals.encryption(queue);
  checkAllowPolicy(queue, attributes.RedriveAllowPolicy);
  checkRedrivePolicy(queue, attributes.RedrivePolicy, fifo, target);
}

/** What two attributes must be together. */
export function checkTogether(queue: string, { DeduplicationScope, FifoThroughputLimit }: QueueAttributes) {
  if (FifoThroughputLimit === "perMessageGroupId" && DeduplicationScope !== "messageGroup")
    throw refusals.attributeValue(
      queue,
      "FifoThroughputLimit",
      "perMessageGroupId only together with DeduplicationScope messageGroup",
    );
}

function checkValue(queue: string, name: string, value: unknown): void {
  if (name === "RedrivePolicy" || name === "RedriveAllowPolicy") return;
  const range = RANGES[name];
  const choice = CHOICES[name];
  if (range) {
    const [least, most] = range;
    if (value === null && name === "KmsDataKeyReusePeriodSeconds") return;
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
      throw refusals.attributeValue(queue, name, `a whole number from ${least} to ${most}`);
  } else if (choice) {
    if (name === "FifoQueue" && value !== true) throw refusals.queueType(queue);
    if (value !== null && !choice.includes(value))
      throw refusals.attributeValue(queue, name, `one of ${choice.join(", ")}`);
  } else if (TEXTS.has(name)) {
    if (value !== null && (typeof value !== "string" || Buffer.byteLength(value) > LONGEST_POLICY_BYTES))
      throw refusals.attributeValue(queue, name, `text of at most ${LONGEST_POLICY_BYTES} bytes`);
    if (name === "Policy" && typeof value === "string" && !isJson(value))
      throw refusals.attributeValue(queue, name, "a policy document in JSON");
  } else throw refusals.unknownAttribute(queue, name);
}

function checkAllowPolicy(queue: string, policy: QueueAttributeChanges["RedriveAllowPolicy"]): void {
  if (!policy) return;
  const { redrivePermission, sourceQueues } = policy;
  if (!["allowAll", "denyAll", "byQueue"].includes(redrivePermission))
    throw refusals.attributeValue(queue, "RedriveAllowPolicy", "allowAll, denyAll or byQueue");
  const named = sourceQueues?.length ?? 0;
  if (redrivePermission === "byQueue" ? named < 1 || named > MOST_SOURCES : named > 0)
    throw refusals.attributeValue(
      queue,
      "RedriveAllowPolicy",
      `1 to ${MOST_SOURCES} sourceQueueArns with byQueue, none without`,
    );
}

function checkRedrivePolicy(
  queue: string,
  policy: QueueAttributeChanges["RedrivePolicy"],
  fifo: boolean,
  target: (name: string) => TargetOf | undefined,
): void {
  if (!policy) return;
  const { deadLetterTargetQueue: name, maxReceiveCount: most } = policy;
  if (!Number.isInteger(most) || most < 1 || most > 1000)
    throw refusals.redrivePolicy(
      queue,
      `Invalid value for maxReceiveCount: ${most}, valid values are from 1 to 1000 both inclusive.`,
    );
  const other = target(name);
  if (name === queue || !other)
    throw refusals.redrivePolicy(queue, `Dead-letter target ${name} does not exist or is the queue itself.`);
  if (other.fifo !== fifo)
    throw refusals.redrivePolicy(
      queue,
      `Dead-letter queue must be same type of queue as the source: ${name} is ${other.fifo ? "FIFO" : "standard"}.`,
    );
  const { redrivePermission = "allowAll", sourceQueues = [] } = other.allows ?? {};
  if (redrivePermission === "denyAll" || (redrivePermission === "byQueue" && !sourceQueues.includes(queue)))
    throw refusals.redrivePolicy(queue, `Dead-letter target ${name} does not allow redrive from this queue.`);
}

/** The first attribute that was sent and differs from the queue's; undefined when all agree. */
export function firstDifference(
  current: QueueAttributes,
  sent: Partial<QueueAttributes>,
): string | undefined {
  const now: ReadonlyMap<string, unknown> = new Map(Object.entries(current));
  for (const [name, value] of Object.entries(sent))
    if (value !== undefined && canonical(value) !== canonical(now.get(name))) return name;
  return undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Objects by their members, whatever their order. */
function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value) ?? "";
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(members);
}

function withoutAbsent<T extends object>(attributes: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const present: { [K in keyof T]?: NonNullable<T[K]> } = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined && value !== null) present[name] = value;
  }
  return present;
}
