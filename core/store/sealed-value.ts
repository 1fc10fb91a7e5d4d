import { crc32 } from "node:zlib";
import { ConfigError } from "../contracts/index.js";

/**
 * LMDB keeps no checksums: a byte that the disk or a copy has changed would be handed out as if it had been written.
 * So every value that says anything is kept with four bytes behind it, the CRC-32 of its key and itself: what comes
 * back is what was put there under that key, or an error. Index entries are a single byte, whose key says all: they are
 * kept as they are.
 */
const SEAL_BYTES = 4;
const LONGEST_UNSEALED = 1;

/** Puts seals on values. */
export class Sealer {
  #scratch = Buffer.allocUnsafe(64 * 1024);

  /** The value and its seal, good until the next call: LMDB copies what it is given, and an allocation costs more than the checksum. */
  seal(key: Uint8Array, value: Uint8Array): Buffer {
    const { length } = value;
    if (this.#scratch.length < length + SEAL_BYTES)
      this.#scratch = Buffer.allocUnsafe(2 * length + SEAL_BYTES);
    this.#scratch.set(value, 0);
    if (length <= LONGEST_UNSEALED) return this.#scratch.subarray(0, length);
    this.#scratch.writeUInt32LE(crc32(value, crc32(key)), length);
    return this.#scratch.subarray(0, length + SEAL_BYTES);
  }
}

/** The value, a view of `bytes`. ConfigError DATA_DIR_DAMAGED when it is not what was sealed. */
export function unsealed(table: string, key: Uint8Array, bytes: Buffer): Buffer {
  if (bytes.length <= LONGEST_UNSEALED) return bytes;
  const end = bytes.length - SEAL_BYTES;
  const value = bytes.subarray(0, Math.max(0, end));
  if (end > LONGEST_UNSEALED && bytes.readUInt32LE(end) === crc32(value, crc32(key))) return value;
  throw new ConfigError(
    "DATA_DIR_DAMAGED",
    `A value in the data directory's table ${table} is not what was written.`,
    {
      place: `table ${table}, key ${Buffer.from(key).toString("hex").slice(0, 80)}`,
      fix: "Restore the data directory from a backup, or name another dataDir.",
    },
  );
}
