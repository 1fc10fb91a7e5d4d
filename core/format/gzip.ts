import { createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { constants, crc32, deflateRaw } from "node:zlib";
import { throwIfCancelled } from "../contracts/index.js";
import { fileError } from "./failure.js";
import { DEFAULT_GZIP_LEVEL } from "./options.js";

/*
 * One gzip member, compressed in parallel on node's thread pool the way pigz does it: blocks of fixed size are
 * deflated on their own, end on a byte boundary (Z_SYNC_FLUSH) and are laid one behind the other; an empty last
 * block, the CRC and the length close the member. Not a row of members: some readers stop after the first.
 *
 * The bytes depend on the content, the level and the zlib version only: no time, no file name, no system.
 */

const BLOCK_BYTES = 512 * 1024;
/** How far back deflate may refer. */
const WINDOW_BYTES = 32 * 1024;
/** Blocks under way at once: both cores stay busy while the next block is gathered. */
const PARALLEL = 3;
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
const LAST_BLOCK = Buffer.from([3, 0]);

/** Writes chunks to a gzip file. */
export class GzipFile {
  readonly #file: FileHandle;
  readonly #level: number;
  /** Blocks in turn; one is filled again only when it and the block after it, which needs its end, are compressed. */
  readonly #ring = Array.from({ length: PARALLEL + 2 }, () => Buffer.allocUnsafe(BLOCK_BYTES));
  #turn = 0;
  #filled = 0;
  #window: Buffer | undefined;
  #crc = 0;
  #length = 0;
  #written = 0;
  readonly #pending: Promise<Buffer>[] = [];

  private constructor(file: FileHandle, level: number) {
    this.#file = file;
    this.#level = level;
  }

  static async create(path: string, level: number): Promise<GzipFile> {
    const gzip = new GzipFile(await open(path, "w"), level);
    await gzip.#put(HEADER);
    return gzip;
  }

  /** Takes the bytes over before it resolves; waits while three blocks are under way. */
  async write(chunk: Buffer): Promise<void> {
    this.#crc = crc32(chunk, this.#crc);
    this.#length += chunk.length;
    for (let from = 0; from < chunk.length; ) {
      const count = Math.min(chunk.length - from, BLOCK_BYTES - this.#filled);
      chunk.copy(this.#current(), this.#filled, from, from + count);
      this.#filled += count;
      from += count;
      if (this.#filled === BLOCK_BYTES) await this.#compress();
    }
  }

  /** Writes what is left and the trailer; resolves to the file's size. */
  async end(): Promise<number> {
    if (this.#filled > 0) await this.#compress();
    while (this.#pending.length > 0) await this.#putOldest();
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.#crc, 0);
    trailer.writeUInt32LE(this.#length % 2 ** 32, 4);
    await this.#put(LAST_BLOCK);
    await this.#put(trailer);
    return this.#written;
  }

  /** Closes the file, whatever state it is in. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#pending);
    await this.#file.close();
  }

  async #compress(): Promise<void> {
    const block = this.#current().subarray(0, this.#filled);
    const deflated = deflate(block, this.#level, this.#window);
    this.#window = block.subarray(Math.max(0, block.length - WINDOW_BYTES));
    this.#turn++;
    this.#filled = 0;
    // Whoever awaits it sees the error; without this an early failure would be an unhandled rejection.
    deflated.catch(() => undefined);
    this.#pending.push(deflated);
    if (this.#pending.length >= PARALLEL) await this.#putOldest();
  }

  #current(): Buffer {
    const block = this.#ring[this.#turn % this.#ring.length];
    if (block === undefined) throw new RangeError("the ring has no such block");
    return block;
  }

  async #putOldest(): Promise<void> {
    const oldest = this.#pending.shift();
    if (oldest !== undefined) await this.#put(await oldest);
  }

  async #put(bytes: Buffer): Promise<void> {
    let done = 0;
    while (done < bytes.length) done += (await this.#file.write(bytes, done)).bytesWritten;
    this.#written += bytes.length;
  }
}

/** A file as gzip under another name; the first is deleted. Resolves to the size of the second. */
export async function gzipFile(
  from: string,
  to: string,
  level: number = DEFAULT_GZIP_LEVEL,
  signal?: AbortSignal,
): Promise<number> {
  try {
    const gzip = await GzipFile.create(to, level);
    try {
      for await (const bytes of createReadStream(from, { highWaterMark: BLOCK_BYTES })) {
        throwIfCancelled(signal);
        await gzip.write(bytes);
      }
      return await gzip.end();
    } finally {
      await gzip.close();
      await rm(from, { force: true });
    }
  } catch (error) {
    throw fileError(error, to);
  }
}

/** `window`: the end of the block before, which this one may refer to. */
function deflate(block: Buffer, level: number, window: Buffer | undefined): Promise<Buffer> {
  const options = {
    level,
    finishFlush: constants.Z_SYNC_FLUSH,
    // Above any block's deflated size: one trip to the thread pool.
    chunkSize: BLOCK_BYTES,
    ...(window === undefined ? {} : { dictionary: window }),
  };
  return new Promise((resolve, reject) => {
    deflateRaw(block, options, (error, result) => (error === null ? resolve(result) : reject(error)));
  });
}
