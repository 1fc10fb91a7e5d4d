import {
  ConfigError,
  RecordError,
  type SendEntry,
  type StagedBody,
  TransientError,
} from "../contracts/index.js";
import type { BlobShelf } from "./blobs.js";
import type { Effects } from "./effects.js";
import { bodyKey, nameKey, type Place } from "./keys.js";
import { bodyBytes } from "./message-content.js";
import { refusals } from "./refusals.js";
import type { MessageRow, QueueTables } from "./rows.js";
import type { Tables } from "./tables.js";

/** Longer bodies become claim checks; the default of MaximumMessageSize. */
export const LONGEST_INLINE_BYTES = 262144;
/** Node reads a file into one Buffer up to 2 GiB. */
const LONGEST_BODY_BYTES = 2_000_000_000;

/** Where the bytes of messages are: in `bodies` beside the row, or in a blob. */
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

  /** Inside a transaction. Returns what the message's row keeps of it. */
  store(place: Place, { content }: StagedBody): { blob?: string } {
    if ("inline" in content) {
      this.#tables.bodies.put(bodyKey(place.sequence), content.inline);
      return {};
    }
    const key = nameKey(content.blob);
    this.#tables.blobs.put(key, { refs: (this.#tables.blobs.get(key)?.refs ?? 0) + 1 });
    return { blob: content.blob };
  }

  read(place: Place, row: MessageRow): Buffer {
    return this.#snapshot(() => this.#read(place, row));
  }

  #read(place: Place, row: MessageRow): Buffer {
    if (row.blob !== undefined) {
      if (this.#tables.blobs.has(nameKey(row.blob))) {
        if (this.#blobs.has(row.blob)) return this.#blobs.read(row.blob);
        throw new ConfigError("DATA_DIR_DAMAGED", `The body of message ${row.id} is missing.`, {
          place: row.blob,
          fix: "Restore the data directory from a backup, or delete the message.",
        });
      }
    } else {
      const body = this.#tables.bodies.get(bodyKey(place.sequence));
      if (body) return body;
    }
    throw new RecordError("MESSAGE_GONE", `Message ${row.id} was deleted, purged or has expired.`, {
      fix: "Receive again.",
    });
  }

  /** Inside the transaction that removes the message. */
  release(place: Place, row: MessageRow, effects: Effects): void {
    if (row.blob === undefined) {
      this.#tables.bodies.remove(bodyKey(place.sequence));
      return;
    }
    const key = nameKey(row.blob);
    const refs = (this.#tables.blobs.get(key)?.refs ?? 1) - 1;
    if (refs > 0) this.#tables.blobs.put(key, { refs });
    else {
      this.#tables.blobs.remove(key);
      effects.releasedBlobs.push(row.blob);
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
