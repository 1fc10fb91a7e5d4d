import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { S3Error } from "./error.js";

/** Suffixes of the `x-amz-checksum-*` headers this fake verifies. Others are refused, never believed. */
export const CHECKSUM_ALGORITHMS = ["crc32", "crc32c", "sha1", "sha256"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** Base64 values by algorithm, as they stand in headers. */
export type Checksums = Partial<Record<ChecksumAlgorithm, string>>;

/** Checksum of `data` in base64. */
export function checksum(algorithm: ChecksumAlgorithm, data: Buffer): string {
  if (algorithm === "sha1" || algorithm === "sha256")
    return createHash(algorithm).update(data).digest("base64");
  const value = Buffer.alloc(4);
  value.writeUInt32BE(algorithm === "crc32" ? crc32(data) : crc32c(data));
  return value.toString("base64");
}

/** Checksum of a multipart object of type COMPOSITE: the checksum over the parts' checksums, and their number. */
export function compositeChecksum(algorithm: ChecksumAlgorithm, parts: readonly string[]): string {
  const joined = Buffer.concat(parts.map((part) => Buffer.from(part, "base64")));
  return `${checksum(algorithm, joined)}-${parts.length}`;
}

/**
 * Verifies every checksum that came with a body (`x-amz-checksum-*` as header or trailer, Content-MD5) and returns
 * those to store. BadDigest on any mismatch; an algorithm that cannot be verified is refused.
 */
export function verifyChecksums(headers: Readonly<Record<string, string>>, body: Buffer): Checksums {
  const md5 = headers["content-md5"];
  if (md5 !== undefined && createHash("md5").update(body).digest("base64") !== md5)
    throw new S3Error(400, "BadDigest", "The Content-MD5 you specified did not match what we received.");
  const checksums: Checksums = {};
  for (const [name, value] of Object.entries(headers)) {
    const suffix = /^x-amz-checksum-(.+)$/.exec(name)?.[1];
    if (suffix === undefined || suffix === "mode" || suffix === "type" || suffix === "algorithm") continue;
    const algorithm = algorithmOf(suffix);
    if (checksum(algorithm, body) !== value)
      throw new S3Error(
        400,
        "BadDigest",
        `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
      );
    checksums[algorithm] = value;
  }
  return checksums;
}

/** `CRC32` or `crc32` as an algorithm; 501 for one this fake cannot compute. */
export function algorithmOf(name: string): ChecksumAlgorithm {
  const found = CHECKSUM_ALGORITHMS.find((algorithm) => algorithm === name.toLowerCase());
  if (found === undefined)
    throw new S3Error(501, "NotImplemented", `Checksum algorithm ${name} is not here.`);
  return found;
}

let castagnoli: Uint32Array | undefined;

function crc32c(data: Buffer): number {
  castagnoli ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    return value >>> 0;
  });
  let crc = 0xffffffff;
  for (const byte of data) crc = (castagnoli[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
