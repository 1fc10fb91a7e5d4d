import { invariant, type MessageAttributes, type SendEntry } from "../contracts/index.js";
import type { Rejection } from "../flow/types.js";

/** Characters that Amazon SQS refuses in a message. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the control characters are what is looked for
const REFUSED = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const REASON_CHARACTERS = 1_000;
/** A message of Amazon SQS takes ten attributes; a letter that a person edits gets two more than it was born with. */
const MOST_ATTRIBUTES = 10;
const EDITING_ATTRIBUTES = 2;

/** What may refuse a record, in the order of its way. */
export const STAGES = ["source", "filter", "map", "validate", "sink"] as const;

/** Why a record rests in a dead-letter queue; the message's attributes. */
export interface DeadLetterReason {
  readonly flow: string;
  readonly run: string;
  /** `sink`: the body is the mapped record and goes back to that sink; otherwise the body is the source record. */
  readonly stage: Rejection["stage"] | "sink";
  /** Connection of the sink that refused it, and its position in the flow. */
  readonly sink?: string;
  readonly sinkIndex?: number;
  readonly rule: string;
  readonly reason: string;
  /** The record's order: a redriven record never overwrites a newer version. */
  readonly order: string;
  /** Columns of a mapped record, by their id. */
  readonly schema?: string | undefined;
}

export function deadLetterAttributes(reason: DeadLetterReason): MessageAttributes {
  const attributes = {
    flow: reason.flow,
    run: reason.run,
    stage: reason.stage,
    rule: printable(reason.rule),
    reason: printable(reason.reason),
    ...(reason.order === "" ? {} : { order: printable(reason.order) }),
    ...(reason.sink === undefined ? {} : { sink: reason.sink, sinkIndex: String(reason.sinkIndex ?? 0) }),
    ...(reason.schema === undefined ? {} : { schema: reason.schema }),
  };
  const count = Object.keys(attributes).length + EDITING_ATTRIBUTES;
  invariant(count <= MOST_ATTRIBUTES, "LETTER_ATTRIBUTES", `a dead letter may come to ${count} attributes`);
  return attributes;
}

/** One dead letter; `line` is one NDJSON line without its end. */
export function deadLetter(body: SendEntry["body"], reason: DeadLetterReason): SendEntry {
  return { body, records: 1, attributes: deadLetterAttributes(reason) };
}

function printable(text: string): string {
  const clean = text.toWellFormed().replaceAll(REFUSED, "\ufffd");
  const characters = [...clean];
  if (clean === "") return "-";
  return characters.length <= REASON_CHARACTERS
    ? clean
    : `${characters.slice(0, REASON_CHARACTERS).join("")}…`;
}
