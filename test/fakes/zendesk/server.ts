import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pause, send } from "../salesforce/wire.js";
import { Account, type FakeClock } from "./account.js";
import { type Answer, type FakeRequest, withHeaders } from "./answer.js";
import { Bench, type BenchOptions } from "./bench.js";
import { control } from "./control.js";
import type { ExportOptions } from "./exports.js";
import type { Fault, FaultScript } from "./fault-script.js";
import { answerInstead, damage, Faults } from "./faults.js";
import { type GeneratedAccountOptions, generateAccount } from "./generate.js";
import { type LimitOptions, Limits } from "./limits.js";
import { OAuth, type OAuthOptions } from "./oauth.js";
import { Requests } from "./requests.js";
import { Routes } from "./routes.js";

export interface ZendeskFakeOptions extends OAuthOptions, LimitOptions, ExportOptions {
  /** Default: any free port. */
  readonly port?: number;
  /** A ready account, or how to generate one. Default: an account without records. */
  readonly account?: Account | GeneratedAccountOptions;
  readonly clock?: FakeClock;
  /** Serves tickets from pre-rendered pages. */
  readonly bench?: BenchOptions;
  /** Every answer comes so much later. */
  readonly latencyMs?: number;
  readonly faults?: FaultScript;
  /** Role of the user; default admin. */
  readonly role?: "admin" | "agent" | "end-user";
  /** Lists that the plan lacks, by name: answered so. */
  readonly unavailable?: Readonly<Record<string, 403 | 404>>;
  /** Lists that page by offset only; default sla_policies. */
  readonly offsetOnly?: readonly string[];
  /** The account's clock is so far ahead (behind where negative) of the one given. */
  readonly skewMs?: number;
}

const NO_RECORDS: GeneratedAccountOptions = {
  tickets: 0,
  users: 0,
  organizations: 0,
  articles: 0,
  others: 0,
};
const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** Starts a Zendesk account on a loopback port. */
export async function startZendeskFake(options: ZendeskFakeOptions = {}): Promise<ZendeskFake> {
  const fake = new ZendeskFake(options);
  await fake.listen(options.port ?? 0);
  return fake;
}

export class ZendeskFake {
  readonly account: Account;
  readonly faults: Faults;
  readonly requests = new Requests();
  readonly oauth: OAuth;
  readonly limits: Limits;
  /** A live access token from the start. */
  readonly accessToken: string;
  private readonly routes: Routes;
  private readonly latencyMs: number;
  private readonly server: Server;

  constructor(options: ZendeskFakeOptions) {
    const clock = options.clock ?? { now: () => Date.now() };
    this.account =
      options.account instanceof Account
        ? options.account
        : generateAccount(options.account ?? NO_RECORDS, clock);
    this.account.skewMs = options.skewMs ?? this.account.skewMs;
    this.faults = new Faults(options.faults);
    this.latencyMs = options.latencyMs ?? 0;
    this.oauth = new OAuth(options, { now: () => this.account.now() });
    this.limits = new Limits(options);
    this.accessToken = this.oauth.startSession();
    const bench = options.bench === undefined ? undefined : new Bench(options.bench, () => this.url);
    this.routes = new Routes(this.account, this.oauth, bench, {
      url: () => this.url,
      exports: options,
      role: options.role ?? "admin",
      unavailable: options.unavailable ?? {},
      offsetOnly: options.offsetOnly ?? ["sla_policies"],
    });
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

  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("the fake is not listening");
    return `http://127.0.0.1:${address.port}`;
  }

  /** What a flow's `${env:...}` needs to reach this account. */
  environment(): Record<string, string> {
    return {
      ZENDESK_URL: this.url,
      ZENDESK_CLIENT_ID: this.oauth.clientId,
      ZENDESK_CLIENT_SECRET: this.oauth.clientSecret,
      ZENDESK_REFRESH_TOKEN: this.oauth.refreshToken,
      ZENDESK_ACCESS_TOKEN: this.accessToken,
      ZENDESK_EMAIL: this.oauth.email,
      ZENDESK_API_TOKEN: this.oauth.apiToken,
    };
  }

  async close(): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await read(incoming);
    if (request.path.startsWith("/__fake/")) {
      await send(incoming, response, control(this, request), undefined);
      return;
    }
    this.requests.count(request.method, request.path, request.target);
    const fault = this.faults.strike(request.method, request.target);
    const delay = this.latencyMs + (fault?.kind === "slow" ? fault.delayMs : 0);
    if (delay > 0) await pause(delay);
    if (fault?.kind === "resetBefore") return this.reset(incoming);
    const answer = this.answer(request, fault);
    response.once("close", () => answer.release?.());
    if (fault?.kind === "resetAfter") return this.reset(incoming);
    const onTheWire = fault?.kind === "cutBody" || fault?.kind === "trickle" ? fault : undefined;
    const dated = withHeaders(answer, { date: new Date(this.account.now()).toUTCString() });
    const bytes = await send(incoming, response, dated, onTheWire);
    this.requests.answered(answer.status, bytes);
  }

  private answer(request: FakeRequest, fault: Fault | undefined): Answer {
    if (fault?.kind === "expireToken") {
      const session = this.oauth.who(request);
      if (typeof session === "object") this.oauth.expire(session.token);
    }
    const instead = fault && answerInstead(fault);
    if (instead !== undefined) return instead;
    if (request.path === "/oauth/authorizations/new") return this.oauth.authorize.page(request);
    if (request.path === "/oauth/tokens") return this.oauth.token(request);
    const { refusal, headers } = this.limits.count(request.path, this.account.now());
    const answer = withHeaders(refusal ?? this.routes.handle(request), headers);
    return fault === undefined || answer.status >= 300 ? answer : damage(answer, fault, request.query);
  }

  private reset(incoming: IncomingMessage): void {
    this.requests.answered("reset", 0);
    incoming.socket.resetAndDestroy();
  }
}

async function read(incoming: IncomingMessage): Promise<FakeRequest> {
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
  for (const [name, value] of Object.entries(incoming.headers)) {
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return {
    method: incoming.method ?? "GET",
    target,
    path: question < 0 ? target : target.slice(0, question),
    query: new URLSearchParams(question < 0 ? "" : target.slice(question + 1)),
    headers,
    body: Buffer.concat(pieces),
  };
}
