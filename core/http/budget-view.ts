import type { Value } from "../contracts/index.js";
import {
  type BucketRule,
  flying,
  forget,
  held,
  type IsAlive,
  type Ledger,
  limitOf,
  readLedger,
  reserveOf,
  roomOf,
  sentIn,
  toldLeft,
} from "./budget-ledger.js";

/** How a bucket stands, for people and `--json`. Times are ISO text. */
export interface BudgetView {
  readonly bucket: string;
  readonly title: string;
  readonly kind: "window" | "concurrent";
  /** Milliseconds; null for a concurrent bucket. */
  readonly windowMs: number | null;
  /** Null: not known before an answer tells it. */
  readonly limit: number | null;
  /** By all applications where the other side tells it, else by this machine. */
  readonly used: number;
  /** Left to other applications of `limit`. */
  readonly reserve: number;
  /** What Sluice may still use of it now; null: no limit is known. */
  readonly left: number | null;
  /** When nothing of it will be used any more; null: nothing is used, or nobody can say. */
  readonly resetsAt: string | null;
  /** Nothing is sent before: the other side has refused a request, or nothing is left. Null: requests are let through. */
  readonly waitsUntil: string | null;
}

/** `value`: the ledger as the store has it. */
export function viewBudget(
  rule: BucketRule,
  value: Value | undefined,
  now: number,
  isAlive: IsAlive = () => true,
): BudgetView {
  const { spec } = rule;
  const state = forget(rule, readLedger(value), now, isAlive);
  const limit = limitOf(rule, state) ?? null;
  const room = roomOf(rule, state, now);
  const resetsAt = resetOf(rule, state, now);
  return {
    bucket: spec.name,
    title: spec.title,
    kind: spec.kind,
    windowMs: spec.kind === "window" ? spec.windowMs : null,
    limit,
    used: usedOf(rule, state, limit, now),
    reserve: reserveOf(rule, state),
    left: Number.isFinite(room.count) ? room.count : null,
    resetsAt: resetsAt === undefined ? null : new Date(resetsAt).toISOString(),
    waitsUntil: room.count >= 1 ? null : new Date(room.freeAt).toISOString(),
  };
}

function usedOf({ spec }: BucketRule, state: Ledger, limit: number | null, now: number): number {
  if (spec.kind === "concurrent") return flying(state.grants);
  const own = sentIn(state) + held(state.grants);
  const left = toldLeft(state, now);
  return left === undefined || limit === null ? own : limit - left;
}

function resetOf({ spec }: BucketRule, state: Ledger, now: number): number | undefined {
  if (spec.kind === "concurrent") return undefined;
  if (state.told?.resets === true && now < state.told.until) return state.told.until;
  const last = Math.max(...state.sent.map(([at]) => at), ...state.grants.map(({ until }) => until));
  return Number.isFinite(last) ? last + spec.windowMs : undefined;
}

/** What calls against a bucket will meet. */
export interface BudgetForecast extends BudgetView {
  readonly calls: number;
  /** At least so long until the last one is sent, milliseconds; 0 where all are left. */
  readonly waitMs: number;
}

/** A forecast of `calls` that begin now, with nobody else about. */
export function forecastBudget(view: BudgetView, calls: number, now: number): BudgetForecast {
  const { limit, left, reserve, windowMs } = view;
  if (limit === null || left === null || windowMs === null || calls <= left) {
    return { ...view, calls, waitMs: 0 };
  }
  // The first beyond it waits until there is room; each full window lets as many through as the limit allows.
  const perWindow = limit - reserve;
  const firstMs = Math.max(0, Date.parse(view.waitsUntil ?? view.resetsAt ?? "") - now) || windowMs;
  const windows = Math.ceil((calls - left) / perWindow) - 1;
  return { ...view, calls, waitMs: firstMs + windows * windowMs };
}
