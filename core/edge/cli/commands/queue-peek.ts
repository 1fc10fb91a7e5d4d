import { z } from "zod";
import type { MessageAttribute, MessageAttributes, PeekedMessage } from "../../../contracts/index.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { count } from "../input.js";
import { environmentWithQueue } from "../known-queue.js";
import type { Output } from "../output.js";
import { agoText, bytesText, countText, plural } from "../quantity.js";
import { cut, printable } from "../table.js";

/** Lines of a body that people see; --json carries bodies whole. */
const LINES_SHOWN = 5;
const LINE_WIDTH = 160;
/** Messages looked at in one go: a body may have 1 MiB. */
const MOST = 1_000;

export const queuePeek = defineCommand({
  name: "queue peek",
  summary: "look at messages, oldest first, without taking them",
  details: "Neither hides the messages nor counts a receive. Bodies are NDJSON: one record a line.",
  arguments: [{ name: "queue", form: "<queue>", description: "a name from `sluice queue list`" }],
  options: [
    { flags: "--limit <count>", description: `at most so many messages (default: 3; at most ${MOST})` },
  ],
  examples: [
    "sluice queue peek salesforce-accounts--0-lake",
    "sluice queue peek salesforce-accounts--0-lake --limit 1 --json",
  ],
  input: z.object({
    queue: z.string(),
    limit: count(3).refine((limit) => limit >= 1 && limit <= MOST, `expected a number from 1 to ${MOST}`),
  }),
  async run({ queue, limit }, { shell, output, workspace }) {
    await workspace.projectToLookAt();
    const { queues } = await environmentWithQueue(workspace, queue, "look");
    const messages = queues.peek(queue, { limit });
    const now = shell.clock.now();
    output.result(
      messages.map((message) => ({
        messageId: message.messageId,
        state: message.state,
        sentAt: new Date(message.sentAt).toISOString(),
        receiveCount: message.receiveCount,
        records: message.records,
        bytes: message.bytes,
        attributes: attributesDocument(message.attributes),
        ...(message.groupId === undefined ? {} : { groupId: message.groupId }),
        ...(message.deduplicationId === undefined ? {} : { deduplicationId: message.deduplicationId }),
        ...(message.sequenceNumber === undefined ? {} : { sequenceNumber: message.sequenceNumber }),
        ...(message.traceHeader === undefined ? {} : { traceHeader: message.traceHeader }),
        ...(message.deadLetterSource === undefined ? {} : { deadLetterSource: message.deadLetterSource }),
        body: message.body().toString("utf8"),
      })),
      () =>
        messages.length === 0
          ? "The queue is empty."
          : messages.map((message) => messageText(message, now, output)).join("\n\n"),
    );
    return EXIT.done;
  },
});

/** A text as it is; anything else with its data type, bytes as base64. */
function attributesDocument(attributes: MessageAttributes) {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => {
      if (typeof attribute === "string") return [name, attribute];
      const { dataType, value } = attribute;
      return [name, { dataType, value: typeof value === "string" ? value : value.toString("base64") }];
    }),
  );
}

/** `run=20261122T...`, `size(Number)=5`, `icon(Binary.gif)=<1.2 kB>`. */
function attributeText(name: string, attribute: MessageAttribute): string {
  if (typeof attribute === "string") return `${name}=${cut(printable(attribute), 40)}`;
  const { dataType, value } = attribute;
  const shown = typeof value === "string" ? cut(printable(value), 40) : `<${bytesText(value.length)}>`;
  return `${name}(${dataType})=${shown}`;
}

function messageText(message: PeekedMessage, now: number, output: Output): string {
  const attributes = Object.entries(message.attributes)
    // A schema is longer than all the rest and the same in each message; --json has it.
    .map(([name, attribute]) => attributeText(name, attribute))
    .join("  ");
  const head = [
    message.state === "inFlight" ? "in flight" : message.state,
    `sent ${agoText(message.sentAt, now)}`,
    `received ${plural(message.receiveCount, "time")}`,
    plural(message.records, "record"),
    bytesText(message.bytes),
    ...(message.groupId === undefined ? [] : [`group ${printable(message.groupId)}`]),
    ...(message.deadLetterSource === undefined ? [] : [`from ${message.deadLetterSource}`]),
  ].join(", ");
  return [
    `${output.paint("bold", message.messageId)}  ${head}`,
    ...(attributes === "" ? [] : [output.paint("dim", attributes)]),
    ...bodyLines(message.body()),
  ].join("\n");
}

/** First lines of an NDJSON body, each cut to a width, and how many more there are. */
function bodyLines(body: Buffer): string[] {
  const lines: string[] = [];
  let start = 0;
  while (start < body.length && lines.length < LINES_SHOWN) {
    const end = body.indexOf(0x0a, start);
    const stop = end === -1 ? body.length : end;
    // No line needs more bytes than this to fill its width.
    const text = body.subarray(start, Math.min(stop, start + LINE_WIDTH * 8)).toString("utf8");
    lines.push(cut(printable(text), LINE_WIDTH));
    start = stop + 1;
  }
  let more = 0;
  while (start < body.length) {
    more++;
    const end = body.indexOf(0x0a, start);
    start = end === -1 ? body.length : end + 1;
  }
  return more === 0 ? lines : [...lines, `... ${countText(more)} more`];
}
