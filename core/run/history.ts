import {
  type Environment,
  InvariantError,
  invariant,
  RateLimitError,
  type RunError,
  type RunState,
  type SinkState,
  SluiceError,
  type Store,
  type StoreTx,
  type WrittenFile,
} from "../contracts/index.js";
import { countsOf } from "./account.js";

/*
 * What the store knows of a flow's runs beyond RunState itself:
 *   unsettled/<flow>                      ids of runs that still have something queued or unfinished, oldest first
 *   receipt/<run>/<queue>/<number>        files of one closed load, until the run is settled
 *   incomplete/<flow>/<generation>/<connection>/<target>
 *                                         a part of that read never reached that sink: `replace` must not put it in
 *                                         the place of a whole one
 */

type Target = Pick<SinkState, "connection" | "target">;

const incompleteKey = ({ flow, generation }: RunState, { connection, target }: Target) =>
  `incomplete/${flow}/${generation}/${connection}/${target}`;
const unsettledKey = (flow: string) => `unsettled/${flow}`;
const receiptKey = (run: string, queue: string, number: number) => `receipt/${run}/${queue}/${number}`;

/** Ids of the runs of a flow that are not settled, oldest first. */
export function unsettledRuns(store: Pick<Store, "get">, flow: string): string[] {
  const value = store.get(unsettledKey(flow));
  return Array.isArray(value) ? value.filter((id) => typeof id === "string") : [];
}

/** States of the unsettled runs, oldest first. */
export function unsettledStates(store: Store, flow: string): RunState[] {
  return unsettledRuns(store, flow).flatMap((run) => store.run(flow, run) ?? []);
}

export function beginRun(tx: StoreTx, state: RunState): void {
  // Ids of loads begin with the run's: one that came twice would find its loads in the ledgers and lose its records.
  invariant(tx.run(state.flow, state.run) === undefined, "RUN_EXISTS", `there is a run ${state.run} already`);
  tx.put(unsettledKey(state.flow), [...unsettledRuns(tx, state.flow), state.run]);
  tx.putRun(state);
}

/** Changes a run's facts and derives its counts anew. */
export function updateRun(
  tx: StoreTx,
  flow: string,
  run: string,
  change: (state: RunState) => RunState,
): RunState {
  const state = tx.run(flow, run);
  if (state === undefined)
    throw new InvariantError("RUN_MISSING", `run ${run} of ${flow} is not in the store`);
  const changed = change(state);
  const updated = { ...changed, records: countsOf(changed) };
  tx.putRun(updated);
  return updated;
}

/** Changes one sink's part of a run; the queue's name tells which, whatever the flow file says today. */
export function updateSink(state: RunState, queue: string, change: (sink: SinkState) => SinkState): RunState {
  return { ...state, sinks: state.sinks.map((sink) => (sink.queue === queue ? change(sink) : sink)) };
}

/** Notes what a load of one sink became; call it with the sink's state before it counts the load. */
export function putReceipt(
  tx: StoreTx,
  run: string,
  sink: SinkState,
  receipt: { load: string; files: readonly WrittenFile[] },
): void {
  tx.put(receiptKey(run, sink.queue, sink.loads), {
    load: receipt.load,
    files: receipt.files.map((file) => ({ ...file })),
  });
}

/** Loads and files of one sink of a run, in the order they were closed. */
export function receiptsOf(
  store: Store,
  run: string,
  sink: SinkState,
): { loads: string[]; files: WrittenFile[] } {
  const loads: string[] = [];
  const files: WrittenFile[] = [];
  for (let number = 0; number < sink.loads; number++) {
    const value = store.get(receiptKey(run, sink.queue, number));
    if (value === null || typeof value !== "object" || !("load" in value) || !Array.isArray(value.files))
      continue;
    loads.push(String(value.load));
    for (const file of value.files) {
      if (file === null || typeof file !== "object" || !("path" in file)) continue;
      files.push({ path: String(file.path), records: Number(file.records), bytes: Number(file.bytes) });
    }
  }
  return { loads, files };
}

/** Notes that a part of the generation of `state` never reaches a sink. */
export function markIncomplete(tx: StoreTx, state: RunState, sink: Target): void {
  tx.put(incompleteKey(state, sink), true);
}

export function isIncomplete(store: Store, state: RunState, sink: Target): boolean {
  return store.get(incompleteKey(state, sink)) !== undefined;
}

/** Counts records of a run that are gone from a sink's queue for good. */
export function dropQueued(
  tx: StoreTx,
  flow: string,
  run: string,
  queue: string,
  goneOf: (sink: SinkState) => number,
): void {
  updateRun(tx, flow, run, (state) =>
    updateSink(state, queue, (sink) => {
      const gone = goneOf(sink);
      if (gone > 0) markIncomplete(tx, state, sink);
      return { ...sink, dropped: sink.dropped + gone };
    }),
  );
}

/** Writes the files into the history and forgets a run that has nothing left to do. */
export async function settleRun(environment: Environment, state: RunState): Promise<RunState> {
  const files = new Map(
    state.sinks.map((sink) => [sink.queue, receiptsOf(environment.store, state.run, sink).files]),
  );
  return environment.transaction((tx) => {
    const settled = updateRun(tx.store, state.flow, state.run, (current) => ({
      ...current,
      sinks: current.sinks.map((sink) => ({ ...sink, files: files.get(sink.queue) ?? sink.files })),
    }));
    if (settled.status !== "running" && settled.sinks.every((sink) => sink.finished)) {
      tx.store.put(
        unsettledKey(state.flow),
        unsettledRuns(tx.store, state.flow).filter((run) => run !== state.run),
      );
      for (const sink of settled.sinks) {
        for (let number = 0; number < sink.loads; number++) {
          tx.store.delete(receiptKey(state.run, sink.queue, number));
        }
      }
    }
    return settled;
  });
}

/** A limit of hours that does not say how long it lasts. */
const PARKED_MS = 3_600_000;

/** What the history keeps of an error that ended a run at `now` (epoch ms): a parked one says when to come back. */
export function endError(error: unknown, now: number): RunError {
  const kept = runError(error);
  if (!(error instanceof RateLimitError && error.scope === "park")) return kept;
  return { ...kept, retryAt: new Date(now + (error.retryAfterMs ?? PARKED_MS)).toISOString() };
}

/** What the history keeps of an error. */
export function runError(error: unknown): RunError {
  if (error instanceof SluiceError) {
    return {
      class: error.kind,
      code: error.code,
      message: error.message,
      ...(error.place === undefined ? {} : { place: error.place }),
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    };
  }
  return {
    class: "invariant",
    code: "UNEXPECTED",
    message: error instanceof Error ? error.message : String(error),
  };
}
