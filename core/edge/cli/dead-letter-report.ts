import type { DeadLetter } from "../../run/deadletters.js";
import { timeText } from "./quantity.js";
import { table } from "./table.js";

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
    rejectedAt: new Date(letter.rejectedAt).toISOString(),
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
      { title: "by", value: (letter) => letter.sink ?? letter.stage },
      { title: "rule", value: (letter) => letter.rule, widest: 40 },
      { title: "reason", value: (letter) => letter.reason, widest: 80 },
    ],
    title,
  );
}
