import { z } from "zod";
import type { Project, Trigger } from "../../../flow/types.js";
import { accessKeys } from "../../access-keys.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { port } from "../input.js";
import { plural } from "../quantity.js";
import { printValidation } from "../validation.js";

export const daemon = defineCommand({
  name: "daemon",
  summary: "start flows by their triggers and serve the queues, until it is interrupted",
  details:
    "Starts flows with `trigger: schedule` and `after`, looks at the alarms, and serves the buffer as `queue serve` does,\n" +
    "with the same keys from the environment. Prints one line when it is ready and a log on standard error. At the first\n" +
    "SIGINT or SIGTERM runs are cancelled, resumable, and it ends with 0. Changed flow files are taken up by a restart.",
  options: [
    {
      flags: "--sqs-port <port>",
      description: "port of the SQS endpoint; 0 takes a free one (default: server.sqsPort, 9324)",
    },
    { flags: "--no-sqs", description: "do not serve the queues" },
  ],
  examples: ["sluice daemon", "sluice daemon --sqs-port 0 --json", "sluice daemon --no-sqs"],
  logLevel: "info",
  input: z.object({ sqsPort: port.optional(), sqs: z.boolean().default(true) }),
  async run({ sqsPort, sqs }, { shell, output, workspace }) {
    const keys = accessKeys(shell.env);
    const project = await workspace.project();
    if (project.problems.length > 0) {
      printValidation([...project.flows.values()], project.problems, output);
      return EXIT.configuration;
    }
    const { runDaemon } = await import("../../daemon/daemon.js");
    const { dataDir, server, buffer } = project;
    const folder = buffer.type === "memory" ? undefined : dataDir;
    const flows = countByTrigger(project);
    await runDaemon({
      host: await workspace.host(),
      signal: shell.signal,
      sqs: sqs ? { host: server.host, port: sqsPort ?? server.sqsPort, keys, dataDir: folder } : undefined,
      onReady: (url) =>
        output.ready({ url: url ?? null, dataDir: folder ?? null, flows }, () => readyText(url, flows)),
    });
    return EXIT.done;
  },
});

type Counts = Record<Trigger["type"], number>;

function countByTrigger({ flows }: Project): Counts {
  const counts: Counts = { schedule: 0, after: 0, event: 0, onDemand: 0 };
  for (const { trigger } of flows.values()) counts[trigger.type]++;
  return counts;
}

function readyText(url: string | undefined, { schedule, after }: Counts): string {
  const flows = `${plural(schedule, "flow")} by schedule, ${after} after others`;
  return url === undefined ? `ready: ${flows}` : `listening on ${url}; ${flows}`;
}
