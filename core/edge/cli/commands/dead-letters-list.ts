import { z } from "zod";
import type { DeadLetter } from "../../../run/deadletters.js";
import { countRefusals } from "../../../run/refusals.js";
import { type CommandContext, defineCommand } from "../command.js";
import {
  CHOICE_OPTIONS,
  choiceInput,
  chosenDeadLetters,
  chosenFlows,
  filterOf,
} from "../dead-letter-choice.js";
import { countLetters } from "../dead-letter-filters.js";
import { deadLetterDocument, deadLetterTable, refusalDocument, refusalTable } from "../dead-letter-report.js";
import { EXIT } from "../exit-code.js";
import { count } from "../input.js";
import type { Output } from "../output.js";
import { countText } from "../quantity.js";

const LIMIT = 100;
/** Rows under one title row: a longer list is printed as it is read. */
const ROWS = 1_000;

export const deadLettersList = defineCommand({
  name: "dead-letters list",
  summary: "list records that were refused, with the reason",
  details:
    "--by reason counts instead, per flow, rule and reason, the most frequent first; reasons that differ only in the\n" +
    "values they name are one. Oldest first, flow by flow.",
  options: [
    ...CHOICE_OPTIONS,
    { flags: "--by <what>", description: "reason: how many there are of each kind" },
    { flags: "--limit <count>", description: `at most so many rows (default: ${LIMIT}; 0: all)` },
  ],
  examples: [
    "sluice dead-letters list --by reason",
    "sluice dead-letters list --flow salesforce-accounts --rule notNull --since 24h",
    "sluice dead-letters list --field Id=001000000000001AAA --json",
  ],
  input: z.object({
    ...choiceInput,
    by: z.enum(["reason"], "expected reason").optional(),
    limit: count(LIMIT),
  }),
  async run({ limit, by, ...choice }, context) {
    const { shell, output, workspace } = context;
    const project = await workspace.projectToLookAt();
    const environment = await workspace.existingEnvironment("look");
    const most = limit === 0 ? Number.POSITIVE_INFINITY : limit;
    const now = shell.clock.now();
    const letters = chosenDeadLetters(environment, choice, now, project.flows.keys());
    if (by === "reason") {
      listReasons(letters, most, context);
      return EXIT.done;
    }
    const shown = listLetters(letters, most, context);
    // Less than asked for is all there are.
    if (output.json || environment === undefined || shown < most) return EXIT.done;
    const filter = filterOf(choice, now);
    const flows = chosenFlows(environment, choice, []);
    const all = flows.reduce((sum, flow) => sum + countLetters(environment, { flow, filter }), 0);
    sayMore(all - shown, output);
    return EXIT.done;
  },
});

function listReasons(letters: Iterable<DeadLetter>, most: number, { output }: CommandContext): void {
  const refusals = countRefusals(letters);
  const shown = refusals.slice(0, most);
  output.result(shown.map(refusalDocument), () =>
    shown.length === 0 ? "No dead letters." : refusalTable(shown, output.title),
  );
  sayMore(refusals.length - shown.length, output);
}

function sayMore(more: number, output: Output): void {
  if (more > 0) output.note(`${countText(more)} more; --limit 0 lists all.`);
}

/** Returns how many it printed. */
function listLetters(letters: Iterable<DeadLetter>, most: number, { output }: CommandContext): number {
  let shown = 0;
  const first = (function* () {
    for (const letter of letters) {
      shown++;
      yield letter;
      if (shown >= most) return;
    }
  })();
  output.results(first, deadLetterDocument, ROWS, (rows) =>
    rows.length === 0 ? "No dead letters." : deadLetterTable(rows, output.title),
  );
  return shown;
}
