import { z } from "zod";
import { approved } from "../approval.js";
import { defineCommand } from "../command.js";
import { CHOICE_OPTIONS, choiceInput } from "../dead-letter-choice.js";
import { chosenIdsByFlow } from "../dead-letter-ids.js";
import { EXIT } from "../exit-code.js";
import { flag, names } from "../input.js";
import { plural } from "../quantity.js";

export const deadLettersDrop = defineCommand({
  name: "dead-letters drop",
  summary: "throw refused records away, for good",
  details: "The runs that refused them go on counting them as dead-lettered.",
  arguments: [{ name: "ids", form: "[id...]", description: "their ids, or the first characters of them" }],
  options: [...CHOICE_OPTIONS, { flags: "--yes", description: "do not ask" }],
  examples: [
    "sluice dead-letters drop 0f8b2c1e --yes",
    "sluice dead-letters drop --flow salesforce-accounts --reason notNull",
  ],
  input: z.object({ ids: names, ...choiceInput, yes: flag }),
  async run({ ids, yes, ...choice }, context) {
    const { output, workspace } = context;
    const chosen = await chosenIdsByFlow(ids, choice, context, "drop");
    const count = [...chosen.values()].reduce((sum, own) => sum + own.length, 0);
    if (count > 0) {
      const question = `Throw away ${plural(count, "dead letter")} of ${[...chosen.keys()].join(", ")} for good?`;
      if (!(await approved(question, yes, context))) return EXIT.failed;
    }
    const { dropDeadLetters } = await import("../../../run/deadletters.js");
    const dropped: { flow: string; dropped: number }[] = [];
    for (const [flow, messageIds] of chosen) {
      dropped.push({
        flow,
        dropped: await dropDeadLetters(await workspace.environment(), flow, { messageIds }),
      });
    }
    output.result(dropped, () =>
      dropped.length === 0
        ? "No dead letters match."
        : dropped.map((own) => `${own.flow}: ${plural(own.dropped, "dead letter")} dropped`).join("\n"),
    );
    return EXIT.done;
  },
});
