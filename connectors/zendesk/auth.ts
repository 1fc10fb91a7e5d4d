import { z } from "zod";
import {
  AuthError,
  type ConnectorContext,
  type HttpClient,
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
import { baseUrlOf, type ZendeskAuth, type ZendeskConfig } from "./config.js";

/** A token is renewed so long before its end, or in the last tenth of a shorter life: a page may take minutes to wait for. */
const EARLY_MS = 3 * 3_600_000;

/** Said by `check`, and once by every connection that signs in so. */
export const API_TOKEN_WARNING =
  "API tokens stop on 30 April 2027, unused ones earlier: use OAuth (auth of another type).";

const tokenAnswer = z.looseObject({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).nullish(),
  expires_in: z.number().positive().nullish(),
});

type Grant = Extract<ZendeskAuth, { readonly tokenUrl?: string | undefined }>;

/*
 * Signs in and renews.
 *
 *   none --first request--> granted --expiry near, or refused with 401--> granted anew --...
 *   any --refused, and nothing to renew with--> AuthError
 *
 * A refresh deletes both old tokens at once. So the new refresh token is stored (`context.tokens`) before anything is done
 * with the access token that came with it; when storing fails the pair is not used, and the next try begins with the new
 * refresh token. `secrets` learns the tokens as they come.
 */
export function createZendeskAuth(
  config: ZendeskConfig,
  http: HttpClient,
  context: Pick<ConnectorContext, "clock" | "connection" | "log" | "tokens" | "onTokenRotated">,
  secrets: Secret[],
): Authenticator {
  const { auth } = config;
  const { clock, connection } = context;
  const baseUrl = baseUrlOf(config);
  const credentials = (authorization: string): Credentials => ({ headers: { authorization }, baseUrl });
  const sign = ({ accessToken }: TokenSet) => credentials(`Bearer ${accessToken.open()}`);

  const ask = async (grant: Grant, refreshToken: Secret | undefined, signal: AbortSignal) => {
    const answer = await http.request({
      method: "POST",
      url: grant.tokenUrl ?? `${baseUrl}/oauth/tokens`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(grantBody(grant, refreshToken)),
      authenticate: false,
      // Asking twice is harmless: where the lost answer has used up the refresh token, it is dead either way.
      idempotent: true,
      signal,
    });
    return parseToken(answer.json(), clock.now(), connection);
  };

  if (auth.type === "oauth" || auth.type === "refreshToken") {
    if (context.tokens === undefined && context.onTokenRotated === undefined) {
      context.log.warn("the new refresh token of Zendesk is not stored: the configured one is used up", {
        connection,
      });
    }
    return createGrantAuthenticator({
      baseUrl,
      tokens: tokensOf(context, auth.type === "refreshToken" ? auth.refreshToken : undefined),
      clock,
      exchange: (refreshToken, signal) => ask(auth, refreshToken, signal),
      sign,
      secrets,
    });
  }

  if (auth.type === "apiToken") context.log.warn(API_TOKEN_WARNING, { connection });

  let renewAt = Number.POSITIVE_INFINITY;
  let handedOut = false;
  const once = (authorization: string, fix: string): Credentials => {
    if (handedOut) {
      throw new AuthError("ZENDESK_TOKEN_REFUSED", "the token of the connection is no longer valid", {
        place: connection,
        fix,
      });
    }
    handedOut = true;
    return credentials(authorization);
  };
  const authenticator = createAuthenticator({
    baseUrl,
    obtain: async (signal) => {
      switch (auth.type) {
        case "accessToken":
          return once(
            `Bearer ${auth.accessToken.open()}`,
            "Set a new accessToken, or use auth of type oauth, refreshToken or clientCredentials, which renew themselves.",
          );
        case "apiToken":
          return once(
            basic(`${auth.email}/token`, auth.apiToken.open()),
            "Use OAuth: API tokens are deactivated when unused, and all stop on 30 April 2027.",
          );
        case "clientCredentials": {
          const tokens = await ask(auth, undefined, signal);
          renewAt = tokens.renewAt ?? Number.POSITIVE_INFINITY;
          return sign(tokens);
        }
      }
    },
  });
  return {
    baseUrl,
    renew: authenticator.renew,
    credentials: async (signal) => {
      const current = await authenticator.credentials(signal);
      return clock.now() < renewAt ? current : authenticator.renew(current, signal);
    },
  };
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

function grantBody(grant: Grant, refreshToken: Secret | undefined): Record<string, string> {
  const { clientId, clientSecret, scope } = grant;
  const secret: Record<string, string> =
    clientSecret === undefined ? {} : { client_secret: clientSecret.open() };
  if (grant.type === "clientCredentials") {
    return { grant_type: "client_credentials", client_id: clientId, ...secret, scope };
  }
  return {
    grant_type: "refresh_token",
    refresh_token: refreshToken?.open() ?? "",
    client_id: clientId,
    ...secret,
    scope,
  };
}

function parseToken(answer: unknown, now: number, connection: string): TokenSet {
  const parsed = tokenAnswer.safeParse(answer);
  if (!parsed.success) {
    throw new TransientError("ZENDESK_TOKEN_ANSWER", "the token answer lacks access_token", {
      place: connection,
    });
  }
  const { access_token, refresh_token, expires_in } = parsed.data;
  const lifeMs = expires_in ? expires_in * 1000 : undefined;
  return {
    accessToken: new Secret(access_token),
    refreshToken: refresh_token ? new Secret(refresh_token) : undefined,
    renewAt: lifeMs === undefined ? undefined : now + lifeMs - Math.min(EARLY_MS, lifeMs / 10),
    baseUrl: undefined,
    identity: undefined,
  };
}
