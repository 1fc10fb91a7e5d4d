import { singleFlight } from "./flight.js";

/** What a request needs to be let in. */
export interface Credentials {
  /** Sent with every authenticated request, to the host of `baseUrl` and to no other. */
  readonly headers: Readonly<Record<string, string>>;
  /** Where the account lives now; may change with a renewal. */
  readonly baseUrl: string;
}

/** Signs requests. The client asks for credentials before each request and renews them once when they are refused. */
export interface Authenticator {
  /** The address connectors build their URLs on; the client puts `credentials.baseUrl` in its place. */
  readonly baseUrl: string;
  credentials(signal?: AbortSignal): Promise<Credentials>;
  /** New credentials in place of `refused`. Callers that come together share one renewal. */
  renew(refused: Credentials, signal?: AbortSignal): Promise<Credentials>;
  /** Resolves when no token request is under way: its client must not be closed before, the answer would be lost. */
  settled?(): Promise<void>;
}

/**
 * An authenticator for tokens that are asked for and live until they are refused. `obtain` is never running twice at
 * a time: with rotating refresh tokens two renewals would kill each other's token.
 */
export function createAuthenticator(options: {
  readonly baseUrl: string;
  readonly obtain: (signal: AbortSignal) => Promise<Credentials>;
}): Authenticator {
  let current: Credentials | undefined;
  const obtain = singleFlight(async (signal) => {
    current = await options.obtain(signal);
    return current;
  });
  return {
    baseUrl: options.baseUrl,
    credentials: async (signal) => current ?? obtain(signal),
    renew: async (refused, signal) => {
      // Another request has renewed them while ours was under way.
      if (current !== undefined && current !== refused) return current;
      current = undefined;
      return obtain(signal);
    },
  };
}
