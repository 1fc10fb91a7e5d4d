import { ConfigError } from "../../contracts/index.js";
import type { CommandContext } from "./command.js";
import { type Choice, choosesAll, chosenDeadLetters, deadLettersById } from "./dead-letter-choice.js";

/**
 * Ids of the dead letters that a command line means, by flow. Ids and options exclude each other, and one of them is
 * needed: nothing is done to "all of them" by accident.
 */
export async function chosenIdsByFlow(
  ids: readonly string[],
  choice: Choice,
  { shell, workspace }: CommandContext,
  verb: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (ids.length > 0 && !choosesAll(choice)) {
    throw new ConfigError("USAGE", "ids name dead letters one by one, options choose them", {
      fix: "Give the one or the other.",
    });
  }
  if (ids.length === 0 && choosesAll(choice)) {
    throw new ConfigError("USAGE", `which dead letters shall ${verb} take?`, {
      fix: "Name ids from `sluice dead-letters list`, or choose with --flow, --reason, --since or --field.",
    });
  }
  const project = await workspace.projectToLookAt();
  const environment = await workspace.existingEnvironment("change");
  const byFlow = new Map<string, string[]>();
  const letters =
    ids.length > 0
      ? deadLettersById(environment, ids)
      : chosenDeadLetters(environment, choice, shell.clock.now(), project.flows.keys());
  for (const { flow, messageId } of letters) {
    const own = byFlow.get(flow);
    if (own === undefined) byFlow.set(flow, [messageId]);
    else own.push(messageId);
  }
  return byFlow;
}
