import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { mkdir, open, readdir, rename, stat, unlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type Clock, type Log, type Random, RecordError } from "../../contracts/index.js";

/** Also the most that a claim check of a flow may hold. */
const LONGEST_PAYLOAD_BYTES = 2_000_000_000;
const DAY_MS = 24 * 3600 * 1000;
/** An upload that was begun so long ago has no writer any more. */
const ABANDONED_MS = DAY_MS;
/**
 * A message lives 14 days at most, and as long again after a move that follows a receive: who has not asked for an
 * object for longer has no message left that points to it.
 */
const FORGOTTEN_MS = 30 * DAY_MS;

export interface Payload {
  readonly bytes: number;
  /** Epoch ms. */
  readonly modifiedAt: number;
  read(): Readable;
}

/**
 * Objects that clients put for messages of theirs, as files named by the SHA-256 of their key: no key can name anything
 * outside the folder, however it is written. Clients may delete an object with its message but need not, and by default
 * do not: with S3 that is left to a lifecycle rule, and here to `sweep`.
 */
export class PayloadFiles {
  readonly #folder: string;
  readonly #incoming: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(folder: string, clock: Clock, random: Random) {
    this.#folder = folder;
    this.#incoming = join(folder, "incoming");
    this.#clock = clock;
    this.#random = random;
  }

  /** Removes what killed uploads left behind, and objects that nobody has put or read for 30 days. */
  async sweep(): Promise<void> {
    await mkdir(this.#incoming, { recursive: true });
    await this.#removeOlder(this.#incoming, ABANDONED_MS);
    await this.#removeOlder(this.#folder, FORGOTTEN_MS);
  }

  async #removeOlder(folder: string, ms: number): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(folder, entry.name);
      const found = await statIfThere(path);
      if (found === undefined) continue;
      if (this.#clock.now() - Math.max(found.mtimeMs, found.atimeMs) > ms) await removeIfThere(path);
    }
  }

  /**
   * Durable when it resolves; nothing is there when it rejects, and an older object under the key stays. RecordError
   * EntityTooLarge; `check` is called with the length before the object is put in place and may throw.
   */
  async write(key: string, content: AsyncIterable<Buffer>, check: (bytes: number) => void): Promise<Payload> {
    const draft = join(this.#incoming, this.#random.uuid());
    try {
      const file = await open(draft, "wx");
      let bytes = 0;
      try {
        for await (const chunk of content) {
          bytes += chunk.length;
          if (bytes > LONGEST_PAYLOAD_BYTES)
            throw new RecordError(
              "EntityTooLarge",
              `Your proposed upload exceeds the maximum allowed size of ${LONGEST_PAYLOAD_BYTES} bytes.`,
            );
          await file.writeFile(chunk);
        }
        check(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.#path(key));
      await this.#syncFolder();
    } catch (error) {
      await removeIfThere(draft);
      throw error;
    }
    const written = await this.find(key);
    if (written === undefined) throw new RecordError("NoSuchKey", "The object was deleted while it was put.");
    return written;
  }

  /** Whoever finds an object may still need it: it counts as read. */
  async find(key: string): Promise<Payload | undefined> {
    const path = this.#path(key);
    const found = await statIfThere(path);
    if (found === undefined) return undefined;
    await utimes(path, new Date(this.#clock.now()), found.mtime);
    return {
      bytes: found.size,
      modifiedAt: Math.floor(found.mtimeMs),
      read: () => createReadStream(path),
    };
  }

  /** Absent ones are harmless. */
  async remove(key: string): Promise<void> {
    await removeIfThere(this.#path(key));
  }

  #path(key: string): string {
    return join(this.#folder, createHash("sha256").update(key).digest("hex"));
  }

  /** So that the new name survives a power loss. Windows has no such call. */
  async #syncFolder(): Promise<void> {
    if (process.platform === "win32") return;
    const folder = await open(this.#folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Sweeps once a day until stopped. What goes wrong is logged: it is tried again the next day. */
export class Sweeping {
  readonly #stop: () => void;
  #running: Promise<void> = Promise.resolve();

  constructor(files: PayloadFiles, clock: Clock, log: Log) {
    this.#stop = clock.every(DAY_MS, () => {
      this.#running = files.sweep().catch((error: unknown) => {
        log.warn("forgotten payloads could not be removed", { error: String(error) });
      });
    });
  }

  async stop(): Promise<void> {
    this.#stop();
    await this.#running;
  }
}
