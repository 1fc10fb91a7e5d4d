/**
 * Zendesk as a source: API v2 of Support and the Help Center. https://developer.zendesk.com/api-reference/
 *
 * Limits: ten requests a minute to the incremental exports, all streams together (30 with the High Volume add-on), 1,000
 * records each; 200 to 2,500 other requests a minute by plan, 100 records each. Left out until later: webhooks, writing
 * back, search, custom objects, side conversations, talk and chat.
 *
 * Incremental reads. Tickets and users come by cursor, and the cursor of the last page is where the next run begins. Tickets
 * are ordered by generated_timestamp, which moves with system changes too, unlike updated_at. Organizations, events and
 * articles come by time: what is younger than a minute waits for the next run, and five minutes behind the end are read
 * again and recognised. Satisfaction ratings and audit logs are windows of a list, read the same way. All other lists have no
 * trace of what was deleted and are read in full: `write: replace` shows what is gone.
 *
 * The next page is asked for while the last one is worked on: a kill costs at most the page in work and the one ahead of it.
 *
 * Deleted records: tickets with status deleted, users with active false, organizations with deleted_at; tickets and
 * organizations have a boolean `deleted` besides. Groups and brands have their own.
 *
 * Not verified, and what is done about it:
 * - whether the oldest start_time may be 0: it is sent, as other clients do;
 * - whether a refused cursor answers 400 or 422: either reads again from an hour before the last record, leaving out what was
 *   handed out;
 * - whether end_time may stay in the second of its own page: what was handed out of that second is kept in the checkpoint and
 *   left out; where it does not move at all the read stops with an error rather than go past what it has not seen;
 * - whether start_time of satisfaction ratings means created or updated: records are never dropped for lying outside; read
 *   the stream in full from time to time;
 * - whether the article export tells its end: without end_of_stream an empty page is the end;
 * - which lists page by offset only: each is asked by cursor first and read by what it answers;
 * - whether metric sets hang on their tickets or come beside them: both are read, and tickets without one are counted in the log;
 * - what becomes of users that are deleted for good: before that they come with active false, which stays; if the export hands
 *   them out once more, permanently_deleted is taken as it comes. Their list (deleted_users) is not read;
 * - what becomes of comments that are redacted or made private later: read ticket_events for such changes.
 */
import type {
  CheckReport,
  ConnectorContext,
  Page,
  ReadPlan,
  ReadRequest,
  Source,
  SourceConnector,
  SourceField,
  StreamInfo,
  StreamSchema,
} from "../../core/contracts/index.js";
import { type Authenticator, createHttpClient } from "../../core/http/index.js";
import { ZendeskApi } from "./api.js";
import { createZendeskAuth } from "./auth.js";
import { BUCKETS, USUAL_EXPORTS_PER_MINUTE } from "./buckets.js";
import { Budgets } from "./budget.js";
import { checkAccount, discoverStreams } from "./check.js";
import {
  baseUrlOf,
  configSchema,
  DEFAULT_LOOKBACK_MS,
  optionsSchema,
  secretsOf,
  type ZendeskConfig,
} from "./config.js";
import { CustomFields } from "./custom-fields.js";
import { STATUS_ROWS } from "./errors.js";
import { zendeskOAuth } from "./oauth.js";
import { planStream } from "./plan.js";
import { type ReadContext, readStream } from "./read.js";
import { STREAMS, streamNamed } from "./streams.js";

export const zendesk: SourceConnector = {
  spec: {
    name: "zendesk",
    title: "Zendesk",
    description: "Tickets, users, organizations, events, metrics and settings of a Zendesk account.",
    configSchema,
    optionsSchema,
    streams: STREAMS.map(({ name }) => name),
    limits: "API v2; exports: 10 requests a minute of 1,000 records; lists: 100 records a page",
    oauth: zendeskOAuth,
    buckets: BUCKETS,
  },
  connect: (config, context) => new ZendeskSource(configSchema.parse(config), context),
};

class ZendeskSource implements Source {
  readonly #config: ZendeskConfig;
  readonly #context: ConnectorContext;
  readonly #api: ZendeskApi;
  readonly #auth: Authenticator;
  readonly #reading: ReadContext;

  constructor(config: ZendeskConfig, context: ConnectorContext) {
    const { clock, connection, log, random } = context;
    const onWait = (wait: { readonly reason: string; readonly ms: number }) => context.onWait?.(wait);
    // Tokens join them as they come.
    const secrets = secretsOf(config.auth);
    const client = {
      connection,
      clock,
      random,
      log,
      onWait,
      statusTable: STATUS_ROWS,
      secrets,
    };
    const login = createHttpClient(client);
    const auth = createZendeskAuth(config, login, context, secrets);
    this.#auth = auth;
    const budgets = new Budgets({ connection, clock, onWait, exportsPerMinute: config.exportsPerMinute });
    // The usual number is what the bucket begins with; what answers have taught another process since is worth more.
    if (config.exportsPerMinute !== USUAL_EXPORTS_PER_MINUTE)
      context.budget?.learn("exports", { limit: config.exportsPerMinute });
    this.#config = config;
    this.#context = context;
    const limited = { ...client, auth, budget: context.budget };
    this.#api = new ZendeskApi(baseUrlOf(config), limited, login, budgets, context);
    this.#reading = {
      api: this.#api,
      custom: new CustomFields(this.#api, log),
      customColumns: config.customFields === "columns",
      clock,
      log,
    };
  }

  check(signal: AbortSignal): Promise<CheckReport> {
    return checkAccount(this.#api, this.#config, this.#context.clock, signal);
  }

  discover(signal: AbortSignal): Promise<readonly StreamInfo[]> {
    return discoverStreams(this.#api, signal);
  }

  async describe(stream: string, signal: AbortSignal): Promise<StreamSchema> {
    const spec = streamNamed(stream);
    const { custom, customColumns } = this.#reading;
    const columns = customColumns && spec.custom ? await custom.columns(spec.custom, signal) : [];
    const deleted: SourceField[] =
      spec.deleted === undefined ? [] : [{ name: "deleted", type: "boolean", filterable: false }];
    const isExact = spec.paging === "cursorExport";
    return {
      stream: spec.name,
      fields: [...spec.fields, ...deleted, ...columns.map(({ field }) => field)],
      primaryKey: ["id"],
      cursors: spec.cursor === undefined ? [] : [spec.cursor],
      defaultLookbackMs: spec.cursor === undefined || isExact ? 0 : DEFAULT_LOOKBACK_MS,
    };
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
    await this.#auth.settled?.();
    this.#api.close();
  }
}
