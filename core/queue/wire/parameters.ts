import { queueNameOf } from "./address.js";
import { wireRefusals } from "./wire-error.js";

/**
 * The parameters of one request (or of one entry of it), whichever protocol they came in. Read lazily and by name: an
 * action takes what it knows, anything else is ignored, as the service does. Absent is undefined. A value of another
 * type throws MalformedInput.
 */
export interface Parameters {
  text(name: string): string | undefined;
  integer(name: string): number | undefined;
  blob(name: string): Buffer | undefined;
  /** `member`: the name of one in the query protocol, which has no lists: `AttributeName.1`. */
  texts(name: string, member: string): readonly string[] | undefined;
  list(name: string, member: string): readonly Parameters[] | undefined;
  textMap(name: string, form: MapForm): ReadonlyMap<string, string> | undefined;
  map(name: string, form: MapForm): ReadonlyMap<string, Parameters> | undefined;
}

/** How a map is written in the query protocol: `Attribute.1.Name`, `Attribute.1.Value`. */
export interface MapForm {
  readonly entry: string;
  readonly key: string;
  readonly value: string;
}

export const QUEUE_ATTRIBUTE_MAP: MapForm = { entry: "Attribute", key: "Name", value: "Value" };
export const TAG_MAP: MapForm = { entry: "Tag", key: "Key", value: "Value" };
export const MESSAGE_ATTRIBUTE_MAP: MapForm = { entry: "MessageAttribute", key: "Name", value: "Value" };
export const SYSTEM_ATTRIBUTE_MAP: MapForm = {
  entry: "MessageSystemAttribute",
  key: "Name",
  value: "Value",
};

/** A text that must be there; throws MissingParameter. */
export function requiredText(parameters: Parameters, name: string): string {
  const text = parameters.text(name);
  if (text === undefined) throw wireRefusals.missing(name);
  return text;
}

/** What any queue's name is made of; other texts are never looked up. */
export const QUEUE_NAME = /^[A-Za-z0-9_.-]{1,80}$/;

/** The name of the queue that QueueUrl stands for; whether there is one is the action's to find out. */
export function requiredQueue(parameters: Parameters): string {
  const url = requiredText(parameters, "QueueUrl");
  const name = queueNameOf(url);
  if (!QUEUE_NAME.test(name)) throw wireRefusals.address(url);
  return name;
}

/** Throws InvalidParameterValue with SQS's usual words. */
export function integerBetween(
  parameters: Parameters,
  name: string,
  least: number,
  most: number,
  reason = `Must be between ${least} and ${most}, if provided.`,
): number | undefined {
  const value = parameters.integer(name);
  if (value !== undefined && (value < least || value > most)) throw wireRefusals.value(name, value, reason);
  return value;
}
