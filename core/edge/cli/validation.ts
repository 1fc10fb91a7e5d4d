import { formatProblem } from "../../flow/problem.js";
import type { Flow, Problem } from "../../flow/types.js";
import type { Output } from "./output.js";
import { plural } from "./quantity.js";

/** Prints what the lint says, as the command's result. */
export function printValidation(
  flows: readonly Flow[],
  problems: readonly Problem[],
  output: Pick<Output, "result" | "paint">,
): void {
  const valid = problems.length === 0;
  output.result({ valid, flows: flows.map(({ name, file }) => ({ name, file })), problems }, () =>
    [
      ...problems.map(formatProblem),
      verdict(flows.length, problems, (text) => output.paint(valid ? "green" : "red", text)),
    ].join("\n"),
  );
}

function verdict(flows: number, problems: readonly Problem[], paint: (text: string) => string): string {
  const good = `${plural(flows, "flow")} ${flows === 1 ? "is" : "are"} valid`;
  if (problems.length === 0) return `${paint("ok")}: ${good}`;
  const files = new Set(problems.map((problem) => problem.file)).size;
  return `${paint(plural(problems.length, "problem"))} in ${plural(files, "file")}; ${good}`;
}
