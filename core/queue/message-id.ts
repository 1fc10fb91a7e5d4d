import type { Random } from "../contracts/index.js";
import type { Place } from "./keys.js";

/**
 * A message id is a UUID of version 7 (RFC 9562) that carries the message's place: 48 bits of time, 48 bits of
 * sequence, 26 random bits. Finding a message by its id thus needs no second index, whose random order would cost
 * more than the message itself once there are a million.
 *
 *   time (8)-time (4)-7 sequence (3)-variant and sequence (4)-sequence (4) sequence's last 6 bits and the random ones (8)
 */
export const TAIL_VALUES = 2 ** 26;

/** Sequence numbers that share all but the last eight digits. */
const SHARED = 64;

/** The random bits of an id: they tell messages of different data directories apart. */
export function randomTail(random: Random): number {
  return Math.floor(random.next() * TAIL_VALUES);
}

export function messageId({ order, sequence }: Place, tail: number): string {
  const shared = Math.floor(sequence / SHARED);
  if (order !== last.order || shared !== last.shared)
    last = { order, shared, digits: digitsOf(order, shared) };
  return last.digits + eightDigits((sequence - shared * SHARED) * TAIL_VALUES + tail);
}

/** Messages of one batch differ in the last digits only. */
let last = { order: -1, shared: -1, digits: "" };

function digitsOf(order: number, shared: number): string {
  const high = Math.floor(shared / 2 ** 30);
  const low = 2 ** 31 + (shared % 2 ** 30);
  const time = hex(order, 12);
  const middle = hex(low, 8);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(high, 3)}-${middle.slice(0, 4)}-${middle.slice(4)}`;
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, "0");
}

/** Of every byte. */
const DIGITS = Array.from({ length: 256 }, (_, byte) => hex(byte, 2));

/** Below 2 ** 32. */
function eightDigits(n: number): string {
  return `${DIGITS[n >>> 24]}${DIGITS[(n >>> 16) & 0xff]}${DIGITS[(n >>> 8) & 0xff]}${DIGITS[n & 0xff]}`;
}

const PATTERN = /^([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{4})([0-9a-f]{8})$/;

/** Undefined for an id that this code did not make. */
export function parseMessageId(id: string): (Place & { readonly tail: number }) | undefined {
  const parts = PATTERN.exec(id);
  if (!parts) return undefined;
  const [, time = "", millis = "", high = "", variant = "", middle = "", end = ""] = parts;
  const last = Number.parseInt(end, 16);
  const low = (Number.parseInt(variant + middle, 16) - 2 ** 31) * SHARED + Math.floor(last / TAIL_VALUES);
  return {
    order: Number.parseInt(time + millis, 16),
    sequence: Number.parseInt(high, 16) * 2 ** 36 + low,
    tail: last % TAIL_VALUES,
  };
}
