import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, statSync, unlinkSync } from "node:fs";
import { mkdir, open, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Clock, Random } from "../contracts/index.js";
import type { BlobShelf } from "../queue/index.js";
import { classed } from "./storage-error.js";

/** A blob of another host (a container that shares the folder) is only taken for abandoned at this age. */
const FOREIGN_ABANDONED_MS = 24 * 3600 * 1000;
const NAME = /^([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-[0-9a-f-]{36}$/;

/** Claim checks as files `<host>-<pid>-<instance>-<uuid>`: the name says who wrote it and may still be about to use it. */
export class BlobFiles implements BlobShelf {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
  /** Tells this opening from an earlier process that had the same pid, as in containers. */
  readonly #instance: string;

  constructor(folder: string, clock: Clock, random: Random) {
    this.#folder = folder;
    this.#clock = clock;
    this.#random = random;
    this.#instance = random.uuid().slice(0, 8);
    instances.add(this.#instance);
  }

  async write(bytes: Buffer): Promise<string> {
    const name = `${this.#host}-${process.pid}-${this.#instance}-${this.#random.uuid()}`;
    const path = this.#path(name);
    try {
      await mkdir(this.#folder, { recursive: true });
      const file = await open(path, "wx");
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#syncFolder();
    } catch (error) {
      await this.remove(name);
      throw classed(error, path);
    }
    return name;
  }

  read(name: string): Buffer {
    try {
      return readFileSync(this.#path(name));
    } catch (error) {
      throw classed(error, this.#path(name));
    }
  }

  stream(name: string): Readable {
    return createReadStream(this.#path(name));
  }

  has(name: string): boolean {
    return NAME.test(name) && existsSync(this.#path(name));
  }

  async remove(name: string): Promise<void> {
    try {
      await unlink(this.#path(name));
    } catch (error) {
      if (!isAbsent(error)) throw classed(error, this.#path(name));
    }
  }

  sweep(inUse: (name: string) => boolean): number {
    let swept = 0;
    for (const name of this.#names()) {
      if (!NAME.test(name) || inUse(name) || !this.#isAbandoned(name)) continue;
      try {
        unlinkSync(this.#path(name));
        swept += 1;
      } catch (error) {
        if (!isAbsent(error)) throw classed(error, this.#path(name));
      }
    }
    return swept;
  }

  close(): void {
    instances.delete(this.#instance);
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch (error) {
      if (isAbsent(error)) return [];
      throw classed(error, this.#folder);
    }
  }

  #isAbandoned(name: string): boolean {
    const [, host, pid, instance = ""] = NAME.exec(name) ?? [];
    if (host === this.#host)
      return Number(pid) === process.pid ? !instances.has(instance) : !isAlive(Number(pid));
    const age = this.#clock.now() - statSync(this.#path(name)).mtimeMs;
    return age > FOREIGN_ABANDONED_MS;
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

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

/** Openings of this process: two in one process must not sweep each other's blobs. */
const instances = new Set<string>();

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // sends nothing: asks whether the process is there
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
