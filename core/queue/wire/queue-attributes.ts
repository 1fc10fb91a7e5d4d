import type { QueueAttributeChanges, QueueAttributes, QueueDepth, QueueInfo } from "../../contracts/index.js";
import { type Place, queueArn, queueOfArn } from "./address.js";
import { jsonObject } from "./json-object.js";
import { checkPolicy } from "./policy.js";
import { wireRefusals } from "./wire-error.js";

/** Attributes of queues as the wire has them: texts by name, policies as JSON with ARNs. */

/** What SQS gives a new queue; the flows' own queues have other defaults. */
export const SERVICE_DEFAULTS: Partial<QueueAttributes> = {
  MaximumMessageSize: 1_048_576,
  MessageRetentionPeriod: 345_600,
  SqsManagedSseEnabled: true,
};

type Changes = { -readonly [K in keyof QueueAttributeChanges]: QueueAttributeChanges[K] };
type Reader = (text: string, name: string, place: Place) => Changes;

const WHOLE = /^\d{1,10}$/;

function whole(text: string, name: string): number {
  if (!WHOLE.test(text)) throw wireRefusals.attributeValue(name);
  return Number(text);
}

/** In any letter case. */
function truth(text: string, name: string): boolean {
  const lower = text.toLowerCase();
  if (lower !== "true" && lower !== "false") throw wireRefusals.attributeValue(name);
  return lower === "true";
}

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["DelaySeconds", (text, name) => ({ DelaySeconds: whole(text, name) })],
  ["MaximumMessageSize", (text, name) => ({ MaximumMessageSize: whole(text, name) })],
  ["MessageRetentionPeriod", (text, name) => ({ MessageRetentionPeriod: whole(text, name) })],
  ["ReceiveMessageWaitTimeSeconds", (text, name) => ({ ReceiveMessageWaitTimeSeconds: whole(text, name) })],
  ["VisibilityTimeout", (text, name) => ({ VisibilityTimeout: whole(text, name) })],
  ["Policy", (text) => ({ Policy: text === "" ? null : checkPolicy(text) })],
  ["RedrivePolicy", (text, _name, place) => ({ RedrivePolicy: text === "" ? null : redrive(text, place) })],
  [
    "RedriveAllowPolicy",
    (text, _name, place) => ({ RedriveAllowPolicy: text === "" ? null : redriveAllow(text, place) }),
  ],
  ["KmsMasterKeyId", (text) => ({ KmsMasterKeyId: text === "" ? null : text })],
  ["KmsDataKeyReusePeriodSeconds", (text, name) => ({ KmsDataKeyReusePeriodSeconds: whole(text, name) })],
  ["SqsManagedSseEnabled", (text, name) => ({ SqsManagedSseEnabled: truth(text, name) })],
  ["ContentBasedDeduplication", (text, name) => ({ ContentBasedDeduplication: truth(text, name) })],
  [
    "DeduplicationScope",
    (text, name) => {
      if (text !== "queue" && text !== "messageGroup") throw wireRefusals.attributeValue(name);
      return { DeduplicationScope: text };
    },
  ],
  [
    "FifoThroughputLimit",
    (text, name) => {
      if (text !== "perQueue" && text !== "perMessageGroupId") throw wireRefusals.attributeValue(name);
      return { FifoThroughputLimit: text };
    },
  ],
  [
    "FifoQueue",
    (text, name) => {
      if (!truth(text, name))
        throw wireRefusals.attributeValue(name, "Modifying queue type is not supported.");
      return { FifoQueue: true };
    },
  ],
]);

/**
 * The attributes of a request. `fifo`: of the queue they are for. Ranges and relations between queues are judged by
 * the queue. Null: to be taken away.
 */
export function readQueueAttributes(
  given: ReadonlyMap<string, string>,
  fifo: boolean,
  place: Place,
): QueueAttributeChanges {
  const changes: Changes = {};
  for (const [name, text] of given) {
    const read = READERS.get(name);
    if (read === undefined) throw wireRefusals.unknownAttribute(name);
    // Even `false`.
    if (name === "FifoQueue" && !fifo) throw wireRefusals.unknownAttribute(name);
    Object.assign(changes, read(text, name, place));
  }
  return withOneEncryption(changes);
}

/** A key of KMS switches the encryption by SQS's own key off, in a new queue too. */
function withOneEncryption(changes: Changes): QueueAttributeChanges {
  const switched = typeof changes.KmsMasterKeyId === "string" && changes.SqsManagedSseEnabled === undefined;
  return switched ? { ...changes, SqsManagedSseEnabled: false } : changes;
}

function redrive(text: string, place: Place): NonNullable<QueueAttributes["RedrivePolicy"]> {
  const refused = (reason: string) => wireRefusals.value("RedrivePolicy", text, reason);
  const policy = jsonObject(text);
  if (policy === undefined) throw refused("Redrive policy is not a valid JSON map.");
  const arn: unknown = Reflect.get(policy, "deadLetterTargetArn");
  const count: unknown = Reflect.get(policy, "maxReceiveCount");
  for (const [name, value] of [
    ["deadLetterTargetArn", arn],
    ["maxReceiveCount", count],
  ])
    if (value === undefined || value === null || value === "")
      throw refused(`Redrive policy does not contain mandatory attribute: ${String(name)}.`);
  if (typeof arn !== "string") throw refused("Invalid value for deadLetterTargetArn.");
  const target = queueOfArn(arn, place.account);
  if (target === undefined) throw refused(`Invalid value for deadLetterTargetArn: ${arn}.`);
  if (target.foreign) throw refused("Dead letter target owner should be same as the source.");
  const maxReceiveCount = typeof count === "string" && WHOLE.test(count) ? Number(count) : count;
  if (typeof maxReceiveCount !== "number" || !(maxReceiveCount >= 1 && maxReceiveCount <= 1000))
    throw refused(
      `Invalid value for maxReceiveCount: ${String(count)}, valid values are from 1 to 1000 both inclusive.`,
    );
  return { deadLetterTargetQueue: target.queue, maxReceiveCount };
}

function redriveAllow(text: string, place: Place): NonNullable<QueueAttributes["RedriveAllowPolicy"]> {
  const refused = (reason: string) => wireRefusals.value("RedriveAllowPolicy", text, reason);
  const policy = jsonObject(text);
  if (policy === undefined) throw refused("Redrive allow policy is not a valid JSON map.");
  const permission: unknown = Reflect.get(policy, "redrivePermission");
  const arns: unknown = Reflect.get(policy, "sourceQueueArns");
  if (permission !== "allowAll" && permission !== "denyAll" && permission !== "byQueue")
    throw refused("Invalid value for redrivePermission: allowAll, denyAll and byQueue are valid.");
  if (permission !== "byQueue") {
    if (arns !== undefined) throw refused("sourceQueueArns is valid only with the permission byQueue.");
    return { redrivePermission: permission };
  }
  if (!Array.isArray(arns) || arns.length < 1 || arns.length > 10)
    throw refused("sourceQueueArns must name 1 to 10 queues with the permission byQueue.");
  const sourceQueues = arns.map((arn: unknown) => {
    const source = typeof arn === "string" ? queueOfArn(arn, place.account) : undefined;
    if (source === undefined || source.foreign)
      throw refused(`Invalid value in sourceQueueArns: ${String(arn)}.`);
    return source.queue;
  });
  return { redrivePermission: permission, sourceQueues };
}

export interface ShownQueue {
  readonly name: string;
  readonly info: QueueInfo;
  readonly attributes: QueueAttributes;
  readonly depth: QueueDepth;
}

type Writer = (queue: ShownQueue, place: Place) => string | number | boolean | undefined;

const seconds = (ms: number) => Math.floor(ms / 1000);
const onFifo =
  (read: (attributes: QueueAttributes) => string | boolean): Writer =>
  ({ info, attributes }) =>
    info.fifo ? read(attributes) : undefined;

const WRITERS: ReadonlyMap<string, Writer> = new Map<string, Writer>([
  ["QueueArn", ({ name }, place) => queueArn(place, name)],
  ["ApproximateNumberOfMessages", ({ depth }) => depth.ApproximateNumberOfMessages],
  ["ApproximateNumberOfMessagesNotVisible", ({ depth }) => depth.ApproximateNumberOfMessagesNotVisible],
  ["ApproximateNumberOfMessagesDelayed", ({ depth }) => depth.ApproximateNumberOfMessagesDelayed],
  ["CreatedTimestamp", ({ info }) => seconds(info.createdAt)],
  ["LastModifiedTimestamp", ({ info }) => seconds(info.modifiedAt)],
  ["DelaySeconds", ({ attributes }) => attributes.DelaySeconds],
  ["MaximumMessageSize", ({ attributes }) => attributes.MaximumMessageSize],
  ["MessageRetentionPeriod", ({ attributes }) => attributes.MessageRetentionPeriod],
  ["ReceiveMessageWaitTimeSeconds", ({ attributes }) => attributes.ReceiveMessageWaitTimeSeconds],
  ["VisibilityTimeout", ({ attributes }) => attributes.VisibilityTimeout],
  ["Policy", ({ attributes }) => attributes.Policy],
  [
    "RedrivePolicy",
    ({ attributes: { RedrivePolicy: policy } }, place) =>
      policy &&
      JSON.stringify({
        deadLetterTargetArn: queueArn(place, policy.deadLetterTargetQueue),
        maxReceiveCount: policy.maxReceiveCount,
      }),
  ],
  [
    "RedriveAllowPolicy",
    ({ attributes: { RedriveAllowPolicy: policy } }, place) =>
      policy &&
      JSON.stringify({
        redrivePermission: policy.redrivePermission,
        sourceQueueArns: policy.sourceQueues?.map((name) => queueArn(place, name)),
      }),
  ],
  ["KmsMasterKeyId", ({ attributes }) => attributes.KmsMasterKeyId],
  ["KmsDataKeyReusePeriodSeconds", ({ attributes }) => attributes.KmsDataKeyReusePeriodSeconds],
  // A queue that a flow made has no word about it; it is shown as the service shows a fresh one.
  [
    "SqsManagedSseEnabled",
    ({ attributes }) => attributes.SqsManagedSseEnabled ?? attributes.KmsMasterKeyId === undefined,
  ],
  ["FifoQueue", onFifo(() => true)],
  ["ContentBasedDeduplication", onFifo((attributes) => attributes.ContentBasedDeduplication ?? false)],
  ["DeduplicationScope", onFifo((attributes) => attributes.DeduplicationScope ?? "queue")],
  ["FifoThroughputLimit", onFifo((attributes) => attributes.FifoThroughputLimit ?? "perQueue")],
]);

/** Throws InvalidAttributeName; attributes that are not set or not of this kind of queue are left out. */
export function writeQueueAttributes(
  names: readonly string[],
  queue: () => ShownQueue,
  place: Place,
): readonly (readonly [string, string])[] {
  for (const name of names)
    if (name !== "All" && !WRITERS.has(name)) throw wireRefusals.unknownAttribute(name);
  if (names.length === 0) return [];
  const shown = queue();
  const asked = names.includes("All") ? WRITERS.keys() : new Set(names);
  const written: [string, string][] = [];
  for (const name of asked) {
    const value = WRITERS.get(name)?.(shown, place);
    if (value !== undefined) written.push([name, String(value)]);
  }
  return written;
}
