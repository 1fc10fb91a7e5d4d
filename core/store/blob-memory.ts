import { Readable } from "node:stream";
import { InvariantError, type Random } from "../contracts/index.js";
import type { BlobShelf } from "../queue/index.js";

/** Claim checks of an environment in memory. */
export class BlobMemory implements BlobShelf {
  readonly #blobs = new Map<string, Buffer>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  async write(bytes: Buffer): Promise<string> {
    const name = this.#random.uuid();
    this.#blobs.set(name, Buffer.from(bytes));
    return name;
  }

  read(name: string): Buffer {
    const bytes = this.#blobs.get(name);
    if (!bytes) throw new InvariantError("BLOB_MISSING", `blob ${name} is not there`);
    return Buffer.from(bytes);
  }

  stream(name: string): Readable {
    return Readable.from([this.read(name)]);
  }

  has(name: string): boolean {
    return this.#blobs.has(name);
  }

  async remove(name: string): Promise<void> {
    this.#blobs.delete(name);
  }

  sweep(): number {
    return 0; // an environment in memory begins empty
  }
}
