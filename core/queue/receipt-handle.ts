import { crc32 } from "node:zlib";
import type { Place } from "./keys.js";

/**
 * The proof of one receive: queue, message and the number of the receive, closed by a checksum that tells a handle of
 * ours from any other text. It is no secret and no signature: who may call the queue may as well peek.
 *
 *   version u8 | queue id u32 | order u48 | sequence u48 | index in its pack u8 | tail of the message id u32 |
 *   receive number u32 | crc u32
 */
export interface Receipt extends Place {
  /** Of the queue, given once and kept through purges: a handle belongs to one queue. */
  readonly queueId: number;
  readonly index: number;
  readonly tail: number;
  readonly receiveNumber: number;
}

const VERSION = 2;
const BYTES = 30;
const SUMMED_BYTES = 26;
const TEXT = /^[A-Za-z0-9_-]{40}$/;

/** Every message received and deleted passes here: memory that is used again each time. */
const scratch = Buffer.alloc(BYTES);
const summed = scratch.subarray(0, SUMMED_BYTES);

export function formatReceipt({ queueId, order, sequence, index, tail, receiveNumber }: Receipt): string {
  scratch[0] = VERSION;
  scratch.writeUInt32BE(queueId, 1);
  scratch.writeUIntBE(order, 5, 6);
  scratch.writeUIntBE(sequence, 11, 6);
  scratch[17] = index;
  scratch.writeUInt32BE(tail, 18);
  scratch.writeUInt32BE(receiveNumber, 22);
  scratch.writeUInt32BE(crc32(summed), SUMMED_BYTES);
  return scratch.toString("base64url");
}

/** Undefined for any text that is no handle of ours. */
export function parseReceipt(text: string): Receipt | undefined {
  if (!TEXT.test(text)) return undefined;
  scratch.write(text, "base64url");
  if (scratch[0] !== VERSION || scratch.readUInt32BE(SUMMED_BYTES) !== crc32(summed)) return undefined;
  return {
    queueId: scratch.readUInt32BE(1),
    order: scratch.readUIntBE(5, 6),
    sequence: scratch.readUIntBE(11, 6),
    index: scratch[17]!,
    tail: scratch.readUInt32BE(18),
    receiveNumber: scratch.readUInt32BE(22),
  };
}
