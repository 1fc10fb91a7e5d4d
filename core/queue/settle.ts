import type { Bodies } from "./bodies.js";
import type { Effects } from "./effects.js";
import { laneEnd, laneStart, placeAfter } from "./keys.js";
import type { Lane } from "./lane.js";
import type { QueueRow } from "./rows.js";

/** Messages whose time has come, moved in one go: what a receive may spend on them. */
const MOST_SURFACED = 5_000;
const MOST_EXPIRED = 200;

/** Messages sent at this time or before have expired. */
export function expiredUpTo(row: QueueRow, now: number): number {
  return now - row.attributes.MessageRetentionPeriod * 1000;
}

/**
 * Catches up with time, inside a transaction: hidden messages whose time has come become ready, expired ones go. Both
 * are bounded, so that one operation never pays for a whole backlog; readers allow for what is left (depth.ts).
 * Returns `expiredUpTo`.
 */
export function settle(lane: Lane, row: QueueRow, now: number, bodies: Bodies, effects: Effects): number {
  const cutoff = expiredUpTo(row, now);
  for (const due of lane.due(now, MOST_SURFACED)) lane.surface(due);
  for (const found of lane.messages(laneStart(lane.id), placeAfter(lane.id, cutoff), MOST_EXPIRED)) {
    lane.drop(found);
    bodies.release(found.place, found.row, effects);
  }
  return cutoff;
}

/**
 * Removes all that has expired, however much it is: before the retention is raised, so that what is gone does not come
 * back.
 */
export function expireAll(lane: Lane, row: QueueRow, now: number, bodies: Bodies, effects: Effects): void {
  for (const found of lane.everyMessage(laneStart(lane.id), placeAfter(lane.id, expiredUpTo(row, now)))) {
    lane.drop(found);
    bodies.release(found.place, found.row, effects);
  }
}

/** Empties a lane that no queue has any more, a piece at a time. True when nothing is left. */
export function emptyLane(lane: Lane, bodies: Bodies, effects: Effects): boolean {
  const pieces = lane.messages(laneStart(lane.id), laneEnd(lane.id), MOST_EXPIRED);
  for (const found of pieces) {
    lane.drop(found);
    bodies.release(found.place, found.row, effects);
  }
  return pieces.length < MOST_EXPIRED;
}
