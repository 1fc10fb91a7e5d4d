import {
  AuthError,
  type Clock,
  type ConnectorContext,
  type Secret,
  type TokenKeeper,
  type TokenRequest,
  type TokenSet,
} from "../contracts/index.js";
import type { Authenticator, Credentials } from "./authenticator.js";
import { singleFlight } from "./flight.js";

/** Renewed so long before its end, or in the last sixth of a shorter life: a page may take minutes to wait for. */
const EARLY_MS = 2 * 3_600_000;
const EARLY_PART = 1 / 6;

/** When to replace an access token that lives `lifeMs` from `now` on, epoch ms. */
export function renewalTime(now: number, lifeMs: number): number {
  return now + lifeMs - Math.min(EARLY_MS, lifeMs * EARLY_PART);
}

/**
 * An authenticator for a grant with refresh tokens. Which process asks the account, and that the answer is stored before
 * it is used, is the keeper's business; requests of this connection that come together share one call of it.
 */
export function createGrantAuthenticator(options: {
  readonly baseUrl: string;
  readonly tokens: TokenKeeper;
  readonly clock: Clock;
  readonly exchange: TokenRequest["exchange"];
  readonly sign: (tokens: TokenSet) => Credentials;
  /** The `secrets` of the connection's clients: each token joins them before it is sent, so that no error repeats it. */
  readonly secrets?: Secret[];
}): Authenticator {
  const { baseUrl, clock, sign, secrets = [] } = options;
  const learn = (token: Secret | undefined) => {
    if (token !== undefined && !secrets.some((known) => known.open() === token.open())) secrets.push(token);
  };
  const asking = new Set<Promise<TokenSet>>();
  const exchange: TokenRequest["exchange"] = (token, signal) => {
    learn(token);
    const answer = options.exchange(token, signal).finally(() => asking.delete(answer));
    asking.add(answer);
    return answer;
  };
  let current: { readonly tokens: TokenSet; readonly credentials: Credentials } | undefined;
  let refused: Secret | undefined;
  const obtain = singleFlight(async (signal) => {
    const tokens = await options.tokens.obtain({ refused, exchange, signal });
    learn(tokens.accessToken);
    learn(tokens.refreshToken);
    const credentials = sign(tokens);
    current = { tokens, credentials };
    return credentials;
  });
  return {
    baseUrl,
    credentials: async (signal) =>
      current !== undefined && lives(current.tokens, clock.now()) ? current.credentials : obtain(signal),
    renew: async (refusedCredentials, signal) => {
      // Another request has renewed them while ours was under way.
      if (current !== undefined && current.credentials !== refusedCredentials) return current.credentials;
      refused = current?.tokens.accessToken ?? refused;
      current = undefined;
      return obtain(signal);
    },
    settled: async () => {
      await Promise.allSettled([...asking]);
    },
  };
}

/** True until the access token is to be replaced. */
export function lives({ renewAt }: TokenSet, now: number): boolean {
  return renewAt === undefined || now < renewAt;
}

/** The keeper of the host, or one that forgets when the connection is closed and tells `onTokenRotated`. */
export function tokensOf(
  context: Pick<ConnectorContext, "connection" | "clock" | "tokens" | "onTokenRotated">,
  configured: Secret | undefined,
): TokenKeeper {
  if (context.tokens !== undefined) return context.tokens;
  let refresh = configured;
  let current: TokenSet | undefined;
  return {
    obtain: async ({ refused, exchange, signal }) => {
      const isRefused = current?.accessToken.open() === refused?.open();
      if (current !== undefined && !isRefused && lives(current, context.clock.now())) return current;
      if (refresh === undefined) throw notSignedIn(context.connection);
      const tokens = await exchange(refresh, signal);
      if (tokens.refreshToken !== undefined) {
        refresh = tokens.refreshToken;
        await context.onTokenRotated?.(tokens.refreshToken);
      }
      current = tokens;
      return tokens;
    },
  };
}

/** Nobody has signed in yet. */
export function notSignedIn(connection: string): AuthError {
  return new AuthError("GRANT_MISSING", `nobody has signed in to ${connection} yet`, {
    place: connection,
    fix: `Sign in: sluice connect ${connection}`,
  });
}
