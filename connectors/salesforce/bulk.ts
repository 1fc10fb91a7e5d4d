import { createHash } from "node:crypto";
import {
  type Clock,
  ConfigError,
  invariant,
  type Log,
  type Page,
  TransientError,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import type { BulkColumns } from "./bulk-columns.js";
import { BulkJobs, isGone, type JobInfo } from "./bulk-jobs.js";
import { failure, ResultReader, type ResultRecords } from "./bulk-result.js";
import type { JobPlace } from "./cursor.js";
import { NO_BULK, QUERY_TIMEOUT } from "./errors.js";
import type { Keyset } from "./keyset.js";
import type { Reading } from "./pages.js";

/** What reading by Bulk needs beside what REST needs. */
export interface BulkReading {
  readonly clock: Clock;
  readonly log: Log;
  readonly columns: BulkColumns;
  /** The query for the keyset's present segment, without an order. */
  readonly soql: (keyset: Keyset) => string;
  /** `SELECT COUNT()` of the same. */
  readonly countSoql: (keyset: Keyset) => string;
  /** Rows per page of the result. */
  readonly pageSize: number;
}

/** Rows of a job at most, where the window can be cut: what one job hands out is listed in the cursor. */
const MOST_ROWS = 500_000;
/** From all time down to a second takes thirty halvings; a segment is found long before. */
const MOST_CUTS = 40;
/** Jobs that fail in a row, each of half the rows, before the failure is told. */
const MOST_FAILURES = 4;
/** Each costs two minutes; then the job may try its luck with what is left. */
const MOST_TIMEOUTS = 3;
const FIRST_POLL_MS = 500;
const LONGEST_POLL_MS = 30_000;
/** A job that takes longer goes into the checkpoint while it runs, so that a crash does not begin it again. */
const NOTE_AFTER_MS = 10_000;
/** Salesforce gives a job up after fifteen tries of its own; one that runs longer than this is stuck. */
const LONGEST_JOB_MS = 24 * 3_600_000;
/** Times that a job is made anew without a page in between. */
const MOST_LOSSES = 3;
/*
 * A keyset read by jobs of Bulk API 2.0, one per segment, one after the other. The rows of a job come in no order; the
 * cursor holds the job and the locator of the next page.
 *
 *   counting --nothing there--> next segment, or the end
 *            --too many--> counting half of it
 *            --else--> creating --refused by Bulk--> (REST takes over)
 *   creating --> waiting --JobComplete--> paging --last page, rows add up--> deleting the job --> next segment
 *   waiting --Failed, can be halved--> counting half of it     (else TransientError)
 *   waiting, paging --job gone--> creating, and what was handed out before is left out
 *   paging --rows do not add up--> the job is deleted, TransientError: the next run makes it anew
 *   waiting --cancelled--> aborting
 *
 * Several jobs at a time would save their waiting, and put several jobs into the cursor and several results against
 * the org's limits; one is always enough to be ahead of the buffer.
 */

/** Resolves "complete", or "refused" where this object or query is none for Bulk, and the keyset stands as it stood. */
export async function* readJobs(
  reading: Reading,
  bulk: BulkReading,
  keyset: Keyset,
): AsyncGenerator<Page, "complete" | "refused"> {
  const jobs = new BulkJobs(reading.api);
  const size: Size = { most: MOST_ROWS, failures: 0 };
  let losses = 0;
  for (;;) {
    const run = new JobRun(reading, bulk, keyset, jobs, size);
    const outcome = yield* run.run();
    if (outcome === "refused") return "refused";
    if (outcome === "complete") return "complete";
    if (outcome === "next") size.failures = 0;
    losses = outcome === "gone" && run.pages === 0 ? losses + 1 : 0;
    if (losses > MOST_LOSSES) {
      throw failure(reading.place, "SALESFORCE_JOB_GONE", "Bulk jobs vanish before they can be read");
    }
  }
}

/** REST reads on: the job of the cursor, if there is one, is given up, and what it handed out is left out from now on. */
export async function leaveJobs(reading: Reading, log: Log, keyset: Keyset): Promise<void> {
  const { progress } = keyset;
  if (progress.job !== undefined)
    await deleteJob(new BulkJobs(reading.api), progress.job.id, log, reading.signal);
  if (progress.job !== undefined || progress.delivered !== undefined) progress.leaveJob(reading.place);
}

/** What stays there is deleted by Salesforce after seven days: not worth a failed run. */
async function deleteJob(jobs: BulkJobs, id: string, log: Log, signal: AbortSignal): Promise<void> {
  try {
    await jobs.delete(id, signal);
  } catch (error) {
    throwIfCancelled(signal);
    log.info(`Bulk job ${id} was not deleted: ${error instanceof Error ? error.message : error}`);
  }
}

/** How large jobs may be, as far as their failures have taught. */
interface Size {
  /** Rows of one job. */
  most: number;
  /** In a row. */
  failures: number;
}

type Outcome = "complete" | "refused" | "next" | "gone" | "halved";

/** One job, from its query to its last page. */
class JobRun {
  readonly #reading: Reading;
  readonly #bulk: BulkReading;
  readonly #keyset: Keyset;
  readonly #jobs: BulkJobs;
  readonly #size: Size;
  readonly #results: ResultReader;
  /** By COUNT(). */
  #rows: number | undefined;
  /** Pages handed out. */
  pages = 0;

  constructor(reading: Reading, bulk: BulkReading, keyset: Keyset, jobs: BulkJobs, size: Size) {
    this.#reading = reading;
    this.#bulk = bulk;
    this.#keyset = keyset;
    this.#jobs = jobs;
    this.#size = size;
    const { place, signal } = reading;
    const { columns, log, pageSize } = bulk;
    this.#results = new ResultReader(jobs, { place, columns, log, pageSize, signal });
  }

  async *run(): AsyncGenerator<Page, Outcome> {
    const { progress } = this.#keyset;
    const before = progress.job;
    if (before === undefined || before.query !== this.#digest()) {
      // The flow asks for other fields than it did: that job has no answer to it.
      if (before !== undefined) await this.#leave(before);
      if (before === undefined && (yield* this.#cut())) return this.#keyset.advance() ? "next" : "complete";
    }
    let info: JobInfo;
    try {
      info = await this.#job();
    } catch (error) {
      if (isRefusal(error)) return this.#refused(error.message);
      if (progress.job === undefined || !isGone(error)) throw error;
      return this.#gone(progress.job, error);
    }
    const waited = yield* this.#wait(info);
    if (typeof waited === "string") return waited;
    return yield* this.#read(waited);
  }

  /** Makes the segment small enough for one job. True, after the page that says so, where there is nothing in it. */
  async *#cut(): AsyncGenerator<Page, boolean> {
    const keyset = this.#keyset;
    for (let timeouts = 0; ; ) {
      const count = await this.#count();
      this.#rows = count;
      if (count === undefined) timeouts++;
      if (count === 0) {
        const { records, info } = keyset.takeUnordered([]);
        if (keyset.isLast()) yield { records, cursor: keyset.cursor(true), bytes: 0, ...info };
        return true;
      }
      if (timeouts > MOST_TIMEOUTS || (count ?? Number.POSITIVE_INFINITY) <= this.#size.most) return false;
      if (!keyset.narrow(MOST_CUTS)) return false;
    }
  }

  /** Undefined where even counting takes too long. */
  async #count(): Promise<number | undefined> {
    const { api, pageSize, deleted, signal } = this.#reading;
    const soql = this.#bulk.countSoql(this.#keyset);
    if (!api.fits(soql, { deleted })) return this.#size.most;
    try {
      return (await api.query(soql, { pageSize, deleted }, signal)).totalSize;
    } catch (error) {
      if (error instanceof TransientError && error.code === QUERY_TIMEOUT) return undefined;
      throw error;
    }
  }

  /** The job of the cursor, or a new one. */
  async #job(): Promise<JobInfo> {
    const { deleted, place, signal } = this.#reading;
    const { progress } = this.#keyset;
    if (progress.job !== undefined) {
      const info = await this.#jobs.look(progress.job.id, signal);
      if (info.state !== "Failed" && info.state !== "Aborted") return info;
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
        if (waited > NOTE_AFTER_MS && !noted) {
          noted = true;
          const { records, info: pageInfo } = this.#keyset.takeUnordered([]);
          yield { records, cursor: this.#keyset.cursor(false), bytes: 0, ...pageInfo };
          throwIfCancelled(signal);
        }
        info = await this.#jobs.look(info.id, signal);
      }
    } catch (error) {
      if (signal.aborted) await this.#abort(info.id);
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
      this.#size.failures++;
      this.#size.most = Math.max(1, Math.floor(Math.min(this.#rows ?? MOST_ROWS, this.#size.most) / 2));
      return "halved";
    }
    throw this.#failure("SALESFORCE_JOB_FAILED", `job ${info.id} failed${said}`);
  }

  async *#read(info: JobInfo): AsyncGenerator<Page, Outcome> {
    const keyset = this.#keyset;
    const { progress } = keyset;
    const { signal } = this.#reading;
    let place = progress.job;
    invariant(place !== undefined, "SALESFORCE_NO_JOB", "a job is read that the keyset does not know");
    const seen = new Set<string>();
    for (;;) {
      let page: ResultRecords;
      try {
        page = await this.#results.page(place);
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
      if (locator !== undefined) {
        seen.add(locator);
        place = { ...place, locator, rows };
        progress.job = place;
        yield { records: taken.records, cursor: keyset.cursor(false), bytes: page.bytes, ...taken.info };
        throwIfCancelled(signal);
        continue;
      }
      // The last page's cursor speaks of what comes behind it.
      const whole = !keyset.advance();
      const cursor = keyset.cursor(whole);
      yield { records: taken.records, cursor, bytes: page.bytes, ...taken.info };
      await deleteJob(this.#jobs, place.id, this.#bulk.log, signal);
      throwIfCancelled(signal);
      return whole ? "complete" : "next";
    }
  }

  #gone(place: JobPlace, error: unknown): Outcome {
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
    await deleteJob(this.#jobs, place.id, this.#bulk.log, this.#reading.signal);
    this.#keyset.progress.leaveJob(this.#reading.place);
  }

  /** The run's own signal is aborted already; a server that does not answer must not hold up the end. */
  async #abort(id: string): Promise<void> {
    const patience = new AbortController();
    const stop = this.#bulk.clock.every(ABORT_PATIENCE_MS, () => patience.abort());
    try {
      await this.#jobs.abort(id, patience.signal);
    } catch (error) {
      this.#bulk.log.info(
        `Bulk job ${id} was not aborted: ${error instanceof Error ? error.message : error}`,
      );
    } finally {
      stop();
    }
  }

  #digest(): string {
    const { api, deleted } = this.#reading;
    const asked = [api.version, deleted, this.#bulk.soql(this.#keyset)].join("\n");
    return createHash("sha256").update(asked).digest("base64url").slice(0, 22);
  }

  #failure(code: string, message: string, cause?: unknown): TransientError {
    return failure(this.#reading.place, code, message, cause);
  }
}

const ABORT_PATIENCE_MS = 3_000;

/** Of a failed job's message, where the refusal did not come when it was created. */
const NOT_FOR_BULK = /INVALID_?ENTITY|FeatureNotEnabled|not supported by the Bulk/i;
const REFUSALS = new Set([NO_BULK, "SALESFORCE_INVALID_TYPE", "SALESFORCE_UNSUPPORTED"]);

function isRefusal(error: unknown): error is ConfigError {
  return error instanceof ConfigError && REFUSALS.has(error.code);
}
