import type { QueueAttributes } from "../contracts/index.js";
import { refusals } from "./refusals.js";

export const DEFAULT_ATTRIBUTES: QueueAttributes = {
  DelaySeconds: 0,
  MaximumMessageSize: 262144,
  MessageRetentionPeriod: 1209600,
  ReceiveMessageWaitTimeSeconds: 0,
  VisibilityTimeout: 30,
};

/** Whole numbers only, both ends included (SQS API reference, SetQueueAttributes). */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  DelaySeconds: [0, 900],
  MaximumMessageSize: [1024, 1048576],
  MessageRetentionPeriod: [60, 1209600],
  ReceiveMessageWaitTimeSeconds: [0, 20],
  VisibilityTimeout: [0, 43200],
};

/** Seconds a message may stay hidden, counted from its receive. */
export const LONGEST_VISIBILITY_SECONDS = 43200;

const NAME = /^[A-Za-z0-9_-]{1,80}$/;

export function checkQueueName(name: string): void {
  if (!NAME.test(name)) throw refusals.queueName(name);
}

/** `hasQueue` answers for the dead-letter target. */
export function checkAttributes(
  queue: string,
  attributes: Partial<QueueAttributes>,
  hasQueue: (name: string) => boolean,
): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "RedrivePolicy") continue;
    const range = RANGES[name];
    if (!range) throw refusals.unknownAttribute(queue, name);
    const [least, most] = range;
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
      throw refusals.attributeValue(queue, name, `a whole number from ${least} to ${most}`);
  }
  const policy = attributes.RedrivePolicy;
  if (policy === undefined) return;
  const { deadLetterTargetQueue: target, maxReceiveCount: most } = policy;
  if (!Number.isInteger(most) || most < 1 || most > 1000)
    throw refusals.redrivePolicy(
      queue,
      `Invalid value for maxReceiveCount: ${most}, valid values are from 1 to 1000 both inclusive.`,
    );
  if (target === queue || !hasQueue(target))
    throw refusals.redrivePolicy(
      queue,
      `Dead-letter target ${target} does not exist or is the queue itself.`,
    );
}

/** The first attribute that was sent and differs from the queue's; undefined when all agree. */
export function firstDifference(
  current: QueueAttributes,
  sent: Partial<QueueAttributes>,
): string | undefined {
  const now: ReadonlyMap<string, unknown> = new Map(Object.entries(current));
  for (const [name, value] of Object.entries(sent)) {
    if (name !== "RedrivePolicy" && value !== undefined && value !== now.get(name)) return name;
  }
  const policy = sent.RedrivePolicy;
  if (policy === undefined) return undefined;
  const same =
    policy.deadLetterTargetQueue === current.RedrivePolicy?.deadLetterTargetQueue &&
    policy.maxReceiveCount === current.RedrivePolicy.maxReceiveCount;
  return same ? undefined : "RedrivePolicy";
}
