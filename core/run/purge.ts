import { ConfigError } from "../contracts/index.js";
import { queuedOf } from "./account.js";
import { unsettledStates, updateRun, updateSink } from "./history.js";
import { HeldLease } from "./lease.js";
import { leaseName } from "./names.js";
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
  const flow = queue.split("--")[0] ?? queue;
  const lease = await HeldLease.acquire(environment, host.clock, host.random, leaseName(flow), (error) => {
    host.log.error("lease lost while purging", { queue, error: error.message });
  });
  try {
    const { records } = environment.queues.depth(queue);
    await environment.queues.purgeQueue(queue);
    const open = environment.store.openLoads(flow).filter((load) => load.queue === queue);
    await environment.transaction(({ store }) => {
      lease.assertHeld(store);
      for (const load of open) store.deleteLoad(flow, load.id);
      for (const { run } of unsettledStates(environment.store, flow)) {
        updateRun(store, flow, run, (state) =>
          updateSink(state, queue, (sink) => ({ ...sink, dropped: sink.dropped + queuedOf(sink) })),
        );
      }
    });
    return records;
  } finally {
    await lease.release();
  }
}
