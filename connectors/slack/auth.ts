import {
  AuthError,
  type ConnectorContext,
  type HttpClient,
  type OAuthSpec,
  Secret,
  type TokenSet,
  TransientError,
} from "../../core/contracts/index.js";
import {
  type Authenticator,
  type Credentials,
  createGrantAuthenticator,
  renewalTime,
  tokensOf,
} from "../../core/http/index.js";
import { configSchema, type RotatingAuth, type SlackConfig, tokenUrlOf } from "./config.js";

/**
 * Signs requests with a token, or with access tokens that rotate: each lives 12 hours and comes with a new refresh token; the
 * old one is dead from then on, so the new one is stored before anything is done with its access token. `secrets` learns the
 * new tokens, so that they show nowhere.
 */
export function createSlackAuth(
  config: SlackConfig,
  http: HttpClient,
  context: AuthContext,
  secrets: Secret[],
): Authenticator {
  const { auth, baseUrl } = config;
  if (auth.type === "token") return fixedToken(auth.token, baseUrl, context.connection);
  return createGrantAuthenticator({
    baseUrl,
    tokens: tokensOf(context, auth.refreshToken),
    clock: context.clock,
    exchange: async (refreshToken, signal) => {
      const answer = await http.request({
        method: "POST",
        url: tokenUrlOf(auth, baseUrl),
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: form(auth, refreshToken),
        authenticate: false,
        // A lost answer may have rotated the token; asking again is all that can be done, and tells.
        idempotent: true,
        signal,
      });
      return parseTokens(answer.json(), auth, context.clock.now(), context.connection);
    },
    sign: ({ accessToken, refreshToken }) => {
      secrets.push(accessToken);
      if (refreshToken !== undefined) secrets.push(refreshToken);
      return bearer(accessToken, baseUrl);
    },
  });
}

export type AuthContext = Pick<ConnectorContext, "clock" | "connection" | "onTokenRotated" | "tokens">;

/** Asked for where the connection does not say; a flow needs those of its streams only. */
const BOT_SCOPES = [
  "channels:history",
  "channels:read",
  "files:read",
  "groups:history",
  "groups:read",
  "team:read",
  "usergroups:read",
  "users:read",
  "users:read.email",
].join(" ");

/** Member of a token answer that holds the tokens of whoever signed in. */
const USER = "authed_user";

/** How a person signs in with a browser: the app's OAuth page, then a code for the first pair of tokens. */
export const SLACK_OAUTH: OAuthSpec = {
  app: (config) => {
    const parsed = configSchema.safeParse(config);
    if (!parsed.success || parsed.data.auth.type !== "refreshToken") return undefined;
    const { baseUrl, auth } = parsed.data;
    return {
      authorizeUrl: auth.authorizeUrl ?? `${new URL(baseUrl).origin}/oauth/v2/authorize`,
      tokenUrl: tokenUrlOf(auth, baseUrl),
      clientId: auth.clientId,
      clientSecret: auth.clientSecret,
      refreshToken: auth.refreshToken,
      account: accountOf(parsed.data, auth),
      authorizeParameters: scopeParameters(auth),
      // Two tokens may come: the bot's at the top of the answer, the user's inside.
      ...(auth.userScopes === undefined ? {} : { tokensIn: USER }),
      tokenBody: "form",
      redirectHost: "localhost",
      registeredAt:
        "in the app's settings, under OAuth & Permissions, where token rotation is turned on as well",
    };
  },
  revokedCodes: [
    "SLACK_INVALID_REFRESH_TOKEN",
    "SLACK_TOKEN_REVOKED",
    "SLACK_ACCOUNT_INACTIVE",
    "SLACK_INVALID_AUTH",
    "SLACK_INVALID_GRANT",
  ],
};

/** The bot and a person are two accounts: the tokens of one are not used for the other. */
function accountOf({ baseUrl, teamId }: SlackConfig, { userScopes }: RotatingAuth): string {
  const names = [new URL(baseUrl).host, teamId, userScopes === undefined ? undefined : "user"];
  return names.filter((name) => name !== undefined).join(" ");
}

function scopeParameters({ scopes, userScopes }: RotatingAuth): Record<string, string> {
  const bot = scopes ?? (userScopes === undefined ? BOT_SCOPES : undefined);
  return {
    ...(bot === undefined ? {} : { scope: commaSeparated(bot) }),
    ...(userScopes === undefined ? {} : { user_scope: commaSeparated(userScopes) }),
  };
}

function commaSeparated(scopes: string): string {
  return scopes
    .split(/[\s,]+/)
    .filter((scope) => scope !== "")
    .join(",");
}

function fixedToken(token: Secret, baseUrl: string, connection: string): Authenticator {
  const credentials = bearer(token, baseUrl);
  return {
    baseUrl,
    credentials: async () => credentials,
    renew: async () => {
      throw new AuthError("SLACK_TOKEN_EXPIRED", "token_expired: the token's life is over", {
        place: connection,
        fix: "This app rotates its tokens: use auth of type refreshToken.",
      });
    },
  };
}

function bearer(token: Secret, baseUrl: string): Credentials {
  return { headers: { authorization: `Bearer ${token.open()}` }, baseUrl };
}

function form(auth: RotatingAuth, refreshToken: Secret): string {
  return new URLSearchParams({
    grant_type: "refresh_token",
    client_id: auth.clientId,
    client_secret: auth.clientSecret.open(),
    refresh_token: refreshToken.open(),
  }).toString();
}

/** A renewal may answer with a user's tokens inside `authed_user`, or at the top. */
function parseTokens(answer: unknown, auth: RotatingAuth, now: number, connection: string): TokenSet {
  const whole: object = typeof answer === "object" && answer !== null ? answer : {};
  const user: unknown = Reflect.get(whole, USER);
  const hasUser = typeof user === "object" && user !== null && "access_token" in user;
  const from = hasUser && (auth.userScopes !== undefined || !("access_token" in whole)) ? user : whole;
  const access: unknown = Reflect.get(from, "access_token");
  const refresh: unknown = Reflect.get(from, "refresh_token");
  const seconds: unknown = Reflect.get(from, "expires_in");
  if (typeof access !== "string" || access === "") {
    throw new TransientError("SLACK_TOKEN_ANSWER", "the token answer lacks access_token", {
      place: connection,
    });
  }
  return {
    accessToken: new Secret(access),
    refreshToken: typeof refresh === "string" && refresh !== "" ? new Secret(refresh) : undefined,
    renewAt: typeof seconds === "number" && seconds > 0 ? renewalTime(now, seconds * 1000) : undefined,
    baseUrl: undefined,
    identity: undefined,
  };
}
