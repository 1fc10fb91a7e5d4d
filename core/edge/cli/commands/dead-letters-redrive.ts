import { z } from "zod";
import { ConfigError } from "../../../contracts/index.js";
import type { RedriveReport } from "../../../run/redrive.js";
import { type CommandContext, defineCommand } from "../command.js";
import { CHOICE_OPTIONS, choiceInput } from "../dead-letter-choice.js";
import { type ChosenLetters, chosenLetters } from "../dead-letter-filters.js";
import { EXIT } from "../exit-code.js";
import { failureText } from "../failure.js";
import { flag, names, perSecond } from "../input.js";
import { progressView } from "../progress.js";
import { countText, plural } from "../quantity.js";
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
  options: [
    ...CHOICE_OPTIONS,
    { flags: "--dry-run", description: "say what would happen, change nothing" },
    {
      flags: "--rate <count>",
      description: "at most so many records per second (default: as fast as it goes)",
    },
  ],
  examples: [
    "sluice dead-letters redrive 0f8b2c1e",
    "sluice dead-letters redrive --flow salesforce-accounts --reason notNull --dry-run",
    "sluice dead-letters redrive --sink warehouse --since 24h --rate 50",
  ],
  input: z.object({ ids: names, ...choiceInput, dryRun: flag, rate: perSecond }),
  async run({ ids, dryRun, rate, ...choice }, context) {
    const { output } = context;
    // A dry run asks the account for its fields too, which its budget notes.
    const chosen = await chosenLetters(ids, choice, context, { verb: "redrive", purpose: "change" });
    const reports: { flow: string; report: RedriveReport }[] = [];
    let exitCode: number = EXIT.done;
    for (const letters of chosen) {
      const report = await redriveOne(letters, { dryRun, rate }, context);
      reports.push({ flow: letters.flow, report });
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
  { flow: name, filter }: ChosenLetters,
  { dryRun, rate }: { readonly dryRun: boolean; readonly rate: number | undefined },
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
    const report = await redriveDeadLetters(host, flow, {
      ...filter,
      dryRun,
      signal: shell.signal,
      ...(rate === undefined ? {} : { perSecond: rate }),
    });
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
  const { examined, redriven, filtered, queues, stillRejected, run } = report;
  const verb = dryRun ? "would pass now" : "sent again";
  const lines = [
    `${output.paint("bold", flow)}: ${plural(examined, "dead letter")}, ${countText(redriven)} ${verb}, ${countText(stillRejected.length)} refused again`,
    ...Object.entries(queues).map(([queue, records]) => `  ${plural(records, "record")} for ${queue}`),
    ...(filtered === 0 ? [] : [`  ${plural(filtered, "record")} that the filter leaves out now`]),
    ...stillRejected
      .slice(0, REASONS_SHOWN)
      .map(({ messageId, reason }) => `  ${messageId}  ${printable(reason)}`),
  ];
  if (stillRejected.length > REASONS_SHOWN) lines.push(`  ... ${stillRejected.length - REASONS_SHOWN} more`);
  if (run !== undefined) lines.push(runText(runDocument(run.state, output, run.earlier), output));
  return lines.join("\n");
}
