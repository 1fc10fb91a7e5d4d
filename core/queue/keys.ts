import { readU48, writeU32, writeU48 } from "./big-endian.js";

/**
 * Where things lie. A message's *place* is its time of sending (never going backwards within a queue, whatever the
 * clock does) and a sequence number that is unique in the data directory. A *pack* is up to ten messages that were sent
 * together and lie together under the place of the first; the n-th has the n-th sequence number. A *lane* is the
 * stretch of keys a queue lives in; purging gives the queue a new lane, so that it takes the same time for one message
 * and for a million.
 *
 *   queues     name                          -> QueueRow
 *   deleted    name                          -> when, for the cooldown
 *   totals     lane                          -> counts, kept exact in the transaction that changes them
 *   packs      lane | order | sequence       -> what was sent: attributes and short bodies; never changed
 *   states     lane | order | sequence       -> what has become of each message of the pack; in order of sending
 *   ready      lane | order | sequence       -> packs with a visible message and no group: a receive takes the head
 *   hidden     lane | visibleAt | order | sequence -> packs with a message in flight or delayed until then
 *   bodies     sequence                      -> bodies too long for a pack
 *   blobs      file name                     -> claim checks in use
 *   tenants    lane | group                  -> of standard queues with groups: messages in flight, oldest visible pack
 *   heads      lane | order | sequence       -> the oldest visible pack of each tenant
 *   members    lane | group | order | sequence -> the packs of a group in order: of a tenant the visible ones, FIFO all
 *   groups     lane | group                  -> FIFO: the group's turn
 *   turns      lane | turn                   -> FIFO: groups whose first message is visible, longest waiting first
 *   repeats    lane | scope | deduplication id -> FIFO: what has been sent in the last five minutes
 *   expiring   lane | until | rest of the key -> of a repeat or an attempt, first to be forgotten first
 *   attempts   lane | attempt id             -> FIFO: what a receive request attempt was given
 *   aliases    lane | message id             -> FIFO: place of a message that was moved to a dead-letter queue
 *   moveTasks  task id                       -> dead-letter redrives
 *   trash      lane                          -> lanes being emptied in the background
 *   counters   name                          -> next sequence, lane, queue id
 */
export interface Place {
  /** Epoch ms. */
  readonly order: number;
  readonly sequence: number;
}

/** Sent earlier, or at the same time and before. */
export function isBefore(place: Place, other: Place): boolean {
  return place.order < other.order || (place.order === other.order && place.sequence < other.sequence);
}

const MAX_U48 = 2 ** 48 - 1;
const LANE_BYTES = 4;
const TIME_BYTES = 6;
const PLACE_BYTES = 12;
/** Group and deduplication ids are printable ASCII: this ends them in a key. */
const END_OF_TEXT = 0;

export function laneKey(lane: number): Buffer {
  const key = Buffer.allocUnsafe(LANE_BYTES);
  writeU32(key, lane, 0);
  return key;
}

/** Behind every key of the lane, in every table that has lanes. */
export function laneEnd(lane: number): Buffer {
  return laneKey(lane + 1);
}

export function laneStart(lane: number): Buffer {
  return laneAndPlace(lane, 0, 0);
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

export function placeOf(key: Buffer): Place {
  return placeAt(key, LANE_BYTES);
}

export function hiddenKey(lane: number, visibleAt: number, place: Place): Buffer {
  const key = Buffer.allocUnsafe(LANE_BYTES + TIME_BYTES + PLACE_BYTES);
  writeU32(key, lane, 0);
  writeU48(key, clamp(visibleAt), LANE_BYTES);
  writePlace(key, LANE_BYTES + TIME_BYTES, place.order, place.sequence);
  return key;
}

/** In `hidden`, `turns` and `expiring`: behind everything up to and including `time`. */
export function timeAfter(lane: number, time: number): Buffer {
  return timeKey(lane, time + 1);
}

/** In `turns`; the beginning of keys in `hidden` and `expiring`. */
export function timeKey(lane: number, time: number): Buffer {
  const key = Buffer.allocUnsafe(LANE_BYTES + TIME_BYTES);
  writeU32(key, lane, 0);
  writeU48(key, clamp(time), LANE_BYTES);
  return key;
}

export function timeOf(key: Buffer): number {
  return readU48(key, LANE_BYTES);
}

/** What stands behind lane and time. */
export function behindTime(key: Buffer): Buffer {
  return key.subarray(LANE_BYTES + TIME_BYTES);
}

export function hiddenPlace(key: Buffer): Place {
  return placeAt(key, LANE_BYTES + TIME_BYTES);
}

/** A key by a text within a lane: groups, tenants, attempts, aliases. */
export function textKey(lane: number, text: string): Buffer {
  const key = Buffer.allocUnsafe(LANE_BYTES + Buffer.byteLength(text));
  writeU32(key, lane, 0);
  key.write(text, LANE_BYTES);
  return key;
}

/** In `repeats`: an id within a scope (a group, or empty for the whole queue). */
export function scopedKey(lane: number, scope: string, id: string): Buffer {
  return textKey(lane, `${scope}\0${id}`);
}

export function memberKey(lane: number, group: string, place: Place): Buffer {
  const text = Buffer.byteLength(group);
  const key = Buffer.allocUnsafe(LANE_BYTES + text + 1 + PLACE_BYTES);
  writeU32(key, lane, 0);
  key.write(group, LANE_BYTES);
  key[LANE_BYTES + text] = END_OF_TEXT;
  writePlace(key, LANE_BYTES + text + 1, place.order, place.sequence);
  return key;
}

/** Behind every member of the group. */
export function membersEnd(lane: number, group: string): Buffer {
  return textKey(lane, `${group}\u0001`);
}

export function memberPlace(key: Buffer): Place {
  return placeAt(key, key.length - PLACE_BYTES);
}

export function bodyKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  writeU48(key, sequence, 0);
  return key;
}

export function nameKey(name: string): Buffer {
  return Buffer.from(name, "utf8");
}

/** 12 bytes, as values. */
export function placeBytes(place: Place): Buffer {
  const bytes = Buffer.allocUnsafe(PLACE_BYTES);
  writePlace(bytes, 0, place.order, place.sequence);
  return bytes;
}

export function placeAt(bytes: Buffer, offset: number): Place {
  return { order: readU48(bytes, offset), sequence: readU48(bytes, offset + 6) };
}

function writePlace(bytes: Buffer, offset: number, order: number, sequence: number): void {
  writeU48(bytes, order, offset);
  writeU48(bytes, sequence, offset + 6);
}

function laneAndPlace(lane: number, order: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(LANE_BYTES + PLACE_BYTES);
  writeU32(key, lane, 0);
  writePlace(key, LANE_BYTES, order, sequence);
  return key;
}

/** Times outside 1970 to 10889 do not fit a key; a clock that says so is held at the edge. */
function clamp(time: number): number {
  return Math.min(Math.max(Math.trunc(time), 0), MAX_U48);
}
