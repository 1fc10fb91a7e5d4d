import { z } from "zod";
import {
  type Clock,
  ConfigError,
  type HttpRequest,
  type HttpResponse,
  type Log,
  RateLimitError,
  type RefusedRecord,
  type SourceRecord,
  TransientError,
} from "../../core/contracts/index.js";
import type { ManagedHttpClient } from "../../core/http/index.js";
import { dropAttributes } from "./attributes.js";
import type { SalesforceAuthenticator } from "./auth.js";
import type { SalesforceConfig } from "./config.js";

/** Salesforce refuses a URL and headers of more than 16,384 bytes together; what our headers need stays free. */
const MAX_URL_BYTES = 16_384 - 2_048;

/** The Date header is of whole seconds and older than its arrival: a smaller difference says nothing. */
const CLOCK_GRAIN_MS = 2_000;
/** More than that is no drift of a clock; signing in would fail as well. */
const CLOCK_NONSENSE_MS = 3_600_000;

/** The daily calls are those of the last 24 hours, so that some are free again soon after the last refusal. */
const DAILY_RETRY_MS = 3_600_000;

/** The calls that an org's day has used, from `Sforce-Limit-Info`. */
export interface ApiUsage {
  readonly used: number;
  readonly limit: number;
}

/** One page of a query's result. */
export interface QueryPage {
  readonly records: readonly unknown[];
  /** Those of `records` that hold a key twice. */
  readonly refused: ReadonlyMap<SourceRecord, RefusedRecord>;
  readonly totalSize: number;
  /** Path of the next page; undefined when this is the last. */
  readonly next: string | undefined;
  /** Of the answer, unpacked. */
  readonly bytes: number;
}

export interface QueryOptions {
  /** Records per page, a wish. */
  readonly pageSize: number;
  /** With deleted and archived records: queryAll. */
  readonly deleted: boolean;
  /** As in HttpRequest. */
  readonly longestWaitMs?: number | undefined;
}

export interface NextOptions extends Pick<QueryOptions, "pageSize"> {
  readonly keep?: HttpRequest["keep"] | undefined;
}

/** What getUpdated and getDeleted answer; dates in epoch ms. */
export interface Replication {
  /** Of getDeleted. */
  readonly deleted: readonly { readonly id: string; readonly at: number }[];
  readonly earliestDateAvailable: number | undefined;
  readonly latestDateCovered: number | undefined;
}

/** The REST resources of one org that reading needs. URLs are built on the configured address; the client moves them. */
export class SalesforceApi {
  readonly #config: SalesforceConfig;
  readonly #http: ManagedHttpClient;
  readonly #login: ManagedHttpClient;
  readonly #auth: SalesforceAuthenticator;
  readonly #log: Log;
  readonly #clock: Clock;
  #behindMs = 0;
  #usage: ApiUsage | undefined;
  #warned = false;

  constructor(
    config: SalesforceConfig,
    clients: { readonly http: ManagedHttpClient; readonly login: ManagedHttpClient },
    auth: SalesforceAuthenticator,
    context: { readonly log: Log; readonly clock: Clock },
  ) {
    this.#config = config;
    this.#http = clients.http;
    this.#login = clients.login;
    this.#auth = auth;
    this.#log = context.log;
    this.#clock = context.clock;
  }

  get instanceUrl(): string {
    return this.#config.instanceUrl;
  }

  get version(): string {
    return this.#config.apiVersion;
  }

  /** Of the last answer that told it. */
  get usage(): ApiUsage | undefined {
    return this.#usage;
  }

  get calls(): number {
    return this.#http.calls + this.#login.calls;
  }

  identityUrl(): string | undefined {
    return this.#auth.identityUrl();
  }

  async close(): Promise<void> {
    await this.#auth.settled?.();
    this.#http.close();
    this.#login.close();
  }

  /** `path` below `/services/data/<version>/`. */
  resource(path: string, signal: AbortSignal): Promise<HttpResponse> {
    return this.send({ method: "GET", path: this.#versioned(path), signal });
  }

  get(path: string, signal: AbortSignal): Promise<HttpResponse> {
    return this.send({ method: "GET", path, signal });
  }

  /** The versions this org knows; needs no sign-in. */
  versions(signal: AbortSignal): Promise<HttpResponse> {
    return this.send({ method: "GET", path: "/services/data", authenticate: false, signal });
  }

  /** `path` from the root of the instance. */
  async send({
    path,
    ...request
  }: Omit<HttpRequest, "url"> & { readonly path: string }): Promise<HttpResponse> {
    try {
      return await this.#http.request({ ...request, url: `${this.#config.instanceUrl}${path}` });
    } catch (error) {
      throw isDailyLimit(error) ? withRetryTime(error) : error;
    }
  }

  /** Whether a query may stand in a URL. */
  fits(soql: string, options: Pick<QueryOptions, "deleted">): boolean {
    return this.room(soql, options) >= 0;
  }

  /** Bytes that the query leaves free in a URL; negative where it is too long. */
  room(soql: string, { deleted }: Pick<QueryOptions, "deleted">): number {
    return MAX_URL_BYTES - this.#urlBytes(this.#queryPath(soql, deleted));
  }

  /** First page of a query. ConfigError where it is too long for a URL. */
  async query(soql: string, options: QueryOptions, signal: AbortSignal): Promise<QueryPage> {
    const { pageSize, deleted, longestWaitMs } = options;
    const path = this.#queryPath(soql, deleted);
    const bytes = this.#urlBytes(path);
    if (bytes > MAX_URL_BYTES) {
      throw new ConfigError(
        "SALESFORCE_QUERY_TOO_LONG",
        `the query takes ${bytes} bytes in a URL, Salesforce accepts ${MAX_URL_BYTES}: too many fields or too long a filter`,
        {
          fix: "Set options.api to auto or bulk, which sends the query in a body, or name fewer fields in map.",
        },
      );
    }
    return this.#page(path, { pageSize, longestWaitMs }, signal);
  }

  /** `path`: nextRecordsUrl of the page before. `keep` as in HttpRequest. */
  next(path: string, options: NextOptions, signal: AbortSignal): Promise<QueryPage> {
    return this.#page(path, options, signal);
  }

  /**
   * getUpdated or getDeleted of an object, `start` and `end` in epoch ms of whole minutes. ConfigError where it is too
   * far back (REPLICATION_DATE), too much (TOO_MANY_IDS), or not for this object.
   */
  async replication(
    object: string,
    kind: "updated" | "deleted",
    start: number,
    end: number,
    signal: AbortSignal,
  ): Promise<Replication> {
    const [from, to] = [start, end].map((ms) => encodeURIComponent(new Date(ms).toISOString()));
    const answer = await this.resource(`sobjects/${object}/${kind}/?start=${from}&end=${to}`, signal);
    return parseReplication(answer.json(), `salesforce ${object}/${kind}`);
  }

  #versioned(path: string): string {
    return `/services/data/${this.version}/${path}`;
  }

  #queryPath(soql: string, deleted: boolean): string {
    return this.#versioned(`${deleted ? "queryAll" : "query"}?q=${encodeSoql(soql)}`);
  }

  #urlBytes(path: string): number {
    return this.#config.instanceUrl.length + path.length;
  }

  async #page(
    path: string,
    { pageSize, longestWaitMs, keep }: NextOptions & Pick<QueryOptions, "longestWaitMs">,
    signal: AbortSignal,
  ): Promise<QueryPage> {
    const answer = await this.send({
      method: "GET",
      path,
      headers: { accept: "application/json", "sforce-query-options": `batchSize=${pageSize}` },
      rewriteJson: dropAttributes,
      signal,
      ...(longestWaitMs === undefined ? {} : { longestWaitMs }),
      ...(keep === undefined ? {} : { keep }),
    });
    return parsePage(answer, path);
  }

  /** How far Salesforce's clock is known to stand behind ours, ms; at least 0. */
  get behindMs(): number {
    return this.#behindMs;
  }

  /** Told of every answer's headers. */
  note(headers: Readonly<Record<string, string>>): void {
    const behind = this.#clock.now() - Date.parse(headers.date ?? "");
    if (behind > CLOCK_GRAIN_MS && behind < CLOCK_NONSENSE_MS) this.#behindMs = behind;
    const usage = parseLimitInfo(headers["sforce-limit-info"]);
    if (usage === undefined) return;
    this.#usage = usage;
    if (this.#warned || usage.used <= usage.limit * 0.9) return;
    this.#warned = true;
    this.#log.warn("more than 90 % of the org's daily API calls are used", { ...usage });
  }
}

/**
 * `api-usage=18/15000`, also with a per-app part behind it: `api-usage=25/5000, per-app-api-usage=17/250(appName=x)`.
 * Undefined for anything else: the header is a courtesy.
 */
export function parseLimitInfo(header: string | undefined): ApiUsage | undefined {
  const match = /(?:^|[\s,;])api-usage\s*=\s*(\d+)\s*\/\s*(\d+)/i.exec(header ?? "");
  if (match === null) return undefined;
  const usage = { used: Number(match[1]), limit: Number(match[2]) };
  return usage.limit > 0 ? usage : undefined;
}

/** SOQL for a URL: what a query may hold plainly stays plain, since a comma in three bytes halves the fields that fit. */
export function encodeSoql(soql: string): string {
  return encodeURIComponent(soql).replace(/%(20|2C|3A)/g, (_whole, hex: string) =>
    hex === "20" ? "+" : hex === "2C" ? "," : ":",
  );
}

const LOCATOR_PATH = /^\/services\/data\/v\d+\.\d+\/query(All)?\/[\w-]+$/;

function parsePage(answer: HttpResponse, path: string): QueryPage {
  const unexpected = (what: string) =>
    new TransientError("SALESFORCE_UNEXPECTED_ANSWER", `the query's answer ${what}`, {
      place: `salesforce ${path.replace(/\?.*$/, "")}`,
      fix: "Try again later: a run goes on where this one stopped.",
    });
  const body = answer.json();
  if (typeof body !== "object" || body === null) throw unexpected("is no object");
  const { records, totalSize, done, nextRecordsUrl } = body as Record<string, unknown>;
  if (!Array.isArray(records)) throw unexpected("has no records");
  if (typeof done !== "boolean") throw unexpected("does not say whether it is done");
  const page = {
    records,
    refused: answer.refusedRecords(["records"]),
    totalSize: typeof totalSize === "number" ? totalSize : records.length,
    bytes: answer.body.length,
  };
  // A short page is not the last one; only `done` says so.
  if (done) return { ...page, next: undefined };
  if (typeof nextRecordsUrl !== "string" || !LOCATOR_PATH.test(nextRecordsUrl)) {
    throw unexpected("is not done and names no next page");
  }
  return { ...page, next: nextRecordsUrl };
}

function isDailyLimit(error: unknown): error is RateLimitError {
  return error instanceof RateLimitError && error.scope === "park" && error.retryAfterMs === undefined;
}

/** Salesforce never says when a quota is free again. */
function withRetryTime({ code, message, place, fix, cause }: RateLimitError): RateLimitError {
  return new RateLimitError(code, message, {
    scope: "park",
    retryAfterMs: DAILY_RETRY_MS,
    ...(place === undefined ? {} : { place }),
    ...(fix === undefined ? {} : { fix }),
    ...(cause === undefined ? {} : { cause }),
  });
}

const replicationAnswer = z.looseObject({
  deletedRecords: z.array(z.looseObject({ id: z.string(), deletedDate: z.string() })).nullish(),
  earliestDateAvailable: z.string().nullish(),
  latestDateCovered: z.string().nullish(),
});

function parseReplication(body: unknown, place: string): Replication {
  const { data } = replicationAnswer.safeParse(body);
  const dates = [
    ...(data?.deletedRecords ?? []).map(({ deletedDate }) => deletedDate),
    ...[data?.earliestDateAvailable, data?.latestDateCovered].filter((text) => typeof text === "string"),
  ];
  if (data === undefined || dates.some((text) => Number.isNaN(epochOf(text)))) {
    throw new TransientError("SALESFORCE_UNEXPECTED_ANSWER", "the list of changes has an unknown form", {
      place,
      fix: "Try again later: a run goes on where this one stopped.",
    });
  }
  const at = (text: string | null | undefined) => (typeof text === "string" ? epochOf(text) : undefined);
  return {
    deleted: (data.deletedRecords ?? []).map(({ id, deletedDate }) => ({ id, at: epochOf(deletedDate) })),
    earliestDateAvailable: at(data.earliestDateAvailable),
    latestDateCovered: at(data.latestDateCovered),
  };
}

/** `+0000` is no offset to Date.parse everywhere. */
function epochOf(text: string): number {
  return Date.parse(text.replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
}
