import { z } from "zod";
import type { DeadLetter } from "../../../run/deadletters.js";
import { defineCommand } from "../command.js";
import { CHOICE_OPTIONS, choiceInput, chosenDeadLetters } from "../dead-letter-choice.js";
import { deadLetterDocument, deadLetterTable } from "../dead-letter-report.js";
import { EXIT } from "../exit-code.js";
import { count } from "../input.js";
import { countText } from "../quantity.js";

export const deadLettersList = defineCommand({
  name: "dead-letters list",
  summary: "list records that were refused, with the reason",
  options: [
    ...CHOICE_OPTIONS,
    { flags: "--limit <count>", description: "at most so many (default: 50; 0: all)" },
  ],
  examples: [
    "sluice dead-letters list",
    "sluice dead-letters list --flow salesforce-accounts --reason notNull --since 24h",
    "sluice dead-letters list --field Id=001000000000001AAA --json",
  ],
  input: z.object({ ...choiceInput, limit: count(50) }),
  async run({ limit, ...choice }, { shell, output, workspace }) {
    const project = await workspace.projectToLookAt();
    const environment = await workspace.existingEnvironment("look");
    const shown: DeadLetter[] = [];
    let more = 0;
    for (const letter of chosenDeadLetters(environment, choice, shell.clock.now(), project.flows.keys())) {
      if (limit === 0 || shown.length < limit) shown.push(letter);
      else more++;
    }
    output.result(shown.map(deadLetterDocument), () =>
      shown.length === 0 ? "No dead letters." : deadLetterTable(shown, output.title),
    );
    if (more > 0) output.note(`${countText(more)} more; --limit 0 lists all.`);
    return EXIT.done;
  },
});
