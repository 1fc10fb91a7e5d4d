import { ConfigError, type Environment } from "../../contracts/index.js";
import { type DeadLetterFilter, deadLettersOf } from "../../run/deadletters.js";
import { deadLetterQueue } from "../../run/names.js";
import type { CommandContext } from "./command.js";
import { type Choice, choosesAll, chosenFlows, deadLettersById, filterOf } from "./dead-letter-choice.js";

/** The dead letters of one flow that a command line means. */
export interface ChosenLetters {
  readonly flow: string;
  readonly filter: DeadLetterFilter;
}

/** Ids and options exclude each other; `verb`: for the message where one of them is needed and neither is given. */
export function assertChoice(ids: readonly string[], choice: Choice, verb?: string): void {
  if (ids.length > 0 && !choosesAll(choice)) {
    throw new ConfigError("USAGE", "ids name dead letters one by one, options choose them", {
      fix: "Give the one or the other.",
    });
  }
  if (verb !== undefined && ids.length === 0 && choosesAll(choice)) {
    throw new ConfigError("USAGE", `which dead letters shall ${verb} take?`, {
      fix: "Name ids from `sluice dead-letters list`, or choose with --flow, --reason, --since, --field or another option.",
    });
  }
}

/**
 * What a command that changes dead letters means, by flow; flows without any are left out. Nothing is done to "all of
 * them" by accident. Letters refused from now on are not meant: what was asked about is what is changed.
 */
export async function chosenLetters(
  ids: readonly string[],
  choice: Choice,
  { shell, workspace }: CommandContext,
  how: { readonly verb: string; readonly purpose: "look" | "change" },
): Promise<readonly ChosenLetters[]> {
  assertChoice(ids, choice, how.verb);
  const now = shell.clock.now();
  const filter = filterOf(choice, now);
  const project = await workspace.projectToLookAt();
  const environment = await workspace.existingEnvironment(how.purpose);
  if (ids.length > 0) return byFlow(environment, ids);
  const flows = chosenFlows(environment, choice, project.flows.keys());
  if (environment === undefined) return [];
  const bounded = { ...filter, until: Math.min(filter.until ?? Number.POSITIVE_INFINITY, now + 1) };
  return flows
    .map((flow) => ({ flow, filter: bounded }))
    .filter((chosen) => countLetters(environment, chosen, 1) > 0);
}

function byFlow(environment: Environment | undefined, ids: readonly string[]): ChosenLetters[] {
  const idsOf = new Map<string, string[]>();
  for (const { flow, messageId } of deadLettersById(environment, ids)) {
    const own = idsOf.get(flow) ?? [];
    idsOf.set(flow, own);
    own.push(messageId);
  }
  return [...idsOf].map(([flow, messageIds]) => ({ flow, filter: { messageIds } }));
}

/** How many there are, counting no further than `most`; without reading them where all of a flow are meant. */
export function countLetters(
  environment: Environment,
  { flow, filter }: ChosenLetters,
  most = Number.POSITIVE_INFINITY,
): number {
  if (Object.keys(filter).length === 0) {
    const depth = environment.queues.depth(deadLetterQueue(flow));
    const { ApproximateNumberOfMessages: visible, ApproximateNumberOfMessagesNotVisible: inFlight } = depth;
    return Math.min(most, visible + inFlight + depth.ApproximateNumberOfMessagesDelayed);
  }
  let count = 0;
  for (const _ of deadLettersOf(environment, flow, filter)) if (++count >= most) break;
  return count;
}
