import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Requests } from "../salesforce/requests.js";
import { pause, send } from "../salesforce/wire.js";
import {
  type Answer,
  type FakeRequest,
  jsonAnswer,
  Refusal,
  type Result,
  rateLimitedAnswer,
  rawAnswer,
  refusalAnswer,
  withHeaders,
} from "./answer.js";
import { BENCH_CHANNEL, Bench, type BenchOptions } from "./bench.js";
import { Call } from "./call.js";
import { control } from "./control.js";
import { Conversations, type PagingQuirks } from "./conversations.js";
import { Cursors } from "./cursors.js";
import type { Fault, FaultScript } from "./fault-script.js";
import { Faults } from "./faults.js";
import { type GeneratedWorkspaceOptions, generateWorkspace } from "./generate.js";
import { Limits, type RateLimits } from "./limits.js";
import { Lists } from "./lists.js";
import { OAuth, type OAuthOptions } from "./oauth.js";
import { type FakeClock, Workspace } from "./workspace.js";

export interface SlackFakeOptions extends OAuthOptions {
  /** Default: any free port. */
  readonly port?: number;
  /** A ready workspace, or how to generate one. Default: an empty one. */
  readonly workspace?: Workspace | GeneratedWorkspaceOptions;
  /** Serves a channel of any size from pre-rendered pages. */
  readonly bench?: BenchOptions;
  readonly clock?: FakeClock;
  readonly quirks?: PagingQuirks;
  /** Default `none`: demos and tests need not wait for minutes. */
  readonly rateLimits?: RateLimits;
  /** The token is of an Enterprise Grid organisation. */
  readonly orgToken?: boolean;
  /** Every answer comes so much later. */
  readonly latencyMs?: number;
  readonly faults?: FaultScript;
  /** Slack's clock stands behind ours by so much (the Date header tells). */
  readonly behindMs?: number;
}

const HTML =
  "<html><head><title>Slack is down for maintenance</title></head><body><h1>We'll be back.</h1></body></html>\n";
const MAX_BODY_BYTES = 10 * 1024 * 1024;
const HISTORY = ["channels:history", "groups:history", "mpim:history", "im:history"];

/** Starts a Slack workspace on a loopback port. */
export async function startSlackFake(options: SlackFakeOptions = {}): Promise<SlackFake> {
  const fake = new SlackFake(options);
  await fake.listen(options.port ?? 0);
  return fake;
}

export class SlackFake {
  readonly workspace: Workspace;
  readonly faults: Faults;
  readonly requests = new Requests();
  readonly oauth: OAuth;
  readonly limits: Limits;
  private readonly cursors = new Cursors();
  private readonly conversations: Conversations;
  private readonly lists: Lists;
  private readonly bench: Bench | undefined;
  private readonly orgToken: boolean;
  private readonly latencyMs: number;
  private readonly clock: FakeClock;
  private readonly behindMs: number;
  private readonly server: Server;

  constructor(options: SlackFakeOptions) {
    this.clock = options.clock ?? { now: () => Date.now() };
    const { workspace } = options;
    this.workspace =
      workspace instanceof Workspace
        ? workspace
        : workspace === undefined
          ? new Workspace(this.clock)
          : generateWorkspace(workspace, this.clock);
    this.faults = new Faults(options.faults);
    this.oauth = new OAuth(options, this.clock);
    this.limits = new Limits(options.rateLimits ?? "none", this.clock);
    this.orgToken = options.orgToken ?? false;
    this.conversations = new Conversations(this.workspace, this.cursors, this.limits, options.quirks ?? {});
    this.lists = new Lists(this.workspace, this.cursors, this.orgToken);
    this.latencyMs = options.latencyMs ?? 0;
    this.behindMs = options.behindMs ?? 0;
    if (options.bench !== undefined) {
      this.bench = new Bench(options.bench);
      this.workspace.addChannel({
        id: BENCH_CHANNEL,
        name: "bench",
        is_channel: true,
        is_private: false,
        is_archived: false,
        created: 1_600_000_000,
      });
    }
    this.server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.serve(request, response).catch((error: unknown) => {
        response.destroy(error instanceof Error ? error : undefined);
        process.emitWarning(error instanceof Error ? error : String(error));
      });
    });
  }

  async listen(port: number): Promise<void> {
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
  }

  /** Where the methods are: the `baseUrl` of a connection. */
  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("the fake is not listening");
    return `http://127.0.0.1:${address.port}/api`;
  }

  /** What a flow's `${env:...}` needs to reach this workspace. */
  environment(): Record<string, string> {
    return {
      SLACK_API_URL: this.url,
      SLACK_TOKEN: this.oauth.token,
      SLACK_CLIENT_ID: this.oauth.clientId,
      SLACK_CLIENT_SECRET: this.oauth.clientSecret,
      SLACK_REFRESH_TOKEN: this.oauth.refreshToken,
    };
  }

  /** Drops every open page cursor. */
  closeCursors(): void {
    this.cursors.clear();
  }

  async close(): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await readRequest(incoming);
    if (request.path.startsWith("/__fake/")) {
      await send(incoming, response, control(this, request), undefined);
      return;
    }
    this.requests.count(request.method, request.path, request.target);
    const method = request.path.replace(/^\/api\//, "");
    const call = this.parse(request, method);
    const channel = call instanceof Call ? call.text("channel") : undefined;
    const fault = this.faults.strike(request.path, channel);
    const delay = this.latencyMs + (fault?.kind === "slow" ? fault.delayMs : 0);
    if (delay > 0) await pause(delay);
    if (fault?.kind === "resetBefore") return this.reset(incoming);
    const answer = withHeaders(this.answer(request, call, fault), {
      date: new Date(this.clock.now() - this.behindMs).toUTCString(),
      "x-oauth-scopes": this.oauth.scopes.join(","),
    });
    if (fault?.kind === "resetAfter") return this.reset(incoming);
    const bytes = await send(
      incoming,
      response,
      answer,
      fault?.kind === "cutBody" || fault?.kind === "trickle" ? fault : undefined,
    );
    this.requests.answered(answer.status, bytes);
  }

  private parse(request: FakeRequest, method: string): Call | Refusal {
    try {
      return new Call(request, method);
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  private answer(request: FakeRequest, call: Call | Refusal, fault: Fault | undefined): Answer {
    try {
      if (call instanceof Refusal) throw call;
      const instead = this.instead(request, call, fault);
      if (instead !== undefined) return instead;
      const wait = this.limits.admit(call.method);
      if (wait !== undefined) return rateLimitedAnswer(wait);
      if (
        this.bench !== undefined &&
        call.method === "conversations.history" &&
        call.text("channel") === BENCH_CHANNEL
      ) {
        this.oauth.check(this.oauth.tokenOf(request, call));
        const body = this.bench.history(call);
        return {
          status: 200,
          headers: { "content-type": "application/json; charset=utf-8" },
          body,
          compressible: false,
        };
      }
      return damaged(this.route(request, call, fault), fault);
    } catch (error) {
      if (error instanceof Refusal) return refusalAnswer(error.error, error.more);
      throw error;
    }
  }

  /** The answer that a fault gives instead of doing the work. */
  private instead(request: FakeRequest, call: Call, fault: Fault | undefined): Answer | undefined {
    switch (fault?.kind) {
      case "refuse":
        return refusalAnswer(fault.error, fault.more);
      case "rateLimit":
        return rateLimitedAnswer(fault.retryAfterSeconds);
      case "htmlPage":
        return rawAnswer(200, HTML, { "content-type": "text/html" });
      case "expireToken": {
        const token = this.oauth.tokenOf(request, call);
        if (token !== undefined) this.oauth.expire(token);
        return undefined;
      }
      case "answer":
        return typeof fault.body === "string" || fault.body === undefined
          ? rawAnswer(fault.status, fault.body ?? "", { ...fault.headers })
          : jsonAnswer(fault.status, fault.body, { ...fault.headers });
      default:
        return undefined;
    }
  }

  private route(request: FakeRequest, call: Call, fault: Fault | undefined): Result {
    if (call.method === "oauth.v2.access") return this.oauth.access(call, request);
    this.oauth.check(this.oauth.tokenOf(request, call));
    const { conversations, lists, oauth } = this;
    switch (call.method) {
      case "auth.test":
        return { body: this.identity() };
      case "team.info":
        oauth.need("team:read");
        return lists.team();
      case "users.list":
        oauth.need("users:read");
        return lists.users(call);
      case "usergroups.list":
        oauth.need("usergroups:read");
        return lists.usergroups(call);
      case "files.list":
        oauth.need("files:read");
        return lists.files(
          fault?.kind === "ignoreBounds"
            ? new Call(
                {
                  ...request,
                  query: new URLSearchParams({ count: call.text("count") ?? "" }),
                  body: Buffer.alloc(0),
                },
                call.method,
              )
            : call,
        );
      case "conversations.list":
      case "users.conversations":
        this.needTypes(call);
        return call.method === "conversations.list" ? lists.conversations(call) : lists.joined(call);
      case "conversations.members":
        oauth.need("channels:read", "groups:read");
        return conversations.members(call);
      case "conversations.history":
        oauth.need(...HISTORY);
        return conversations.history(call);
      case "conversations.replies":
        oauth.need(...HISTORY);
        return conversations.replies(call);
      default:
        throw new Refusal("unknown_method", { req_method: call.method });
    }
  }

  private needTypes(call: Call): void {
    const scopes: Readonly<Record<string, string>> = {
      public_channel: "channels",
      private_channel: "groups",
      mpim: "mpim",
      im: "im",
    };
    for (const type of (call.text("types") ?? "public_channel").split(",")) {
      const scope = scopes[type];
      if (scope !== undefined) this.oauth.need(`${scope}:read`);
    }
  }

  private identity(): Record<string, unknown> {
    const { team } = this.workspace;
    return {
      url: `https://${String(team.domain)}.slack.com/`,
      team: team.name,
      user: "sluice",
      team_id: team.id,
      user_id: "U0000BOT0",
      bot_id: "B00000001",
      is_enterprise_install: this.orgToken,
    };
  }

  private reset(incoming: IncomingMessage): void {
    this.requests.answered("reset", 0);
    incoming.socket.resetAndDestroy();
  }
}

/** The real answer, with what the fault does to it. */
function damaged(result: Result, fault: Fault | undefined): Answer {
  const body: Record<string, unknown> = { ok: true, ...result.body };
  if (fault?.kind === "repeatCursor" && result.self !== undefined) {
    body.response_metadata = { next_cursor: result.self };
    if ("has_more" in body) body.has_more = true;
  }
  const answer = jsonAnswer(200, body);
  if (fault?.kind !== "halfJson") return answer;
  const whole = Buffer.concat([...answer.body]);
  return { ...answer, body: [whole.subarray(0, Math.floor(whole.length / 2))] };
}

async function readRequest(incoming: IncomingMessage): Promise<FakeRequest> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of incoming) {
    const bytes = Buffer.from(piece);
    size += bytes.length;
    if (size > MAX_BODY_BYTES) throw new Error("request body too large for the fake");
    pieces.push(bytes);
  }
  const target = incoming.url ?? "/";
  const question = target.indexOf("?");
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(incoming.headers))
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  return {
    method: incoming.method ?? "GET",
    target,
    path: question < 0 ? target : target.slice(0, question),
    query: new URLSearchParams(question < 0 ? "" : target.slice(question + 1)),
    headers,
    body: Buffer.concat(pieces),
  };
}
