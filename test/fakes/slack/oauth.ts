import { randomBytes } from "node:crypto";
import { type FakeRequest, Refusal, type Result } from "./answer.js";
import type { Call } from "./call.js";
import type { FakeClock } from "./workspace.js";

export interface OAuthOptions {
  /** Scopes of the token; default all that reading needs. */
  readonly scopes?: readonly string[];
  /** Life of a rotating access token; default 12 hours. */
  readonly tokenMs?: number;
}

export const ALL_SCOPES: readonly string[] = [
  ...["channels", "groups", "mpim", "im"].flatMap((kind) => [`${kind}:read`, `${kind}:history`]),
  "team:read",
  "users:read",
  "users:read.email",
  "usergroups:read",
  "files:read",
];

const TWELVE_HOURS_MS = 43_200_000;

/** Tokens: one that never expires, and rotating ones by refresh token. */
export class OAuth {
  readonly clientId = "1234567890.9876543210";
  readonly clientSecret = "c0ffee00c0ffee00c0ffee00c0ffee00";
  /** An authorization code that works once. */
  readonly code = "4724469134.code.of.the.test";
  /** Never expires, as in an app without rotation. */
  readonly token = newToken("xoxb");
  /** The refresh token that works now. */
  refreshToken = newToken("xoxe-1");
  scopes: readonly string[];
  /** Every token there ever was: what must show nowhere. */
  readonly issued: string[] = [];
  /** Renewals so far. */
  renewals = 0;
  private readonly tokenMs: number;
  private readonly clock: FakeClock;
  /** Access tokens and the end of their lives. */
  private readonly sessions = new Map<string, number>();
  private codeIsUsed = false;

  constructor(options: OAuthOptions, clock: FakeClock) {
    this.scopes = options.scopes ?? ALL_SCOPES;
    this.tokenMs = options.tokenMs ?? TWELVE_HOURS_MS;
    this.clock = clock;
    this.sessions.set(this.token, Number.POSITIVE_INFINITY);
    this.issued.push(this.token, this.refreshToken);
  }

  tokenOf(request: FakeRequest, call: Call): string | undefined {
    return /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? call.text("token");
  }

  /** Refuses what does not live. */
  check(token: string | undefined): void {
    if (token === undefined) throw new Refusal("not_authed");
    const end = this.sessions.get(token);
    if (end === undefined) throw new Refusal("invalid_auth");
    if (end <= this.clock.now()) throw new Refusal("token_expired");
  }

  need(...anyOf: readonly string[]): void {
    if (anyOf.length === 0 || anyOf.some((scope) => this.scopes.includes(scope))) return;
    throw new Refusal("missing_scope", { needed: anyOf[0], provided: this.scopes.join(",") });
  }

  expire(token: string): void {
    if (this.sessions.has(token)) this.sessions.set(token, 0);
  }

  expireAll(): void {
    for (const token of this.sessions.keys()) this.sessions.set(token, 0);
  }

  /** The administrator removes the app. */
  revoke(): void {
    this.sessions.clear();
    this.refreshToken = newToken("xoxe-1");
  }

  /** `oauth.v2.access`: a code, or a refresh token, which is dead from then on. */
  access(call: Call, request: FakeRequest): Result {
    const [id, secret] = clientOf(call, request);
    if (id !== this.clientId) throw new Refusal("invalid_client_id");
    if (secret !== this.clientSecret) throw new Refusal("bad_client_secret");
    if (call.text("grant_type") === "refresh_token") {
      if (call.text("refresh_token") !== this.refreshToken) throw new Refusal("invalid_refresh_token");
    } else {
      if (call.text("code") !== this.code || this.codeIsUsed) throw new Refusal("invalid_code");
      this.codeIsUsed = true;
    }
    this.renewals++;
    this.refreshToken = newToken("xoxe-1");
    const token = `xoxe.${newToken("xoxb")}`;
    this.sessions.set(token, this.clock.now() + this.tokenMs);
    this.issued.push(token, this.refreshToken);
    return {
      body: {
        access_token: token,
        expires_in: Math.floor(this.tokenMs / 1000),
        refresh_token: this.refreshToken,
        token_type: "bot",
        scope: this.scopes.join(","),
        bot_user_id: "U0000BOT0",
        app_id: "A0000FAKE",
        team: { id: "T0000ACME", name: "Acme" },
        enterprise: null,
        is_enterprise_install: false,
        authed_user: { id: "U00000001" },
      },
    };
  }
}

/** In the form, or as Basic. */
function clientOf(call: Call, request: FakeRequest): readonly (string | undefined)[] {
  const basic = /^Basic\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (basic === undefined) return [call.text("client_id"), call.text("client_secret")];
  return Buffer.from(basic, "base64").toString("utf8").split(":");
}

function newToken(kind: string): string {
  return `${kind}-${randomBytes(6).readUIntBE(0, 6)}-${randomBytes(6).readUIntBE(0, 6)}-${randomBytes(18).toString("hex")}`;
}
