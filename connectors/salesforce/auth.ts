import {
  AuthError,
  type Clock,
  ConfigError,
  type ConnectorContext,
  type HttpClient,
  type HttpRequest,
  Secret,
  type TokenSet,
  TransientError,
} from "../../core/contracts/index.js";
import {
  type Authenticator,
  type Credentials,
  createAuthenticator,
  createGrantAuthenticator,
  tokensOf,
} from "../../core/http/index.js";
import {
  defaultAudience,
  isSafeUrl,
  type SalesforceAuth,
  type SalesforceConfig,
  tokenUrlOf,
} from "./config.js";

/** An assertion lives three minutes; Salesforce refuses a longer life. */
const ASSERTION_LIFE_S = 180;
const JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";

export interface SalesforceAuthenticator extends Authenticator {
  /** `https://login.salesforce.com/id/<org>/<user>` of the last token answer; undefined for a ready access token. */
  identityUrl(): string | undefined;
}

/**
 * Signs in and renews. There is no expires_in: a token lives until a request is refused with it.
 *
 * Where rotation is on, a refresh answer carries a new refresh token and the old one is dead. `context.tokens` stores it
 * before the new access token is used, and lets one process at a time refresh. `secrets` learns the tokens as they come.
 */
export function createSalesforceAuth(
  config: SalesforceConfig,
  http: HttpClient,
  context: Pick<ConnectorContext, "clock" | "connection" | "tokens" | "onTokenRotated">,
  secrets: Secret[],
): SalesforceAuthenticator {
  const { auth, instanceUrl: baseUrl } = config;
  const { clock, connection } = context;
  let identityUrl: string | undefined;
  const ask = async (refreshToken: Secret | undefined, signal: AbortSignal): Promise<TokenSet> => {
    const request = await tokenRequest(config, refreshToken, clock);
    const answer = await http.request({ ...request, signal });
    return parseToken(answer.json(), connection);
  };
  const sign = (tokens: TokenSet): Credentials => {
    identityUrl = tokens.identity;
    return bearer(tokens.accessToken.open(), tokens.baseUrl ?? baseUrl);
  };
  if (auth.type === "oauth" || auth.type === "refreshToken") {
    const configured = auth.type === "refreshToken" ? auth.refreshToken : undefined;
    const tokens = tokensOf(context, configured);
    const granted = createGrantAuthenticator({ baseUrl, tokens, clock, exchange: ask, sign, secrets });
    return { ...granted, identityUrl: () => identityUrl };
  }
  let used = false;
  const authenticator = createAuthenticator({
    baseUrl,
    obtain: async (signal) => {
      if (auth.type !== "accessToken") return sign(await ask(undefined, signal));
      if (used) throw expiredAccessToken(connection);
      used = true;
      return bearer(auth.accessToken.open(), baseUrl);
    },
  });
  return { ...authenticator, identityUrl: () => identityUrl };
}

function bearer(token: string, baseUrl: string): Credentials {
  return { headers: { authorization: `Bearer ${token}` }, baseUrl };
}

function expiredAccessToken(connection: string): AuthError {
  return new AuthError("SALESFORCE_ACCESS_TOKEN_EXPIRED", "the access token is no longer valid", {
    place: connection,
    fix: "Set a new accessToken, or use auth of type jwt, clientCredentials or refreshToken, which renew themselves.",
  });
}

async function tokenRequest(
  config: SalesforceConfig,
  refreshToken: Secret | undefined,
  clock: Clock,
): Promise<HttpRequest> {
  const { auth } = config;
  return {
    method: "POST",
    url: tokenUrlOf(config),
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(await grant(auth, config, refreshToken, clock)).toString(),
    authenticate: false,
    // Asking twice is harmless; where a lost answer rotated the refresh token, the old one is dead either way.
    idempotent: true,
  };
}

async function grant(
  auth: SalesforceAuth,
  config: SalesforceConfig,
  refreshToken: Secret | undefined,
  clock: Clock,
): Promise<Record<string, string>> {
  switch (auth.type) {
    case "jwt":
      return { grant_type: JWT_GRANT, assertion: await assertion(auth, config, clock) };
    case "clientCredentials":
      return {
        grant_type: "client_credentials",
        client_id: auth.clientId,
        client_secret: auth.clientSecret.open(),
      };
    case "oauth":
    case "refreshToken":
      return {
        grant_type: "refresh_token",
        client_id: auth.clientId,
        ...(auth.clientSecret === undefined ? {} : { client_secret: auth.clientSecret.open() }),
        refresh_token: refreshToken?.open() ?? "",
      };
    case "accessToken":
      throw expiredAccessToken("");
  }
}

async function assertion(
  auth: Extract<SalesforceAuth, { type: "jwt" }>,
  config: SalesforceConfig,
  clock: Clock,
): Promise<string> {
  // A key that came through an environment variable often has its line ends written as \n.
  const pem = auth.privateKey.open().replaceAll("\\n", "\n");
  const { importPKCS8, SignJWT } = await import("jose");
  const key = await importPKCS8(pem, "RS256").catch((): never => {
    // The parser's own message may quote the key.
    throw new ConfigError("SALESFORCE_PRIVATE_KEY", "privateKey is no RSA private key in PKCS #8 PEM", {
      place: "auth.privateKey",
      fix: "Convert it: openssl pkcs8 -topk8 -nocrypt -in key.pem -out key.pkcs8.pem",
    });
  });
  return new SignJWT({})
    .setProtectedHeader({ alg: "RS256" })
    .setIssuer(auth.clientId)
    .setSubject(auth.username)
    .setAudience(auth.audience ?? defaultAudience(config.loginUrl))
    .setExpirationTime(Math.floor(clock.now() / 1000) + ASSERTION_LIFE_S)
    .sign(key);
}

function parseToken(answer: unknown, connection: string): TokenSet {
  const fields = typeof answer === "object" && answer !== null ? answer : {};
  const text = (name: string): string | undefined => {
    const value: unknown = Reflect.get(fields, name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const token = text("access_token");
  const instanceUrl = text("instance_url");
  if (token === undefined || instanceUrl === undefined) {
    throw new TransientError(
      "SALESFORCE_TOKEN_ANSWER",
      "the token answer lacks access_token or instance_url",
      { place: connection },
    );
  }
  if (!isSafeUrl(instanceUrl)) {
    throw new ConfigError("SALESFORCE_INSTANCE_URL", "the instance_url of the token answer is not https", {
      place: connection,
      fix: "Check loginUrl: it must be a host of Salesforce.",
    });
  }
  const rotated = text("refresh_token");
  return {
    accessToken: new Secret(token),
    refreshToken: rotated === undefined ? undefined : new Secret(rotated),
    renewAt: undefined,
    baseUrl: instanceUrl.replace(/\/+$/, ""),
    identity: text("id"),
  };
}
