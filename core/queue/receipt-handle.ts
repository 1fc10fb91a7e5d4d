import { readU32, readU48, writeU32, writeU48 } from "./big-endian.js";
import type { Place } from "./keys.js";

/**
 * The proof of one receive: queue, message and the number of the receive, closed by a checksum that tells a handle of
 * ours from any other text. It is no secret and no signature: who may call the queue may as well peek.
 *
 *   version u8 | queue id u32 | order u48 | sequence of the pack's first message u48 | filled up to 18 bytes |
 *   index in its pack u8 | tail of the message id u32 | receive number u32 | checksum u24
 *
 * as base64url, so 24 characters that handles of one pack share, and 16 of their own.
 */
export interface Receipt extends Place {
  /** Of the queue, given once and kept through purges: a handle belongs to one queue. */
  readonly queueId: number;
  readonly index: number;
  readonly tail: number;
  readonly receiveNumber: number;
}

const VERSION = 3;
const SHARED_BYTES = 18;
const SHARED_CHARS = 24;
const CHARS = 40;
const BYTES = 30;

/** What the handles of one pack have in common. */
interface Shared {
  readonly text: string;
  readonly queueId: number;
  /** Place of the pack's first message. */
  readonly order: number;
  readonly first: number;
  /** Checksum so far. */
  readonly sum: number;
}

/** Handles come in batches of one pack: the last one made and the last one read. */
let made: Shared | undefined;
let read: Shared | undefined;

/** The bytes of the last handle made: the next one of its pack changes the end of them. */
const scratch = Buffer.alloc(BYTES);
const shared = Buffer.alloc(SHARED_BYTES);

export function formatReceipt({ queueId, order, sequence, index, tail, receiveNumber }: Receipt): string {
  const first = sequence - index;
  if (made?.queueId !== queueId || made.first !== first || made.order !== order) {
    made = sharedOf(queueId, order, first);
    scratch.set(shared);
  }
  scratch[SHARED_BYTES] = index;
  writeU32(scratch, tail, SHARED_BYTES + 1);
  writeU32(scratch, receiveNumber, SHARED_BYTES + 5);
  const sum = ownSum(made.sum, index, tail, receiveNumber);
  scratch[SHARED_BYTES + 9] = sum >>> 16;
  scratch[SHARED_BYTES + 10] = sum >>> 8;
  scratch[SHARED_BYTES + 11] = sum;
  return scratch.toString("base64url");
}

/** Undefined for any text that is no handle of ours. */
export function parseReceipt(text: string): Receipt | undefined {
  if (text.length !== CHARS) return undefined;
  if (read === undefined || !text.startsWith(read.text)) read = readShared(text);
  if (read === undefined) return undefined;
  const one = bits(text, SHARED_CHARS);
  const two = bits(text, SHARED_CHARS + 4);
  const receiveLow = bits(text, SHARED_CHARS + 8);
  const sum = bits(text, SHARED_CHARS + 12);
  if (one < 0 || two < 0 || receiveLow < 0) return undefined;
  const index = one >>> 16;
  const tail = (((one & 0xffff) << 16) | (two >>> 8)) >>> 0;
  const receiveNumber = (((two & 0xff) << 24) | receiveLow) >>> 0;
  if (sum !== ownSum(read.sum, index, tail, receiveNumber)) return undefined;
  const { queueId, order, first } = read;
  return { queueId, order, sequence: first + index, index, tail, receiveNumber };
}

/** Leaves its bytes in `shared`. */
function sharedOf(queueId: number, order: number, first: number): Shared {
  shared[0] = VERSION;
  writeU32(shared, queueId, 1);
  writeU48(shared, order, 5);
  writeU48(shared, first, 11);
  shared[SHARED_BYTES - 1] = 0;
  return { text: shared.toString("base64url"), queueId, order, first, sum: sumOf(queueId, order, first) };
}

function readShared(handle: string): Shared | undefined {
  const text = handle.slice(0, SHARED_CHARS);
  shared.write(text, "base64url");
  if (shared[0] !== VERSION) return undefined;
  const found = sharedOf(readU32(shared, 1), readU48(shared, 5), readU48(shared, 11));
  // Only what we would write ourselves: base64 decoders overlook much.
  return found.text === text ? found : undefined;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** By character code; -1: not of the alphabet. */
const VALUES = Int8Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));

/** The 24 bits of four characters; negative where one of them is none of ours. */
function bits(text: string, at: number): number {
  const a = VALUES[text.charCodeAt(at)] ?? -1;
  const b = VALUES[text.charCodeAt(at + 1)] ?? -1;
  const c = VALUES[text.charCodeAt(at + 2)] ?? -1;
  const d = VALUES[text.charCodeAt(at + 3)] ?? -1;
  return (a | b | c | d) < 0 ? -1 : (a << 18) | (b << 12) | (c << 6) | d;
}

function sumOf(queueId: number, order: number, first: number): number {
  const time = mix(mix(mix(VERSION, queueId), order >>> 0), Math.floor(order / 2 ** 32));
  return mix(mix(time, first >>> 0), Math.floor(first / 2 ** 32));
}

/** 24 bits. */
function ownSum(shared: number, index: number, tail: number, receiveNumber: number): number {
  return mix(mix(mix(shared, index), tail), receiveNumber) >>> 8;
}

/** One step of MurmurHash3 and its end: every bit of either number moves half of the bits. Unsigned. */
function mix(sum: number, number: number): number {
  let h = sum ^ Math.imul(number, 0xcc9e2d51);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
