import { z } from "zod";
import { ConfigError, type Environment } from "../../contracts/index.js";
import { nearestName } from "../../flow/nearest.js";
import { STAGES } from "../../run/deadletter.js";
import {
  type DeadLetter,
  type DeadLetterFilter,
  deadLetterOf,
  deadLettersOf,
} from "../../run/deadletters.js";
import { deadLetterQueue } from "../../run/names.js";
import type { OptionSpec } from "./command.js";
import { assertWindow, moment, optionalText } from "./input.js";

/** Options by which `dead-letters` commands say which ones they mean. Every given part must hold. */
export const CHOICE_OPTIONS: readonly OptionSpec[] = [
  { flags: "--flow <flow>", description: "of this flow" },
  { flags: "--reason <text>", description: "whose rule or reason contains this text, any letter case" },
  { flags: "--rule <text>", description: "whose rule contains this text, any letter case" },
  {
    flags: "--stage <stage>",
    description: `refused by ${STAGES.slice(0, -1).join(", ")} or ${STAGES.at(-1)}`,
  },
  { flags: "--sink <connection>", description: "refused by this sink" },
  { flags: "--run <run>", description: "refused in this run" },
  {
    flags: "--since <time>",
    description: "refused since: 2026-10-01, 2026-10-01T12:00:00Z (UTC), or 24h, 7d back",
  },
  { flags: "--until <time>", description: "refused before that time, written the same way" },
  {
    flags: "--field <name=value>",
    description: "whose record has this value; may be repeated",
    repeats: true,
  },
];

const fieldValue = z.string().transform((typed, context) => {
  const at = typed.indexOf("=");
  if (at > 0) return { path: typed.slice(0, at), value: typed.slice(at + 1) };
  context.issues.push({ code: "custom", input: typed, message: `expected name=value, found ${typed}` });
  return z.NEVER;
});

export const choiceInput = {
  flow: optionalText,
  reason: optionalText,
  rule: optionalText,
  stage: z.enum(STAGES, `expected one of ${STAGES.join(", ")}`).optional(),
  sink: optionalText,
  run: optionalText,
  since: moment,
  until: moment,
  field: z.array(fieldValue).default([]),
};

export type Choice = z.infer<z.ZodObject<typeof choiceInput>>;

/** True when nothing narrows the choice: all dead letters of all flows. */
export function choosesAll({ field, ...choice }: Choice): boolean {
  return field.length === 0 && Object.values(choice).every((part) => part === undefined);
}

/** The choice within one flow. Moments are those seen from `now` (epoch ms). */
export function filterOf(choice: Choice, now: number): DeadLetterFilter {
  const { reason, rule, stage, sink, run, field } = choice;
  const [since, until] = [choice.since?.at(now), choice.until?.at(now)];
  assertWindow(since, until, ["--since", "--until"]);
  return {
    ...(reason === undefined ? {} : { reason }),
    ...(rule === undefined ? {} : { rule }),
    ...(stage === undefined ? {} : { stage }),
    ...(sink === undefined ? {} : { sink }),
    ...(run === undefined ? {} : { run }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(field.length === 0 ? {} : { fields: field }),
  };
}

const SUFFIX = deadLetterQueue("");

/** Names of the flows that have a dead-letter queue, also of flows whose file is gone. */
export function flowsWithDeadLetters(environment: Environment): string[] {
  return environment.queues
    .listQueues()
    .filter((queue) => queue.endsWith(SUFFIX) && queue.length > SUFFIX.length)
    .map((queue) => queue.slice(0, -SUFFIX.length));
}

/**
 * The flows that a choice concerns. ConfigError FLOW_UNKNOWN. `environment`: undefined where nothing has ever run;
 * `flows`: names that exist although nothing was refused yet.
 */
export function chosenFlows(
  environment: Environment | undefined,
  { flow }: Choice,
  flows: Iterable<string>,
): string[] {
  const withLetters = environment === undefined ? [] : flowsWithDeadLetters(environment);
  if (flow === undefined) return withLetters;
  assertFlow(flow, [...withLetters, ...flows]);
  return withLetters.filter((name) => name === flow);
}

/** The chosen dead letters, flow by flow, oldest first, read as they are asked for. */
export function* chosenDeadLetters(
  environment: Environment | undefined,
  choice: Choice,
  now: number,
  flows: Iterable<string>,
): Generator<DeadLetter> {
  const filter = filterOf(choice, now);
  const chosen = chosenFlows(environment, choice, flows);
  if (environment === undefined) return;
  for (const flow of chosen) yield* deadLettersOf(environment, flow, filter);
}

function assertFlow(name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const near = nearestName(name, known);
  throw new ConfigError(
    "FLOW_UNKNOWN",
    `there is no flow named ${name}${near === undefined ? "" : ` (did you mean ${near}?)`}`,
    { place: "--flow", fix: "`sluice status` names the flows." },
  );
}

/** Shorter beginnings of an id are refused: they soon mean several. */
const SHORTEST_ID = 6;

/** Dead letters by id, or by the beginning of one. ConfigError for one that is not there or means several. */
export function deadLettersById(environment: Environment | undefined, ids: readonly string[]): DeadLetter[] {
  const flows = environment === undefined ? [] : flowsWithDeadLetters(environment);
  const found = new Map<string, DeadLetter[]>();
  for (const id of ids) {
    const letter = environment && deadLetterOf(environment, flows, id);
    found.set(id, letter === undefined ? [] : [letter]);
  }
  // Whole ids are looked up; only for beginnings is every letter looked at.
  const beginnings = [...found].filter(([id, letters]) => letters.length === 0 && id.length >= SHORTEST_ID);
  if (environment !== undefined && beginnings.length > 0) {
    for (const flow of flows) {
      for (const letter of deadLettersOf(environment, flow)) {
        for (const [id, letters] of beginnings) if (letter.messageId.startsWith(id)) letters.push(letter);
      }
    }
  }
  return [...found].map(([id, letters]) => onlyLetter(id, letters));
}

/** One of them. */
export function deadLetterById(environment: Environment | undefined, id: string): DeadLetter {
  return onlyLetter(id, deadLettersById(environment, [id]));
}

function onlyLetter(id: string, [letter, another]: readonly DeadLetter[]): DeadLetter {
  if (letter === undefined) {
    throw new ConfigError("DEAD_LETTER_UNKNOWN", `there is no dead letter ${id}`, {
      fix: `\`sluice dead-letters list\` names them; at least ${SHORTEST_ID} characters of an id are needed.`,
    });
  }
  if (another !== undefined) {
    throw new ConfigError("DEAD_LETTER_AMBIGUOUS", `several dead letters begin with ${id}`, {
      fix: "Give more characters of the id.",
    });
  }
  return letter;
}
