import type { Random } from "../contracts/index.js";
import type { Place } from "./keys.js";

/**
 * A message id is a UUID of version 7 (RFC 9562) that carries the message's place: 48 bits of time, 48 bits of
 * sequence, 26 random bits. Finding a message by its id thus needs no second index, whose random order would cost
 * more than the message itself once there are a million.
 */
export const TAIL_VALUES = 2 ** 26;

/** The random bits of an id: they tell messages of different data directories apart. */
export function randomTail(random: Random): number {
  return Math.floor(random.next() * TAIL_VALUES);
}

export function messageId(place: Place, tail: number): string {
  const high = Math.floor(place.sequence / 2 ** 36);
  const low = place.sequence % 2 ** 36;
  scratch.writeUIntBE(place.order, 0, 6);
  scratch.writeUInt16BE(0x7000 + high, 6);
  scratch.writeUInt32BE(2 ** 31 + Math.floor(low / 64), 8);
  scratch.writeUInt32BE((low % 64) * TAIL_VALUES + tail, 12);
  const hex = scratch.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Every message sent and received passes here: one buffer, turned to hex natively. */
const scratch = Buffer.alloc(16);

const PATTERN = /^([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{4})([0-9a-f]{8})$/;

/** Undefined for an id that this code did not make. */
export function parseMessageId(id: string): (Place & { readonly tail: number }) | undefined {
  const parts = PATTERN.exec(id);
  if (!parts) return undefined;
  const [, time = "", millis = "", high = "", variant = "", middle = "", end = ""] = parts;
  const last = Number.parseInt(end, 16);
  const low = (Number.parseInt(variant + middle, 16) - 2 ** 31) * 64 + Math.floor(last / TAIL_VALUES);
  return {
    order: Number.parseInt(time + millis, 16),
    sequence: Number.parseInt(high, 16) * 2 ** 36 + low,
    tail: last % TAIL_VALUES,
  };
}
