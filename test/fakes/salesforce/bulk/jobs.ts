import { createHash } from "node:crypto";
import { type Answer, apiError, type FakeRequest, jsonAnswer, notFound, rawAnswer } from "../answer.js";
import type { Bench } from "../bench.js";
import { datetimeText } from "../cell.js";
import { recordId } from "../ids.js";
import type { FakeClock, Org } from "../org.js";
import { SoqlError } from "../soql/error.js";
import { parseSoql } from "../soql/parse.js";
import { findObject } from "../soql/select.js";
import type { Query } from "../soql/syntax.js";
import type { Job, JobResult } from "./job.js";
import { checkBulkQuery, runJob } from "./rows.js";

export interface BulkOptions {
  /** In the queue at least so long; default 100. */
  readonly queueMs?: number;
  /** Running so long; default 300. */
  readonly runMs?: number;
  /** Jobs that run at a time; the others wait in the queue. Default 25. */
  readonly concurrentJobs?: number;
  /** Jobs a day; default 10,000. */
  readonly dailyJobs?: number;
  /** Most rows of a page, whatever maxRecords says; default 50,000. */
  readonly pageRows?: number;
  /** Jobs with more rows than this fail, as after the last of the service's own retries. */
  readonly mostRows?: number;
  /** A job and its result are gone after so long; default seven days. */
  readonly keptMs?: number;
}

const KEPT_MS = 7 * 86_400_000;
/** The answer's own locator, for faults alone: it never leaves the server. */
export const OWN_LOCATOR = "x-fake-locator";

/** `/services/data/vXX.X/jobs/query`: query jobs of Bulk API 2.0. */
export class BulkJobs {
  private readonly org: Org;
  private readonly bench: Bench | undefined;
  private readonly clock: FakeClock;
  private readonly options: BulkOptions;
  private readonly jobs = new Map<string, Job>();
  /** Jobs created so far. */
  created = 0;
  dailyJobs: number;
  /** Most jobs there were at a time. */
  most = 0;
  /** These fail, whatever they ask: the first job created is 1. */
  readonly doomed = new Set<number>();
  /** The next so many jobs fail with this message, or without one. */
  failing: { times: number; readonly message?: string } = { times: 0 };

  constructor(org: Org, bench: Bench | undefined, clock: FakeClock, options: BulkOptions) {
    this.org = org;
    this.bench = bench;
    this.clock = clock;
    this.options = options;
    this.dailyJobs = options.dailyJobs ?? 10_000;
  }

  /** Jobs that are there now, whatever their state. */
  get size(): number {
    this.settle();
    return this.jobs.size;
  }

  states(): string[] {
    this.settle();
    return [...this.jobs.values()].map(({ state }) => state);
  }

  /** All jobs gone, as after seven days or by an administrator's hand. */
  forget(): void {
    this.jobs.clear();
  }

  /** `parts`: the path behind `jobs`. */
  handle(request: FakeRequest, version: string, parts: readonly string[]): Answer {
    const [kind, id, below] = parts;
    if (kind !== "query" || parts.length > 3 || (below !== undefined && below !== "results"))
      return notFound();
    this.settle();
    if (id === undefined) {
      if (request.method === "POST") return this.create(request, version);
      return request.method === "GET" ? this.list() : notAllowed(request.method);
    }
    const job = this.jobs.get(id);
    if (job === undefined) return notFound();
    if (below === "results") {
      return request.method === "GET" ? this.results(job, request, version) : notAllowed(request.method);
    }
    switch (request.method) {
      case "GET":
        return jsonAnswer(200, this.info(job, true));
      case "PATCH":
        return this.abort(job, request);
      case "DELETE":
        return this.remove(job);
      default:
        return notAllowed(request.method);
    }
  }

  private create(request: FakeRequest, version: string): Answer {
    const body = bodyOf(request);
    const operation = body?.operation;
    if (body === undefined || (operation !== "query" && operation !== "queryAll")) {
      return apiError(400, "INVALIDJOB", "Unable to find an operation: query or queryAll");
    }
    for (const [key, wanted] of Object.entries({
      contentType: "CSV",
      columnDelimiter: "COMMA",
      lineEnding: "LF",
    })) {
      if (body[key] !== undefined && body[key] !== wanted) {
        return apiError(400, "INVALIDJOB", `the fake only writes ${key} ${wanted}`);
      }
    }
    if (this.created >= this.dailyJobs) {
      return apiError(400, "EXCEEDED_QUOTA", "DailyBulkV2QueryJobs Limit exceeded.");
    }
    let query: Query;
    try {
      query = parseSoql(typeof body.query === "string" ? body.query : "");
      if (this.bench?.serves(query) !== true) {
        findObject(this.org, query);
        checkBulkQuery(this.org, query);
      }
    } catch (error) {
      if (error instanceof SoqlError) return apiError(400, error.errorCode, error.message);
      throw error;
    }
    this.created += 1;
    const job: Job = {
      id: recordId("750", this.created),
      operation,
      query,
      object: this.org.find(query.object.name)?.name ?? query.object.name,
      version,
      createdAt: this.clock.now(),
      seed: this.created,
      state: "UploadComplete",
      startedAt: undefined,
      endedAt: undefined,
      message: undefined,
      result: undefined,
      locators: new Map(),
    };
    this.jobs.set(job.id, job);
    this.most = Math.max(this.most, this.jobs.size);
    return jsonAnswer(200, this.info(job, false));
  }

  /** Brings every job to where the clock says it is. */
  private settle(): void {
    const now = this.clock.now();
    const { queueMs = 100, runMs = 300, concurrentJobs = 25, keptMs = KEPT_MS } = this.options;
    for (const job of [...this.jobs.values()]) {
      if (job.state === "InProgress" && now >= (job.startedAt ?? now) + runMs) this.finish(job, now);
      if (job.endedAt !== undefined && now >= job.endedAt + keptMs) this.jobs.delete(job.id);
    }
    let running = [...this.jobs.values()].filter(({ state }) => state === "InProgress").length;
    for (const job of this.jobs.values()) {
      if (job.state !== "UploadComplete" || running >= concurrentJobs || now < job.createdAt + queueMs)
        continue;
      job.state = "InProgress";
      job.startedAt = now;
      running += 1;
      if (runMs === 0) this.finish(job, now);
    }
  }

  private finish(job: Job, now: number): void {
    job.endedAt = now;
    job.state = "Failed";
    if (this.failing.times > 0) {
      this.failing.times -= 1;
      job.message = this.failing.message;
      return;
    }
    if (this.doomed.has(job.seed)) return;
    let result: JobResult;
    try {
      result = this.run(job);
    } catch (error) {
      if (!(error instanceof SoqlError)) throw error;
      job.message = `${error.errorCode}: ${error.message}`;
      return;
    }
    if (result.total > (this.options.mostRows ?? Number.POSITIVE_INFINITY)) return;
    job.result = result;
    job.state = "JobComplete";
  }

  private run({ query, operation, seed }: Job): JobResult {
    if (this.bench?.serves(query)) return this.bench.csv(query, this.org, this.clock);
    return runJob(this.org, query, operation === "queryAll", this.clock, seed);
  }

  private list(): Answer {
    const records = [...this.jobs.values()].map((job) => this.info(job, false));
    return jsonAnswer(200, { done: true, nextRecordsUrl: null, records });
  }

  private info(job: Job, whole: boolean): Record<string, unknown> {
    const brief = {
      id: job.id,
      operation: job.operation,
      object: job.object,
      createdById: recordId("005", 0),
      createdDate: datetimeText(job.createdAt),
      systemModstamp: datetimeText(job.endedAt ?? job.startedAt ?? job.createdAt),
      state: job.state,
      concurrencyMode: "Parallel",
      contentType: "CSV",
      apiVersion: Number(job.version),
      lineEnding: "LF",
      columnDelimiter: "COMMA",
    };
    if (!whole) return brief;
    return {
      ...brief,
      jobType: "V2Query",
      numberRecordsProcessed: job.result?.total ?? 0,
      retries: 0,
      totalProcessingTime: (job.endedAt ?? this.clock.now()) - (job.startedAt ?? this.clock.now()),
      isPkChunkingSupported: true,
      ...(job.message === undefined ? {} : { errorMessage: job.message }),
    };
  }

  private abort(job: Job, request: FakeRequest): Answer {
    if (bodyOf(request)?.state !== "Aborted")
      return apiError(400, "INVALIDJOBSTATE", "only Aborted can be set");
    if (job.state !== "UploadComplete" && job.state !== "InProgress") {
      return apiError(400, "INVALIDJOBSTATE", `Aborting a ${job.state} job is not allowed`);
    }
    job.state = "Aborted";
    job.endedAt = this.clock.now();
    return jsonAnswer(200, this.info(job, false));
  }

  private remove(job: Job): Answer {
    if (job.endedAt === undefined) {
      return apiError(400, "INVALIDJOBSTATE", "Only a job that has ended can be deleted");
    }
    this.jobs.delete(job.id);
    return rawAnswer(204, "");
  }

  private results(job: Job, request: FakeRequest, version: string): Answer {
    if (job.version !== version) {
      return apiError(409, "API_VERSION_MISMATCH", `the job was created with API version ${job.version}`);
    }
    const { result } = job;
    if (result === undefined) {
      return apiError(400, "INVALIDJOBSTATE", `the job is ${job.state} and has no results`);
    }
    const locator = request.query.get("locator");
    const from = locator === null ? 0 : job.locators.get(locator);
    if (from === undefined) return apiError(400, "INVALID_QUERY_LOCATOR", "invalid locator");
    const asked = Number(request.query.get("maxRecords") ?? Number.POSITIVE_INFINITY);
    if (!(asked > 0)) return apiError(400, "INVALID_ARGUMENT", "maxRecords must be a positive number");
    const to = Math.min(result.total, from + Math.min(asked, this.options.pageRows ?? 50_000));
    const rows = result.page(from, to);
    const release = rows instanceof Buffer && result.release ? { release: () => result.release?.(rows) } : {};
    return {
      status: 200,
      headers: {
        "content-type": "text/csv; charset=UTF-8",
        "sforce-locator": to < result.total ? this.locator(job, to) : "null",
        "sforce-numberofrecords": String(to - from),
        [OWN_LOCATOR]: this.locator(job, from),
      },
      body: [Buffer.from(result.header), typeof rows === "string" ? Buffer.from(rows) : rows],
      compressible: typeof rows === "string",
      ...release,
    };
  }

  /** Says nothing about the position. */
  private locator(job: Job, position: number): string {
    const text = createHash("sha256").update(`${job.id} ${position}`).digest("base64url").slice(0, 20);
    job.locators.set(text, position);
    return text;
  }
}

function notAllowed(method: string): Answer {
  return apiError(405, "METHOD_NOT_ALLOWED", `HTTP Method '${method}' not allowed.`);
}

function bodyOf(request: FakeRequest): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(request.body.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
