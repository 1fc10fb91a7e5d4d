import { z } from "zod";
import type { DeadLetter } from "../../../run/deadletters.js";
import { defineCommand } from "../command.js";
import { deadLetterById, recordOf } from "../dead-letter-choice.js";
import { deadLetterDocument } from "../dead-letter-report.js";
import { EXIT } from "../exit-code.js";
import { toJson } from "../json.js";
import type { Output } from "../output.js";
import { timeText } from "../quantity.js";
import { printable } from "../table.js";

export const deadLettersShow = defineCommand({
  name: "dead-letters show",
  summary: "show one refused record whole",
  arguments: [{ name: "id", form: "<id>", description: "its id, or the first characters of it" }],
  examples: ["sluice dead-letters show 0f8b2c1e", "sluice dead-letters show 0f8b2c1e --json"],
  input: z.object({ id: z.string().min(1) }),
  async run({ id }, { output, workspace }) {
    await workspace.projectToLookAt();
    const environment = await workspace.existingEnvironment("look");
    const letter = deadLetterById(environment, id);
    const record = recordOf(letter);
    const body = letter.message.body().toString("utf8");
    output.result({ ...deadLetterDocument(letter), ...(record === undefined ? { body } : { record }) }, () =>
      letterText(letter, record, body, output),
    );
    return EXIT.done;
  },
});

function letterText(letter: DeadLetter, record: unknown, body: string, output: Output): string {
  const refusedBy = letter.stage === "sink" ? `sink ${letter.sink ?? "unknown"}` : letter.stage;
  return [
    output.paint("bold", letter.messageId),
    `flow     ${letter.flow}`,
    `run      ${letter.run}`,
    `refused  ${timeText(letter.rejectedAt)} (UTC) by ${refusedBy}`,
    `rule     ${printable(letter.rule)}`,
    `reason   ${printable(letter.reason)}`,
    "",
    // The record may hold anything; only line ends are left as they are.
    record === undefined ? printable(body) : toJson(record).split("\n").map(printable).join("\n"),
  ].join("\n");
}
