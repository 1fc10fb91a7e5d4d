import { createHmac, type KeyObject, randomBytes, verify } from "node:crypto";
import { type Answer, type FakeRequest, jsonAnswer, oauthError } from "./answer.js";
import { Authorize, type AuthorizeOptions } from "./authorize.js";
import { id18 } from "./ids.js";
import type { FakeClock } from "./org.js";

/** The app and the user that may log in. */
export interface Identity {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly username: string;
  readonly userId: string;
  readonly organizationId: string;
  /** Registered with the app; verifies JWT assertions. */
  readonly publicKey: KeyObject;
}

export interface OAuthOptions extends AuthorizeOptions {
  /** Access tokens die after so long (org policy; no token answer tells it). Default: never. */
  readonly sessionMs?: number;
  /** A refresh answer carries a new refresh token and the old one is dead at once. Default false. */
  readonly rotateRefreshToken?: boolean;
  /** With rotation: the refresh token before works for so long after it was used. Default 0. */
  readonly refreshGraceMs?: number;
  /** Each new session ends the one before. Default false. */
  readonly oneSession?: boolean;
}

interface Session {
  readonly token: string;
  readonly startedAt: number;
}

const JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SCOPE = "refresh_token api web id";
/** The service refuses an assertion that lives much longer than the three minutes it asks for. */
const MAX_ASSERTION_MS = 10 * 60_000;

/**
 * The OAuth endpoints of an org: authorize page, refresh token, JWT bearer, client credentials; userinfo and the identity URL.
 * Token answers have `issued_at` in milliseconds as text and, as in the service, no `expires_in`.
 */
export class OAuth {
  private readonly identity: Identity;
  private readonly options: OAuthOptions;
  private readonly clock: FakeClock;
  private readonly sessions = new Map<string, Session>();
  /** Every token there ever was: what must show nowhere. */
  readonly issued: string[] = [];
  /** The refresh token that works now. */
  refreshToken = this.newRefreshToken();
  /** The one before, and until when it works. */
  private before = { refreshToken: "", until: 0 };
  readonly authorize: Authorize;
  /** Tokens handed out, by grant type. */
  readonly granted: Record<string, number> = {};

  constructor(identity: Identity, options: OAuthOptions, clock: FakeClock) {
    this.identity = identity;
    this.options = options;
    this.clock = clock;
    this.authorize = new Authorize(identity.clientId, options, clock);
  }

  /** A session without a login, as an administrator would paste one. */
  startSession(): string {
    if (this.options.oneSession) this.sessions.clear();
    const token = `${this.identity.organizationId}!AQ${randomBytes(48).toString("base64url")}`;
    this.issued.push(token);
    this.sessions.set(token, { token, startedAt: this.clock.now() });
    return token;
  }

  /** The access token of a request when its session lives; undefined otherwise. */
  session(request: FakeRequest): string | undefined {
    const header = /^(?:Bearer|OAuth)\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    const session = this.sessions.get(header ?? request.query.get("oauth_token") ?? "");
    if (session === undefined) return undefined;
    const { sessionMs } = this.options;
    if (sessionMs !== undefined && this.clock.now() - session.startedAt >= sessionMs) {
      this.sessions.delete(session.token);
      return undefined;
    }
    return session.token;
  }

  expire(token: string): void {
    this.sessions.delete(token);
  }

  expireAll(): void {
    this.sessions.clear();
  }

  revokeRefreshToken(): void {
    this.before = { refreshToken: "", until: 0 };
    this.refreshToken = this.newRefreshToken();
  }

  /** `POST /services/oauth2/token`. `url` is the org's own address. */
  token(request: FakeRequest, url: string): Answer {
    if (request.method !== "POST") return oauthError(400, "invalid_request", "must use HTTP POST");
    const type = request.headers["content-type"] ?? "";
    if (!type.startsWith("application/x-www-form-urlencoded")) {
      return oauthError(400, "unsupported_grant_type", "grant type not supported");
    }
    const form = new URLSearchParams(request.body.toString("utf8"));
    switch (form.get("grant_type")) {
      case "refresh_token":
        return this.refresh(request, form, url);
      case "authorization_code":
        return this.code(request, form, url);
      case "client_credentials":
        return this.clientCredentials(request, form, url);
      case JWT_GRANT:
        return this.jwtBearer(form, url);
      default:
        return oauthError(400, "unsupported_grant_type", "grant type not supported");
    }
  }

  private refresh(request: FakeRequest, form: URLSearchParams, url: string): Answer {
    const refused = this.refuseClient(request, form);
    if (refused !== undefined) return refused;
    const given = form.get("refresh_token");
    const { refreshToken, until } = this.before;
    if (given !== this.refreshToken && !(given === refreshToken && this.clock.now() < until)) {
      return oauthError(400, "invalid_grant", "expired access/refresh token");
    }
    if (!this.options.rotateRefreshToken) return this.grant("refresh_token", url);
    this.before = { refreshToken: given, until: this.clock.now() + (this.options.refreshGraceMs ?? 0) };
    this.refreshToken = this.newRefreshToken();
    return this.grant("refresh_token", url, { refresh_token: this.refreshToken });
  }

  /** A code of the authorize page. Without the scope refresh_token (or offline_access) there is no refresh token. */
  private code(request: FakeRequest, form: URLSearchParams, url: string): Answer {
    const refused = this.refuseClient(request, form);
    if (refused !== undefined) return refused;
    const scopes = this.authorize.redeem(form);
    if ("status" in scopes) return scopes;
    const lasts = scopes.includes("refresh_token") || scopes.includes("offline_access");
    if (!lasts) return this.grant("authorization_code", url);
    this.before = { refreshToken: "", until: 0 };
    this.refreshToken = this.newRefreshToken();
    return this.grant("authorization_code", url, { refresh_token: this.refreshToken });
  }

  private clientCredentials(request: FakeRequest, form: URLSearchParams, url: string): Answer {
    return this.refuseClient(request, form, true) ?? this.grant("client_credentials", url);
  }

  /** Client id and secret come in the body or as Basic; a public client may refresh without a secret. */
  private refuseClient(
    request: FakeRequest,
    form: URLSearchParams,
    secretNeeded = false,
  ): Answer | undefined {
    const basic = /^Basic\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    let id = form.get("client_id");
    let secret = form.get("client_secret");
    if (basic !== undefined) {
      const decoded = Buffer.from(basic, "base64").toString("utf8");
      const colon = decoded.indexOf(":");
      id = decodeURIComponent(decoded.slice(0, colon));
      secret = decodeURIComponent(decoded.slice(colon + 1));
    }
    if (id !== this.identity.clientId)
      return oauthError(400, "invalid_client_id", "client identifier invalid");
    if (secret === null && !secretNeeded) return undefined;
    if (secret !== this.identity.clientSecret)
      return oauthError(400, "invalid_client", "invalid client credentials");
    return undefined;
  }

  private jwtBearer(form: URLSearchParams, url: string): Answer {
    const invalid = oauthError(400, "invalid_grant", "invalid assertion");
    const [head, payload, signature] = (form.get("assertion") ?? "").split(".");
    if (head === undefined || payload === undefined || signature === undefined) return invalid;
    const header = jsonObject(head);
    const claims = jsonObject(payload);
    if (header?.alg !== "RS256" || claims === undefined) return invalid;
    if (claims.iss !== this.identity.clientId) {
      return oauthError(400, "invalid_client_id", "client identifier invalid");
    }
    const signed = Buffer.from(`${head}.${payload}`);
    if (!verify("RSA-SHA256", signed, this.identity.publicKey, Buffer.from(signature, "base64url")))
      return invalid;
    const audiences = [claims.aud].flat();
    const known = ["https://login.salesforce.com", "https://test.salesforce.com", url];
    if (!audiences.some((aud) => typeof aud === "string" && known.includes(aud.replace(/\/$/, "")))) {
      return oauthError(400, "invalid_grant", "audience is invalid");
    }
    // `exp` is in seconds; milliseconds end up far in the future and are refused like any other long life.
    if (typeof claims.exp !== "number") return invalid;
    const leftMs = claims.exp * 1000 - this.clock.now();
    if (leftMs <= 0) return oauthError(400, "invalid_grant", "expired authorization code");
    if (leftMs > MAX_ASSERTION_MS) return invalid;
    if (claims.sub !== this.identity.username) {
      return oauthError(400, "invalid_grant", "user hasn't approved this consumer");
    }
    return this.grant("jwt_bearer", url);
  }

  private grant(kind: string, url: string, extra: Record<string, string> = {}): Answer {
    this.granted[kind] = (this.granted[kind] ?? 0) + 1;
    const issuedAt = String(this.clock.now());
    const id = this.identityUrl(url);
    const signature = createHmac("sha256", this.identity.clientSecret)
      .update(id + issuedAt)
      .digest("base64");
    const answer = {
      access_token: this.startSession(),
      signature,
      scope: SCOPE,
      instance_url: url,
      id,
      token_type: "Bearer",
      issued_at: issuedAt,
      ...extra,
    };
    return jsonAnswer(200, answer, { "cache-control": "no-cache, no-store", pragma: "no-cache" });
  }

  private newRefreshToken(): string {
    const token = `5Aep861${randomBytes(40).toString("base64url")}`;
    this.issued.push(token);
    return token;
  }

  identityUrl(url: string): string {
    return `${url}/id/${id18(this.identity.organizationId)}/${this.identity.userId}`;
  }

  /** `GET /services/oauth2/userinfo` (OpenID names) and `GET /id/{org}/{user}` (Salesforce's own). */
  who(url: string, form: "userinfo" | "identity"): Answer {
    const { userId, username } = this.identity;
    const organizationId = id18(this.identity.organizationId);
    const shared = {
      user_id: userId,
      organization_id: organizationId,
      email: username,
      email_verified: true,
      language: "en_US",
      locale: "en_US",
      user_type: "STANDARD",
      active: true,
      urls: {
        rest: `${url}/services/data/v{version}/`,
        sobjects: `${url}/services/data/v{version}/sobjects/`,
        query: `${url}/services/data/v{version}/query/`,
        custom_domain: url,
      },
    };
    return form === "userinfo"
      ? jsonAnswer(200, {
          sub: this.identityUrl(url),
          preferred_username: username,
          name: "Integration User",
          given_name: "Integration",
          family_name: "User",
          zoneinfo: "GMT",
          ...shared,
        })
      : jsonAnswer(200, {
          id: this.identityUrl(url),
          asserted_user: true,
          username,
          display_name: "Integration User",
          nick_name: "integration",
          first_name: "Integration",
          last_name: "User",
          timezone: "GMT",
          ...shared,
        });
  }
}

function jsonObject(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
