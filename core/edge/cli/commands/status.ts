import { z } from "zod";
import { SluiceError } from "../../../contracts/index.js";
import { type AlarmReport, measureAlarms, noteAlarms } from "../../../run/alarms.js";
import { connectionBudgets } from "../../../run/budgets.js";
import { alarmDocument, alarmsText } from "../alarm-report.js";
import { budgetsText } from "../budget-report.js";
import { type CommandContext, defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { type FlowStatus, flowNames, flowStatus, type QueueStatus } from "../flow-status.js";
import { grantReport, grantsText } from "../grant-report.js";
import type { Output } from "../output.js";
import { agoText, bytesText, countText, durationText, timeText } from "../quantity.js";
import { table } from "../table.js";

export const status = defineCommand({
  name: "status",
  summary:
    "say per flow how the last run went, how old the data is, what is queued, what is left of API limits, and which alarms fire",
  details:
    "Alarms are the thresholds of buffer.alarms in sluice.yaml. Exits with 4 while one of them fires, else with 0;\n" +
    "when an alarm begins or ends to fire is kept and shown with --json. A connection whose sign-in has ended, and with it\n" +
    "its flows, is named with what to do.",
  examples: ["sluice status", "sluice status --json"],
  input: z.object({}),
  async run(_, context) {
    const { shell, output, workspace } = context;
    const project = await workspace.projectToLookAt();
    const environment = await workspace.existingEnvironment("look");
    const now = shell.clock.now();
    const flows = flowNames(project, environment).map((flow) =>
      flowStatus(flow, environment, now, output, project.flows.get(flow)?.trigger),
    );
    const grants = grantReport(await workspace.grantStore(), project, output);
    const report = measureAlarms(environment, project, now);
    const budgets = connectionBudgets(project, await workspace.connectors(), environment?.store, now);
    await noteMoves(report, now, context);
    output.result(
      {
        project: project.dir,
        dataDir: project.dataDir,
        at: new Date(now).toISOString(),
        flows,
        grants,
        budgets,
        alarms: report.alarms.map(alarmDocument),
        idleAlarms: report.idle,
      },
      () =>
        [
          statusText(flows, now, output),
          grantsText(grants, now, output),
          budgetsText(budgets, output),
          alarmsText(report, now, output),
        ]
          .filter(Boolean)
          .join("\n\n"),
    );
    return report.alarms.some(({ state }) => state === "firing") ? EXIT.alarm : EXIT.done;
  },
});

/** Only what moved is worth opening the data directory for writing; one that cannot be written is looked at all the same. */
async function noteMoves(
  report: AlarmReport,
  now: number,
  { workspace, output }: CommandContext,
): Promise<void> {
  if (report.moves.length === 0) return;
  try {
    await noteAlarms(await workspace.environmentToChange(), report, now);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    output.warn(`what the alarms did could not be written down: ${error.message}`);
  }
}

function statusText(flows: readonly FlowStatus[], now: number, output: Output): string {
  if (flows.length === 0) return "The project has no flow that is ready; see `sluice validate`.";
  const parts = [
    table(
      flows,
      [
        { title: "flow", value: (flow) => flow.flow },
        { title: "state", value: (flow) => (flow.parkedUntil === null ? flow.state : "parked") },
        { title: "last run", value: (flow) => lastRunText(flow, now) },
        {
          title: "loaded",
          value: (flow) => flow.lastRun && countText(flow.lastRun.records.loaded),
          align: "right",
        },
        {
          title: "lag",
          value: (flow) => (flow.lagMs === null ? null : durationText(flow.lagMs)),
          align: "right",
        },
        { title: "queued", value: (flow) => countText(queuedRecords(flow)), align: "right" },
        { title: "dead letters", value: (flow) => countText(flow.deadLetters), align: "right" },
      ],
      output.title,
    ),
  ];
  const queues = flows.flatMap((flow) => flow.queues).filter((queue) => queue.messages > 0);
  if (queues.length > 0) parts.push(queueTable(queues, output));
  const remarks = flows.flatMap((flow) => remarksOn(flow, now));
  if (remarks.length > 0) parts.push(remarks.join("\n"));
  return parts.join("\n\n");
}

function lastRunText({ lastRun }: FlowStatus, now: number): string | null {
  if (lastRun === null) return null;
  return lastRun.endedAt === null
    ? `began ${agoText(Date.parse(lastRun.startedAt), now)}`
    : agoText(Date.parse(lastRun.endedAt), now);
}

function queuedRecords(flow: FlowStatus): number {
  return flow.queues.reduce((sum, queue) => sum + queue.records, 0);
}

export function queueTable(queues: readonly QueueStatus[], output: Output): string {
  return table(
    queues,
    [
      { title: "queue", value: (queue) => queue.queue },
      { title: "messages", value: (queue) => countText(queue.messages), align: "right" },
      { title: "records", value: (queue) => countText(queue.records), align: "right" },
      { title: "bytes", value: (queue) => bytesText(queue.bytes), align: "right" },
      {
        title: "oldest",
        value: (queue) => (queue.oldestAgeMs === null ? null : durationText(queue.oldestAgeMs)),
        align: "right",
      },
    ],
    output.title,
  );
}

/** What does not fit into a row and somebody should know, each with what happens next. */
function remarksOn(flow: FlowStatus, now: number): string[] {
  const remarks: string[] = [];
  if (flow.lease !== null) {
    const { pid, host, acquiredAt } = flow.lease;
    remarks.push(
      `is being run by process ${pid} on ${host}, since ${timeText(acquiredAt)} (UTC), ${agoText(acquiredAt, now)}.`,
    );
  } else {
    if (flow.state === "interrupted")
      remarks.push("was interrupted; the next run goes on from the last checkpoint.");
    if (flow.openLoads > 0) {
      remarks.push(
        `has ${countText(flow.openLoads)} open ${flow.openLoads === 1 ? "load" : "loads"}; the next run finishes ${flow.openLoads === 1 ? "it" : "them"} first.`,
      );
    }
  }
  if (flow.parkedUntil !== null)
    remarks.push(
      `is parked until ${timeText(flow.parkedUntil)} (UTC); a run after that goes on where it stopped.`,
    );
  const error = flow.lastRun?.error;
  if (error != null && flow.state !== "running") {
    remarks.push(
      `ended with ${error.code}: ${error.message}${error.fix === undefined ? "" : `\n  fix: ${error.fix}`}`,
    );
  }
  if (flow.switchedOff !== null) {
    const { failures, since } = flow.switchedOff;
    remarks.push(
      `is switched off: ${failures === 1 ? "1 run has failed" : `${countText(failures)} runs have failed one after the other`}, since ${timeText(since)} (UTC).\n  fix: When it is mended: sluice run ${flow.flow}`,
    );
  }
  if (flow.deadLetters > 0) remarks.push(`has refused records: sluice dead-letters list --flow ${flow.flow}`);
  return remarks.map((remark) => `${flow.flow} ${remark}`);
}
