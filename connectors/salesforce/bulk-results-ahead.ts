import {
  type AnswersAhead,
  CancelledError,
  type Clock,
  InvariantError,
  type Log,
  SluiceError,
} from "../../core/contracts/index.js";
import { type BulkJobs, resultKey } from "./bulk-jobs.js";
import type { PageRows } from "./bulk-result.js";

export interface ResultsAheadOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: nothing is fetched ahead. */
  readonly ahead: AnswersAhead | undefined;
  readonly size: PageRows;
  readonly signal: AbortSignal;
  /** Whether calls may be spent before their time. */
  readonly mayGo: () => boolean;
}

/** Looking costs a call. */
const FIRST_LOOK_MS = 10_000;
const LONGEST_LOOK_MS = 60_000;

interface Fetcher {
  /** Ends it behind the page that is under way. */
  readonly leave: AbortController;
  readonly done: Promise<void>;
  /** Keys of what it has fetched. */
  readonly keys: string[];
}

/*
 * Results of the jobs ahead, each fetched to disk page by page, while the result of the present job is read: several come at
 * the same time, and the records keep their order. When its turn comes a job is read from there as far as its pages go.
 *
 *   looking --JobComplete--> fetching --last page; left; a limit, or any failure--> done: the rest is the present one's matter
 *           --ended otherwise--> done
 *   fetching --no room--> waiting until pages were read
 */
export class ResultsAhead {
  readonly #jobs: BulkJobs;
  readonly #options: ResultsAheadOptions;
  readonly #fetchers = new Map<string, Fetcher>();
  readonly #left = new AbortController();
  readonly #signal: AbortSignal;
  #failure: unknown;

  constructor(jobs: BulkJobs, options: ResultsAheadOptions) {
    this.#jobs = jobs;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#left.signal]);
  }

  /** Begins with the result of this job, if nothing has done so before. */
  begin(id: string): void {
    const { ahead } = this.#options;
    if (ahead === undefined || this.#fetchers.has(id) || this.#signal.aborted) return;
    const leave = new AbortController();
    const keys: string[] = [];
    const done = this.#fetch(id, { ahead, keys, left: leave.signal }).catch((error: unknown) =>
      this.#note(id, error),
    );
    this.#fetchers.set(id, { leave, done, keys });
  }

  /** Resolves when nothing of this job is under way any more. */
  async leave(id: string): Promise<void> {
    await this.#end(id);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Of a job that is given up. */
  async forget(id: string): Promise<void> {
    const keys = await this.#end(id);
    for (const key of keys) await this.#options.ahead?.drop(key);
  }

  /** Resolves to the keys of what was fetched. */
  async #end(id: string): Promise<readonly string[]> {
    const fetcher = this.#fetchers.get(id);
    fetcher?.leave.abort();
    await fetcher?.done;
    return fetcher?.keys ?? [];
  }

  async close(): Promise<void> {
    this.#left.abort();
    await Promise.all([...this.#fetchers.values()].map(({ done }) => done));
  }

  async #fetch(
    id: string,
    {
      ahead,
      keys,
      left,
    }: { readonly ahead: AnswersAhead; readonly keys: string[]; readonly left: AbortSignal },
  ): Promise<void> {
    const { size, mayGo } = this.#options;
    const ends = AbortSignal.any([this.#signal, left]);
    if (!(await this.#isComplete(id, ends))) return;
    const seen = new Set<string>();
    let locator: string | null = null;
    while (mayGo()) {
      while (!ahead.hasRoom() && !ends.aborted) await ahead.room(ends);
      if (ends.aborted) return;
      const place = { id, locator };
      keys.push(resultKey(place));
      const next: string | undefined = await this.#jobs.fetch(place, size.rows, {
        signal: this.#signal,
        ahead,
        longestWaitMs: 0,
      });
      // Not kept; or its turn has come and gone.
      if (next === undefined || seen.has(next) || !ahead.has(resultKey(place))) return;
      seen.add(next);
      locator = next;
    }
  }

  async #isComplete(id: string, ends: AbortSignal): Promise<boolean> {
    const { clock, mayGo } = this.#options;
    for (let pause = FIRST_LOOK_MS; ; pause = Math.min(LONGEST_LOOK_MS, pause * 2)) {
      await clock.sleep(pause, ends);
      if (!mayGo()) return false;
      const { state } = await this.#jobs.look(id, ends, 0);
      if (state !== "UploadComplete" && state !== "InProgress") return state === "JobComplete";
    }
  }

  #note(id: string, error: unknown): void {
    if (error instanceof CancelledError) return;
    if (!(error instanceof SluiceError) || error instanceof InvariantError) this.#failure = error;
    else {
      const { code, message } = error;
      this.#options.log.info(`the result of Bulk job ${id} is not fetched ahead: ${message}`, { code });
    }
  }
}
