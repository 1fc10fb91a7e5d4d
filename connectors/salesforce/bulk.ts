import {
  ConfigError,
  invariant,
  type Log,
  type Page,
  TransientError,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import { Ahead } from "../../core/http/index.js";
import { JobsAhead } from "./bulk-ahead.js";
import { abortJob, deleteJob, discardJob } from "./bulk-discard.js";
import { BulkJobs, isGone, type JobInfo } from "./bulk-jobs.js";
import { failure, ResultReader, type ResultRecords } from "./bulk-result.js";
import {
  type BulkReading,
  digestOf,
  fitSegment,
  isFew,
  MOST_CUTS,
  MOST_ROWS,
  type Size,
} from "./bulk-segment.js";
import type { JobPlace } from "./cursor.js";
import { NO_BULK } from "./errors.js";
import type { Keyset } from "./keyset.js";
import type { Reading } from "./pages.js";

/** Jobs that fail in a row, each of half the rows, before the failure is told. */
const MOST_FAILURES = 4;
const FIRST_POLL_MS = 500;
const LONGEST_POLL_MS = 30_000;
/** A job that takes longer goes into the checkpoint while it runs, so that a crash does not begin it again. */
const NOTE_AFTER_MS = 10_000;
/** Salesforce gives a job up after fifteen tries of its own; one that runs longer than this is stuck. */
const LONGEST_JOB_MS = 24 * 3_600_000;
/** Times that a job is made anew without a page in between. */
const MOST_LOSSES = 3;
/*
 * A keyset read by jobs of Bulk API 2.0, one per segment. The results are read one after the other, in the order of the
 * segments; while one is read, the jobs of the next ones are made and run (bulk-ahead.ts). The rows of a job come in no
 * order; the cursor holds the job, the locator of the next page, and the jobs ahead.
 *
 *   next segment --its job was made ahead--> waiting          (else counting)
 *   counting --nothing there--> next segment, or the end
 *            --too many--> counting half of it
 *            --else--> creating --refused by Bulk--> (REST takes over)
 *   creating --> waiting --JobComplete--> paging --last page, rows add up--> deleting the job --> next segment
 *   waiting --Failed, can be halved--> counting half of it     (else TransientError)
 *   waiting, paging --job gone--> creating, and what was handed out before is left out
 *   paging --rows do not add up--> the job is deleted, TransientError: the next run makes it anew
 *   waiting --cancelled--> aborting
 *
 * The next page of a result is fetched while the last one is worked on, under the same conditions as pages of REST (pages.ts): a
 * kill costs at most one page of each result that is being fetched.
 */

/** Resolves "complete", or "refused" where this object or query is none for Bulk, and the keyset stands as it stood. */
export async function* readJobs(
  reading: Reading,
  bulk: BulkReading,
  keyset: Keyset,
): AsyncGenerator<Page, "complete" | "refused"> {
  const jobs = new BulkJobs(reading.api);
  const size: Size = { most: MOST_ROWS, failures: 0 };
  keyset.next = undefined;
  const ahead = new JobsAhead(reading, bulk, keyset, jobs, size);
  let keeps = false;
  let losses = 0;
  try {
    for (;;) {
      const run = new JobRun(reading, bulk, keyset, { jobs, ahead, size });
      const outcome = yield* run.run();
      if (outcome === "refused") return "refused";
      if (outcome === "complete") return "complete";
      if (outcome === "next") size.failures = 0;
      losses = outcome === "gone" && run.pages === 0 ? losses + 1 : 0;
      if (losses > MOST_LOSSES) {
        throw failure(reading.place, "SALESFORCE_JOB_GONE", "Bulk jobs vanish before they can be read");
      }
    }
  } catch (error) {
    keeps = !reading.signal.aborted;
    throw error;
  } finally {
    await ahead.close(keeps);
  }
}

/** REST reads on: the jobs of the cursor, if there are any, are given up; what was handed out is left out from now on. */
export async function leaveJobs(reading: Reading, log: Log, keyset: Keyset): Promise<void> {
  const { progress } = keyset;
  const jobs = new BulkJobs(reading.api);
  for (const { id } of progress.ahead) await discardJob(jobs, id, log, reading.signal);
  progress.ahead = [];
  if (progress.job !== undefined) await discardJob(jobs, progress.job.id, log, reading.signal);
  throwIfCancelled(reading.signal);
  if (progress.job !== undefined || progress.delivered !== undefined) progress.leaveJob(reading.place);
}

type Outcome = "complete" | "refused" | "next" | "gone" | "halved";

/** One job, from its query to its last page. */
class JobRun {
  readonly #reading: Reading;
  readonly #bulk: BulkReading;
  readonly #keyset: Keyset;
  readonly #jobs: BulkJobs;
  readonly #ahead: JobsAhead;
  readonly #size: Size;
  readonly #results: ResultReader;
  /** Ends what is fetched ahead. */
  readonly #left = new AbortController();
  /** By COUNT(). */
  #rows: number | undefined;
  /** The job that a stored cursor knows, if there is one. */
  #storedJob: string | undefined;
  /** Pages handed out. */
  pages = 0;

  constructor(
    reading: Reading,
    bulk: BulkReading,
    keyset: Keyset,
    { jobs, ahead, size }: { readonly jobs: BulkJobs; readonly ahead: JobsAhead; readonly size: Size },
  ) {
    this.#reading = reading;
    this.#bulk = bulk;
    this.#keyset = keyset;
    this.#jobs = jobs;
    this.#ahead = ahead;
    this.#size = size;
    const { place } = reading;
    const signal = AbortSignal.any([reading.signal, this.#left.signal]);
    const { columns, log, pageSize } = bulk;
    const options = { place, columns, log, pageSize, size: ahead.pageRows, ahead: reading.ahead, signal };
    this.#results = new ResultReader(jobs, options);
  }

  async *run(): AsyncGenerator<Page, Outcome> {
    const { progress } = this.#keyset;
    const before = progress.job;
    this.#storedJob = before?.id;
    if (before === undefined || before.query !== this.#digest()) {
      // The flow asks for other fields than it did: that job has no answer to it.
      if (before !== undefined) await this.#leave(before);
      if (before === undefined && (yield* this.#cut())) return (await this.#advance()) ? "next" : "complete";
    } else this.#rows = this.#ahead.rowsOf(before.id);
    let info: JobInfo;
    try {
      info = await this.#job();
    } catch (error) {
      if (isRefusal(error)) return this.#refused(error.message);
      if (progress.job === undefined || !isGone(error)) throw error;
      return this.#gone(progress.job, error);
    }
    this.#ahead.go(this.#rows);
    const waited = yield* this.#wait(info);
    if (typeof waited === "string") return waited;
    return yield* this.#read(waited);
  }

  /** Makes the segment small enough for one job. True, after the page that says so, where there is nothing in it. */
  async *#cut(): AsyncGenerator<Page, boolean> {
    const keyset = this.#keyset;
    const { to } = keyset.span;
    this.#rows = await fitSegment(this.#reading, this.#bulk, keyset, this.#size);
    if (keyset.span.to !== to) this.#ahead.drop();
    if (this.#rows !== 0) return false;
    const { records, info } = keyset.takeUnordered([]);
    if (keyset.isLast()) yield* this.#handOut({ records, cursor: keyset.cursor(true), bytes: 0, ...info });
    return true;
  }

  /** To the next segment, when what is made ahead for it is there. */
  async #advance(): Promise<boolean> {
    await this.#ahead.settled();
    return this.#keyset.advance(isFew(this.#rows, this.#size));
  }

  /** `place`: where the page was read. */
  async *#handOut(page: Page, place?: JobPlace): AsyncGenerator<Page, void> {
    const stored = this.#ahead.handOut();
    yield page;
    stored();
    if (place !== undefined) await this.#results.drop(place);
    throwIfCancelled(this.#reading.signal);
  }

  /** The job of the cursor, or a new one. */
  async #job(): Promise<JobInfo> {
    const { deleted, place, signal } = this.#reading;
    const { progress } = this.#keyset;
    if (progress.job !== undefined) {
      const info = await this.#jobs.look(progress.job.id, signal);
      const hasEnded = info.state === "Failed" || info.state === "Aborted";
      // What failed in an earlier run may pass now.
      if (!hasEnded || this.#ahead.made(info.id)) return info;
      await this.#leave(progress.job);
    }
    progress.leaveJob(place);
    const created = await this.#jobs.create(this.#bulk.soql(this.#keyset), deleted, signal);
    progress.begin(this.#digest(), created.id);
    return created;
  }

  /** Polls until the job is complete. A job that takes its time is put into the checkpoint on the way. */
  async *#wait(first: JobInfo): AsyncGenerator<Page, JobInfo | Outcome> {
    const { signal } = this.#reading;
    const { clock } = this.#bulk;
    let pause = FIRST_POLL_MS;
    let waited = 0;
    let noted = false;
    let info = first;
    try {
      while (info.state === "UploadComplete" || info.state === "InProgress") {
        if (waited > LONGEST_JOB_MS)
          throw this.#failure("SALESFORCE_JOB_STUCK", `job ${info.id} does not end`);
        await clock.sleep(pause, signal);
        waited += pause;
        pause = Math.min(LONGEST_POLL_MS, pause * 1.5);
        if (waited > NOTE_AFTER_MS && (!noted || this.#ahead.isNews)) {
          noted = true;
          const { records, info: pageInfo } = this.#keyset.takeUnordered([]);
          const cursor = this.#keyset.cursor(false);
          yield* this.#handOut({ records, cursor, bytes: 0, ...pageInfo });
        }
        info = await this.#jobs.look(info.id, signal);
      }
    } catch (error) {
      if (signal.aborted) await abortJob(this.#jobs, info.id, this.#bulk.log, clock);
      const place = this.#keyset.progress.job;
      if (place !== undefined && isGone(error)) return this.#gone(place, error);
      throw error;
    }
    return info.state === "JobComplete" ? info : this.#failed(info);
  }

  async #failed(info: JobInfo): Promise<Outcome> {
    const { progress } = this.#keyset;
    const said = info.message === undefined ? "" : `: ${info.message}`;
    if (info.state === "Aborted") {
      throw this.#failure("SALESFORCE_JOB_ABORTED", `somebody aborted job ${info.id}${said}`);
    }
    if (progress.job !== undefined) await this.#leave(progress.job);
    if (NOT_FOR_BULK.test(info.message ?? "")) return this.#refused(info.message ?? "");
    if (this.#size.failures < MOST_FAILURES && this.#keyset.narrow(MOST_CUTS)) {
      this.#ahead.drop();
      this.#size.failures++;
      this.#size.most = Math.max(1, Math.floor(Math.min(this.#rows ?? MOST_ROWS, this.#size.most) / 2));
      return "halved";
    }
    throw this.#failure("SALESFORCE_JOB_FAILED", `job ${info.id} failed${said}`);
  }

  async *#read(info: JobInfo): AsyncGenerator<Page, Outcome> {
    try {
      return yield* this.#pages(info);
    } finally {
      this.#left.abort();
    }
  }

  async #fetch(place: JobPlace): Promise<ResultRecords> {
    // It may be on its way.
    if (!this.#results.isKept(place)) await this.#ahead.results.leave(place.id);
    return this.#results.page(place);
  }

  async *#pages(info: JobInfo): AsyncGenerator<Page, Outcome> {
    const keyset = this.#keyset;
    const { progress } = keyset;
    const { signal } = this.#reading;
    let place = progress.job;
    invariant(place !== undefined, "SALESFORCE_NO_JOB", "a job is read that the keyset does not know");
    const seen = new Set<string>();
    for (let coming = this.#fetch(place); ; ) {
      let page: ResultRecords;
      try {
        page = await coming;
      } catch (error) {
        if (!isGone(error)) throw error;
        return this.#gone(place, error);
      }
      const rows: number = place.rows + page.records.length;
      const { locator } = page;
      if (locator !== undefined && (locator === place.locator || seen.has(locator))) {
        throw this.#failure(
          "SALESFORCE_REPEATED_PAGE",
          "Salesforce answered with a page that was read before",
        );
      }
      if (
        info.records !== undefined &&
        (rows > info.records || (locator === undefined && rows !== info.records))
      ) {
        await this.#leave(place);
        throw this.#failure(
          "SALESFORCE_ROWS_MISSING",
          `job ${info.id} has ${info.records} rows, ${rows} came`,
        );
      }
      const taken = keyset.takeUnordered(page.records);
      this.pages++;
      const read: JobPlace = place;
      if (locator !== undefined) {
        seen.add(locator);
        place = { ...place, locator, rows };
        progress.job = place;
        const mayGo = place.id === this.#storedJob && this.#results.isKept(read);
        const next = mayGo ? new Ahead(this.#fetch(place)) : undefined;
        const cursor = keyset.cursor(false);
        yield* this.#handOut({ records: taken.records, cursor, bytes: page.bytes, ...taken.info }, read);
        this.#storedJob = place.id;
        coming = next?.coming ?? this.#fetch(place);
        continue;
      }
      // The last page's cursor speaks of what comes behind it.
      const whole = !(await this.#advance());
      const cursor = keyset.cursor(whole);
      yield* this.#handOut({ records: taken.records, cursor, bytes: page.bytes, ...taken.info }, read);
      await deleteJob(this.#jobs, place.id, this.#bulk.log, signal);
      return whole ? "complete" : "next";
    }
  }

  async #gone(place: JobPlace, error: unknown): Promise<Outcome> {
    await this.#ahead.results.forget(place.id);
    this.#bulk.log.warn(`${this.#reading.place}: the Bulk job is gone; it is made anew`, {
      job: place.id,
      code: error instanceof ConfigError || error instanceof TransientError ? error.code : undefined,
    });
    this.#keyset.progress.leaveJob(this.#reading.place);
    return "gone";
  }

  #refused(message: string): Outcome {
    this.#bulk.log.info(`${this.#reading.place}: read by REST, since Bulk refuses it: ${message}`);
    this.#keyset.progress.leaveJob(this.#reading.place);
    return "refused";
  }

  /** Gives up a job of the cursor. */
  async #leave(place: JobPlace): Promise<void> {
    await this.#ahead.results.forget(place.id);
    await discardJob(this.#jobs, place.id, this.#bulk.log, this.#reading.signal);
    this.#keyset.progress.leaveJob(this.#reading.place);
  }

  #digest(): string {
    return digestOf(this.#reading, this.#bulk, this.#keyset);
  }

  #failure(code: string, message: string, cause?: unknown): TransientError {
    return failure(this.#reading.place, code, message, cause);
  }
}

/** Of a failed job's message, where the refusal did not come when it was created. */
const NOT_FOR_BULK = /INVALID_?ENTITY|FeatureNotEnabled|not supported by the Bulk/i;
const REFUSALS = new Set([NO_BULK, "SALESFORCE_INVALID_TYPE", "SALESFORCE_UNSUPPORTED"]);

function isRefusal(error: unknown): error is ConfigError {
  return error instanceof ConfigError && REFUSALS.has(error.code);
}
