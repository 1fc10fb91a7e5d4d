import { queuedOf } from "./account.js";
import type { Lane } from "./deliver.js";
import { receiptsOf, settleRun, unsettledRuns, unsettledStates, updateRun, updateSink } from "./history.js";
import { withRetry } from "./retry.js";
import { commit, type Session } from "./session.js";

/*
 * The end of runs. A run is settled in a sink once none of its records is queued there and the sink was told so
 * (manifest, swap of a replaced table). What a killed or failed run left open is settled by the next one.
 */

/** Marks runs that a killed process left as running. The caller holds the flow's lease. */
export async function closeInterrupted(session: Pick<Session, "host" | "lease" | "flow">): Promise<void> {
  const { host, flow } = session;
  const at = new Date(host.clock.now()).toISOString();
  await commit(session, ({ store }) => {
    for (const run of unsettledRuns(store, flow.name)) {
      if (store.run(flow.name, run)?.status !== "running") continue;
      updateRun(store, flow.name, run, (state) => ({
        ...state,
        status: "failed",
        endedAt: at,
        error: {
          class: "transient",
          code: "RUN_INTERRUPTED",
          message: "the process ended during the run",
          fix: "Nothing is lost: the next run goes on from the last checkpoint.",
        },
      }));
    }
  });
}

/**
 * Messages that left a queue outside of a run (retention, a purge through another tool) are counted as dropped, oldest
 * run first, so that every account keeps balancing; said aloud, since records are gone.
 */
export async function reconcileQueue(session: Session, queue: string): Promise<void> {
  const { host, flow } = session;
  const states = unsettledStates(host.environment.store, flow.name);
  const held = host.environment.queues.depth(queue).records;
  let missing = -held;
  for (const state of states)
    for (const sink of state.sinks) if (sink.queue === queue) missing += queuedOf(sink);
  if (missing <= 0) return;
  host.log.warn("records are gone from a queue: expired or removed by another tool", {
    queue,
    records: missing,
  });
  await commit(session, ({ store }) => {
    for (const { run } of states) {
      updateRun(store, flow.name, run, (state) =>
        updateSink(state, queue, (sink) => {
          const gone = Math.min(missing, queuedOf(sink));
          missing -= gone;
          return { ...sink, dropped: sink.dropped + gone };
        }),
      );
    }
  });
}

/** Tells the lane's sink of every run that has nothing left in its queue, oldest first. */
export async function finishRuns(session: Session, lane: Lane): Promise<void> {
  const { host, flow, signal } = session;
  for (const state of unsettledStates(host.environment.store, flow.name)) {
    const sink = state.sinks.find(({ queue }) => queue === lane.queue);
    if (sink === undefined || sink.finished) continue;
    // An older run still waits: a newer one must not be swapped in before it.
    if (queuedOf(sink) > 0) return;
    const { loads, files } = receiptsOf(host.environment.store, state.run, sink);
    const finished = {
      run: state.run,
      flow: flow.name,
      generation: state.generation,
      complete: state.readComplete,
      loads,
      files,
      records: sink.records,
      startedAt: state.startedAt,
      endedAt: state.endedAt ?? new Date(host.clock.now()).toISOString(),
    };
    await withRetry(
      host.clock,
      host.random,
      signal,
      (wait) => session.meter.waiting(wait),
      () => lane.writer.finish(finished, signal),
    );
    await commit(session, ({ store }) => {
      updateRun(store, flow.name, state.run, (current) =>
        updateSink(current, lane.queue, (own) => ({ ...own, finished: true })),
      );
    });
  }
}

/** Writes files into the histories and forgets runs that are through. */
export async function settleEarlier(session: Session): Promise<void> {
  const { environment } = session.host;
  for (const state of unsettledStates(environment.store, session.flow.name)) {
    if (state.run !== session.run) await settleRun(environment, state);
  }
}
