import { z } from "zod";
import { defineCommand } from "../command.js";
import {
  CHOICE_OPTIONS,
  choiceInput,
  choosesAll,
  chosenDeadLetters,
  deadLettersById,
} from "../dead-letter-choice.js";
import { assertChoice } from "../dead-letter-filters.js";
import { wholeDocument, wholeText } from "../dead-letter-report.js";
import { EXIT } from "../exit-code.js";
import { count, names } from "../input.js";

const LIMIT = 10;

export const deadLettersShow = defineCommand({
  name: "dead-letters show",
  summary: "show refused records whole",
  details: "One id gives one document under --json; several, and options, give a list.",
  arguments: [{ name: "ids", form: "[id...]", description: "their ids, or the first characters of them" }],
  options: [
    ...CHOICE_OPTIONS,
    {
      flags: "--limit <count>",
      description: `at most so many of those that options choose (default: ${LIMIT}; 0: all)`,
    },
  ],
  examples: [
    "sluice dead-letters show 0f8b2c1e",
    "sluice dead-letters show --flow salesforce-accounts --rule notNull --limit 3",
  ],
  input: z.object({ ids: names, ...choiceInput, limit: count(LIMIT) }),
  async run({ ids, limit, ...choice }, { shell, output, workspace }) {
    assertChoice(ids, choice, "show");
    const project = await workspace.projectToLookAt();
    const environment = await workspace.existingEnvironment("look");
    if (choosesAll(choice)) {
      const letters = deadLettersById(environment, ids);
      const [letter] = letters;
      output.result(
        letters.length === 1 && letter !== undefined ? wholeDocument(letter) : letters.map(wholeDocument),
        () => letters.map((each) => wholeText(each, output)).join("\n\n"),
      );
      return EXIT.done;
    }
    const most = limit === 0 ? Number.POSITIVE_INFINITY : limit;
    const letters = chosenDeadLetters(environment, choice, shell.clock.now(), project.flows.keys());
    let shown = 0;
    let more = 0;
    const first = (function* () {
      for (const letter of letters) {
        if (shown++ < most) yield letter;
        else more++;
      }
    })();
    output.results(first, wholeDocument, 1, ([letter]) =>
      letter === undefined ? "No dead letters match." : `${wholeText(letter, output)}\n`,
    );
    if (more > 0) output.note(`${more} more; --limit 0 shows all.`);
    return EXIT.done;
  },
});
