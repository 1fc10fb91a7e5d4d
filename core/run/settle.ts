import { type RunState, type SinkState, textAttributes } from "../contracts/index.js";
import { queuedOf } from "./account.js";
import type { Lane } from "./deliver.js";
import {
  dropQueued,
  isIncomplete,
  receiptsOf,
  settleRun,
  unsettledRuns,
  unsettledStates,
  updateRun,
  updateSink,
} from "./history.js";
import { withRetry } from "./retry.js";
import { commit, type Session } from "./session.js";
import { isSamePlace } from "./sinks.js";
import { countOutcome } from "./streak.js";

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
      const closed = updateRun(store, flow.name, run, (state) => ({
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
      // Counted: a flow that brings its process down each time must not do so for ever.
      countOutcome(store, closed);
    }
  });
}

/**
 * Messages that left a queue outside of a run (retention, a purge through another tool) are counted as dropped by the
 * runs that sent them, so that every account keeps balancing; said aloud, since records are gone.
 */
export async function reconcileQueue(session: Session, queue: string): Promise<void> {
  const { host, flow } = session;
  const states = unsettledStates(host.environment.store, flow.name);
  let expected = 0;
  for (const { sinks } of states)
    for (const sink of sinks) if (sink.queue === queue) expected += queuedOf(sink);
  if (host.environment.queues.depth(queue).records >= expected) return;
  const held = recordsByRun(session, queue);
  let gone = 0;
  await commit(session, ({ store }) => {
    for (const { run } of states) {
      dropQueued(store, flow.name, run, queue, (sink) => {
        const missing = Math.max(0, queuedOf(sink) - (held.get(run) ?? 0));
        gone += missing;
        return missing;
      });
    }
  });
  host.log.warn("records are gone from a queue: expired or removed by another tool", {
    queue,
    records: gone,
  });
}

const PEEK = 1_000;

function recordsByRun(session: Session, queue: string): ReadonlyMap<string, number> {
  const { queues } = session.host.environment;
  const held = new Map<string, number>();
  let after: string | undefined;
  for (;;) {
    const page = queues.peek(queue, { limit: PEEK, ...(after === undefined ? {} : { after }) });
    for (const { attributes, records } of page) {
      const { run = "" } = textAttributes(attributes);
      held.set(run, (held.get(run) ?? 0) + records);
    }
    after = page.at(-1)?.messageId;
    if (page.length < PEEK) return held;
  }
}

/** Tells the lane's sink of every run that has nothing left in its queue, oldest first. */
export async function finishRuns(session: Session, lane: Lane): Promise<void> {
  const { host, flow, signal } = session;
  for (const state of unsettledStates(host.environment.store, flow.name)) {
    const sink = sinkOf(session, lane, state);
    if (sink === undefined || sink.finished) continue;
    // An older run still waits: a newer one must not be swapped in before it.
    if (queuedOf(sink) > 0) return;
    const told = () =>
      commit(session, ({ store }) => {
        updateRun(store, flow.name, state.run, (current) =>
          updateSink(current, sink.queue, (own) => ({ ...own, finished: true })),
        );
      });
    if (!isSamePlace(sink, lane.place)) {
      // The sink writes elsewhere now: what that run left there is not its to finish any more.
      if (sink.records > 0)
        host.log.warn("a run is not finished in a target that the flow has no more", {
          run: state.run,
          target: sink.target,
        });
      await told();
      continue;
    }
    const { loads, files } = receiptsOf(host.environment.store, state.run, sink);
    const finished = {
      run: state.run,
      flow: flow.name,
      generation: state.generation,
      complete: isWhole(session, lane, state, sink),
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
    await told();
  }
}

/**
 * The generation was read to its end, all of it for this sink. What a run had sent to be appended must not take the
 * place of everything because the flow replaces since.
 */
function isWhole({ host }: Session, lane: Lane, state: RunState, sink: SinkState): boolean {
  if (!state.readComplete || isIncomplete(host.environment.store, state, sink)) return false;
  return sink.mode === undefined || sink.mode === lane.writer.mode;
}

/** The lane's part of a run, also of one in which its sink stood at another position of the flow. */
function sinkOf(session: Session, { place }: Lane, { sinks }: RunState): SinkState | undefined {
  const there = sinks.find(({ queue }) => queue === place.queue);
  if (there !== undefined && isSamePlace(there, place)) return there;
  const moved = sinks.find((sink) => isSamePlace(sink, place));
  if (moved !== undefined) return moved;
  const hasMoved = there !== undefined && session.places.some((other) => isSamePlace(other, there));
  return hasMoved ? undefined : there;
}

/** Writes files into the histories and forgets runs that are through. */
export async function settleEarlier(session: Session): Promise<void> {
  const { environment } = session.host;
  for (const state of unsettledStates(environment.store, session.flow.name)) {
    if (state.run !== session.run) await settleRun(environment, state);
  }
}
