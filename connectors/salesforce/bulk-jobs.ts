import { z } from "zod";
import {
  type AnswersAhead,
  ConfigError,
  type HttpResponse,
  TransientError,
} from "../../core/contracts/index.js";
import type { SalesforceApi } from "./api.js";
import { JOB_CREATION } from "./budget.js";
import { DEAD_LOCATOR, NOT_FOUND } from "./errors.js";

/*
 * Query jobs of Bulk API 2.0 as resources: create, look, results, abort, delete. ("Query", Bulk API 2.0 Developer Guide)
 */

/** `UploadComplete` waits, `InProgress` runs, the others are final. */
export type JobState = "UploadComplete" | "InProgress" | "JobComplete" | "Failed" | "Aborted";

export interface JobInfo {
  readonly id: string;
  readonly state: JobState;
  /** Rows of the result, of a complete job; undefined where Salesforce does not say. */
  readonly records: number | undefined;
  /** A failed job need not have one. */
  readonly message: string | undefined;
}

/** One page of a result. */
export interface ResultPage {
  readonly csv: string;
  readonly bytes: number;
  /** Of the next page; undefined behind the last. */
  readonly locator: string | undefined;
  /** Rows by the answer's own account; undefined where it does not say. */
  readonly rows: number | undefined;
}

/** A page of a result. `locator`: null for the first. */
export interface ResultPlace {
  readonly id: string;
  readonly locator: string | null;
}

export interface ResultsOptions {
  readonly signal: AbortSignal;
  /** Where the answer is kept, and may be already. */
  readonly ahead?: AnswersAhead | undefined;
  /** As in HttpRequest. */
  readonly longestWaitMs?: number;
}

const RESULT_HEADERS = ["sforce-locator", "sforce-numberofrecords"];

/** Of AnswersAhead. */
export function resultKey({ id, locator }: ResultPlace): string {
  return `bulk ${id} ${locator ?? ""}`;
}

const jobInfo = z.looseObject({
  id: z.string().regex(/^\w{15,18}$/),
  state: z.enum(["UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"]),
  numberRecordsProcessed: z.number().nullish(),
  errorMessage: z.string().nullish(),
});

export class BulkJobs {
  readonly #api: SalesforceApi;

  constructor(api: SalesforceApi) {
    this.#api = api;
  }

  /** The dialect is fixed: csv.ts reads no other. `longestWaitMs` as in HttpRequest. */
  async create(
    query: string,
    deleted: boolean,
    signal: AbortSignal,
    longestWaitMs?: number,
  ): Promise<JobInfo> {
    const answer = await this.#api.send({
      method: "POST",
      path: this.#path(),
      headers: { "content-type": "application/json; charset=utf-8" },
      body: JSON.stringify({
        operation: deleted ? "queryAll" : "query",
        query,
        contentType: "CSV",
        columnDelimiter: "COMMA",
        lineEnding: "LF",
      }),
      buckets: JOB_CREATION,
      ...(longestWaitMs === undefined ? {} : { longestWaitMs }),
      // A job whose answer was lost runs for nobody and goes after seven days.
      idempotent: true,
      signal,
    });
    return parseJob(answer);
  }

  /** ConfigError NOT_FOUND for one that is gone. `longestWaitMs` as in HttpRequest. */
  async look(id: string, signal: AbortSignal, longestWaitMs?: number): Promise<JobInfo> {
    const limit = longestWaitMs === undefined ? {} : { longestWaitMs };
    return parseJob(await this.#api.send({ method: "GET", path: this.#path(`/${id}`), signal, ...limit }));
  }

  /** At most `maxRecords` rows; Salesforce may send fewer. */
  async results(place: ResultPlace, maxRecords: number, options: ResultsOptions): Promise<ResultPage> {
    const answer = await this.#results(place, maxRecords, options);
    const rows = Number(answer.headers["sforce-numberofrecords"] ?? "none");
    return {
      csv: answer.text(),
      bytes: answer.body.length,
      locator: nextLocator(answer),
      rows: Number.isSafeInteger(rows) ? rows : undefined,
    };
  }

  /** The same for `ahead` alone. Resolves to the locator of the next page. */
  async fetch(place: ResultPlace, maxRecords: number, options: ResultsOptions): Promise<string | undefined> {
    return nextLocator(await this.#results(place, maxRecords, options));
  }

  async #results(
    { id, locator }: ResultPlace,
    maxRecords: number,
    { signal, ahead, longestWaitMs }: ResultsOptions,
  ): Promise<HttpResponse> {
    const from = locator === null ? "" : `locator=${encodeURIComponent(locator)}&`;
    const answer = await this.#api.send({
      method: "GET",
      path: this.#path(`/${id}/results?${from}maxRecords=${maxRecords}`),
      headers: { accept: "text/csv" },
      signal,
      ...(longestWaitMs === undefined ? {} : { longestWaitMs }),
      ...(ahead === undefined
        ? {}
        : { keep: { answers: ahead, key: resultKey({ id, locator }), headers: RESULT_HEADERS } }),
    });
    const type = answer.headers["content-type"] ?? "text/csv";
    if (/\bcsv\b/i.test(type)) return answer;
    await ahead?.drop(resultKey({ id, locator }));
    throw unexpected(`is ${type.split(";")[0]} instead of CSV`);
  }

  async abort(id: string, signal: AbortSignal): Promise<void> {
    await this.#api.send({
      method: "PATCH",
      path: this.#path(`/${id}`),
      headers: { "content-type": "application/json; charset=utf-8" },
      body: '{"state":"Aborted"}',
      idempotent: true,
      signal,
    });
  }

  async delete(id: string, signal: AbortSignal): Promise<void> {
    await this.#api.send({ method: "DELETE", path: this.#path(`/${id}`), signal });
  }

  #path(below = ""): string {
    return `/services/data/${this.#api.version}/jobs/query${below}`;
  }
}

/** The literal text "null" on the last page. */
function nextLocator({ headers }: HttpResponse): string | undefined {
  const next = headers["sforce-locator"];
  return next === undefined || next === "" || next === "null" ? undefined : next;
}

function parseJob(answer: HttpResponse): JobInfo {
  const { data } = jobInfo.safeParse(answer.json());
  if (data === undefined) throw unexpected("is no description of a job");
  return {
    id: data.id,
    state: data.state,
    records: data.numberRecordsProcessed ?? undefined,
    message: data.errorMessage ?? undefined,
  };
}

function unexpected(what: string): TransientError {
  return new TransientError("SALESFORCE_UNEXPECTED_ANSWER", `the Bulk job's answer ${what}`, {
    fix: "Try again later: a run goes on where this one stopped.",
  });
}

/** A job of seven days ago, one that somebody deleted, or one of another API version. */
export function isGone(error: unknown): boolean {
  if (error instanceof ConfigError) {
    return error.code === NOT_FOUND || error.code === "SALESFORCE_VERSION_MISMATCH";
  }
  return error instanceof TransientError && error.code === DEAD_LOCATOR;
}
