import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  ConfigError,
  RecordError,
  type SendEntry,
  type StagedBody,
  TransientError,
} from "../contracts/index.js";
import type { BlobShelf } from "./blobs.js";
import type { Content } from "./content.js";
import type { Effects } from "./effects.js";
import { bodyKey, nameKey } from "./keys.js";
import { bodyBytes } from "./message-content.js";
import type { BodyPlace } from "./pack.js";
import { refusals } from "./refusals.js";
import type { QueueTables } from "./rows.js";
import type { Tables } from "./tables.js";

/** Longer bodies become claim checks; the default of MaximumMessageSize. */
export const LONGEST_INLINE_BYTES = 262144;
/** Node reads a file into one Buffer up to 2 GiB. */
const LONGEST_BODY_BYTES = 2_000_000_000;

/**
 * Bodies up to here lie in their pack: sending, receiving and deleting ten of them is one value each time. Longer ones
 * lie apart, so that looking at a message does not copy them.
 */
const LONGEST_PACKED_BYTES = 4_096;

interface Stored {
  readonly place: BodyPlace;
  readonly content: Pick<Content, "body" | "blob">;
}

/** Where the bytes of messages are: in their pack, in `bodies`, or in a blob. */
export class Bodies {
  readonly #tables: QueueTables;
  readonly #blobs: BlobShelf;
  readonly #snapshot: Tables["read"];

  constructor(tables: QueueTables, blobs: BlobShelf, snapshot: Tables["read"]) {
    this.#tables = tables;
    this.#blobs = blobs;
    this.#snapshot = snapshot;
  }

  async stage(body: string | Buffer): Promise<StagedBody> {
    // A string's length never exceeds its bytes: refuse before making a copy of it.
    if (body.length > LONGEST_BODY_BYTES) throw refusals.bodyTooLarge(body.length, LONGEST_BODY_BYTES);
    const bytes = bodyBytes("", body);
    if (bytes.length > LONGEST_BODY_BYTES) throw refusals.bodyTooLarge(bytes.length, LONGEST_BODY_BYTES);
    if (bytes.length <= LONGEST_INLINE_BYTES) return { bytes: bytes.length, content: { inline: bytes } };
    return { bytes: bytes.length, content: { blob: await this.#blobs.write(bytes) } };
  }

  async discard(staged: StagedBody): Promise<void> {
    if (!("blob" in staged.content)) return;
    const { blob } = staged.content;
    if (!this.#tables.blobs.has(nameKey(blob))) await this.#blobs.remove(blob);
  }

  /** Checked, before anything is written. */
  prepare(queue: string, body: SendEntry["body"]): StagedBody {
    if (typeof body === "string" || Buffer.isBuffer(body)) {
      const bytes = bodyBytes(queue, body);
      return { bytes: bytes.length, content: { inline: bytes } };
    }
    if ("blob" in body.content && !this.#blobs.has(body.content.blob))
      throw new TransientError("STAGED_BODY_GONE", "A staged body is no longer there.", {
        place: `queue ${queue}`,
        fix: "Stage the body again.",
      });
    return body;
  }

  /** SHA-256 in hex of a prepared body. */
  digest({ content }: StagedBody): string {
    const bytes = "inline" in content ? content.inline : this.#blobs.read(content.blob);
    return createHash("sha256").update(bytes).digest("hex");
  }

  /** The bytes of a message that is there, piece by piece where they lie in a file. */
  stream(sequence: number, content: Content): Readable {
    if (content.blob !== undefined) return this.#blobs.stream(content.blob);
    return Readable.from([this.#read({ id: `of sequence ${sequence}`, sequence, content })]);
  }

  /** Inside a transaction: a prepared body is not sent after all. */
  drop({ content }: StagedBody, effects: Effects): void {
    if ("blob" in content && !this.#tables.blobs.has(nameKey(content.blob)))
      effects.releasedBlobs.push(content.blob);
  }

  /** Inside a transaction. Where the body of the message of that sequence number lies from now on. */
  store(sequence: number, { content }: StagedBody): Stored {
    if ("blob" in content) {
      const key = nameKey(content.blob);
      this.#tables.blobs.put(key, { refs: (this.#tables.blobs.get(key)?.refs ?? 0) + 1 });
      return { place: "blob", content: { blob: content.blob } };
    }
    if (content.inline.length <= LONGEST_PACKED_BYTES)
      return { place: "packed", content: { body: content.inline } };
    this.#tables.bodies.put(bodyKey(sequence), content.inline);
    return { place: "apart", content: {} };
  }

  /** The bytes as sent. Throws RecordError MESSAGE_GONE unless `isThere`, which is asked in the same snapshot. */
  read(
    message: { readonly id: string; readonly sequence: number; readonly content: Content },
    isThere: () => boolean,
  ) {
    return this.#snapshot(() => {
      if (!isThere())
        throw new RecordError("MESSAGE_GONE", `Message ${message.id} was deleted, purged or has expired.`, {
          fix: "Receive again.",
        });
      return this.#read(message);
    });
  }

  /** The same for one that is there, inside the caller's snapshot. */
  staged(sequence: number, content: Content, bytes: number): StagedBody {
    if (content.blob !== undefined) return { bytes, content: { blob: content.blob } };
    return { bytes, content: { inline: this.#read({ id: `of sequence ${sequence}`, sequence, content }) } };
  }

  #read({ id, sequence, content: { body, blob } }: Parameters<Bodies["read"]>[0]): Buffer {
    const found =
      body ?? (blob === undefined ? this.#tables.bodies.get(bodyKey(sequence)) : this.#readBlob(blob));
    if (found) return found;
    throw new ConfigError("DATA_DIR_DAMAGED", `The body of message ${id} is missing.`, {
      ...(blob !== undefined && { place: blob }),
      fix: "Restore the data directory from a backup, or delete the message.",
    });
  }

  #readBlob(blob: string): Buffer | undefined {
    return this.#tables.blobs.has(nameKey(blob)) && this.#blobs.has(blob)
      ? this.#blobs.read(blob)
      : undefined;
  }

  /** Inside the transaction that removes the message. `content` is asked only where the body is a claim check. */
  release(sequence: number, place: BodyPlace, content: () => Content, effects: Effects): void {
    if (place === "apart") this.#tables.bodies.remove(bodyKey(sequence));
    if (place !== "blob") return;
    const { blob } = content();
    if (blob === undefined) return;
    const key = nameKey(blob);
    const refs = (this.#tables.blobs.get(key)?.refs ?? 1) - 1;
    if (refs > 0) this.#tables.blobs.put(key, { refs });
    else {
      this.#tables.blobs.remove(key);
      effects.releasedBlobs.push(blob);
    }
  }

  /** Never throws: the transaction that let go of them is durable and must not look failed. What stays is swept. */
  async removeReleased(effects: Effects): Promise<void> {
    await Promise.allSettled(effects.releasedBlobs.map((blob) => this.#blobs.remove(blob)));
  }

  /** Inside a transaction. Returns how many were swept. */
  sweep(): number {
    return this.#blobs.sweep((name) => this.#tables.blobs.has(nameKey(name)));
  }
}
