import type { KeyTest, Predicate } from "./predicate.js";

/** Rows in (SystemModstamp, Id) order, seen only through their keys. */
export interface KeyOrder {
  readonly length: number;
  stampAt(position: number): number;
  idAt(position: number): string;
  /** Ids ascend over the whole order, not only among equal stamps. */
  readonly idsAscend: boolean;
}

/** Half-open. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

export interface Pruned {
  /** Ascending, disjoint: no row outside matches. */
  readonly intervals: readonly Interval[];
  /** Every row inside matches; otherwise each must be tested. */
  readonly exact: boolean;
}

/**
 * The stretches of the order that can match. A window with a keyset
 * (`SystemModstamp >= a AND SystemModstamp < b AND ((SystemModstamp = t AND Id > x) OR SystemModstamp > t)`)
 * comes out exact after a few binary searches, whatever the number of rows.
 */
export function prune(predicate: Predicate, order: KeyOrder, within: Interval): Pruned {
  if (within.from >= within.to) return { intervals: [], exact: true };
  switch (predicate.kind) {
    case "key":
      return pruneKey(predicate, order, within);
    case "and": {
      // Stamps first: an Id comparison is only searchable among equal stamps.
      const parts = [...predicate.parts].sort((a, b) => rank(a) - rank(b));
      let state: Pruned = { intervals: [within], exact: true };
      for (const part of parts) {
        const narrowed = state.intervals.map((interval) => prune(part, order, interval));
        state = {
          intervals: narrowed.flatMap((one) => one.intervals),
          exact: state.exact && narrowed.every((one) => one.exact),
        };
      }
      return state;
    }
    case "or": {
      const parts = predicate.parts.map((part) => prune(part, order, within));
      return {
        intervals: union(parts.flatMap((one) => one.intervals)),
        exact: parts.every((one) => one.exact),
      };
    }
    case "not": {
      const part = prune(predicate.part, order, within);
      if (!part.exact) return { intervals: [within], exact: false };
      return { intervals: complement(part.intervals, within), exact: true };
    }
    case "test":
      return { intervals: [within], exact: false };
  }
}

function rank(predicate: Predicate): number {
  if (predicate.kind === "key") return predicate.key === "SystemModstamp" ? 0 : 2;
  return predicate.kind === "test" ? 3 : 1;
}

function pruneKey(test: KeyTest, order: KeyOrder, within: Interval): Pruned {
  let below: (position: number) => boolean;
  let atMost: (position: number) => boolean;
  if (test.key === "SystemModstamp") {
    const { value } = test;
    below = (position) => order.stampAt(position) < value;
    atMost = (position) => order.stampAt(position) <= value;
  } else {
    const { value } = test;
    const tied = order.stampAt(within.from) === order.stampAt(within.to - 1);
    if (!tied && !order.idsAscend) return { intervals: [within], exact: false };
    below = (position) => order.idAt(position) < value;
    atMost = (position) => order.idAt(position) <= value;
  }
  const first = firstWhereNot(below, within);
  const behind = firstWhereNot(atMost, within);
  const pieces: Record<KeyTest["operator"], Interval[]> = {
    "=": [{ from: first, to: behind }],
    "!=": [
      { from: within.from, to: first },
      { from: behind, to: within.to },
    ],
    "<": [{ from: within.from, to: first }],
    "<=": [{ from: within.from, to: behind }],
    ">": [{ from: behind, to: within.to }],
    ">=": [{ from: first, to: within.to }],
  };
  return { intervals: pieces[test.operator].filter((piece) => piece.from < piece.to), exact: true };
}

/** The first position of `within` where `holds` is false; it must hold for a prefix only. */
function firstWhereNot(holds: (position: number) => boolean, within: Interval): number {
  let low = within.from;
  let high = within.to;
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function union(intervals: readonly Interval[]): Interval[] {
  const sorted = [...intervals].sort((a, b) => a.from - b.from);
  const merged: { from: number; to: number }[] = [];
  for (const interval of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && interval.from <= last.to) last.to = Math.max(last.to, interval.to);
    else merged.push({ ...interval });
  }
  return merged;
}

function complement(intervals: readonly Interval[], within: Interval): Interval[] {
  const gaps: Interval[] = [];
  let at = within.from;
  for (const interval of intervals) {
    if (interval.from > at) gaps.push({ from: at, to: interval.from });
    at = interval.to;
  }
  if (at < within.to) gaps.push({ from: at, to: within.to });
  return gaps;
}
