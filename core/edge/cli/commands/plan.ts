import { z } from "zod";
import type { PlanReport } from "../../../run/types.js";
import { forecastLines } from "../budget-report.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import type { Output } from "../output.js";
import { countText, durationText, plural } from "../quantity.js";
import { windowText } from "../run-report.js";
import { table } from "../table.js";

export const plan = defineCommand({
  name: "plan",
  summary: "say what a run would do: query, window, calls and time, columns, changes in the sinks",
  details:
    "Asks the source and the sinks, and changes nothing. Calls and time are forecast against what is left of the account's\n" +
    "limits, less the reserve of the connection.",
  arguments: [{ name: "flow", form: "<flow>", description: "name or file of a flow" }],
  examples: ["sluice plan salesforce-accounts", "sluice plan salesforce-accounts --json"],
  input: z.object({ flow: z.string() }),
  async run({ flow: name }, { shell, output, workspace }) {
    const flow = await workspace.flow(name);
    const { planFlow } = await import("../../../run/index.js");
    const report = await planFlow(await workspace.host(), flow, shell.signal);
    output.result(report, () => planText(report, output));
    return EXIT.done;
  },
});

function planText(report: PlanReport, output: Output): string {
  const heading = (text: string) => output.paint("bold", text);
  const forecast = [
    report.records === null ? "an unknown number of records" : `about ${plural(report.records, "record")}`,
    report.apiCalls === null
      ? "an unknown number of API calls"
      : `about ${plural(report.apiCalls, "API call")}`,
    ...(report.durationMs
      ? [`at least ${durationText(report.durationMs)} for the calls and by the limits of the API`]
      : []),
  ].join(", ");
  const lines = [
    `${heading(report.flow)}: ${forecast}`,
    "",
    heading("source"),
    `  query         ${report.query}`,
    ...(report.window === null ? [] : [`  window        ${windowText(report.window)}`]),
    ...report.pushedDown.map((condition) => `  pushed down   ${condition}`),
    ...report.notPushedDown.map((condition) => `  filtered here ${condition}`),
    ...forecastLines(report.budget),
    "",
    heading("columns"),
    indent(
      table(report.schema, [
        { title: "name", value: (field) => field.name },
        { title: "type", value: (field) => field.type },
      ]),
    ),
  ];
  for (const sink of report.sinks) {
    lines.push("", `${heading("sink")} ${sink.connection} -> ${sink.target}`);
    lines.push(
      ...(sink.changes.length === 0
        ? ["  no change of the target"]
        : sink.changes.map((text) => `  ${text}`)),
    );
  }
  if (report.openLoads > 0 || report.queued > 0) {
    lines.push(
      "",
      `Left by earlier runs and delivered first: ${plural(report.queued, "queued record")}, ${countText(report.openLoads)} open ${report.openLoads === 1 ? "load" : "loads"}.`,
    );
  }
  return lines.join("\n");
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}
