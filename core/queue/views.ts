import type { QueueDepth } from "../contracts/index.js";
import { laneStart, placeAfter } from "./keys.js";
import type { Lane } from "./lane.js";
import type { QueueRow } from "./rows.js";
import { expiredUpTo } from "./settle.js";

/** More than this many messages that time has overtaken: the background is asked to catch up. */
const WORTH_SETTLING = 64;

/**
 * Exact counts from the totals, corrected for the messages that time has overtaken since the last write: those few
 * are counted one by one. `behind` tells that there are enough of them to be worth a transaction.
 */
export function depthOf(lane: Lane, row: QueueRow, now: number): { depth: QueueDepth; behind: boolean } {
  const cutoff = expiredUpTo(row, now);
  const counts = { ...lane.totals };
  let overtaken = 0;
  if (lane.totals.oldest <= cutoff)
    for (const pack of lane.everyPack(laneStart(lane.id), placeAfter(lane.id, cutoff)))
      for (let index = 0; index < pack.count; index++) {
        const state = pack.state(index);
        if (state === "gone") continue;
        counts[state] -= 1;
        counts.bytes -= pack.bytesOf(index);
        counts.records -= pack.recordsOf(index);
        overtaken += 1;
      }
  const seen = new Set<number>();
  for (const pack of lane.everyDue(now)) {
    // Expired ones are counted out above; a pack comes once for every time at which it is due.
    if (pack.place.order <= cutoff || seen.has(pack.place.sequence)) continue;
    seen.add(pack.place.sequence);
    for (let index = 0; index < pack.count; index++) {
      const state = pack.state(index);
      if (state === "gone" || state === "ready" || pack.visibleAt(index) > now) continue;
      counts[state] -= 1;
      counts.ready += 1;
      overtaken += 1;
    }
  }
  const oldest = counts.ready + counts.inFlight + counts.delayed > 0 ? lane.oldestAfter(cutoff) : undefined;
  return {
    depth: {
      ApproximateNumberOfMessages: counts.ready,
      ApproximateNumberOfMessagesNotVisible: counts.inFlight,
      ApproximateNumberOfMessagesDelayed: counts.delayed,
      bytes: counts.bytes,
      records: counts.records,
      oldestSentAt: oldest && lane.packContent(oldest).sentAt,
    },
    behind: overtaken > WORTH_SETTLING,
  };
}

/** Whether a receive may find something now, and if not, when the next hidden message becomes visible. */
export function availability(
  lane: Lane,
  row: QueueRow,
  now: number,
): { readonly now: true } | { readonly now: false; readonly at: number | undefined } {
  const { totals } = lane;
  if (totals.nextDue <= now) return { now: true };
  // What expires may have locked its group.
  const overdue = lane.isOverdue(now, row.attributes.MessageRetentionPeriod * 1000);
  const served = lane.fifo ? overdue || lane.groups.waiting(1).length > 0 : totals.ready > 0;
  if (
    served &&
    (totals.oldest > expiredUpTo(row, now) || lane.oldestAfter(expiredUpTo(row, now)) !== undefined)
  )
    return { now: true };
  return { now: false, at: Number.isFinite(totals.nextDue) ? totals.nextDue : undefined };
}
