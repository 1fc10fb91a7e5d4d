/**
 * Where things lie. A message's *place* is its time of sending (never going backwards within a queue, whatever the
 * clock does) and a sequence number that is unique in the data directory and stays with the message when it moves to a
 * dead-letter queue. A *lane* is the stretch of keys a queue lives in; purging gives the queue a new lane, so that it
 * takes the same time for one message and for a million.
 *
 *   queues     name                          -> QueueRow
 *   totals     lane                          -> counts, kept exact in the transaction that changes them
 *   messages   lane | order | sequence       -> MessageRow; in order of sending, so the head is what expires first
 *   ready      lane | order | sequence       -> the visible ones: a receive takes the head
 *   hidden     lane | visibleAt | order | sequence -> in flight or delayed; the head becomes visible first
 *   bodies     sequence                      -> the bytes as sent
 *   blobs      file name                     -> claim checks in use
 *   trash      lane                          -> lanes being emptied in the background
 *   counters   name                          -> next sequence, lane, queue id; format version
 *
 * FIFO adds tables (groups, deduplication) and leaves these as they are.
 */
export interface Place {
  /** Epoch ms. */
  readonly order: number;
  readonly sequence: number;
}

const MAX_U48 = 2 ** 48 - 1;
const PLACE_BYTES = 12;
const LANE_BYTES = 4;

export function laneKey(lane: number): Buffer {
  const key = Buffer.allocUnsafe(LANE_BYTES);
  key.writeUInt32BE(lane, 0);
  return key;
}

export function placeKey(lane: number, place: Place): Buffer {
  return laneAndPlace(lane, place.order, place.sequence);
}

/** The first key of a lane whose message was sent after `order`. */
export function placeAfter(lane: number, order: number): Buffer {
  return laneAndPlace(lane, clamp(order + 1), 0);
}

/** The next key behind a place. */
export function placeBehind(lane: number, place: Place): Buffer {
  return laneAndPlace(lane, place.order, place.sequence + 1);
}

export function laneStart(lane: number): Buffer {
  return laneAndPlace(lane, 0, 0);
}

/** Behind every key of the lane, in `messages`, `ready` and `hidden`. */
export function laneEnd(lane: number): Buffer {
  return laneKey(lane + 1);
}

export function placeOf(key: Buffer): Place {
  return { order: key.readUIntBE(LANE_BYTES, 6), sequence: key.readUIntBE(LANE_BYTES + 6, 6) };
}

export function hiddenKey(lane: number, visibleAt: number, place: Place): Buffer {
  const key = Buffer.allocUnsafe(LANE_BYTES + 6 + PLACE_BYTES);
  key.writeUInt32BE(lane, 0);
  key.writeUIntBE(clamp(visibleAt), LANE_BYTES, 6);
  key.writeUIntBE(place.order, LANE_BYTES + 6, 6);
  key.writeUIntBE(place.sequence, LANE_BYTES + 12, 6);
  return key;
}

/** Behind every hidden message that is visible again at `now`. */
export function hiddenAfter(lane: number, now: number): Buffer {
  const key = Buffer.allocUnsafe(LANE_BYTES + 6);
  key.writeUInt32BE(lane, 0);
  key.writeUIntBE(clamp(now + 1), LANE_BYTES, 6);
  return key;
}

export function hiddenOf(key: Buffer): Place & { readonly visibleAt: number } {
  return {
    visibleAt: key.readUIntBE(LANE_BYTES, 6),
    order: key.readUIntBE(LANE_BYTES + 6, 6),
    sequence: key.readUIntBE(LANE_BYTES + 12, 6),
  };
}

export function bodyKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  key.writeUIntBE(sequence, 0, 6);
  return key;
}

export function nameKey(name: string): Buffer {
  return Buffer.from(name, "utf8");
}

function laneAndPlace(lane: number, order: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(LANE_BYTES + PLACE_BYTES);
  key.writeUInt32BE(lane, 0);
  key.writeUIntBE(order, LANE_BYTES, 6);
  key.writeUIntBE(sequence, LANE_BYTES + 6, 6);
  return key;
}

/** Times outside 1970 to 10889 do not fit a key; a clock that says so is held at the edge. */
function clamp(time: number): number {
  return Math.min(Math.max(Math.trunc(time), 0), MAX_U48);
}
