import { z } from "zod";
import type { QueueDepth } from "../../../contracts/index.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { bytesText, countText, durationText } from "../quantity.js";
import { table } from "../table.js";

export const queueList = defineCommand({
  name: "queue list",
  summary: "list the queues with their depth",
  arguments: [{ name: "prefix", form: "[prefix]", description: "queues whose name begins so" }],
  examples: ["sluice queue list", "sluice queue list salesforce-accounts --json"],
  input: z.object({ prefix: z.string().optional() }),
  async run({ prefix }, { shell, output, workspace }) {
    await workspace.projectToLookAt();
    const environment = await workspace.existingEnvironment("look");
    const now = shell.clock.now();
    const queues = (environment?.queues.listQueues(prefix) ?? []).flatMap((queue) => {
      const depth = environment?.queues.depth(queue);
      return depth === undefined ? [] : [document(queue, depth, now)];
    });
    output.result(queues, () =>
      queues.length === 0
        ? "No queues yet: the first run of a flow creates them."
        : table(
            queues,
            [
              { title: "queue", value: (queue) => queue.queue },
              { title: "visible", value: (queue) => countText(queue.visible), align: "right" },
              { title: "in flight", value: (queue) => countText(queue.inFlight), align: "right" },
              { title: "delayed", value: (queue) => countText(queue.delayed), align: "right" },
              { title: "records", value: (queue) => countText(queue.records), align: "right" },
              { title: "bytes", value: (queue) => bytesText(queue.bytes), align: "right" },
              {
                title: "oldest",
                value: (queue) => (queue.oldestAgeMs === null ? null : durationText(queue.oldestAgeMs)),
                align: "right",
              },
            ],
            output.title,
          ),
    );
    return EXIT.done;
  },
});

/** `visible`, `inFlight` and `delayed` count messages. */
function document(queue: string, depth: QueueDepth, now: number) {
  return {
    queue,
    visible: depth.ApproximateNumberOfMessages,
    inFlight: depth.ApproximateNumberOfMessagesNotVisible,
    delayed: depth.ApproximateNumberOfMessagesDelayed,
    records: depth.records,
    bytes: depth.bytes,
    oldestAgeMs: depth.oldestSentAt === undefined ? null : Math.max(0, now - depth.oldestSentAt),
  };
}
