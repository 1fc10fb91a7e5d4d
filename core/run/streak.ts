import type { RunState, Store, StoreTx } from "../contracts/index.js";

/** Failed runs of a flow since its last success. */
export interface Streak {
  readonly failures: number;
  /** ISO text: when the first of them ended. */
  readonly since: string;
  /** Code of the last one's error. */
  readonly code: string;
}

const key = (flow: string) => `streak/${flow}`;

/** Undefined: the flow has not failed since it last succeeded. */
export function streakOf(store: Pick<Store, "get">, flow: string): Streak | undefined {
  const value = store.get(key(flow));
  if (typeof value !== "object" || value === null || !("failures" in value)) return undefined;
  return { failures: Number(value.failures), since: String(value.since), code: String(value.code) };
}

/**
 * Counts a run that has ended, whoever started it. Cancelled and parked ones say nothing about the flow; a redrive does
 * not read its source.
 */
export function countOutcome(tx: StoreTx, state: RunState): void {
  const { flow, trigger, status, error, endedAt } = state;
  if (trigger === "redrive") return;
  const before = streakOf(tx, flow);
  if (status === "succeeded" && before !== undefined) tx.delete(key(flow));
  if (status !== "failed" || error?.retryAt !== undefined) return;
  tx.put(key(flow), {
    failures: (before?.failures ?? 0) + 1,
    since: before?.since ?? endedAt ?? state.startedAt,
    code: error?.code ?? "",
  });
}
