import { createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { promisify } from "node:util";
import { type Answer, type FakeRequest, notFound, rawAnswer } from "./answer.js";
import { Bench, type BenchOptions } from "./bench.js";
import { BulkJobs, type BulkOptions, OWN_LOCATOR } from "./bulk/jobs.js";
import { control } from "./control.js";
import { type CursorOptions, Cursors, type ShortPages } from "./cursors.js";
import type { Fault, FaultScript } from "./fault-script.js";
import { Faults } from "./faults.js";
import { type GeneratedOrgOptions, generateOrg } from "./generate.js";
import { recordId } from "./ids.js";
import { OAuth, type OAuthOptions } from "./oauth.js";
import { type FakeClock, Org } from "./org.js";
import { Requests } from "./requests.js";
import { RestApi } from "./rest.js";
import { answerInstead, damage } from "./strike.js";
import { pause, send } from "./wire.js";

export interface SalesforceFakeOptions extends OAuthOptions {
  /** Default: any free port. */
  readonly port?: number;
  /** A ready org, or how to generate one. Default: an org without records. */
  readonly org?: Org | GeneratedOrgOptions;
  /** Serves `Bench__c` from pre-rendered pages. */
  readonly bench?: BenchOptions;
  /** The org's own clock, also in the Date header of every answer. */
  readonly clock?: FakeClock;
  /** Records a page, 2,000 as in the service; smaller for tests. */
  readonly pageSize?: number;
  /** Answers some pages shorter than asked. */
  readonly shortPages?: ShortPages;
  readonly cursors?: CursorOptions;
  readonly bulk?: BulkOptions;
  /** Every answer comes so much later. */
  readonly latencyMs?: number;
  readonly faults?: FaultScript;
  /** API calls a day; default 100,000. */
  readonly dailyLimit?: number;
  /** How far latestDateCovered of getUpdated stays behind now; default 0. */
  readonly heldBackMs?: number;
  /** Private key (PEM, PKCS #8) of the app; default: one made for this process. */
  readonly privateKeyPem?: string;
}

const NO_RECORDS: GeneratedOrgOptions = { accounts: 0, contacts: 0, opportunities: 0, invoices: 0 };
/** Longest URL, and longest URL with headers, in bytes. */
const MAX_URL_BYTES = 16_384;
const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** Starts a Salesforce org on a loopback port. */
export async function startSalesforceFake(options: SalesforceFakeOptions = {}): Promise<SalesforceFake> {
  const privateKeyPem = options.privateKeyPem ?? (await sharedKey());
  const fake = new SalesforceFake(options, privateKeyPem);
  await fake.listen(options.port ?? 0);
  return fake;
}

let processKey: Promise<string> | undefined;

/** One key per process: making an RSA key takes up to seconds, and tests start many fakes. */
function sharedKey(): Promise<string> {
  processKey ??= newKey();
  return processKey;
}

async function newKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

export class SalesforceFake {
  readonly clientId = "3MVG9sluiceFakeConsumerKey.0123456789abcdefghijklmnopqrstuvwxyz";
  readonly clientSecret = "0F1E2D3C4B5A69788796A5B4C3D2E1F00F1E2D3C4B5A69788796A5B4C3D2E1F0";
  readonly username = "integration@sluice.example";
  readonly privateKeyPem: string;
  readonly publicKey: KeyObject;
  readonly org: Org;
  readonly faults: Faults;
  readonly requests = new Requests();
  readonly oauth: OAuth;
  readonly bulk: BulkJobs;
  /** A live access token from the start. */
  readonly accessToken: string;
  /** Called before a request is answered: for what happens in the org between two requests. */
  before: ((method: string, target: string) => void) | undefined;
  private readonly cursors: Cursors;
  private readonly rest: RestApi;
  private readonly clock: FakeClock;
  private readonly latencyMs: number;
  private readonly server: Server;

  constructor(options: SalesforceFakeOptions, privateKeyPem: string) {
    const clock = options.clock ?? { now: () => Date.now() };
    this.clock = clock;
    this.privateKeyPem = privateKeyPem;
    this.publicKey = createPublicKey(privateKeyPem);
    this.org = options.org instanceof Org ? options.org : generateOrg(options.org ?? NO_RECORDS, clock);
    this.faults = new Faults(options.faults);
    this.latencyMs = options.latencyMs ?? 0;
    const identity = {
      clientId: this.clientId,
      clientSecret: this.clientSecret,
      username: this.username,
      userId: recordId("005", 0),
      organizationId: this.org.organizationId,
      publicKey: this.publicKey,
    };
    this.oauth = new OAuth(identity, options, clock);
    this.accessToken = this.oauth.startSession();
    this.cursors = new Cursors(options.cursors ?? {}, options.shortPages, clock);
    const bench = options.bench === undefined ? undefined : new Bench(this.org, options.bench);
    this.bulk = new BulkJobs(this.org, bench, clock, options.bulk ?? {});
    this.rest = new RestApi(
      this.org,
      this.oauth,
      this.cursors,
      { bench, bulk: this.bulk },
      {
        url: () => this.url,
        clock,
        dailyLimit: options.dailyLimit ?? 100_000,
        pageSize: options.pageSize ?? 2000,
        heldBackMs: options.heldBackMs ?? 0,
      },
    );
    // The size limits of the service are checked here; Node's own would answer first otherwise.
    this.server = createServer(
      { maxHeaderSize: 64 * 1024, keepAliveTimeout: 60_000 },
      (request, response) => {
        this.serve(request, response).catch((error: unknown) => {
          response.destroy(error instanceof Error ? error : undefined);
          process.emitWarning(error instanceof Error ? error : String(error));
        });
      },
    );
  }

  async listen(port: number): Promise<void> {
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("the fake is not listening");
    return address.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The refresh token that works now. */
  get refreshToken(): string {
    return this.oauth.refreshToken;
  }

  /** What a flow's `${env:...}` needs to reach this org. */
  environment(): Record<string, string> {
    return {
      SF_URL: this.url,
      SF_CLIENT_ID: this.clientId,
      SF_CLIENT_SECRET: this.clientSecret,
      SF_USERNAME: this.username,
      SF_PRIVATE_KEY: this.privateKeyPem,
      SF_REFRESH_TOKEN: this.refreshToken,
      SF_ACCESS_TOKEN: this.accessToken,
    };
  }

  apiUsage(): { readonly used: number; readonly limit: number } {
    return { used: this.rest.used, limit: this.rest.dailyLimit };
  }

  setDailyLimit(limit: number, used?: number): void {
    this.rest.dailyLimit = limit;
    if (used !== undefined) this.rest.used = used;
  }

  /** Ends every session; a client must log in again. */
  expireTokens(): void {
    this.oauth.expireAll();
  }

  /** Drops every open query locator. */
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
    const request = await read(incoming);
    // Of this org's clock, which need not be the client's.
    response.setHeader("date", new Date(this.clock.now()).toUTCString());
    if (request.path.startsWith("/__fake/")) {
      await send(incoming, response, control(this, request), undefined);
      return;
    }
    this.requests.count(request.method, request.path, request.target);
    this.before?.(request.method, request.target);
    const tooLong = refuseLength(incoming, request);
    const fault = tooLong === undefined ? this.faults.strike(request.method, request.target) : undefined;
    const delay = this.latencyMs + (fault?.kind === "slow" ? fault.delayMs : 0);
    if (delay > 0) await pause(delay);
    if (fault?.kind === "resetBefore") return this.reset(incoming);
    const answer = tooLong ?? this.answer(request, fault);
    response.once("close", () => answer.release?.());
    if (fault?.kind === "resetAfter") return this.reset(incoming);
    const bytes = await send(incoming, response, answer, fault);
    this.requests.answered(answer.status, bytes);
  }

  private answer(request: FakeRequest, fault: Fault | undefined): Answer {
    const session = fault?.kind === "expireToken" ? this.oauth.session(request) : undefined;
    if (session !== undefined) this.oauth.expire(session);
    const instead = fault && answerInstead(fault);
    if (instead !== undefined) return instead;
    const answer = this.route(request);
    const damaged = fault === undefined ? answer : damage(answer, fault, request.target);
    const { [OWN_LOCATOR]: _, ...headers } = damaged.headers;
    return { ...damaged, headers };
  }

  private route(request: FakeRequest): Answer {
    const { path } = request;
    if (path === "/services/oauth2/authorize") return this.oauth.authorize.page(request);
    if (path === "/services/oauth2/token") return this.oauth.token(request, this.url);
    if (path === "/services/oauth2/userinfo" || path.startsWith("/id/")) {
      if (this.oauth.session(request) === undefined)
        return rawAnswer(403, "Bad_OAuth_Token", { "content-type": "text/html" });
      return this.oauth.who(this.url, path.startsWith("/id/") ? "identity" : "userinfo");
    }
    return /^\/services\/data(\/|$)/.test(path) ? this.rest.handle(request) : notFound();
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

/** URL above 16,384 bytes: 414; URL and headers together: 431. The gateway answers, so the body is HTML. */
function refuseLength(incoming: IncomingMessage, request: FakeRequest): Answer | undefined {
  const url = Buffer.byteLength(request.target);
  const headers = incoming.rawHeaders.reduce((sum, text) => sum + Buffer.byteLength(text) + 2, 0);
  const html = { "content-type": "text/html" };
  if (url > MAX_URL_BYTES)
    return rawAnswer(414, "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>", html);
  if (url + headers > MAX_URL_BYTES) {
    return rawAnswer(431, "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>", html);
  }
  return undefined;
}
