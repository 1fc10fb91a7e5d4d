import { createHash, randomBytes } from "node:crypto";
import {
  ConfigError,
  type HttpClient,
  type OAuthApp,
  Secret,
  type TokenSet,
  TransientError,
  urlProblem,
} from "../contracts/index.js";
import { renewalTime } from "./grant.js";
import type { Answer, StatusRow } from "./status.js";

/** One sign-in: what ties the person's browser, the redirect and the token request together. */
export interface SignIn {
  readonly redirectUri: string;
  /** Comes back with the redirect: proof that it belongs to this sign-in. */
  readonly state: Secret;
  /** PKCE (RFC 7636): proof that who asks for the tokens is who asked for the code. */
  readonly verifier: Secret;
}

export function beginSignIn(redirectUri: string): SignIn {
  // Not the Random of the host: nobody may be able to repeat these.
  const unguessable = () => new Secret(randomBytes(32).toString("base64url"));
  return { redirectUri, state: unguessable(), verifier: unguessable() };
}

/** The page that the person's browser is sent to. */
export function authorizeUrl(app: OAuthApp, { redirectUri, state, verifier }: SignIn): string {
  const url = new URL(app.authorizeUrl);
  const parameters = {
    response_type: "code",
    client_id: app.clientId,
    redirect_uri: redirectUri,
    state: state.open(),
    code_challenge: createHash("sha256").update(verifier.open()).digest("base64url"),
    code_challenge_method: "S256",
    ...app.authorizeParameters,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/**
 * Tokens for the code that came with the redirect. A code works once and is never sent twice. AuthError where the account
 * refuses it, ConfigError where it does not know the app or the redirect.
 */
export async function redeemCode(
  http: HttpClient,
  app: OAuthApp,
  { redirectUri, verifier }: SignIn,
  code: Secret,
  options: { readonly now: number; readonly signal: AbortSignal },
): Promise<TokenSet> {
  const parameters: Record<string, string> = {
    grant_type: "authorization_code",
    code: code.open(),
    redirect_uri: redirectUri,
    client_id: app.clientId,
    ...(app.clientSecret === undefined ? {} : { client_secret: app.clientSecret.open() }),
    code_verifier: verifier.open(),
    ...app.tokenParameters,
  };
  const isJson = app.tokenBody === "json";
  const answer = await http.request({
    method: "POST",
    url: app.tokenUrl,
    headers: { "content-type": isJson ? "application/json" : "application/x-www-form-urlencoded" },
    body: isJson ? JSON.stringify(parameters) : new URLSearchParams(parameters).toString(),
    authenticate: false,
    idempotent: false,
    signal: options.signal,
  });
  return tokensIn(answer.json(), app, options.now);
}

function tokensIn(answer: unknown, app: OAuthApp, now: number): TokenSet {
  const part = app.tokensIn === undefined ? answer : memberOf(answer, app.tokensIn);
  const access = textOf(part, "access_token");
  if (access === undefined) {
    throw new TransientError("OAUTH_TOKEN_ANSWER", "the token answer lacks access_token", {
      place: app.tokenUrl,
      fix: "Sign in again; if it stays, check the app's settings.",
    });
  }
  const refresh = textOf(part, "refresh_token");
  const seconds = memberOf(part, "expires_in");
  const baseUrl = app.baseUrlIn === undefined ? undefined : textOf(answer, app.baseUrlIn);
  if (baseUrl !== undefined && urlProblem(baseUrl) !== undefined) {
    throw new ConfigError("OAUTH_BASE_URL", `the ${app.baseUrlIn} of the token answer is not https`, {
      place: app.tokenUrl,
      fix: "Check the addresses of the connection.",
    });
  }
  return {
    accessToken: new Secret(access),
    refreshToken: refresh === undefined ? undefined : new Secret(refresh),
    renewAt: typeof seconds === "number" && seconds > 0 ? renewalTime(now, seconds * 1000) : undefined,
    baseUrl: baseUrl?.replace(/\/+$/, ""),
    identity: app.identityIn === undefined ? undefined : textOf(answer, app.identityIn),
  };
}

/** The token endpoint's refusals: an object with `error` (RFC 6749, 5.2), of some APIs with status 200. */
export const CODE_ROWS: readonly StatusRow[] = [
  {
    status: [200, 400, 401, 403],
    when: isOneOf("invalid_grant", "invalid_code", "code_already_used", "code_expired", "access_denied"),
    verdict: "auth",
    code: "OAUTH_CODE_REFUSED",
    message: said,
    fix: "Sign in again: a code works once, and for a minute or two.",
  },
  {
    status: [200, 400, 401, 403],
    when: isOneOf(
      "invalid_client",
      "invalid_client_id",
      "bad_client_secret",
      "unauthorized_client",
      "inactive_org",
      "inactive_user",
    ),
    verdict: "auth",
    code: "OAUTH_CLIENT_REFUSED",
    message: said,
    fix: "Check clientId and clientSecret, and that the app allows the authorization code flow.",
  },
  {
    status: [200, 400, 401, 403],
    when: ({ body }) => textOf(body, "error") !== undefined,
    verdict: "config",
    code: "OAUTH_REFUSED",
    message: said,
    fix: "Check the app's settings: redirect URL, scopes and PKCE.",
  },
];

function isOneOf(...errors: readonly string[]): (answer: Answer) => boolean {
  return ({ body }) => errors.includes(textOf(body, "error") ?? "");
}

function said({ body }: Answer): string {
  const description = textOf(body, "error_description");
  return `${textOf(body, "error")}${description === undefined ? "" : `: ${description}`}`;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function textOf(value: unknown, name: string): string | undefined {
  const member = memberOf(value, name);
  return typeof member === "string" && member !== "" ? member : undefined;
}
