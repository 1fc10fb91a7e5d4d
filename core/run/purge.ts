import { ConfigError } from "../contracts/index.js";
import { queuedOf } from "./account.js";
import { dropQueued, unsettledRuns } from "./history.js";
import { HeldLease } from "./lease.js";
import { flowOfQueue, leaseName } from "./names.js";
import type { RunHost } from "./types.js";

/**
 * Empties a queue. Records purged from a sink queue are counted as dropped by the runs that sent them, and loads left
 * open on it are given up, so that accounts keep balancing. TransientError FLOW_RUNNING while the flow runs.
 * Returns how many records went.
 */
export async function purgeQueue(host: RunHost, queue: string): Promise<number> {
  const { environment } = host;
  if (!environment.queues.hasQueue(queue)) {
    throw new ConfigError("QUEUE_UNKNOWN", `there is no queue named ${queue}`, {
      fix: `Name one of: ${environment.queues.listQueues().join(", ") || "(none yet)"}.`,
    });
  }
  const flow = flowOfQueue(queue);
  const lease = await HeldLease.acquire(environment, host.clock, host.random, leaseName(flow), (error) => {
    host.log.error("lease lost while purging", { queue, error: error.message });
  });
  try {
    const { records } = environment.queues.depth(queue);
    // A process that dies in between leaves what reconcileQueue and an open load without messages put right.
    await environment.queues.purgeQueue(queue);
    const open = environment.store.openLoads(flow).filter((load) => load.queue === queue);
    await environment.transaction(({ store }) => {
      lease.assertHeld(store);
      for (const load of open) store.deleteLoad(flow, load.id);
      for (const run of unsettledRuns(store, flow)) dropQueued(store, flow, run, queue, queuedOf);
    });
    return records;
  } finally {
    await lease.release();
  }
}
