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

export function formatReceipt(receipt: Receipt): string {
  const bytes = Buffer.allocUnsafe(BYTES);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt32BE(receipt.queueId, 1);
  bytes.writeUIntBE(receipt.order, 5, 6);
  bytes.writeUIntBE(receipt.sequence, 11, 6);
  bytes.writeUInt8(receipt.index, 17);
  bytes.writeUInt32BE(receipt.tail, 18);
  bytes.writeUInt32BE(receipt.receiveNumber, 22);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, SUMMED_BYTES)), SUMMED_BYTES);
  return bytes.toString("base64url");
}

/** Undefined for any text that is no handle of ours. */
export function parseReceipt(text: string): Receipt | undefined {
  if (!TEXT.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length !== BYTES || bytes.readUInt8(0) !== VERSION) return undefined;
  if (bytes.readUInt32BE(SUMMED_BYTES) !== crc32(bytes.subarray(0, SUMMED_BYTES))) return undefined;
  return {
    queueId: bytes.readUInt32BE(1),
    order: bytes.readUIntBE(5, 6),
    sequence: bytes.readUIntBE(11, 6),
    index: bytes.readUInt8(17),
    tail: bytes.readUInt32BE(18),
    receiveNumber: bytes.readUInt32BE(22),
  };
}
