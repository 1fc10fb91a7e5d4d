import { invariant, type RecordCounts, type RunState, type SinkState } from "../contracts/index.js";

/*
 * The account of a run. The engine writes down facts in the same transaction that makes them true: per page what was
 * fetched, filtered, rejected and sent to each sink's queue; per closed load what the sink counted. Everything else
 * is derived here, so the account balances or something is really missing.
 */

/** What one page adds to its run. */
export interface Tally {
  fetched: number;
  filtered: number;
  dropped: number;
  deadLettered: number;
  /** Read again and stored already: not part of fetched. */
  repeated: number;
  bytes: number;
}

export function emptyTally(): Tally {
  return { fetched: 0, filtered: 0, dropped: 0, deadLettered: 0, repeated: 0, bytes: 0 };
}

/** Records of this run that still wait in one sink's queue. */
export function queuedOf(sink: SinkState): number {
  return sink.sent - sink.records - sink.deadLettered - sink.dropped;
}

/** Records that passed map and validate. */
function mappedOf(state: RunState): number {
  return state.sinks.length === 0 ? 0 : Math.max(...state.sinks.map((sink) => sink.sent));
}

/**
 * The counts of a run from its facts. With several sinks a record counts as loaded once every sink has it, as queued
 * while one of them still waits for it.
 */
export function countsOf(state: RunState): RecordCounts {
  const mapped = mappedOf(state);
  const loaded = state.sinks.length === 0 ? 0 : Math.min(...state.sinks.map((sink) => sink.records));
  let rest = mapped - loaded;
  const take = (wanted: number) => {
    const taken = Math.min(rest, wanted);
    rest -= taken;
    return taken;
  };
  const queued = take(Math.max(0, ...state.sinks.map(queuedOf)));
  const deadLettered = take(Math.max(0, ...state.sinks.map((sink) => sink.deadLettered)));
  const dropped = take(Math.max(0, ...state.sinks.map((sink) => sink.dropped)));
  return {
    fetched: state.records.fetched,
    filtered: state.records.filtered,
    dropped: state.rejected.dropped + dropped,
    deadLettered: state.rejected.deadLettered + deadLettered,
    loaded: loaded + rest,
    queued,
  };
}

/** Throws unless fetched = filtered + dropped + dead-lettered + loaded + queued, and each sink's own account balances. */
export function assertBalanced(state: RunState): void {
  const { fetched, filtered, dropped, deadLettered, loaded, queued } = state.records;
  invariant(
    fetched === filtered + dropped + deadLettered + loaded + queued,
    "ACCOUNT_UNBALANCED",
    `run ${state.run} of ${state.flow} does not balance: fetched ${fetched}, filtered ${filtered}, dropped ${dropped}, ` +
      `dead-lettered ${deadLettered}, loaded ${loaded}, queued ${queued}`,
  );
  for (const sink of state.sinks) {
    invariant(
      queuedOf(sink) >= 0,
      "ACCOUNT_UNBALANCED",
      `sink ${sink.connection} of run ${state.run} counts more records (${sink.records} loaded, ${sink.deadLettered} ` +
        `dead-lettered, ${sink.dropped} dropped) than were sent to it (${sink.sent})`,
    );
  }
}
