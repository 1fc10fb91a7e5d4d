import { createHash, createHmac, type Hash, hash, timingSafeEqual } from "node:crypto";
import { RecordError } from "../../contracts/index.js";
import type { Verified } from "./signature.js";

/**
 * The body encoding of S3 uploads (`Content-Encoding: aws-chunked`): chunks with a line of their own each, behind the
 * last one trailers (checksums), everything signed in a chain where the client says so.
 *
 *   400;chunk-signature=<hex>\r\n <1024 bytes> \r\n 0;chunk-signature=<hex>\r\n x-amz-checksum-crc32:<base64>\r\n \r\n
 *
 * Moves: head -> data -> end of data -> head ...; the head of an empty chunk -> trailers -> done.
 */
const LONGEST_LINE_BYTES = 4096;
const EMPTY_SHA256 = hash("sha256", "", "hex");

export class AwsChunked {
  readonly trailers = new Map<string, string>();
  readonly #source: AsyncIterator<Buffer>;
  /** Undefined: signatures of chunks are not looked at. */
  readonly #chain: SignatureChain | undefined;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>, seed: Verified | undefined) {
    this.#source = source[Symbol.asyncIterator]();
    this.#chain = seed && new SignatureChain(seed);
  }

  /** The bytes of the object. RecordError: IncompleteBody, InvalidRequest, SignatureDoesNotMatch. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const head = await this.#line();
      const [, size, signature] = /^([0-9a-f]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(head) ?? [];
      if (size === undefined)
        throw new RecordError("InvalidRequest", "A chunk of the body has no valid size.");
      let left = Number.parseInt(size, 16);
      if (left === 0) {
        this.#chain?.endChunk(signature);
        return this.#readTrailers();
      }
      while (left > 0) {
        if (this.#held.length === 0) await this.#more();
        const piece = this.#held.subarray(0, left);
        this.#held = this.#held.subarray(piece.length);
        left -= piece.length;
        this.#chain?.data(piece);
        yield piece;
      }
      this.#chain?.endChunk(signature);
      if ((await this.#line()) !== "")
        throw new RecordError("InvalidRequest", "A chunk of the body is longer than it says.");
    }
  }

  async #readTrailers(): Promise<void> {
    let text = "";
    for (;;) {
      const line = await this.#line();
      if (line === "") break;
      const colon = line.indexOf(":");
      const name = line.slice(0, colon).trim().toLowerCase();
      const value = line.slice(colon + 1).trim();
      if (name === "x-amz-trailer-signature") this.#chain?.endTrailers(text, value);
      else {
        this.trailers.set(name, value);
        text += `${name}:${value}\n`;
      }
    }
    // What follows the empty line is not part of the encoding; there is nothing.
    for (;;) if ((await this.#source.next()).done === true) return;
  }

  /** Up to the next CRLF. */
  async #line(): Promise<string> {
    for (;;) {
      const end = this.#held.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#held.toString("latin1", 0, end);
        this.#held = this.#held.subarray(end + 2);
        return line;
      }
      if (this.#held.length > LONGEST_LINE_BYTES)
        throw new RecordError("InvalidRequest", "A line between the chunks of the body is too long.");
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#source.next();
    if (done === true) throw new RecordError("IncompleteBody", "The body ended before its last chunk.");
    this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value]);
  }
}

/** Each chunk's signature covers the one before it; the first covers the request's. */
class SignatureChain {
  readonly #seed: Verified;
  #last: string;
  #hash: Hash = createHash("sha256");

  constructor(seed: Verified) {
    this.#seed = seed;
    this.#last = seed.signature;
  }

  data(piece: Buffer): void {
    this.#hash.update(piece);
  }

  endChunk(signature: string | undefined): void {
    const digest = this.#hash.digest("hex");
    this.#hash = createHash("sha256");
    this.#check("AWS4-HMAC-SHA256-PAYLOAD", [EMPTY_SHA256, digest], signature);
  }

  endTrailers(text: string, signature: string): void {
    this.#check("AWS4-HMAC-SHA256-TRAILER", [hash("sha256", text, "hex")], signature);
  }

  #check(algorithm: string, digests: readonly string[], signature: string | undefined): void {
    const { timestamp, scope, signingKey } = this.#seed;
    const text = [algorithm, timestamp, scope, this.#last, ...digests].join("\n");
    const expected = createHmac("sha256", signingKey).update(text).digest();
    const given = Buffer.from(signature ?? "", "hex");
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new RecordError("SignatureDoesNotMatch", "The signature of a chunk of the body does not match.");
    this.#last = expected.toString("hex");
  }
}
