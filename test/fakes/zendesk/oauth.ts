import { randomBytes } from "node:crypto";
import type { FakeClock } from "./account.js";
import { type Answer, type FakeRequest, jsonAnswer, oauthError } from "./answer.js";
import { Authorize } from "./authorize.js";

export interface OAuthOptions {
  /** Life of an access token, seconds, where the request does not say; default 86,400. */
  readonly expiresIn?: number;
}

interface Session {
  readonly token: string;
  readonly endsAt: number;
  readonly refresh: string | undefined;
}

/**
 * `POST /oauth/tokens`, JSON. A refresh token works once: using it deletes it and the access token that came with it, and
 * answers a new pair. Access tokens live from 300 s to two days.
 */
export class OAuth {
  readonly clientId = "sluice_fake_client";
  readonly clientSecret = "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0";
  readonly email = "ada@example.com";
  readonly apiToken = "Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0Kk1Ll2Mm3N";
  private readonly clock: FakeClock;
  private readonly expiresIn: number;
  private readonly sessions = new Map<string, Session>();
  private readonly dead = new Set<string>();
  /** The refresh token that works now. */
  refreshToken = newToken();
  readonly authorize: Authorize;
  /** Tokens handed out, by grant type. */
  readonly granted: Record<string, number> = {};

  constructor(options: OAuthOptions, clock: FakeClock) {
    this.clock = clock;
    this.expiresIn = options.expiresIn ?? 86_400;
    this.authorize = new Authorize(this.clientId, clock);
  }

  /** A token without a login, as an administrator would make one; it does not end. */
  startSession(): string {
    const token = newToken();
    this.sessions.set(token, { token, endsAt: Number.POSITIVE_INFINITY, refresh: undefined });
    return token;
  }

  /** `session` where the credentials are good, otherwise what is wrong with them. */
  who(request: FakeRequest): Session | "basic" | "anonymous" | "expired" | "wrong" {
    const header = request.headers.authorization;
    if (header === undefined) return "anonymous";
    const [, basic] = /^Basic\s+(\S+)$/i.exec(header) ?? [];
    if (basic !== undefined) {
      const given = Buffer.from(basic, "base64").toString("utf8");
      return given === `${this.email}/token:${this.apiToken}` ? "basic" : "wrong";
    }
    const [, token = ""] = /^Bearer\s+(\S+)$/i.exec(header) ?? [];
    const session = this.sessions.get(token);
    if (session === undefined) return this.dead.has(token) ? "expired" : "wrong";
    return this.clock.now() < session.endsAt ? session : "expired";
  }

  /** Every access token there ever was. */
  tokens(): readonly string[] {
    return [...this.sessions.keys(), ...this.dead];
  }

  expire(token: string): void {
    this.dead.add(token);
    this.sessions.delete(token);
  }

  expireAll(): void {
    for (const token of [...this.sessions.keys()]) this.expire(token);
  }

  revokeRefreshToken(): void {
    this.refreshToken = newToken();
  }

  token(request: FakeRequest): Answer {
    const body = objectOf(request);
    if (request.method !== "POST" || body === undefined) {
      return oauthError(400, "invalid_request", "The request must be a POST of JSON");
    }
    const { grant_type: type, client_id: id, client_secret: secret } = body;
    if (id !== this.clientId) return oauthError(401, "invalid_client", "Client authentication failed");
    if (secret !== undefined && secret !== this.clientSecret) {
      return oauthError(401, "invalid_client", "Client authentication failed");
    }
    if (type === "client_credentials") {
      if (secret === undefined) return oauthError(401, "invalid_client", "Client authentication failed");
      return this.grant(type, body, undefined);
    }
    if (type === "authorization_code") {
      if (!this.authorize.redeem(body))
        return oauthError(400, "invalid_grant", "The code is invalid, expired or was used before");
      this.refreshToken = newToken();
      return this.grant(type, body, this.refreshToken);
    }
    if (type !== "refresh_token") {
      return oauthError(400, "unsupported_grant_type", "The grant type is not supported");
    }
    if (body.refresh_token !== this.refreshToken) {
      return oauthError(400, "invalid_grant", "The refresh token is invalid, expired or was used before");
    }
    for (const { token, refresh } of this.sessions.values()) {
      if (refresh === this.refreshToken) this.expire(token);
    }
    this.refreshToken = newToken();
    return this.grant(type, body, this.refreshToken);
  }

  /** `GET /api/v2/oauth/tokens/current.json`. */
  current(session: Session): Answer {
    const ends = session.endsAt;
    return jsonAnswer(200, {
      token: {
        id: 1,
        expires_at: Number.isFinite(ends) ? new Date(ends).toISOString() : null,
        scopes: ["read"],
      },
    });
  }

  private grant(kind: string, body: Record<string, unknown>, refresh: string | undefined): Answer {
    const asked = body.expires_in;
    const life = typeof asked === "number" ? asked : this.expiresIn;
    if (life < 300 || life > 172_800) {
      return oauthError(400, "invalid_request", "expires_in must be from 300 to 172800");
    }
    this.granted[kind] = (this.granted[kind] ?? 0) + 1;
    const token = newToken();
    this.sessions.set(token, { token, endsAt: this.clock.now() + life * 1000, refresh });
    return jsonAnswer(200, {
      access_token: token,
      ...(refresh === undefined ? {} : { refresh_token: refresh, refresh_token_expires_in: 2_592_000 }),
      token_type: "bearer",
      scope: typeof body.scope === "string" ? body.scope : "read",
      expires_in: life,
    });
  }
}

function newToken(): string {
  return randomBytes(32).toString("hex");
}

function objectOf(request: FakeRequest): Record<string, unknown> | undefined {
  if (!(request.headers["content-type"] ?? "").startsWith("application/json")) return undefined;
  try {
    const value: unknown = JSON.parse(request.body.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
