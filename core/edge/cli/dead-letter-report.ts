import { type DeadLetter, jsonOf } from "../../run/deadletters.js";
import type { RefusalCount } from "../../run/refusals.js";
import { toJson } from "./json.js";
import type { Output } from "./output.js";
import { countText, timeText } from "./quantity.js";
import { printable, table } from "./table.js";

/** A dead letter as --json prints it; `record` only where one is shown. */
export function deadLetterDocument(letter: DeadLetter) {
  return {
    messageId: letter.messageId,
    flow: letter.flow,
    run: letter.run,
    stage: letter.stage,
    sink: letter.sink ?? null,
    rule: letter.rule,
    reason: letter.reason,
    rejectedAt: isoText(letter.rejectedAt),
    editedAt: letter.editedAt === undefined ? null : isoText(letter.editedAt),
    bytes: letter.message.bytes,
  };
}

export function deadLetterTable(letters: readonly DeadLetter[], title: (text: string) => string): string {
  return table(
    letters,
    [
      { title: "id", value: (letter) => letter.messageId },
      { title: "flow", value: (letter) => letter.flow },
      { title: "refused (UTC)", value: (letter) => timeText(letter.rejectedAt) },
      { title: "by", value: refusedBy },
      { title: "rule", value: (letter) => letter.rule, widest: 40 },
      { title: "reason", value: (letter) => reasonText(letter), widest: 80 },
    ],
    title,
  );
}

const refusedBy = ({ sink, stage }: Pick<DeadLetter, "sink" | "stage">) => sink ?? stage;

function reasonText({ reason, editedAt }: DeadLetter): string {
  return editedAt === undefined ? reason : `(edited) ${reason}`;
}

/** A dead letter with its record, or with its body where that is no JSON. */
export function wholeDocument(letter: DeadLetter) {
  const body = letter.message.body();
  const record = jsonOf(body);
  const { deadLetterSource } = letter.message;
  return {
    ...deadLetterDocument(letter),
    ...(deadLetterSource === undefined ? {} : { deadLetterSource }),
    ...(record === undefined ? { body: body.toString("utf8") } : { record }),
  };
}

/** The same for people. */
export function wholeText(letter: DeadLetter, output: Output): string {
  const body = letter.message.body();
  const record = jsonOf(body);
  const by = letter.stage === "sink" ? `sink ${letter.sink ?? "unknown"}` : letter.stage;
  return [
    output.paint("bold", letter.messageId),
    `flow     ${letter.flow}`,
    `run      ${letter.run}`,
    `refused  ${timeText(letter.rejectedAt)} (UTC)${by === "" ? "" : ` by ${by}`}`,
    ...(letter.editedAt === undefined ? [] : [`edited   ${timeText(letter.editedAt)} (UTC)`]),
    `rule     ${printable(letter.rule)}`,
    `reason   ${printable(letter.reason)}`,
    "",
    // The record may hold anything; only line ends are left as they are.
    record === undefined
      ? printable(body.toString("utf8"))
      : toJson(record).split("\n").map(printable).join("\n"),
  ].join("\n");
}

export function refusalDocument(refusal: RefusalCount) {
  return {
    flow: refusal.flow,
    stage: refusal.stage,
    sink: refusal.sink ?? null,
    rule: refusal.rule,
    reason: refusal.reason,
    count: refusal.count,
    oldest: isoText(refusal.oldest),
    newest: isoText(refusal.newest),
  };
}

export function refusalTable(refusals: readonly RefusalCount[], title: (text: string) => string): string {
  return table(
    refusals,
    [
      { title: "count", value: (refusal) => countText(refusal.count), align: "right" },
      { title: "flow", value: (refusal) => refusal.flow },
      { title: "by", value: refusedBy },
      { title: "rule", value: (refusal) => refusal.rule, widest: 40 },
      { title: "last (UTC)", value: (refusal) => timeText(refusal.newest) },
      { title: "reason (an example)", value: (refusal) => refusal.reason, widest: 80 },
    ],
    title,
  );
}

const isoText = (time: number): string => new Date(time).toISOString();
