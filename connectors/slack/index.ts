/**
 * Slack as a source: Web API, the conversations methods. https://docs.slack.dev/apis/web-api
 *
 * Limits: per method and workspace, in tiers of 20 (lists), 50 (history, replies, files) or 100 (members) calls a minute; 999
 * messages a call. Apps that are sold without being listed in Slack's marketplace get one call a minute with 15 messages: it is
 * found out, said in `check` and `plan`, and kept to (quota.ts). Left out: events (the live path), joining channels (a
 * write, and never a side effect of reading), reactions by user, access logs, what is inside files.
 *
 * Messages page from the newest to the oldest, have no time of change, vanish when they are deleted, and late replies never
 * show in the history again. So every read freezes one end; every channel has its bookmark, which moves when a whole window
 * was read and not before, and several channels are read at the same time (windows.ts); and each window begins `rescan` behind
 * the bookmark, where it is compared with a ledger of what was handed out (cursor.ts, reconcile.ts, replies.ts). That finds edits, reactions, deletes and late replies of that stretch, as
 * later versions with a later `changed_at`, deletes with `deleted: true`. Not found: changes to what is older than `rescan`; edits
 * of replies, which the parent does not tell of, unless `replies: all`. `--from` and `--to` bound `ts`, not `changed_at`.
 *
 * Where the documentation is silent, what loses nothing is done:
 * - Whether later pages of a thread repeat the parent: it is known by its ts wherever it stands.
 * - Whether a message can appear with an earlier ts than one already seen: the newest minute is left out (`settle`), and the rescan
 *   takes what comes later still.
 * - Whether a deleted parent stays as a tombstone: if it does it is marked deleted; if it vanishes, so do the replies it leaves.
 * - The order of files.list: newest first is demanded of every page, and a page in another order ends the run.
 * - What moves `updated` of users, groups and channels: nothing is derived from it; lists are compared by fingerprints.
 * - How long page cursors live: none is kept beyond a run, and one that was forgotten is replaced by the place reached.
 * - Free plans hide old messages (`is_limited`): what is hidden is not taken for deleted.
 * - Whether apps accept a loopback redirect when a person signs in: where not, the refresh token of the installation is set by hand.
 * - Whether the renewal of a user's token answers inside authed_user, as the first one does: it is looked for there and at the top.
 * - Whether a lost answer of oauth.v2.access rotated the refresh token: asking again tells.
 */
import type {
  CheckReport,
  ConnectorContext,
  Page,
  ReadPlan,
  ReadRequest,
  Secret,
  Source,
  SourceConnector,
  StreamInfo,
  StreamSchema,
} from "../../core/contracts/index.js";
import { type Authenticator, createHttpClient } from "../../core/http/index.js";
import { SlackApi } from "./api.js";
import { createSlackAuth, SLACK_OAUTH } from "./auth.js";
import { BUCKETS } from "./buckets.js";
import { checkWorkspace, discoverStreams } from "./check.js";
import { configSchema, optionsSchema, type SlackConfig, secretsOf } from "./config.js";
import { STATUS_ROWS } from "./errors.js";
import type { ReadContext } from "./lists.js";
import { planStream } from "./plan.js";
import { readStream } from "./read.js";
import { STREAMS, schemaOf, streamOf } from "./streams.js";

export const slack: SourceConnector = {
  spec: {
    name: "slack",
    title: "Slack",
    description:
      "Messages, threads, channels, people and files of a workspace, by Web API, with edits and deletes.",
    configSchema,
    optionsSchema,
    streams: STREAMS,
    oauth: SLACK_OAUTH,
    buckets: BUCKETS,
    limits:
      "20 to 100 calls a minute per method; 999 messages per call, or 15 and one call a minute for unlisted apps that are sold",
  },
  connect: (config, context) => new SlackSource(configSchema.parse(config), context),
};

class SlackSource implements Source {
  readonly #api: SlackApi;
  readonly #reading: ReadContext;
  readonly #auth: Authenticator;

  constructor(config: SlackConfig, context: ConnectorContext) {
    // Rotated tokens join them as they come.
    const secrets: Secret[] = secretsOf(config.auth);
    const options = {
      connection: context.connection,
      clock: context.clock,
      random: context.random,
      log: context.log,
      onWait: (wait: { readonly reason: string; readonly ms: number }) => context.onWait?.(wait),
      statusTable: STATUS_ROWS,
      secrets,
    };
    const login = createHttpClient(options);
    this.#auth = createSlackAuth(config, login, context, secrets);
    const limited = { ...options, auth: this.#auth, budget: context.budget };
    this.#api = new SlackApi(config.baseUrl, limited, login, context);
    this.#reading = { api: this.#api, config, context };
  }

  check(signal: AbortSignal): Promise<CheckReport> {
    return checkWorkspace(this.#reading, signal);
  }

  discover(signal: AbortSignal): Promise<readonly StreamInfo[]> {
    return discoverStreams(this.#api, signal);
  }

  async describe(stream: string): Promise<StreamSchema> {
    return schemaOf(streamOf(stream));
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
    // An answer under way may hold the only refresh token that works.
    await this.#auth.settled?.();
    this.#api.close();
  }
}
