import { ConfigError, type Environment } from "../../contracts/index.js";
import { nearestName } from "../../flow/nearest.js";
import type { Workspace } from "./workspace.js";

/** The data directory, once it is certain that it has the queue. ConfigError QUEUE_UNKNOWN otherwise. */
export async function environmentWithQueue(
  workspace: Workspace,
  queue: string,
  purpose: "look" | "change",
): Promise<Environment> {
  const environment = await workspace.existingEnvironment(purpose);
  if (environment?.queues.hasQueue(queue) === true) return environment;
  const known = environment?.queues.listQueues() ?? [];
  const near = nearestName(queue, known);
  throw new ConfigError(
    "QUEUE_UNKNOWN",
    `there is no queue named ${queue}${near === undefined ? "" : ` (did you mean ${near}?)`}`,
    {
      fix:
        known.length === 0
          ? "There are no queues yet: the first run of a flow creates them."
          : "`sluice queue list` names them all.",
    },
  );
}
