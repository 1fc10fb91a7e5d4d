import { importPKCS8, SignJWT } from "jose";
import {
  AuthError,
  type Clock,
  ConfigError,
  type ConnectorContext,
  type HttpClient,
  type HttpRequest,
  Secret,
  TransientError,
} from "../../core/contracts/index.js";
import { type Authenticator, type Credentials, createAuthenticator } from "../../core/http/index.js";
import { defaultAudience, isSafeUrl, type SalesforceAuth, type SalesforceConfig } from "./config.js";

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
 * Left out for now: where rotation is on, a refresh answer carries a new refresh token and the old one is dead. It is
 * kept for the life of the connection and handed to `context.onTokenRotated` before the new access token is used.
 */
export function createSalesforceAuth(
  config: SalesforceConfig,
  http: HttpClient,
  context: Pick<ConnectorContext, "clock" | "connection" | "onTokenRotated">,
): SalesforceAuthenticator {
  let refreshToken = config.auth.type === "refreshToken" ? config.auth.refreshToken : undefined;
  let used = false;
  let identityUrl: string | undefined;
  const authenticator = createAuthenticator({
    baseUrl: config.instanceUrl,
    obtain: async (signal) => {
      if (config.auth.type === "accessToken") {
        if (used) throw expiredAccessToken(context.connection);
        used = true;
        return bearer(config.auth.accessToken.open(), config.instanceUrl);
      }
      const answer = await http.request({
        ...(await tokenRequest(config, refreshToken, context.clock)),
        signal,
      });
      const token = parseToken(answer.json(), config, context.connection);
      if (token.refreshToken !== undefined) {
        refreshToken = token.refreshToken;
        await context.onTokenRotated?.(token.refreshToken);
      }
      identityUrl = token.identityUrl;
      return token.credentials;
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
    url: tokenUrl(config),
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(await grant(auth, config, refreshToken, clock)).toString(),
    authenticate: false,
    // Asking twice is harmless; where a lost answer rotated the refresh token, the old one is dead either way.
    idempotent: true,
  };
}

function tokenUrl(config: SalesforceConfig): string {
  if (config.auth.type === "jwt" && config.auth.tokenUrl !== undefined) return config.auth.tokenUrl;
  // Client credentials are known to the org alone, not to the shared login hosts.
  const host = config.auth.type === "clientCredentials" ? config.instanceUrl : config.loginUrl;
  return `${host}/services/oauth2/token`;
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
    case "refreshToken":
      return {
        grant_type: "refresh_token",
        client_id: auth.clientId,
        ...(auth.clientSecret === undefined ? {} : { client_secret: auth.clientSecret.open() }),
        refresh_token: (refreshToken ?? auth.refreshToken).open(),
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

interface Token {
  readonly credentials: Credentials;
  readonly identityUrl: string | undefined;
  /** A rotated one. */
  readonly refreshToken: Secret | undefined;
}

function parseToken(answer: unknown, config: SalesforceConfig, connection: string): Token {
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
      {
        place: connection,
      },
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
    credentials: bearer(token, instanceUrl.replace(/\/+$/, "")),
    identityUrl: text("id"),
    refreshToken:
      config.auth.type === "refreshToken" && rotated !== undefined ? new Secret(rotated) : undefined,
  };
}
