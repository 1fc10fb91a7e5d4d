import type { Bodies } from "./bodies.js";
import type { Effects } from "./effects.js";
import { laneEnd, laneKey, laneStart, placeAfter } from "./keys.js";
import type { Found, Lane } from "./lane.js";
import type { Pack } from "./pack.js";
import { laneTables, type QueueRow, type QueueTables } from "./rows.js";

/** Packs whose time has come, moved in one go: what a receive may spend on them. */
const MOST_SURFACED = 500;
const MOST_EXPIRED = 200;
const MOST_CLEARED = 1_000;

/** Messages sent at this time or before have expired. */
export function expiredUpTo(row: QueueRow, now: number): number {
  return now - row.attributes.MessageRetentionPeriod * 1000;
}

/**
 * Catches up with time, inside a transaction: hidden messages whose time has come become ready, expired ones go. Both
 * are bounded, so that one operation never pays for a whole backlog; readers allow for what is left (views.ts).
 * Returns `expiredUpTo`.
 */
export function settle(lane: Lane, row: QueueRow, now: number, bodies: Bodies, effects: Effects): number {
  const cutoff = expiredUpTo(row, now);
  if (!lane.isOverdue(now, row.attributes.MessageRetentionPeriod * 1000)) return cutoff;
  let surfaced = 0;
  for (const pack of lane.everyDue(now)) {
    lane.surface(pack, now);
    surfaced += 1;
    if (surfaced >= MOST_SURFACED) break;
  }
  let expired = 0;
  for (const pack of lane.everyPack(laneStart(lane.id), placeAfter(lane.id, cutoff))) {
    dropPack(lane, pack, bodies, effects);
    expired += 1;
    if (expired >= MOST_EXPIRED) break;
  }
  lane.caughtUp();
  // The indexes are read next.
  lane.save();
  return cutoff;
}

/**
 * Removes all that has expired, however much it is: before the retention is raised, so that what is gone does not come
 * back.
 */
export function expireAll(lane: Lane, row: QueueRow, now: number, bodies: Bodies, effects: Effects): void {
  for (const pack of lane.everyPack(laneStart(lane.id), placeAfter(lane.id, expiredUpTo(row, now))))
    dropPack(lane, pack, bodies, effects);
  lane.caughtUp();
}

/** Gives the messages that are still in their first delay another one, counted from their send. */
export function redelay(lane: Lane, delayMs: number, now: number): void {
  if (lane.totals.delayed === 0) return;
  for (const pack of lane.everyDue(now)) lane.surface(pack, now);
  for (const pack of lane.everyPack(laneStart(lane.id), laneEnd(lane.id)))
    for (let index = 0; index < pack.count; index++) {
      if (pack.state(index) !== "delayed") continue;
      const visibleAt = lane.packContent(pack).sentAt + delayMs;
      lane.replace({ pack, index }, { ...pack.slot(index), visibleAt });
    }
}

/** Inside a transaction: the message and its body. */
export function dropMessage(lane: Lane, found: Found, bodies: Bodies, effects: Effects): void {
  const { pack, index } = found;
  const place = pack.bodyPlace(index);
  if (place !== "packed")
    bodies.release(pack.placeOf(index).sequence, place, () => lane.content(found), effects);
  lane.drop(found);
}

/** All messages of a pack. Returns how many there were. */
export function dropPack(lane: Lane, pack: Pack, bodies: Bodies, effects: Effects): number {
  let dropped = 0;
  for (let index = 0; index < pack.count; index++) {
    if (pack.state(index) === "gone") continue;
    dropMessage(lane, { pack, index }, bodies, effects);
    dropped += 1;
  }
  return dropped;
}

/** Empties a lane that no queue has any more, a piece at a time. True when nothing is left. */
export function emptyLane(tables: QueueTables, lane: Lane, bodies: Bodies, effects: Effects): boolean {
  let packs = 0;
  for (const pack of lane.everyPack(laneStart(lane.id), laneEnd(lane.id))) {
    for (let index = 0; index < pack.count; index++) {
      if (pack.state(index) === "gone") continue;
      const content = () => lane.content({ pack, index });
      bodies.release(pack.placeOf(index).sequence, pack.bodyPlace(index), content, effects);
    }
    lane.forget(pack);
    packs += 1;
    if (packs >= MOST_EXPIRED) return false;
  }
  for (const table of laneTables(tables)) {
    const keys = table.keys({ from: laneKey(lane.id), to: laneEnd(lane.id), limit: MOST_CLEARED });
    for (const key of keys) table.remove(key);
    if (keys.length === MOST_CLEARED) return false;
  }
  tables.totals.remove(laneKey(lane.id));
  return true;
}
