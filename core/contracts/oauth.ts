import type { Secret } from "./secrets.js";

/** What a token endpoint has handed out. */
export interface TokenSet {
  readonly accessToken: Secret;
  /** Undefined: none came, because the account does not rotate (the one that was sent stays good) or gives none. */
  readonly refreshToken: Secret | undefined;
  /** From this instant on, some time before its end, the access token is replaced, epoch ms; undefined: once it is refused. */
  readonly renewAt: number | undefined;
  /** Address of the account where the answer tells it, without a slash at its end. */
  readonly baseUrl: string | undefined;
  /** What the answer says of who signed in, such as an identity URL. Not secret. */
  readonly identity: string | undefined;
}

export interface TokenRequest {
  /** The access token that was just refused; undefined: any that still lives will do. */
  readonly refused: Secret | undefined;
  /**
   * Asks the account for new tokens. Called by one process at a time, at most twice in a row. Its signal aborts some seconds
   * after the one below: an answer that nobody waits for any more may hold the only refresh token that works.
   */
  readonly exchange: (refreshToken: Secret, signal: AbortSignal) => Promise<TokenSet>;
  readonly signal: AbortSignal;
}

/** The grant of one connection, as all processes on the data directory share it. */
export interface TokenKeeper {
  /**
   * Tokens to go on with: those that are stored, also by another process a moment ago, else new ones, which are stored
   * before this resolves. AuthError GRANT_REVOKED or GRANT_MISSING when somebody must sign in (again); the first one
   * stays until somebody does, without another call to the account. CancelledError as soon as `signal` aborts.
   */
  obtain(request: TokenRequest): Promise<TokenSet>;
}

/** How people sign in to an account in their browser: authorization code with PKCE (RFC 6749, 7636, 8252). */
export interface OAuthApp {
  /** Page where the person agrees. */
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly clientId: string;
  /** Undefined: a public client; PKCE alone proves who asks. */
  readonly clientSecret: Secret | undefined;
  /** Refresh token of sluice.yaml; undefined where `sluice connect` alone brings one. A changed one begins a new grant. */
  readonly refreshToken: Secret | undefined;
  /** What names the account in sluice.yaml: stored tokens are not used for another one. */
  readonly account: string;
  /** Of the authorize page, beside the standard ones: `scope`. */
  readonly authorizeParameters: Readonly<Record<string, string>>;
  /** Of the request for tokens, beside the standard ones. */
  readonly tokenParameters?: Readonly<Record<string, string>>;
  /** How the token endpoint takes its parameters. */
  readonly tokenBody: "form" | "json";
  /** Host of the redirect URL, where an account takes only one of them. The listener is on 127.0.0.1 either way. */
  readonly redirectHost: "127.0.0.1" | "localhost";
  /** Name of the member of the token answer that holds the tokens, where they do not stand at its top. */
  readonly tokensIn?: string;
  /** Names of the members of the token answer that become `baseUrl` and `identity`. */
  readonly baseUrlIn?: string;
  readonly identityIn?: string;
  /** Where the redirect URL is registered, as the end of a sentence: `in the app's settings, under Callback URL`. */
  readonly registeredAt: string;
}

export interface OAuthSpec {
  /** `config` as `connect` takes it. Undefined: its way to sign in needs no person at a browser. */
  readonly app: (config: unknown) => OAuthApp | undefined;
  /** Codes of the errors of `exchange` that say that a refresh token is dead for good. */
  readonly revokedCodes: readonly string[];
}
