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

/** A sealed value is so many bytes longer at most. */
export const LONGEST_SEALED_MORE = SEAL_BYTES;

/** Writes the value and its seal to the beginning of `memory`; what it takes of it is returned. */
export function sealInto(memory: Buffer, key: Uint8Array, value: Uint8Array): Buffer {
  const { length } = value;
  memory.set(value, 0);
  if (length <= LONGEST_UNSEALED) return memory.subarray(0, length);
  memory.writeUInt32LE(crc32(value, crc32(key)), length);
  return memory.length === length + SEAL_BYTES ? memory : memory.subarray(0, length + SEAL_BYTES);
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

/** The value of what `sealInto` has just made: no need to look whether it is whole. */
export function sealedValue(sealed: Buffer): Buffer {
  return sealed.length <= LONGEST_UNSEALED ? sealed : sealed.subarray(0, sealed.length - SEAL_BYTES);
}
