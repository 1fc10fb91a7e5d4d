import { z } from "zod";
import { approved } from "../approval.js";
import { defineCommand } from "../command.js";
import { CHOICE_OPTIONS, choiceInput } from "../dead-letter-choice.js";
import { chosenLetters, countLetters } from "../dead-letter-filters.js";
import { EXIT } from "../exit-code.js";
import { flag, names } from "../input.js";
import { plural } from "../quantity.js";

export const deadLettersDrop = defineCommand({
  name: "dead-letters drop",
  summary: "throw refused records away, for good",
  details: "The runs that refused them go on counting them as dead-lettered.",
  arguments: [{ name: "ids", form: "[id...]", description: "their ids, or the first characters of them" }],
  options: [
    ...CHOICE_OPTIONS,
    { flags: "--dry-run", description: "say what would happen, change nothing" },
    { flags: "--yes", description: "do not ask" },
  ],
  examples: [
    "sluice dead-letters drop 0f8b2c1e --yes",
    "sluice dead-letters drop --flow salesforce-accounts --reason notNull --dry-run",
  ],
  input: z.object({ ids: names, ...choiceInput, dryRun: flag, yes: flag }),
  async run({ ids, dryRun, yes, ...choice }, context) {
    const { output, workspace } = context;
    const purpose = dryRun ? "look" : "change";
    const chosen = await chosenLetters(ids, choice, context, { verb: "drop", purpose });
    const environment = await workspace.existingEnvironment(purpose);
    const found = chosen.map((own) => ({
      ...own,
      count: environment === undefined ? 0 : countLetters(environment, own),
    }));
    const count = found.reduce((sum, own) => sum + own.count, 0);
    if (count > 0 && !dryRun) {
      const question = `Throw away ${plural(count, "dead letter")} of ${found.map(({ flow }) => flow).join(", ")} for good?`;
      if (!(await approved(question, yes, context))) return EXIT.failed;
    }
    const { dropDeadLetters } = await import("../../../run/deadletters.js");
    const dropped: { flow: string; dryRun: boolean; dropped: number }[] = [];
    for (const { flow, filter, count } of found) {
      const gone =
        dryRun || environment === undefined ? count : await dropDeadLetters(environment, flow, filter);
      dropped.push({ flow, dryRun, dropped: gone });
    }
    const verb = dryRun ? "would be dropped" : "dropped";
    output.result(dropped, () =>
      dropped.length === 0
        ? "No dead letters match."
        : dropped.map((own) => `${own.flow}: ${plural(own.dropped, "dead letter")} ${verb}`).join("\n"),
    );
    return EXIT.done;
  },
});
