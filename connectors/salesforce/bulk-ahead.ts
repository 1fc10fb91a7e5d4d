import { InvariantError, RateLimitError, SluiceError, throwIfCancelled } from "../../core/contracts/index.js";
import { discardJob, Patience } from "./bulk-discard.js";
import type { BulkJobs } from "./bulk-jobs.js";
import type { PageRows } from "./bulk-result.js";
import { ResultsAhead } from "./bulk-results-ahead.js";
import { type BulkReading, digestOf, fitSegment, isFew, type Size } from "./bulk-segment.js";
import type { AheadJob } from "./cursor.js";
import type { Keyset } from "./keyset.js";
import type { Reading } from "./pages.js";

/** Of the org's daily calls: when more are used, none is spent before its time. */
const MOST_USED = 0.9;

/*
 * Jobs of the segments behind the present one, made while its job runs and its pages are read, so that Salesforce works on
 * several at a time. Each is put into the keyset as soon as it is there, and so into the next page's cursor: a resume takes it
 * over, and what a kill leaves behind before that is gone after seven days. What they find is fetched to disk before its turn
 * comes (bulk-results-ahead.ts).
 *
 *   idle --go--> counting --rows--> creating --> counting ... --enough, or nothing behind--> idle
 *                         --refused, failed, or a limit--> idle: its turn comes, and then it is the present one's matter
 *   any  --segments are cut anew--> the jobs are discarded
 *   any  --read ends--> the jobs are discarded, but for those that a failed read has stored
 *
 * Going ahead never waits for a limit, and stops for good where one refuses it.
 */
export class JobsAhead {
  readonly #reading: Reading;
  readonly #bulk: BulkReading;
  readonly #keyset: Keyset;
  readonly #jobs: BulkJobs;
  readonly #size: Size;
  /** What the jobs ahead have found. */
  readonly results: ResultsAhead;
  /** Of all results of this read. */
  readonly pageRows: PageRows;
  /** Rows of the jobs that this read has made ahead; undefined where they could not be counted. */
  readonly #made = new Map<string, number | undefined>();
  readonly #left = new AbortController();
  readonly #patience: Patience;
  #working: Promise<void> | undefined;
  #discarding: Promise<void> = Promise.resolve();
  /** Of the segments: a job for those of an earlier plan is of no use. */
  #plan = 0;
  #isOff = false;
  #presentRows: number | undefined;
  #stored: ReadonlySet<string>;
  #failure: unknown;

  constructor(reading: Reading, bulk: BulkReading, keyset: Keyset, jobs: BulkJobs, size: Size) {
    this.#reading = reading;
    this.#bulk = bulk;
    this.#keyset = keyset;
    this.#jobs = jobs;
    this.#size = size;
    this.#patience = new Patience(bulk.clock);
    this.#stored = this.#ids();
    this.pageRows = { rows: bulk.pageSize };
    this.results = new ResultsAhead(jobs, {
      clock: bulk.clock,
      log: bulk.log,
      ahead: reading.ahead,
      size: this.pageRows,
      signal: reading.signal,
      mayGo: () => this.#mayGo(),
    });
  }

  /** Goes on in the background. Called when the present segment has its job, of so many rows, if they were counted. */
  go(rows: number | undefined): void {
    this.#presentRows = rows;
    this.#fetchResults();
    if (this.#working !== undefined || this.#isOff) return;
    this.#working = this.#step()
      .catch((error: unknown) => this.#note(error))
      .then((goesOn) => {
        this.#working = undefined;
        if (goesOn) this.go(this.#presentRows);
      });
  }

  /** Resolves when nothing is under way that the next segment has to know of. */
  async settled(): Promise<void> {
    if (this.#keyset.progress.ahead.length === 0) await this.#working;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Whether this read has made the job ahead; one that an earlier read has made may be old. */
  made(id: string): boolean {
    return this.#made.has(id);
  }

  rowsOf(id: string): number | undefined {
    return this.#made.get(id);
  }

  /** The jobs that a cursor of this moment holds, for `stored`. */
  #ids(): ReadonlySet<string> {
    return new Set(this.#keyset.progress.ahead.map(({ id }) => id));
  }

  /** There are jobs that no stored cursor knows of. */
  get isNews(): boolean {
    return this.#keyset.progress.ahead.some(({ id }) => !this.#stored.has(id));
  }

  /** A cursor of this moment is handed out; call the result when it is stored. */
  handOut(): () => void {
    const ids = this.#ids();
    return () => {
      this.#stored = ids;
      this.#fetchResults();
    };
  }

  /** Of a job that no stored cursor knows a kill would cost all that was fetched. */
  #fetchResults(): void {
    for (const { id } of this.#keyset.progress.ahead) if (this.#stored.has(id)) this.results.begin(id);
  }

  /** The segments behind the present one are others from now on. */
  drop(): void {
    this.#plan++;
    this.#discard(this.#keyset.progress.ahead);
    this.#keyset.progress.ahead = [];
  }

  /** The read ends. `keeps`: it failed and will be resumed from the last cursor that was stored. */
  async close(keeps: boolean): Promise<void> {
    this.#left.abort();
    this.#patience.begin();
    try {
      await this.results.close();
      await this.#working;
      const { progress } = this.#keyset;
      this.#discard(progress.ahead.filter(({ id }) => !keeps || !this.#stored.has(id)));
      progress.ahead = [];
      await this.#discarding;
    } finally {
      this.#patience.end();
    }
  }

  /** One more job. False: that is enough for this segment. */
  async #step(): Promise<boolean> {
    const { progress } = this.#keyset;
    if (progress.ahead.length + 1 >= this.#bulk.jobs || !this.#mayGo()) return false;
    const plan = this.#plan;
    const next = await this.#next();
    if (next === undefined || plan !== this.#plan) return false;
    const job = await this.#create(next.keyset);
    if (plan !== this.#plan) {
      this.#discard([job]);
      return false;
    }
    this.#made.set(job.id, next.rows);
    progress.ahead = [...progress.ahead, job];
    return true;
  }

  #mayGo(): boolean {
    const { api, signal } = this.#reading;
    const { usage } = api;
    const isScarce = usage !== undefined && usage.used > usage.limit * MOST_USED;
    return !isScarce && !signal.aborted && !this.#left.signal.aborted;
  }

  /** The next segment with rows in it. */
  async #next(): Promise<{ readonly keyset: Keyset; readonly rows: number | undefined } | undefined> {
    const keyset = this.#keyset.fork();
    const signal = AbortSignal.any([this.#reading.signal, this.#left.signal]);
    const last = this.#keyset.progress.ahead.at(-1);
    let rows = last === undefined ? this.#presentRows : this.#made.get(last.id);
    while (keyset.advance(isFew(rows, this.#size)) && this.#mayGo()) {
      rows = await fitSegment({ ...this.#reading, signal }, this.#bulk, keyset, this.#size, 0);
      if (rows !== 0) return { keyset, rows };
    }
    return undefined;
  }

  /** Not by the run's signal: a job whose id is never told cannot be aborted. */
  async #create(keyset: Keyset): Promise<AheadJob> {
    const { deleted, signal } = this.#reading;
    throwIfCancelled(signal);
    const begin = () => this.#patience.begin();
    signal.addEventListener("abort", begin, { once: true });
    try {
      const query = digestOf(this.#reading, this.#bulk, keyset);
      const created = await this.#jobs.create(this.#bulk.soql(keyset), deleted, this.#patience.signal, 0);
      return { ...keyset.span, query, id: created.id };
    } finally {
      signal.removeEventListener("abort", begin);
    }
  }

  #discard(open: readonly AheadJob[]): void {
    if (open.length === 0) return;
    const { log } = this.#bulk;
    const all = open.map(async ({ id }) => {
      await this.results.forget(id);
      await discardJob(this.#jobs, id, log, this.#patience.signal);
    });
    this.#discarding = Promise.all([this.#discarding, ...all]).then(() => undefined);
  }

  #note(error: unknown): false {
    if (!(error instanceof SluiceError) || error instanceof InvariantError) {
      this.#isOff = true;
      this.#failure = error;
      return false;
    }
    if (error.kind === "cancelled") return false;
    if (error instanceof RateLimitError) this.#isOff = true;
    this.#bulk.log.info(`${this.#reading.place}: no Bulk job is made ahead: ${error.message}`, {
      code: error.code,
    });
    return false;
  }
}
