import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { AnswersAhead, Clock, KeptAnswer, Log } from "../contracts/index.js";
import { dataDirPaths } from "./data-dir.js";
import { roomToGrow } from "./disk-space.js";
import { classed } from "./storage-error.js";

/** On disk at a time, of one read, bytes; of these so many for answers whose turn is next. */
const MOST_BYTES = 512 * 1024 * 1024;
const RESERVED_BYTES = 128 * 1024 * 1024;
/** The buffer and the sinks need the disk more: nothing is kept when less is free, and nothing whose turn is far off. */
const FREE_BYTES = 64 * 1024 * 1024;
const AMPLE_BYTES = 2 * 1024 * 1024 * 1024;
/** An older answer is not used: a run that goes on long after a kill reads what is there by then. */
const LONGEST_MS = 15 * 60_000;
const NAME = /^([0-9a-f]{16})-(\d+)-([0-9a-f]{32})$/;

/** Before the body, as one line of JSON. */
interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  readonly crc: number;
}

interface Kept {
  readonly name: string;
  readonly bytes: number;
  /** Epoch ms at which another process has kept it; undefined: this one has. */
  readonly loadedAt: number | undefined;
}

/**
 * Answers as files `<owner>-<epoch ms>-<key>` of `ahead/`, digests both; a line of JSON, then the body. They are not
 * fsynced: a killed process leaves them whole, and what a power loss leaves in pieces does not pass its checksum.
 */
export class KeptAnswers implements AnswersAhead {
  readonly #folder: string;
  readonly #owner: string;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By key digest. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;
  #isClosed = false;
  #toldOfFailure = false;
  readonly #waiting = new Set<() => void>();

  /** `owner`: whose reads these are; at most one process uses them at a time. Removes everybody's expired ones. */
  constructor(dataDir: string, owner: string, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#folder = dataDirPaths(dataDir).ahead;
    this.#owner = digest(owner).slice(0, 16);
    this.#clock = clock;
    this.#log = log;
    this.#try(() => {
      for (const name of readdirSync(this.#folder)) this.#load(name);
    });
  }

  has(key: string): boolean {
    return this.#usable(key) !== undefined;
  }

  async get(key: string): Promise<KeptAnswer | undefined> {
    const kept = this.#usable(key);
    if (kept === undefined) return undefined;
    const answer = parse(await this.#tryLater(readFile(this.#path(kept.name)), NOTHING));
    if (answer === undefined) await this.drop(key);
    return answer;
  }

  async keep(key: string, { status, headers, body }: KeptAnswer): Promise<boolean> {
    await this.drop(key);
    if (this.#isClosed || this.#bytes + body.length > MOST_BYTES || !this.#isFree(FREE_BYTES)) return false;
    const id = digest(key);
    const name = `${this.#owner}-${this.#clock.now()}-${id}`;
    const head: Head = { status, headers, bytes: body.length, crc: crc32(body) };
    this.#bytes += body.length;
    const isWhole = await this.#tryLater(this.#write(name, head, body), false);
    if (isWhole && !this.#isClosed) {
      this.#kept.set(id, { name, bytes: body.length, loadedAt: undefined });
      return true;
    }
    this.#bytes -= body.length;
    await this.#remove(name);
    return false;
  }

  async drop(key: string): Promise<void> {
    const id = digest(key);
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    this.#forget(id, kept);
    await this.#remove(kept.name);
  }

  hasRoom(): boolean {
    for (const [id, kept] of this.#kept) if (this.#isOld(kept)) this.#forget(id, kept);
    if (this.#isClosed || this.#bytes > MOST_BYTES - RESERVED_BYTES) return false;
    return this.#isFree(AMPLE_BYTES);
  }

  room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      if (signal.aborted) return resolve();
      signal.addEventListener("abort", done, { once: true });
      this.#waiting.add(done);
    });
  }

  /** The read has ended: what is still under way is not kept. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /** Nothing of it will be asked for again. */
  clear(): void {
    for (const [id, kept] of this.#kept) {
      this.#forget(id, kept);
      this.#try(() => rmSync(this.#path(kept.name), { force: true }));
    }
  }

  /** An answer of an earlier process. */
  #load(name: string): void {
    const [, owner, at, id] = NAME.exec(name) ?? [];
    if (id === undefined) return;
    const path = this.#path(name);
    const { size = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
    const kept = { name, bytes: size, loadedAt: Number(at) };
    if (this.#isOld(kept)) this.#try(() => rmSync(path, { force: true }));
    else if (owner === this.#owner) {
      this.#kept.set(id, kept);
      this.#bytes += size;
    }
  }

  #usable(key: string): Kept | undefined {
    const kept = this.#kept.get(digest(key));
    return kept === undefined || this.#isOld(kept) ? undefined : kept;
  }

  /** What this process has kept stays good while it lives: the read has just not come to it. */
  #isOld({ loadedAt }: Kept): boolean {
    if (loadedAt === undefined) return false;
    const age = this.#clock.now() - loadedAt;
    return !(age >= 0 && age <= LONGEST_MS);
  }

  #isFree(bytes: number): boolean {
    const isFree = this.#try(() => {
      mkdirSync(this.#folder, { recursive: true });
      return roomToGrow(this.#folder, 0) > bytes;
    });
    return isFree === true;
  }

  #forget(id: string, { bytes }: Kept): void {
    this.#kept.delete(id);
    this.#bytes -= bytes;
    this.#wake();
  }

  async #write(name: string, head: Head, body: Buffer): Promise<true> {
    const file = await open(this.#path(name), "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(head)}\n`);
      await file.writeFile(body);
    } finally {
      await file.close();
    }
    return true;
  }

  async #remove(name: string): Promise<void> {
    await this.#tryLater(rm(this.#path(name), { force: true }), undefined);
  }

  /** No file of this folder is worth a failed run. */
  #try<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  async #tryLater<T>(work: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#tell(error);
      return otherwise;
    }
  }

  #tell(error: unknown): void {
    if (this.#toldOfFailure || isAbsent(error)) return;
    this.#toldOfFailure = true;
    const { code, message } = classed(error, this.#folder);
    this.#log.warn(
      `answers of sources are not kept, so that fewer are fetched ahead of their turn: ${message}`,
      {
        code,
        folder: this.#folder,
      },
    );
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

const NOTHING = Buffer.alloc(0);

/** Nobody has kept anything yet, or somebody has cleared the folder away. */
function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function parse(file: Buffer): KeptAnswer | undefined {
  const end = file.indexOf("\n");
  if (end < 0) return undefined;
  const body = file.subarray(end + 1);
  const head = headOf(file.toString("utf8", 0, end));
  if (head === undefined || head.bytes !== body.length || head.crc !== crc32(body)) return undefined;
  return { status: head.status, headers: head.headers, body };
}

function headOf(line: string): Head | undefined {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
