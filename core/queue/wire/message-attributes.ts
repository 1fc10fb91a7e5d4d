import type { Message, MessageAttribute, MessageAttributes } from "../../contracts/index.js";
import { ConfigError } from "../../contracts/index.js";
import { MESSAGE_ATTRIBUTE_MAP, type Parameters, SYSTEM_ATTRIBUTE_MAP } from "./parameters.js";
import { wireRefusals } from "./wire-error.js";

/** As answers carry it; exactly one of the two values is there. */
export interface WireAttribute {
  readonly StringValue?: string;
  /** Base64. */
  readonly BinaryValue?: string;
  readonly DataType: string;
}

const TRACE_HEADER = "AWSTraceHeader";

/**
 * MessageAttributes of a send; undefined for none. Names, types, values and their number are the queue's to judge; here
 * a type only says which of the two values belongs to it. An absent type or value goes on as an empty one.
 */
export function readAttributes(parameters: Parameters): MessageAttributes | undefined {
  const given = parameters.map("MessageAttributes", MESSAGE_ATTRIBUTE_MAP);
  if (given === undefined || given.size === 0) return undefined;
  const entries: [string, MessageAttribute][] = [];
  for (const [name, value] of given) entries.push([name, readAttribute(value)]);
  // Not by assignment: `__proto__` is a legal name.
  return Object.fromEntries(entries);
}

function readAttribute(given: Parameters): MessageAttribute {
  if (
    hasItems(given, "StringListValues", "StringListValue") ||
    hasItems(given, "BinaryListValues", "BinaryListValue")
  )
    throw new ConfigError(
      "UnsupportedOperation",
      "Message attribute list values in SendMessage operation are not supported.",
    );
  const dataType = given.text("DataType") ?? "";
  if (dataType.startsWith("Binary")) return { dataType, value: given.blob("BinaryValue") ?? Buffer.alloc(0) };
  const value = given.text("StringValue") ?? "";
  return dataType === "String" ? value : { dataType, value };
}

function hasItems(given: Parameters, name: string, member: string): boolean {
  return (given.texts(name, member)?.length ?? 0) > 0;
}

/** The one system attribute that a send may carry; undefined when there is none. */
export function readTraceHeader(parameters: Parameters): string | undefined {
  const given = parameters.map("MessageSystemAttributes", SYSTEM_ATTRIBUTE_MAP);
  if (given === undefined) return undefined;
  for (const name of given.keys())
    if (name !== TRACE_HEADER)
      throw wireRefusals.parameter(
        `Message system attribute name '${name}' is invalid. The only supported message system attribute is ${TRACE_HEADER}.`,
      );
  const header = given.get(TRACE_HEADER);
  if (header === undefined) return undefined;
  if (header.text("DataType") !== "String")
    throw wireRefusals.parameter(
      `The type of message (system) attribute '${TRACE_HEADER}' must be 'String'.`,
    );
  return header.text("StringValue") ?? "";
}

/** The digest's view of a trace header. */
export function traceHeaderAttributes(header: string): readonly (readonly [string, string])[] {
  return [[TRACE_HEADER, header]];
}

export type AttributeFilter = (name: string) => boolean;

/** MessageAttributeNames of a receive: exact names, `All`, `.*`, `*`, and `Pre.*` for names that start with `Pre`. */
export function attributeFilter(names: readonly string[] | undefined): AttributeFilter | undefined {
  if (names === undefined || names.length === 0) return undefined;
  if (names.some((name) => name === "All" || name === ".*" || name === "*")) return () => true;
  const exact = new Set(names);
  const prefixes = names.filter((name) => name.endsWith(".*")).map((name) => name.slice(0, -2));
  return (name) => exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

export function writeAttribute(attribute: MessageAttribute): WireAttribute {
  if (typeof attribute === "string") return { StringValue: attribute, DataType: "String" };
  const { dataType, value } = attribute;
  return typeof value === "string"
    ? { StringValue: value, DataType: dataType }
    : { BinaryValue: value.toString("base64"), DataType: dataType };
}

/** Account that sends; queue name to ARN. */
export interface Naming {
  readonly account: string;
  readonly arnOf: (queue: string) => string;
}

type SystemAttribute = readonly [
  name: string,
  /** Undefined where it does not apply. */
  read: (message: Message, naming: Naming) => string | undefined,
];

const SYSTEM_ATTRIBUTES: readonly SystemAttribute[] = [
  ["SenderId", (_message, { account }) => account],
  ["SentTimestamp", ({ sentAt }) => String(sentAt)],
  ["ApproximateReceiveCount", ({ receiveCount }) => String(receiveCount)],
  ["ApproximateFirstReceiveTimestamp", ({ firstReceivedAt }) => String(firstReceivedAt)],
  ["SequenceNumber", ({ sequenceNumber }) => sequenceNumber],
  ["MessageDeduplicationId", ({ deduplicationId }) => deduplicationId],
  ["MessageGroupId", ({ groupId }) => groupId],
  [TRACE_HEADER, ({ traceHeader }) => traceHeader],
  [
    "DeadLetterQueueSourceArn",
    ({ deadLetterSource }, { arnOf }) =>
      deadLetterSource === undefined ? undefined : arnOf(deadLetterSource),
  ],
];

/** The asked ones; names that do not exist match nothing and raise nothing, as with the service. */
export function systemAttributes(names: readonly string[]): readonly SystemAttribute[] {
  if (names.length === 0) return [];
  if (names.includes("All")) return SYSTEM_ATTRIBUTES;
  return SYSTEM_ATTRIBUTES.filter(([name]) => names.includes(name));
}
