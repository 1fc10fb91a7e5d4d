/**
 * Salesforce as a source: REST API and Bulk API 2.0, version 67.0 by default (60.0 at least).
 * https://developer.salesforce.com/docs
 *
 * Limits: a daily number of API calls per org (100,000 and more; 15,000 for developers), 2,000 records a REST call,
 * 16,384 bytes of URL and headers, 25 long requests at a time; 10,000 Bulk query jobs and 1 TB of results a day, results
 * kept for seven days. A daily limit parks the run, a concurrent one is waited out. Left out until later: change
 * events, writing back.
 *
 * Incremental reads. SystemModstamp is set before its transaction is visible: a record with an older stamp can appear
 * after that stamp was read past, minutes later when the transaction was long. So a window ends where Salesforce itself
 * says that nothing is missing (latestDateCovered of getUpdated, updated.ts), and the next one begins 15 minutes before
 * that; what was handed out before is recognised by the engine, so nothing comes twice and nothing is missed. Objects for
 * which Salesforce names no such date stay five minutes behind now. Formula, roll-up and cross-object fields change
 * without moving SystemModstamp: `describe` marks them calculated and a read warns; read such objects in full from time
 * to time.
 *
 * `api: auto` asks by REST and leaves the rest to a Bulk job where more than 2,000 records remain behind the first page
 * (bulk.ts); `bulk` always runs a job. Records are the same either way. What Bulk refuses is read by REST. A window that is
 * too much for one job is cut, and the next jobs run while one is read (bulk-ahead.ts). A query of more fields than a URL
 * holds goes to Bulk, or by REST in chunks of columns, joined by Id (wide.ts).
 *
 * `deleted: include` reads with queryAll, and hard deletes by getDeleted behind each window (deleted.ts): records with
 * IsDeleted true. A hard delete has its Id, IsDeleted and the cursor field, and null for all else.
 *
 * Not documented, or documented twice, and what is done about it:
 * - Date times of a Bulk CSV end in Z, those of REST in +0000; both are taken, records always have the REST form.
 * - How long a query locator lives: it is never stored; a dead one costs a query behind the place reached.
 * - Whether getUpdated takes an end in the future, which alone reaches up to now: if not, the last whole minute counts.
 * - By which code a used-up quota of Bulk jobs is refused: those of Bulk API 1.0 and of REST are understood.
 * - An empty CSV value is null. Salesforce stores no empty texts, so none is lost.
 * - Whether the daily limit says when it is over: it never does. It is of the last 24 hours, so an hour later is named.
 * - What a lost answer to the creation of a job has done: it is sent again, since an idle job goes after seven days.
 * - Merged records: the loser is a delete like any other; its MasterRecordId comes along where it is mapped.
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
import { BUCKETS, CALL, LONGEST_CALL_MS } from "./budget.js";
import { checkOrg } from "./check.js";
import { configSchema, optionsSchema, type SalesforceConfig, secretsOf } from "./config.js";
import { Describer, streamSchema } from "./describe.js";
import { STATUS_ROWS } from "./errors.js";
import { salesforceOAuth } from "./oauth.js";
import { planStream, type ReadContext, readStream } from "./read.js";
import { resolvePath } from "./relationship.js";

/** A query may compute for two minutes before its first byte. */
const IDLE_TIMEOUT_MS = 180_000;

export const salesforce: SourceConnector = {
  spec: {
    name: "salesforce",
    title: "Salesforce",
    description:
      "Objects of a Salesforce org, by REST API or Bulk API 2.0: full, or incrementally by SystemModstamp; deletes on request.",
    configSchema,
    optionsSchema,
    streams: "dynamic",
    limits:
      "REST API v67.0 with 2,000 records per call, Bulk API 2.0 with 10,000 query jobs a day; the org's daily API calls",
    oauth: salesforceOAuth,
    buckets: BUCKETS,
  },
  connect: (config, context) => new SalesforceSource(configSchema.parse(config), context),
};

class SalesforceSource implements Source {
  readonly #api: SalesforceApi;
  readonly #describer: Describer;
  readonly #context: ConnectorContext;
  readonly #reading: ReadContext;

  constructor(config: SalesforceConfig, context: ConnectorContext) {
    // Tokens join them as they come.
    const secrets = secretsOf(config.auth);
    const options = {
      connection: context.connection,
      clock: context.clock,
      random: context.random,
      log: context.log,
      onWait: (wait: { readonly reason: string; readonly ms: number }) => context.onWait?.(wait),
      statusTable: STATUS_ROWS,
      secrets,
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      totalTimeoutMs: LONGEST_CALL_MS,
    };
    const login = createHttpClient(options);
    const auth = createSalesforceAuth(config, login, context, secrets);
    const http = createHttpClient({
      ...options,
      auth,
      // Signing in counts against no limit of calls.
      budget: context.budget,
      buckets: CALL,
      onAnswer: ({ headers }) => this.#api.note(headers),
    });
    this.#context = context;
    this.#api = new SalesforceApi(config, { http, login }, auth, context);
    this.#describer = new Describer(this.#api, context.connection);
    this.#reading = {
      api: this.#api,
      describer: this.#describer,
      clock: context.clock,
      log: context.log,
      refusedByBulk: new Set(),
    };
  }

  check(signal: AbortSignal): Promise<CheckReport> {
    return checkOrg(this.#api, this.#context.budget, signal);
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

  close(): Promise<void> {
    return this.#api.close();
  }
}
