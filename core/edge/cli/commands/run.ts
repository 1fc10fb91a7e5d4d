import { z } from "zod";
import { ConfigError } from "../../../contracts/index.js";
import type { Flow } from "../../../flow/types.js";
import { exitCodeOf } from "../../../run/exit.js";
import type { RunOptions } from "../../../run/types.js";
import { type CommandContext, defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { type Failure, failureText } from "../failure.js";
import { assertWindow, flag, moment, names } from "../input.js";
import { progressView } from "../progress.js";
import { ProjectProblems } from "../project-problems.js";
import { type RunDocument, refusedDocument, runDocument, runText } from "../run-report.js";

const TRIGGER = "onDemand";

export const run = defineCommand({
  name: "run",
  summary: "run flows now, to the end, one after the other",
  details:
    "Goes on where the last run stopped. --full reads everything again; --from and --to read one window again and leave\n" +
    "the checkpoint where it is. Ctrl-C stops cleanly: what was read is kept and the next run goes on from there.\n" +
    "A flow that fails does not keep the next one from running; the exit code is that of the first that failed.",
  arguments: [{ name: "flows", form: "[flow...]", description: "names or files of flows" }],
  options: [
    { flags: "--all", description: "every flow of the project" },
    { flags: "--full", description: "read everything again and start a new checkpoint" },
    {
      flags: "--from <time>",
      description: "window from: 2026-10-01, 2026-10-01T12:00:00Z (UTC), or 24h, 7d back",
    },
    { flags: "--to <time>", description: "window to, exclusive (default: now)" },
  ],
  examples: [
    "sluice run salesforce-accounts",
    "sluice run salesforce-accounts salesforce-contacts --full",
    "sluice run salesforce-accounts --from 2026-01-01 --to 2026-02-01",
    "sluice run --all --json > runs.json",
  ],
  input: z.object({ flows: names, all: flag, full: flag, from: moment, to: moment }),
  async run(input, context) {
    const { shell, output } = context;
    const now = shell.clock.now();
    const [from, to] = [input.from?.at(now), input.to?.at(now)];
    assertWindow(from, to);
    if (input.full && (from !== undefined || to !== undefined)) {
      throw new ConfigError("USAGE", "--full reads everything, --from and --to read one window", {
        fix: "Give the one or the other.",
      });
    }
    const flows = await chosenFlows(input, context);
    const options: RunOptions = {
      trigger: TRIGGER,
      signal: shell.signal,
      ...(input.full ? { full: true } : {}),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    };
    const documents: RunDocument[] = [];
    let exitCode: number = EXIT.done;
    for (const flow of flows) {
      const outcome = await runOne(flow, options, context);
      documents.push(outcome.document);
      if (exitCode === EXIT.done) exitCode = outcome.exitCode;
      // A broken promise of Sluice itself: nothing else is touched.
      if (outcome.document.error?.class === "invariant") break;
      // Cancelled means all of them, also those that have not begun.
      if (shell.signal.aborted) {
        exitCode = EXIT.cancelled;
        break;
      }
    }
    output.result(documents, () => documents.map((document) => runText(document, output)).join("\n"));
    return exitCode;
  },
});

async function chosenFlows(
  { flows, all }: { readonly flows: readonly string[]; readonly all: boolean },
  { workspace }: CommandContext,
): Promise<readonly Flow[]> {
  if (flows.length > 0 && all) {
    throw new ConfigError("USAGE", "--all runs every flow, and flows are named as well", {
      fix: "Give the one or the other.",
    });
  }
  if (flows.length > 0) return workspace.flows(flows);
  const project = await workspace.project();
  const known = [...project.flows.keys()].sort();
  if (!all) {
    throw new ConfigError("FLOW_NOT_NAMED", "which flow?", {
      fix:
        known.length === 0
          ? "Write a flow first: `sluice init`."
          : `Name one or more of: ${known.join(", ")}; --all runs every one.`,
    });
  }
  if (project.problems.length > 0) throw new ProjectProblems(project.problems);
  if (known.length === 0) {
    throw new ConfigError("FLOW_NONE", "the project has no flow", {
      fix: "Write a flow first: `sluice init`.",
    });
  }
  return [...project.flows.values()];
}

async function runOne(
  flow: Flow,
  options: RunOptions,
  context: CommandContext,
): Promise<{ document: RunDocument; exitCode: number }> {
  const { shell, output, workspace } = context;
  const view = progressView(flow.name, shell.stderr, output);
  try {
    const { runFlow } = await import("../../../run/index.js");
    const host = await workspace.host((progress) => view.update(progress));
    const { state, earlier, exitCode } = await runFlow(host, flow, options);
    view.stop();
    if (state.error !== null) sayFailure(state.error, context);
    return { document: runDocument(state, output, earlier), exitCode };
  } catch (error) {
    view.stop();
    const failure = workspace.failureOf(error);
    sayFailure(failure, context);
    return { document: refusedDocument(flow.name, options.trigger, failure), exitCode: exitCodeOf(error) };
  }
}

/** The error at once, above the report of the flows that follow. */
function sayFailure(failure: Failure, { output }: CommandContext): void {
  output.line(failureText(failure, String, (style, text) => output.paintError(style, text)));
}
