import type { Store, StoreTx } from "../contracts/index.js";

/**
 * What is remembered of a flow that the daemon starts. Times are epoch ms. A start is looked at once: it moves `seen`,
 * and stands in `waiting` until the transaction that writes down its run takes it out.
 */
export interface ScheduleState {
  /** What the starts come from; when it changes they are counted anew. */
  readonly rule: string;
  /** Where `every` counts from. */
  readonly anchor: number;
  readonly seen: number;
  /** Oldest first. */
  readonly waiting: readonly number[];
}

const key = (flow: string) => `schedule/${flow}`;

export function scheduleState(store: Pick<Store, "get">, flow: string): ScheduleState | undefined {
  const value = store.get(key(flow));
  if (typeof value !== "object" || value === null || !("waiting" in value)) return undefined;
  const { rule, anchor, seen, waiting } = value;
  if (typeof rule !== "string" || typeof anchor !== "number" || typeof seen !== "number") return undefined;
  const times = Array.isArray(waiting) ? waiting.filter((time) => typeof time === "number") : [];
  return { rule, anchor, seen, waiting: times };
}

export function putScheduleState(tx: StoreTx, flow: string, state: ScheduleState): void {
  tx.put(key(flow), { ...state, waiting: [...state.waiting] });
}

/** Takes a start out of those that wait: it has begun, or is left out. */
export function takeStart(tx: StoreTx, flow: string, due: number): void {
  const state = scheduleState(tx, flow);
  if (state !== undefined)
    putScheduleState(tx, flow, { ...state, waiting: state.waiting.filter((time) => time !== due) });
}
