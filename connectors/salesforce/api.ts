import {
  type Clock,
  ConfigError,
  type HttpResponse,
  type Log,
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

/** The calls that an org's day has used, from `Sforce-Limit-Info`. */
export interface ApiUsage {
  readonly used: number;
  readonly limit: number;
}

/** One page of a query's result. */
export interface QueryPage {
  readonly records: readonly unknown[];
  readonly totalSize: number;
  /** Path of the next page; undefined when this is the last. */
  readonly next: string | undefined;
  /** Of the answer, unpacked. */
  readonly bytes: number;
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

  close(): void {
    this.#http.close();
    this.#login.close();
  }

  /** `path` below `/services/data/<version>/`. */
  resource(path: string, signal: AbortSignal): Promise<HttpResponse> {
    return this.get(`/services/data/${this.version}/${path}`, signal);
  }

  get(path: string, signal: AbortSignal): Promise<HttpResponse> {
    return this.#http.request({ method: "GET", url: `${this.#config.instanceUrl}${path}`, signal });
  }

  /** The versions this org knows; needs no sign-in. */
  versions(signal: AbortSignal): Promise<HttpResponse> {
    const url = `${this.#config.instanceUrl}/services/data`;
    return this.#http.request({ method: "GET", url, authenticate: false, signal });
  }

  /** First page of a query. ConfigError where it is too long for a URL. */
  async query(soql: string, pageSize: number, signal: AbortSignal): Promise<QueryPage> {
    const path = `/services/data/${this.version}/query?q=${encodeSoql(soql)}`;
    const bytes = this.#config.instanceUrl.length + path.length;
    if (bytes > MAX_URL_BYTES) {
      throw new ConfigError(
        "SALESFORCE_QUERY_TOO_LONG",
        `the query takes ${bytes} bytes in a URL, Salesforce accepts ${MAX_URL_BYTES}: too many fields or too long a filter`,
        { fix: "Name fewer fields in map." },
      );
    }
    return this.#page(path, pageSize, signal);
  }

  /** `path`: nextRecordsUrl of the page before. */
  next(path: string, pageSize: number, signal: AbortSignal): Promise<QueryPage> {
    return this.#page(path, pageSize, signal);
  }

  async #page(path: string, pageSize: number, signal: AbortSignal): Promise<QueryPage> {
    const answer = await this.#http.request({
      method: "GET",
      url: `${this.#config.instanceUrl}${path}`,
      headers: { accept: "application/json", "sforce-query-options": `batchSize=${pageSize}` },
      rewriteJson: dropAttributes,
      signal,
    });
    return parsePage(answer.json(), answer.body.length, path);
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

function parsePage(body: unknown, bytes: number, path: string): QueryPage {
  const unexpected = (what: string) =>
    new TransientError("SALESFORCE_UNEXPECTED_ANSWER", `the query's answer ${what}`, {
      place: `salesforce ${path.replace(/\?.*$/, "")}`,
      fix: "Try again later: a run goes on where this one stopped.",
    });
  if (typeof body !== "object" || body === null) throw unexpected("is no object");
  const { records, totalSize, done, nextRecordsUrl } = body as Record<string, unknown>;
  if (!Array.isArray(records)) throw unexpected("has no records");
  if (typeof done !== "boolean") throw unexpected("does not say whether it is done");
  const total = typeof totalSize === "number" ? totalSize : records.length;
  // A short page is not the last one; only `done` says so.
  if (done) return { records, totalSize: total, next: undefined, bytes };
  if (typeof nextRecordsUrl !== "string" || !LOCATOR_PATH.test(nextRecordsUrl)) {
    throw unexpected("is not done and names no next page");
  }
  return { records, totalSize: total, next: nextRecordsUrl, bytes };
}
