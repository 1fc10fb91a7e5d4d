import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
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
/** The buffer and the sinks need the disk more: answers whose turn is far off are not fetched when less is free. */
const FREE_BYTES = 2 * 1024 * 1024 * 1024;
/** An older answer is not used: a run that goes on long after a kill reads what is there by then. */
const LONGEST_MS = 15 * 60_000;
const NAME = /^([0-9a-f]{16})-(\d+)-[0-9a-f]{32}$/;

/** Before the body, as one line of JSON. */
interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  readonly crc: number;
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
  /** Names of files by key digest. */
  readonly #kept = new Map<string, { readonly name: string; readonly bytes: number }>();
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
    if (existsSync(this.#folder)) this.#load();
  }

  has(key: string): boolean {
    const kept = this.#kept.get(digest(key));
    return kept !== undefined && !this.#isExpired(kept.name);
  }

  async get(key: string): Promise<KeptAnswer | undefined> {
    const kept = this.#kept.get(digest(key));
    if (kept === undefined) return undefined;
    const answer = this.#isExpired(kept.name) ? undefined : parse(await this.#read(kept.name));
    if (answer === undefined) await this.drop(key);
    return answer;
  }

  async keep(key: string, { status, headers, body }: KeptAnswer): Promise<boolean> {
    await this.drop(key);
    if (this.#isClosed) return false;
    if (this.#bytes + body.length > MOST_BYTES) return false;
    const id = digest(key);
    const name = `${this.#owner}-${this.#clock.now()}-${id}`;
    const head: Head = { status, headers, bytes: body.length, crc: crc32(body) };
    this.#bytes += body.length;
    try {
      mkdirSync(this.#folder, { recursive: true });
      const file = await open(this.#path(name), "w", 0o600);
      try {
        await file.writev([Buffer.from(`${JSON.stringify(head)}\n`), body]);
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#bytes -= body.length;
      this.#tell(error);
      await rm(this.#path(name), { force: true }).catch((failure: unknown) => this.#tell(failure));
      return false;
    }
    this.#kept.set(id, { name, bytes: body.length });
    if (this.#isClosed) await this.drop(key);
    return !this.#isClosed;
  }

  async drop(key: string): Promise<void> {
    const id = digest(key);
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    this.#kept.delete(id);
    this.#bytes -= kept.bytes;
    await rm(this.#path(kept.name), { force: true });
    this.#wake();
  }

  hasRoom(): boolean {
    if (this.#isClosed || this.#bytes > MOST_BYTES - RESERVED_BYTES) return false;
    return !existsSync(this.#folder) || roomToGrow(this.#folder, 0) > FREE_BYTES;
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
    for (const { name } of this.#kept.values()) rmSync(this.#path(name), { force: true });
    this.#kept.clear();
    this.#bytes = 0;
    this.#wake();
  }

  #load(): void {
    for (const name of readdirSync(this.#folder)) {
      const [, owner] = NAME.exec(name) ?? [];
      if (owner === undefined) continue;
      const path = this.#path(name);
      if (this.#isExpired(name)) rmSync(path, { force: true });
      else if (owner === this.#owner) {
        const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
        this.#kept.set(name.slice(name.lastIndexOf("-") + 1), { name, bytes });
        this.#bytes += bytes;
      }
    }
  }

  #isExpired(name: string): boolean {
    const [, , at] = NAME.exec(name) ?? [];
    const age = this.#clock.now() - Number(at);
    return !(age >= 0 && age <= LONGEST_MS);
  }

  async #read(name: string): Promise<Buffer> {
    try {
      return await readFile(this.#path(name));
    } catch (error) {
      this.#tell(error);
      return Buffer.alloc(0);
    }
  }

  #tell(error: unknown): void {
    const { code, message } = classed(error, this.#folder);
    if (this.#toldOfFailure) return;
    this.#toldOfFailure = true;
    this.#log.warn(`answers cannot be kept, so that none is fetched ahead of its turn: ${message}`, { code });
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
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
