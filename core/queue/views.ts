import type { MessageAttributes, PeekedMessage, QueueDepth } from "../contracts/index.js";
import type { Bodies } from "./bodies.js";
import { laneEnd, laneStart, placeAfter } from "./keys.js";
import type { Found, Lane } from "./lane.js";
import type { MessageRow, QueueRow } from "./rows.js";
import { expiredUpTo } from "./settle.js";

/** The attribute a message carries once it has been moved to a dead-letter queue: the name of the queue it came from. */
export const DEAD_LETTER_SOURCE = "DeadLetterQueueSource";

/** More than this many messages that time has overtaken: the background is asked to catch up. */
const WORTH_SETTLING = 64;

export function shownAttributes(row: MessageRow): MessageAttributes {
  const attributes = row.attributes ?? {};
  if (row.deadLetterSource === undefined) return attributes;
  return { ...attributes, [DEAD_LETTER_SOURCE]: row.deadLetterSource };
}

export function peeked({ place, row }: Found, now: number, bodies: Bodies): PeekedMessage {
  const hidden = row.visibleAt > now;
  return {
    messageId: row.id,
    attributes: shownAttributes(row),
    records: row.records,
    bytes: row.bytes,
    sentAt: row.sentAt,
    firstReceivedAt: row.firstReceivedAt || undefined,
    receiveCount: row.receiveCount,
    state: !hidden ? "visible" : row.delayed ? "delayed" : "inFlight",
    body: () => bodies.read(place, row),
  };
}

/**
 * Exact counts from the totals, corrected for the messages that time has overtaken since the last write: those few
 * are counted one by one. `behind` tells that there are enough of them to be worth a transaction.
 */
export function depthOf(lane: Lane, row: QueueRow, now: number): { depth: QueueDepth; behind: boolean } {
  const cutoff = expiredUpTo(row, now);
  const counts = { ...lane.totals };
  let overtaken = 0;
  for (const found of lane.everyMessage(laneStart(lane.id), placeAfter(lane.id, cutoff))) {
    counts[lane.indexOf(found)] -= 1;
    counts.bytes -= found.row.bytes;
    counts.records -= found.row.records;
    overtaken += 1;
  }
  for (const due of lane.everyDue(now)) {
    overtaken += 1;
    if (due.place.order <= cutoff) continue; // expired: counted out above
    counts[due.index] -= 1;
    counts.ready += 1;
  }
  const [oldest] = lane.messages(placeAfter(lane.id, cutoff), laneEnd(lane.id), 1);
  return {
    depth: {
      ApproximateNumberOfMessages: counts.ready,
      ApproximateNumberOfMessagesNotVisible: counts.inFlight,
      ApproximateNumberOfMessagesDelayed: counts.delayed,
      bytes: counts.bytes,
      records: counts.records,
      oldestSentAt: oldest?.row.sentAt,
    },
    behind: overtaken > WORTH_SETTLING,
  };
}

/** Whether a receive would find something now, and if not, when the next hidden message becomes visible. */
export function availability(
  lane: Lane,
  row: QueueRow,
  now: number,
): { readonly now: true } | { readonly now: false; readonly at: number | undefined } {
  const cutoff = expiredUpTo(row, now);
  if (lane.ready(placeAfter(lane.id, cutoff), 1).length > 0) return { now: true };
  const next = lane.nextDue();
  return next !== undefined && next <= now ? { now: true } : { now: false, at: next };
}
