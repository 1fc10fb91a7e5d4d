import { z } from "zod";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { type FlowStatus, flowNames, flowStatus, type QueueStatus } from "../flow-status.js";
import type { Output } from "../output.js";
import { agoText, bytesText, countText, durationText, timeText } from "../quantity.js";
import { table } from "../table.js";

export const status = defineCommand({
  name: "status",
  summary: "say per flow how the last run went, how old the data is and what is queued",
  examples: ["sluice status", "sluice status --json"],
  input: z.object({}),
  async run(_, { shell, output, workspace }) {
    const project = await workspace.projectToLookAt();
    const environment = await workspace.existingEnvironment("look");
    const now = shell.clock.now();
    const flows = flowNames(project, environment).map((flow) => flowStatus(flow, environment, now, output));
    output.result(
      { project: project.dir, dataDir: project.dataDir, at: new Date(now).toISOString(), flows },
      () => statusText(flows, now, output),
    );
    return EXIT.done;
  },
});

function statusText(flows: readonly FlowStatus[], now: number, output: Output): string {
  if (flows.length === 0) return "The project has no flow that is ready; see `sluice validate`.";
  const parts = [
    table(
      flows,
      [
        { title: "flow", value: (flow) => flow.flow },
        { title: "state", value: (flow) => flow.state },
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
  const error = flow.lastRun?.error;
  if (error != null && flow.state !== "running") {
    remarks.push(
      `ended with ${error.code}: ${error.message}${error.fix === undefined ? "" : `\n  fix: ${error.fix}`}`,
    );
  }
  if (flow.deadLetters > 0) remarks.push(`has refused records: sluice dead-letters list --flow ${flow.flow}`);
  return remarks.map((remark) => `${flow.flow} ${remark}`);
}
