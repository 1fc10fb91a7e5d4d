import {
  ConfigError,
  type Log,
  type RunState,
  type SinkState,
  type Store,
  type StoreTx,
} from "../contracts/index.js";
import type { Flow } from "../flow/types.js";
import { queuedOf } from "./account.js";
import { connectSink } from "./connect.js";
import { markIncomplete, unsettledStates } from "./history.js";
import { queueName } from "./names.js";
import type { RunHost } from "./types.js";

/*
 * A queue belongs to a position in the flow file, its records to a target. When the file was edited in between, the
 * two may not fit any more:
 *
 *   same target at the same position       deliver
 *   another target, the old one is gone    deliver there: the sink was given another table or path
 *   another target that those records were sent to as well (it moved up)
 *   or the old target is at another position now (it moved away)
 *                                          refuse: the one would get records twice, the other never
 *   nothing at that position               leave them queued, and say so
 */

/** One sink of a flow as its file stands now. */
export interface Place {
  readonly queue: string;
  readonly connection: string;
  /** SinkWriter.target. */
  readonly target: string;
  readonly replaces: boolean;
}

type Meant = Pick<SinkState, "queue" | "connection" | "target">;

export function isSamePlace(a: Omit<Meant, "queue">, b: Omit<Meant, "queue">): boolean {
  return a.connection === b.connection && a.target === b.target;
}

/** The places of a flow, without a session: opens each sink and closes it again. */
export async function placesOf(host: RunHost, flow: Flow): Promise<Place[]> {
  const places: Place[] = [];
  for (const [index, { connection, target, mode }] of flow.sinks.entries()) {
    const sink = connectSink(host, connection);
    try {
      const writer = sink.open(target, flow.name);
      const queue = queueName(flow.name, index, connection);
      places.push({ queue, connection, target: writer.target, replaces: mode === "replace" });
      await writer.close();
    } finally {
      await sink.close();
    }
  }
  return places;
}

/** Where records that `state` sent to its sink `meant` belong today; undefined: nowhere. */
export function placeToday(state: RunState, meant: Meant, places: readonly Place[]): Place | undefined {
  const there = places.find(({ queue }) => queue === meant.queue);
  if (there !== undefined && isSamePlace(there, meant)) return there;
  const moved = places.find((place) => isSamePlace(place, meant));
  if (moved !== undefined) return moved;
  return there === undefined || state.sinks.some((sink) => isSamePlace(sink, there)) ? undefined : there;
}

/** ConfigError where what waits in the queues would reach the wrong sinks. */
export function checkPlaces(store: Store, flow: Flow, places: readonly Place[], log: Log): void {
  refuseTwice(flow, places);
  for (const state of unsettledStates(store, flow.name)) {
    for (const sink of state.sinks) {
      const records = queuedOf(sink);
      if (records === 0) continue;
      const there = places.find(({ queue }) => queue === sink.queue);
      const today = placeToday(state, sink, places);
      if (today !== undefined && today === there) {
        if (!isSamePlace(today, sink))
          log.warn("records that wait for a sink go to its new target", {
            records,
            was: sink.target,
            target: today.target,
          });
      } else if (today === undefined && there === undefined) {
        log.warn("records wait for a sink that the flow has no more", { records, queue: sink.queue });
      } else throw moved(flow, sink, records);
    }
  }
}

/**
 * A sink that came to the flow, or began to replace, in the middle of a read has missed the beginning of it. `before`:
 * the run that read the part before.
 */
export function markLate(tx: StoreTx, state: RunState, before: string, places: readonly Place[]): void {
  const earlier = tx.run(state.flow, before);
  if (earlier === undefined) return;
  for (const place of places) {
    const sink = earlier.sinks.find((own) => isSamePlace(own, place));
    const gathers = sink?.mode === undefined || (sink.mode === "replace") === place.replaces;
    if (sink === undefined || !gathers) markIncomplete(tx, state, place);
  }
}

function moved(flow: Flow, sink: SinkState, records: number): ConfigError {
  return new ConfigError(
    "SINKS_MOVED",
    `${records} records wait in ${sink.queue} for ${sink.connection} ${sink.target}, which stood at that position of the flow and does not now`,
    {
      place: `${flow.file} sinks`,
      fix: `Put the sinks back in their former order and run the flow once, or give the records up: sluice queue purge ${sink.queue}`,
    },
  );
}

/** Two sinks that replace one target would take each other's records away. */
function refuseTwice(flow: Flow, places: readonly Place[]): void {
  for (const [index, place] of places.entries()) {
    const other = places.slice(0, index).find((earlier) => isSamePlace(earlier, place));
    if (other === undefined || (!place.replaces && !other.replaces)) continue;
    throw new ConfigError(
      "SINK_TWICE",
      `two sinks of the flow write to ${place.target}, and one replaces it`,
      {
        place: flow.sinks[index]?.place ?? `${flow.file} sinks`,
        fix: "Give each its own table or path.",
      },
    );
  }
}
