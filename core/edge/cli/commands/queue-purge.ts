import { z } from "zod";
import { approved } from "../approval.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { flag } from "../input.js";
import { environmentWithQueue } from "../known-queue.js";
import { plural } from "../quantity.js";

export const queuePurge = defineCommand({
  name: "queue purge",
  summary: "throw away all messages of a queue, for good",
  details:
    "Records purged from a sink's queue never reach that sink; the runs that read them count them as dropped. The\n" +
    "checkpoint does not move back: to have them after all, run the flow with --full or a window.",
  arguments: [{ name: "queue", form: "<queue>", description: "a name from `sluice queue list`" }],
  options: [{ flags: "--yes", description: "do not ask" }],
  examples: ["sluice queue purge salesforce-accounts--0-lake --yes"],
  input: z.object({ queue: z.string(), yes: flag }),
  async run({ queue, yes }, context) {
    const { output, workspace } = context;
    await workspace.projectToLookAt();
    const environment = await environmentWithQueue(workspace, queue, "change");
    const { records } = environment.queues.depth(queue);
    if (records > 0) {
      const question = `Throw away ${plural(records, "record")} in ${queue} for good?`;
      if (!(await approved(question, yes, context))) return EXIT.failed;
    }
    const { purgeQueue } = await import("../../../run/purge.js");
    const purged = await purgeQueue(await workspace.host(), queue);
    output.result({ queue, records: purged }, () =>
      purged === 0
        ? "The queue was empty."
        : `${plural(purged, "record")} purged from ${queue}; counted as dropped.`,
    );
    return EXIT.done;
  },
});
