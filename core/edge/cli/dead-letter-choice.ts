import { z } from "zod";
import { ConfigError, type Environment, ExactNumber } from "../../contracts/index.js";
import { nearestName } from "../../flow/nearest.js";
import { InvalidUtf8, parseJson } from "../../http/json.js";
import { type DeadLetter, deadLettersOf } from "../../run/deadletters.js";
import { deadLetterQueue } from "../../run/names.js";
import type { OptionSpec } from "./command.js";
import { moment, optionalText } from "./input.js";
import { toJson } from "./json.js";

/** Options by which `dead-letters list`, `redrive` and `drop` say which ones they mean. Every given part must hold. */
export const CHOICE_OPTIONS: readonly OptionSpec[] = [
  { flags: "--flow <flow>", description: "of this flow" },
  { flags: "--reason <text>", description: "whose rule or reason contains this text, any letter case" },
  {
    flags: "--since <time>",
    description: "refused since: 2026-10-01, 2026-10-01T12:00:00Z (UTC), or 24h, 7d back",
  },
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
  since: moment,
  field: z.array(fieldValue).default([]),
};

export type Choice = z.infer<z.ZodObject<typeof choiceInput>>;

/** True when nothing narrows the choice: all dead letters of all flows. */
export function choosesAll(choice: Choice): boolean {
  return (
    choice.flow === undefined &&
    choice.reason === undefined &&
    choice.since === undefined &&
    choice.field.length === 0
  );
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
 * The chosen dead letters, flow by flow, oldest first. `environment`: undefined where nothing has ever run; `flows`:
 * names that exist although nothing was refused yet.
 */
export function* chosenDeadLetters(
  environment: Environment | undefined,
  choice: Choice,
  now: number,
  flows: Iterable<string>,
): Generator<DeadLetter> {
  const withLetters = environment === undefined ? [] : flowsWithDeadLetters(environment);
  if (choice.flow !== undefined) assertFlow(choice.flow, [...withLetters, ...flows]);
  if (environment === undefined) return;
  const since = choice.since?.at(now);
  for (const flow of withLetters) {
    if (choice.flow !== undefined && choice.flow !== flow) continue;
    const filter = {
      ...(choice.reason === undefined ? {} : { reason: choice.reason }),
      ...(since === undefined ? {} : { since }),
    };
    for (const letter of deadLettersOf(environment, flow, filter)) {
      if (choice.field.length === 0 || hasFields(letter, choice.field)) yield letter;
    }
  }
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

/** The record of a dead letter; undefined where the body is no JSON (it is then shown as text). */
export function recordOf(letter: DeadLetter): unknown {
  try {
    return parseJson(letter.message.body());
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof InvalidUtf8) return undefined;
    throw error;
  }
}

function hasFields(letter: DeadLetter, wanted: Choice["field"]): boolean {
  const record = recordOf(letter);
  return wanted.every(({ path, value }) => fieldText(record, path) === value);
}

/** A field's value as people type it; `Owner.Name` reaches inside, unless a field has that very name. */
function fieldText(record: unknown, path: string): string | undefined {
  if (!isObject(record)) return undefined;
  if (Object.hasOwn(record, path)) {
    const value = record[path];
    return isObject(value) || Array.isArray(value) ? toJson(value, 0) : String(value);
  }
  const dot = path.indexOf(".");
  return dot === -1 ? undefined : fieldText(record[path.slice(0, dot)], path.slice(dot + 1));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

const ALL: Choice = { flow: undefined, reason: undefined, since: undefined, field: [] };

/** Shorter beginnings of an id are refused: they soon mean several. */
const SHORTEST_ID = 6;

/** Dead letters by id, or by the beginning of one. ConfigError for one that is not there or means several. */
export function deadLettersById(environment: Environment | undefined, ids: readonly string[]): DeadLetter[] {
  const found = new Map<string, DeadLetter[]>(ids.map((id) => [id, []]));
  for (const letter of chosenDeadLetters(environment, ALL, 0, [])) {
    for (const [id, letters] of found) {
      const matches = id.length >= SHORTEST_ID ? letter.messageId.startsWith(id) : letter.messageId === id;
      if (matches) letters.push(letter);
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
