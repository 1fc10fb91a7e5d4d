import { InvariantError, SluiceError } from "../../contracts/index.js";
import type { Problem } from "../../flow/types.js";
import type { Redactor } from "../redactor.js";
import { ProjectProblems } from "./project-problems.js";

/** What went wrong, as `--json` prints it under `error` and as the texts below say it. Redacted. */
export interface Failure {
  /** `config`, `auth`, `transient`, ...: who must act; as the run history keeps it. */
  readonly class: string;
  readonly code: string;
  readonly message: string;
  readonly place?: string;
  readonly fix?: string;
  /** Words of the other side or of the system, where they add something. */
  readonly cause?: string;
  /** Every finding of the lint, where there is a list. */
  readonly problems?: readonly Problem[];
}

export function failureOf(error: unknown, redactor: Redactor): Failure {
  const clean = (text: string | undefined) => (text === undefined ? undefined : redactor.text(text));
  if (error instanceof SluiceError) {
    const { place, fix } = { place: clean(error.place), fix: clean(error.fix) };
    const cause = clean(causeText(error));
    return {
      class: error.kind,
      code: error.code,
      message: redactor.text(error.message),
      ...(place === undefined ? {} : { place }),
      ...(fix === undefined ? {} : { fix }),
      ...(cause === undefined ? {} : { cause }),
      ...(error instanceof ProjectProblems
        ? {
            problems: error.problems.map((problem) => ({
              ...problem,
              message: redactor.text(problem.message),
            })),
          }
        : {}),
      ...(error instanceof InvariantError && fix === undefined ? { fix: REPORT } : {}),
    };
  }
  const plain = error instanceof Error ? error : new Error(String(error));
  const code: unknown = Reflect.get(plain, "code");
  return {
    class: "invariant",
    // Node's own errors carry one: ENOSPC, EACCES.
    code: typeof code === "string" ? code : "UNEXPECTED",
    message: redactor.text(plain.message),
    ...(typeof code === "string" ? {} : { fix: REPORT }),
  };
}

const REPORT = "This is a fault of Sluice: run the command again with -v and report what it prints.";

/** The first line of the first cause that says something the message does not. */
function causeText(error: Error): string | undefined {
  let { cause } = error;
  for (let depth = 0; cause instanceof Error && depth < 5; depth++) {
    if (cause.message !== "" && !error.message.includes(cause.message))
      return cause.message.split("\n", 1)[0];
    cause = cause.cause;
  }
  return undefined;
}

/** `error[CODE] place: message`, then `fix: ...`; a lint's findings one a line before it. */
export function failureText(
  failure: Failure,
  formatProblem: (problem: Problem) => string,
  paint: (style: "red" | "bold", text: string) => string,
): string {
  const place = failure.place === undefined ? "" : ` ${failure.place}`;
  return [
    ...(failure.problems ?? []).map(formatProblem),
    `${paint("red", `error[${failure.code}]`)}${place}: ${failure.message}`,
    ...(failure.cause === undefined ? [] : [`cause: ${failure.cause}`]),
    ...(failure.fix === undefined ? [] : [`fix: ${failure.fix}`]),
  ].join("\n");
}
