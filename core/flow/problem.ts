import { ConfigError } from "../contracts/index.js";
import type { Problem } from "./types.js";

/** `flows/a.yaml:3:5 source.stream: expected ...`. */
export function formatProblem(problem: Problem): string {
  return `${placeText(problem)}: ${problem.message}`;
}

/** `flows/a.yaml:3:5 source.stream`. */
function placeText({ file, line, column, keyPath }: Problem): string {
  const place = `${file}:${line}:${column}`;
  return keyPath === "" ? place : `${place} ${keyPath}`;
}

/**
 * One error for all problems: the first gives place and message, the others follow a line each. Found against the
 * source's fields, which `sluice validate` does not ask for.
 */
export function problemsError(code: string, problems: readonly Problem[]): ConfigError {
  const [first, ...others] = problems;
  const lines = [...(first === undefined ? [] : [first.message]), ...others.map(formatProblem)];
  return new ConfigError(code, lines.join("\n"), {
    ...(first === undefined ? {} : { place: placeText(first) }),
    fix: "Correct the flow; `sluice plan <flow>` checks it against the source without running it.",
  });
}

/** Reading order: sluice.yaml first, then by file and position. */
export function sortProblems(problems: readonly Problem[], projectFile: string): Problem[] {
  const rank = (problem: Problem) => (problem.file === projectFile ? 0 : 1);
  return [...problems].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
      a.line - b.line ||
      a.column - b.column,
  );
}

/** Where a key stands; kept beside what was read from it so that later checks can point at the line. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly keyPath: string;
}

export function problemAt(place: Place, code: string, message: string): Problem {
  return {
    code,
    file: place.file,
    line: place.line,
    column: place.column,
    keyPath: place.keyPath,
    message,
  };
}

/** `["sinks", 0, "format"]` as `sinks[0].format`. Keys that are not plain words are quoted: `options["a b"]`. */
export function keyPathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_$*][\w$*-]*$/.test(String(part)))
      text += text === "" ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}
