import { z } from "zod";
import { ConfigError } from "../../../contracts/index.js";
import type { RedriveReport } from "../../../run/redrive.js";
import { type CommandContext, defineCommand } from "../command.js";
import { CHOICE_OPTIONS, choiceInput } from "../dead-letter-choice.js";
import { chosenIdsByFlow } from "../dead-letter-ids.js";
import { EXIT } from "../exit-code.js";
import { failureText } from "../failure.js";
import { flag, names } from "../input.js";
import { progressView } from "../progress.js";
import { plural } from "../quantity.js";
import { runDocument, runText } from "../run-report.js";
import { printable } from "../table.js";

/** Refused again: so many are listed for people; --json has them all. */
const REASONS_SHOWN = 10;

export const deadLettersRedrive = defineCommand({
  name: "dead-letters redrive",
  summary: "send refused records through their flow again, as it stands now",
  details:
    "What a sink had refused goes back to that sink; what map or validate had refused is mapped anew. A record that is\n" +
    "refused again stays where it is. An older version never overwrites a newer one.",
  arguments: [{ name: "ids", form: "[id...]", description: "their ids, or the first characters of them" }],
  options: [...CHOICE_OPTIONS, { flags: "--dry-run", description: "say what would happen, change nothing" }],
  examples: [
    "sluice dead-letters redrive 0f8b2c1e",
    "sluice dead-letters redrive --flow salesforce-accounts --reason notNull --dry-run",
  ],
  input: z.object({ ids: names, ...choiceInput, dryRun: flag }),
  async run({ ids, dryRun, ...choice }, context) {
    const { output } = context;
    const chosen = await chosenIdsByFlow(ids, choice, context, "redrive");
    const reports: { flow: string; report: RedriveReport }[] = [];
    let exitCode: number = EXIT.done;
    for (const [flow, messageIds] of chosen) {
      const report = await redriveOne(flow, messageIds, dryRun, context);
      reports.push({ flow, report });
      if (exitCode === EXIT.done) exitCode = report.run?.exitCode ?? EXIT.done;
    }
    output.result(
      reports.map(({ flow, report: { run, ...counts } }) => ({
        flow,
        dryRun,
        ...counts,
        run: run === undefined ? null : runDocument(run.state, output, run.earlier),
      })),
      () =>
        reports.length === 0
          ? "No dead letters match."
          : reports.map(({ flow, report }) => reportText(flow, report, dryRun, context)).join("\n"),
    );
    return exitCode;
  },
});

async function redriveOne(
  name: string,
  messageIds: readonly string[],
  dryRun: boolean,
  { shell, output, workspace }: CommandContext,
): Promise<RedriveReport> {
  const project = await workspace.project();
  if (!project.flows.has(name) && project.problems.length === 0) {
    throw new ConfigError("FLOW_UNKNOWN", `the flow ${name} has dead letters and no file any more`, {
      fix: `Bring its file back, or drop them: sluice dead-letters drop --flow ${name}`,
    });
  }
  const flow = await workspace.flow(name);
  const { redriveDeadLetters } = await import("../../../run/index.js");
  const view = progressView(name, shell.stderr, output);
  try {
    const host = await workspace.host((progress) => view.update(progress));
    const report = await redriveDeadLetters(host, flow, { messageIds, dryRun, signal: shell.signal });
    view.stop();
    const error = report.run?.state.error;
    if (error != null)
      output.line(failureText(error, String, (style, text) => output.paintError(style, text)));
    return report;
  } finally {
    view.stop();
  }
}

function reportText(
  flow: string,
  report: RedriveReport,
  dryRun: boolean,
  { output }: CommandContext,
): string {
  const { examined, redriven, stillRejected, run } = report;
  const verb = dryRun ? "would pass now" : "sent again";
  const lines = [
    `${output.paint("bold", flow)}: ${plural(examined, "dead letter")}, ${redriven} ${verb}, ${stillRejected.length} refused again`,
    ...stillRejected
      .slice(0, REASONS_SHOWN)
      .map(({ messageId, reason }) => `  ${messageId}  ${printable(reason)}`),
  ];
  if (stillRejected.length > REASONS_SHOWN) lines.push(`  ... ${stillRejected.length - REASONS_SHOWN} more`);
  if (run !== undefined) lines.push(runText(runDocument(run.state, output, run.earlier), output));
  return lines.join("\n");
}
