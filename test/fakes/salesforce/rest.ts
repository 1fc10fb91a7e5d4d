import { type Answer, apiError, type FakeRequest, jsonAnswer, notFound, withHeaders } from "./answer.js";
import type { Bench } from "./bench.js";
import type { BulkJobs } from "./bulk/jobs.js";
import type { CursorPage, Cursors } from "./cursors.js";
import { describeBasics, describeGlobal, describeObject } from "./describe.js";
import type { OAuth } from "./oauth.js";
import type { FakeClock, Org } from "./org.js";
import { replication } from "./replication.js";
import { SoqlError } from "./soql/error.js";
import { parseSoql } from "./soql/parse.js";
import { compileWriter } from "./soql/render.js";
import { type ResultSet, runQuery } from "./soql/select.js";
import type { Table } from "./table.js";

/** Oldest version that answers, newest, and the last one that is retired (410). */
export const API_VERSIONS = { oldest: 31, newest: 68, retired: 30 } as const;

export interface RestOptions {
  readonly url: () => string;
  readonly clock: FakeClock;
  /** API calls a day; the one above is refused. */
  readonly dailyLimit: number;
  /** Default page size, and the most a client may ask for. */
  readonly pageSize: number;
  readonly heldBackMs: number;
}

/** `/services/data`: versions, describe, query and limits, behind a session and a daily allowance. */
export class RestApi {
  private readonly org: Org;
  private readonly oauth: OAuth;
  private readonly cursors: Cursors;
  private readonly bench: Bench | undefined;
  private readonly bulk: BulkJobs;
  private readonly options: RestOptions;
  /** Calls counted against the daily limit so far. */
  used = 0;
  dailyLimit: number;

  constructor(
    org: Org,
    oauth: OAuth,
    cursors: Cursors,
    engines: { readonly bench: Bench | undefined; readonly bulk: BulkJobs },
    options: RestOptions,
  ) {
    this.org = org;
    this.oauth = oauth;
    this.cursors = cursors;
    this.bench = engines.bench;
    this.bulk = engines.bulk;
    this.options = options;
    this.dailyLimit = options.dailyLimit;
  }

  handle(request: FakeRequest): Answer {
    const parts = request.path.split("/").filter((part) => part !== "");
    if (parts.length === 2) return this.versions();
    const version = /^v(\d+)\.0$/.exec(parts[2] ?? "")?.[1];
    const number = Number(version);
    if (version === undefined || number > API_VERSIONS.newest || number < 1) return notFound();
    if (number <= API_VERSIONS.retired) {
      return apiError(410, "UNSUPPORTED_API_VERSION", `API version ${version}.0 has been retired`);
    }
    const session = this.oauth.session(request);
    if (session === undefined) {
      return request.headers.authorization === undefined && !request.query.has("oauth_token")
        ? apiError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        : apiError(401, "INVALID_SESSION_ID", "Session expired or invalid");
    }
    if (this.used >= this.dailyLimit) {
      return this.metered(apiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
    }
    this.used += 1;
    return this.metered(this.resource(request, `${version}.0`, parts.slice(3), session));
  }

  private metered(answer: Answer): Answer {
    return withHeaders(answer, { "sforce-limit-info": `api-usage=${this.used}/${this.dailyLimit}` });
  }

  private versions(): Answer {
    const listed: { label: string; url: string; version: string }[] = [];
    for (let version = API_VERSIONS.oldest; version <= API_VERSIONS.newest; version++) {
      listed.push({ label: label(version), url: `/services/data/v${version}.0`, version: `${version}.0` });
    }
    return jsonAnswer(200, listed);
  }

  private resource(request: FakeRequest, version: string, parts: readonly string[], session: string): Answer {
    const base = `/services/data/v${version}`;
    const [first, second, third] = parts;
    if (first === "jobs") return this.bulk.handle(request, version, parts.slice(1));
    const known = ["", "limits", "sobjects", "query", "queryAll"].includes(first ?? "");
    if (!known || parts.length > 3) return notFound();
    if (request.method !== "GET" && request.method !== "HEAD") {
      return apiError(
        405,
        "METHOD_NOT_ALLOWED",
        `HTTP Method '${request.method}' not allowed. Allowed are HEAD,GET`,
      );
    }
    if (first === undefined) return this.index(base);
    if (first === "limits") return second === undefined ? this.limits() : notFound();
    if (first === "sobjects") {
      return second === undefined
        ? describeGlobal(this.org.all(), base)
        : this.sobject(request, version, decodeURIComponent(second), third);
    }
    if (third !== undefined) return notFound();
    return this.query(request, version, first === "queryAll", second, session);
  }

  private index(base: string): Answer {
    return jsonAnswer(200, {
      sobjects: `${base}/sobjects`,
      query: `${base}/query`,
      queryAll: `${base}/queryAll`,
      limits: `${base}/limits`,
      identity: this.oauth.identityUrl(this.options.url()),
    });
  }

  private limits(): Answer {
    return jsonAnswer(200, {
      DailyApiRequests: { Max: this.dailyLimit, Remaining: Math.max(0, this.dailyLimit - this.used) },
      DailyBulkApiBatches: { Max: 15_000, Remaining: 15_000 },
      DailyBulkV2QueryFileStorageMB: { Max: 976_562, Remaining: 976_562 },
      DailyBulkV2QueryJobs: {
        Max: this.bulk.dailyJobs,
        Remaining: Math.max(0, this.bulk.dailyJobs - this.bulk.created),
      },
      DailyDeliveredPlatformEvents: { Max: 10_000, Remaining: 10_000 },
      DataStorageMB: { Max: 1_024, Remaining: 512 },
    });
  }

  private sobject(request: FakeRequest, version: string, name: string, part: string | undefined): Answer {
    const table = this.org.find(name);
    const base = `/services/data/v${version}`;
    if (table === undefined) return notFound();
    if (part === undefined) return describeBasics(table, base);
    if (part === "describe") return describeObject(table, base, request.headers["if-modified-since"]);
    if (part === "updated" || part === "deleted") {
      const { clock, heldBackMs } = this.options;
      return replication(table, part, request, clock, heldBackMs, this.org.oldestTransaction());
    }
    return this.retrieve(request, table, part, version);
  }

  /** `GET .../sobjects/{name}/{id}?fields=Id,Name`: where `attributes.url` leads. */
  private retrieve(request: FakeRequest, table: Table, id: string, version: string): Answer {
    const row = table.get(id);
    if (row === undefined || row.deleted) return notFound();
    const names = request.query.get("fields")?.split(",") ?? table.columns().map((c) => c.spec.name);
    const paths = names.map((name) => ({ names: [name.trim()], at: 0 }));
    return guarded(() => {
      const write = compileWriter(this.org, table, paths, version, names.join(","));
      return { ...jsonAnswer(200, null), body: [Buffer.from(write(row))] };
    });
  }

  private query(
    request: FakeRequest,
    version: string,
    all: boolean,
    locator: string | undefined,
    session: string,
  ): Answer {
    if (locator !== undefined) {
      const page = this.cursors.next(locator, session);
      return page === undefined
        ? apiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        : pageAnswer(page);
    }
    const soql = request.query.get("q");
    if (soql === null || soql.trim() === "") {
      return apiError(400, "MALFORMED_QUERY", "A query string has to be specified");
    }
    return guarded(() => {
      const result = this.run(soql, all, version);
      if (result.countOnly) return jsonAnswer(200, { totalSize: result.total, done: true, records: [] });
      return pageAnswer(this.cursors.first(result, this.pageSize(request), session, version));
    });
  }

  private run(soql: string, all: boolean, version: string): ResultSet {
    const query = parseSoql(soql);
    if (this.bench?.serves(query)) return this.bench.run(query, version, this.org, this.options.clock);
    return runQuery(this.org, query, all, version, this.options.clock);
  }

  /** `Sforce-Query-Options: batchSize=500`, 200 to 2,000; only a wish. */
  private pageSize(request: FakeRequest): number {
    const asked = /(?:^|[,;\s])batchSize\s*=\s*(\d+)/i.exec(
      request.headers["sforce-query-options"] ?? "",
    )?.[1];
    if (asked === undefined) return this.options.pageSize;
    return Math.min(this.options.pageSize, Math.max(200, Math.min(2000, Number(asked))));
  }
}

function guarded(work: () => Answer): Answer {
  try {
    return work();
  } catch (error) {
    if (error instanceof SoqlError) return apiError(400, error.errorCode, error.message);
    throw error;
  }
}

function pageAnswer(page: CursorPage): Answer {
  const next = page.next === undefined ? "" : `"nextRecordsUrl":${JSON.stringify(page.next)},`;
  const head = `{"totalSize":${page.total},"done":${page.next === undefined},${next}"records":[`;
  const release = page.release === undefined ? {} : { release: page.release };
  const body =
    typeof page.records === "string"
      ? [Buffer.from(`${head}${page.records}]}`)]
      : [Buffer.from(head), page.records, Buffer.from("]}")];
  return { ...jsonAnswer(200, null), body, compressible: typeof page.records === "string", ...release };
}

function label(version: number): string {
  const season = ["Spring", "Summer", "Winter"][version % 3] ?? "";
  const year = 26 + Math.floor((version - 65) / 3);
  return `${season} '${String(year).padStart(2, "0")}`;
}
