import type { MessageAttributes, SendEntry } from "../contracts/index.js";
import type { Rejection } from "../flow/types.js";

/** Characters that Amazon SQS refuses in a message. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the control characters are what is looked for
const REFUSED = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const REASON_CHARACTERS = 1_000;

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
}

export function deadLetterAttributes(reason: DeadLetterReason): MessageAttributes {
  return {
    flow: reason.flow,
    run: reason.run,
    stage: reason.stage,
    rule: printable(reason.rule),
    reason: printable(reason.reason),
    ...(reason.order === "" ? {} : { order: printable(reason.order) }),
    ...(reason.sink === undefined ? {} : { sink: reason.sink, sinkIndex: String(reason.sinkIndex ?? 0) }),
  };
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
