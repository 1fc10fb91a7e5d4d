/**
 * Salesforce as a source: REST API, version 67.0 by default (60.0 at least). https://developer.salesforce.com/docs
 *
 * Limits: a daily number of API calls per org (100,000 and more; 15,000 for developers), 2,000 records a call, 16,384
 * bytes of URL and headers, 25 long requests at a time. Left out until later: Bulk API 2.0, deleted records, change
 * events, writing back, storing a rotated refresh token.
 *
 * Incremental reads. SystemModstamp is set before its transaction is visible: a record with an older stamp can appear
 * after that stamp was read past, minutes later when the transaction was long. Salesforce's own replication call holds
 * its end back for that. We read up to now and re-read 15 minutes behind the end (5 for the transaction, 10 of overlap);
 * what was handed out before is recognised by the engine, so nothing comes twice and nothing is missed. Orgs with longer
 * transactions set `lookback`, or `settle` to stay behind now altogether. Formula, roll-up and cross-object fields change
 * without moving SystemModstamp: `describe` marks them calculated; read such objects in full from time to time.
 */
import type {
  CheckReport,
  ConnectorContext,
  Field,
  Page,
  ReadPlan,
  ReadRequest,
  Source,
  SourceConnector,
  StreamInfo,
  StreamSchema,
} from "../../core/contracts/index.js";
import { createHttpClient } from "../../core/http/index.js";
import { SalesforceApi } from "./api.js";
import { createSalesforceAuth } from "./auth.js";
import { checkOrg } from "./check.js";
import { configSchema, optionsSchema, type SalesforceConfig, secretsOf } from "./config.js";
import { Describer, streamSchema } from "./describe.js";
import { STATUS_ROWS } from "./errors.js";
import { planStream, type ReadContext, readStream } from "./read.js";
import { resolvePath } from "./relationship.js";

/** A query may compute for two minutes before its first byte. */
const IDLE_TIMEOUT_MS = 180_000;
/** Salesforce ends a REST call after ten minutes. */
const TOTAL_TIMEOUT_MS = 660_000;

export const salesforce: SourceConnector = {
  spec: {
    name: "salesforce",
    title: "Salesforce",
    description: "Objects of a Salesforce org, by REST API: full, or incrementally by SystemModstamp.",
    configSchema,
    optionsSchema,
    streams: "dynamic",
    limits: "REST API v67.0; 2,000 records per call; the org's daily API calls",
  },
  connect: (config, context) => new SalesforceSource(configSchema.parse(config), context),
};

class SalesforceSource implements Source {
  readonly #api: SalesforceApi;
  readonly #describer: Describer;
  readonly #context: ConnectorContext;
  readonly #reading: ReadContext;

  constructor(config: SalesforceConfig, context: ConnectorContext) {
    const options = {
      connection: context.connection,
      clock: context.clock,
      random: context.random,
      log: context.log,
      onWait: (wait: { readonly reason: string; readonly ms: number }) => context.onWait?.(wait),
      statusTable: STATUS_ROWS,
      secrets: secretsOf(config.auth),
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      totalTimeoutMs: TOTAL_TIMEOUT_MS,
    };
    const login = createHttpClient(options);
    const auth = createSalesforceAuth(config, login, context);
    const http = createHttpClient({ ...options, auth, onAnswer: ({ headers }) => this.#api.note(headers) });
    this.#context = context;
    this.#api = new SalesforceApi(config, { http, login }, auth, context);
    this.#describer = new Describer(this.#api, context.connection);
    this.#reading = { api: this.#api, describer: this.#describer, clock: context.clock };
  }

  check(signal: AbortSignal): Promise<CheckReport> {
    return checkOrg(this.#api, signal);
  }

  discover(signal: AbortSignal): Promise<readonly StreamInfo[]> {
    return this.#describer.list(signal);
  }

  async describe(stream: string, signal: AbortSignal): Promise<StreamSchema> {
    return streamSchema(await this.#describer.object(stream, signal), this.#context.log);
  }

  async resolvePath(schema: StreamSchema, path: string, signal: AbortSignal): Promise<Field> {
    const object = await this.#describer.object(schema.stream, signal);
    return (await resolvePath(this.#describer, object, path, signal)).column;
  }

  plan(request: ReadRequest): Promise<ReadPlan> {
    return planStream(this.#reading, request);
  }

  read(request: ReadRequest): AsyncIterable<Page> {
    return readStream(this.#reading, request);
  }

  apiCalls(): number {
    return this.#api.calls;
  }

  async close(): Promise<void> {
    this.#api.close();
  }
}
