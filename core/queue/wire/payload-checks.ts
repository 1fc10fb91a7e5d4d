import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { RecordError } from "../../contracts/index.js";

/** Running checksums of an upload, those that its headers or trailers may name. */
type Checksum = { update(chunk: Buffer): void; base64(): string };

function digest(algorithm: "md5" | "sha1" | "sha256"): Checksum {
  const hash = createHash(algorithm);
  return { update: (chunk) => hash.update(chunk), base64: () => hash.digest("base64") };
}

function crc(): Checksum {
  let sum = 0;
  return {
    update: (chunk) => {
      sum = crc32(chunk, sum);
    },
    base64: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(sum);
      return bytes.toString("base64");
    },
  };
}

const CHECKSUMS: Readonly<Record<string, () => Checksum>> = {
  "content-md5": () => digest("md5"),
  "x-amz-checksum-crc32": crc,
  "x-amz-checksum-sha1": () => digest("sha1"),
  "x-amz-checksum-sha256": () => digest("sha256"),
};

/**
 * What the client says of its body, compared with what arrived. Of the algorithms of S3, CRC32 (the default of today's
 * SDKs), SHA-1, SHA-256 and Content-MD5 are compared; CRC32C and CRC64NVME, which node does not have, are not.
 */
export class PayloadChecks {
  readonly #running = new Map<string, Checksum>();
  readonly #expected = new Map<string, string>();

  /** `trailer`: the value of x-amz-trailer, names of what comes behind the body. */
  constructor(header: (name: string) => string | undefined) {
    const announced = (header("x-amz-trailer") ?? "").toLowerCase().split(",");
    for (const [name, make] of Object.entries(CHECKSUMS)) {
      const value = header(name);
      if (value !== undefined) this.#expected.set(name, value);
      if (value !== undefined || announced.some((one) => one.trim() === name))
        this.#running.set(name, make());
    }
    const sha256 = header("x-amz-content-sha256");
    if (sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256)) {
      this.#running.set("x-amz-content-sha256", digest("sha256"));
      this.#expected.set("x-amz-content-sha256", Buffer.from(sha256, "hex").toString("base64"));
    }
  }

  async *through(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      for (const checksum of this.#running.values()) checksum.update(chunk);
      yield chunk;
    }
  }

  /** RecordError: BadDigest, XAmzContentSHA256Mismatch. */
  verify(trailers: ReadonlyMap<string, string>): void {
    for (const [name, checksum] of this.#running) {
      const expected = this.#expected.get(name) ?? trailers.get(name);
      if (expected === undefined || expected === checksum.base64()) continue;
      throw name === "x-amz-content-sha256"
        ? new RecordError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
          )
        : new RecordError("BadDigest", `The ${name} you specified did not match the calculated checksum.`);
    }
  }
}
