import {
  AuthError,
  type Clock,
  type Environment,
  type Log,
  type OAuthApp,
  type OAuthSpec,
  type Random,
  type Secret,
  SluiceError,
  type TokenKeeper,
  type TokenSet,
  TransientError,
  throwIfCancelled,
} from "../contracts/index.js";
import { lives, notSignedIn } from "../http/index.js";
import type { TokenCipher } from "../store/index.js";
import {
  belongsTo,
  type GrantRecord,
  grantLease,
  type KeptTokens,
  keptText,
  keptTokens,
  markOf,
  openedConfig,
  pauseOf,
  putGrant,
  readGrant,
  seedsOf,
} from "./grant-record.js";
import type { HeldLease } from "./lease.js";
import { withLease } from "./lease-wait.js";
import { leaving, patientSignal } from "./patience.js";

export interface GrantsOptions {
  /** Where the grants are kept: durable even where the buffer is not. Opened when first asked for. */
  readonly environment: () => Promise<Environment>;
  readonly cipher: TokenCipher;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told of every token before it is used, so that it shows nowhere. */
  readonly onSecret: (secret: Secret) => void;
}

/** A connection as its grant needs to know it. */
export interface GrantOwner {
  readonly connection: string;
  /** Its entry of sluice.yaml. */
  readonly config: unknown;
  readonly app: OAuthApp;
  readonly spec: OAuthSpec;
}

/** A token request under way when a run is cancelled is given so long. */
const PATIENCE_MS = 10_000;

/** What was read before something is changed: the tokens are of `owner` as it is configured now. */
interface Found {
  readonly record: GrantRecord | undefined;
  readonly kept: KeptTokens | undefined;
}

/*
 * The grant of a connection, as all processes on the data directory see it:
 *
 *   missing --sluice.yaml has a refresh token, or sluice connect--> live
 *   live    --access token near its end, or refused--> refreshing   one process, by the lease grant/<connection>
 *   refreshing --new tokens, durable--> live                        those who waited take them from the store
 *              --process dies, answer lost--> live with `attempt`   the old refresh token is tried again: some accounts
 *                                                                   take it for a while
 *              --refresh token refused, and the one before it--> paused
 *   paused  --sluice connect, or the connection's entry was changed--> live
 *           --anything else--> AuthError, and no call to the account
 *
 * The refresh token before the newest is kept until the newest has worked once: an account that handed one out and then
 * forgot about it still knows the other.
 */
export class Grants {
  readonly #options: GrantsOptions;
  /** Under way, and not to be cut off by the end of a run. */
  readonly #refreshing = new Set<Promise<unknown>>();
  /** Handed out by the account, and not stored because the disk was full: the old ones are dead. */
  readonly #unsaved = new Map<string, KeptTokens>();
  /** Revisions of the tokens that this process has handed out last, by connection. */
  readonly #used = new Map<string, number>();

  constructor(options: GrantsOptions) {
    this.#options = options;
  }

  /** What the connection's HTTP client gets its tokens from. */
  keeper(owner: GrantOwner): TokenKeeper {
    return {
      obtain: async ({ refused, exchange, signal }) => {
        throwIfCancelled(signal);
        const found = await this.#find(owner);
        if (isGood(found, refused, this.#options.clock.now())) return found.kept.tokens;
        const patience = patientSignal(signal, PATIENCE_MS, this.#options.clock);
        const work = this.#underLease(owner, signal, (lease) =>
          this.#refresh(owner, lease, refused, (token) => exchange(token, patience.signal)),
        ).finally(patience.end);
        this.#refreshing.add(work);
        void work.catch(() => undefined).finally(() => this.#refreshing.delete(work));
        return leaving(work, signal);
      },
    };
  }

  /** AuthError GRANT_REVOKED for a connection that is paused. */
  async assertLive({ connection, config, app }: GrantOwner): Promise<void> {
    const { store } = await this.#options.environment();
    const pause = pauseOf(readGrant(store, connection), config);
    if (pause !== null) throw revoked(connection, app, pause.message, pause.at);
  }

  /**
   * The account has said that the grant is gone. Resolves to the error to throw: the next ones come without a call, unless
   * somebody has signed in anew while an old token was still in use.
   */
  async pause(owner: GrantOwner, refusal: AuthError): Promise<AuthError> {
    const { store } = await this.#options.environment();
    const found = { record: readGrant(store, owner.connection), kept: undefined };
    if (this.#used.get(owner.connection) !== found.record?.revision) return refusal;
    return this.#pause(owner, found, refusal, undefined, []);
  }

  /** Makes sure, before somebody signs in, that what comes of it can be stored. */
  async prepare({ connection }: Pick<GrantOwner, "connection">): Promise<void> {
    await this.#options.environment();
    await this.#options.cipher.prepare(connection);
  }

  /** Puts the tokens of a new sign-in in place of whatever is there, and ends a pause. Durable when it resolves. */
  async begin(owner: GrantOwner, tokens: TokenSet, signal: AbortSignal): Promise<void> {
    this.#learn({ tokens, previous: undefined });
    await this.#underLease(owner, signal, async () => {
      const { environment } = this.#options;
      const record = readGrant((await environment()).store, owner.connection);
      await this.#store(owner, { record, kept: undefined }, { tokens, previous: undefined }, true);
      this.#unsaved.delete(owner.connection);
    });
  }

  /** Resolves when no refresh of this process is under way. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#refreshing]);
  }

  /** AuthError for a paused grant; ConfigError where the tokens cannot be decrypted. */
  async #find({ connection, config, app }: GrantOwner): Promise<Found> {
    const { environment, cipher } = this.#options;
    const record = readGrant((await environment()).store, connection);
    const pause = pauseOf(record, config);
    if (pause !== null) throw revoked(connection, app, pause.message, pause.at);
    if (record === undefined || record.sealed === null || !belongsTo(record, app))
      return { record, kept: undefined };
    const kept = keptTokens(await cipher.open(connection, record.sealed));
    this.#learn(kept);
    this.#used.set(connection, record.revision);
    return { record, kept };
  }

  async #refresh(
    owner: GrantOwner,
    lease: HeldLease,
    refused: Secret | undefined,
    exchange: (refreshToken: Secret) => Promise<TokenSet>,
  ): Promise<TokenSet> {
    const { clock, log } = this.#options;
    const found = await this.#find(owner);
    // The process that held the lease before has done it.
    if (isGood(found, refused, clock.now())) return found.kept.tokens;
    const unsaved = this.#unsaved.get(owner.connection);
    if (unsaved !== undefined) {
      const isStored = await this.#store(owner, found, unsaved, false);
      this.#unsaved.delete(owner.connection);
      if (isStored && isGood({ ...found, kept: unsaved }, refused, clock.now())) return unsaved.tokens;
      return this.#refresh(owner, lease, refused, exchange);
    }
    const candidates =
      found.kept === undefined
        ? [owner.app.refreshToken]
        : [found.kept.tokens.refreshToken, found.kept.previous];
    const tried: Secret[] = candidates.filter((token) => token !== undefined);
    if (tried.length === 0 && found.kept === undefined) throw notSignedIn(owner.connection);
    await this.#options.cipher.prepare(owner.connection);
    const cutOff = await this.#noteAttempt(owner, lease);
    let refusal: SluiceError | undefined;
    for (const token of tried) {
      let answer: TokenSet;
      try {
        answer = await exchange(token);
      } catch (error) {
        if (error instanceof SluiceError && owner.spec.revokedCodes.includes(error.code)) {
          refusal = error;
          continue;
        }
        // After a transient one nobody knows whether the account has answered.
        if (!(error instanceof TransientError)) await this.#forgetAttempt(owner);
        throw error;
      }
      const tokens = { ...answer, refreshToken: answer.refreshToken ?? token };
      // Without rotation it has worked just now, and nothing older is needed.
      const kept = { tokens, previous: answer.refreshToken === undefined ? undefined : token };
      this.#learn(kept);
      this.#unsaved.set(owner.connection, kept);
      const isStored = await this.#store(owner, found, kept, false);
      this.#unsaved.delete(owner.connection);
      if (isStored) return tokens;
      log.warn("another process has changed the grant meanwhile; its tokens are used", {
        connection: owner.connection,
      });
      const theirs = await this.#find(owner);
      if (isGood(theirs, refused, clock.now())) return theirs.kept.tokens;
      return tokens;
    }
    throw await this.#pause(owner, found, refusal, cutOff, tried);
  }

  /**
   * False where the tokens were changed since `found`: this process slept through its lease. `evenSo`: whatever is there
   * is replaced.
   */
  async #store(owner: GrantOwner, found: Found, kept: KeptTokens, evenSo: boolean): Promise<boolean> {
    const { connection, app } = owner;
    const { environment, cipher, clock, random } = this.#options;
    const box = await cipher.seal(connection, keptText(kept));
    const at = new Date(clock.now()).toISOString();
    return (await environment()).transaction(({ store }) => {
      const now = readGrant(store, connection);
      if (!evenSo && revisionOf(now) !== revisionOf(found.record)) return false;
      const salt = now?.salt ?? random.uuid();
      putGrant(store, connection, {
        version: 1,
        revision: (now?.revision ?? 0) + 1,
        sealed: box,
        salt,
        seeds: seedsOf(salt, app),
        grantedAt: found.kept === undefined || now === undefined ? at : now.grantedAt,
        updatedAt: at,
        attempt: null,
        paused: null,
      });
      this.#used.set(connection, revisionOf(now) + 1);
      return true;
    });
  }

  /** Writes down that a request for tokens begins. Resolves to when one began that has no known end. */
  async #noteAttempt({ connection, app }: GrantOwner, lease: HeldLease): Promise<string | undefined> {
    const { environment, clock, random } = this.#options;
    const at = new Date(clock.now()).toISOString();
    return (await environment()).transaction(({ store }) => {
      lease.assertHeld(store);
      const now = readGrant(store, connection);
      const salt = now?.salt ?? random.uuid();
      putGrant(store, connection, {
        ...(now ?? emptyRecord(salt, app, at)),
        attempt: { at, pid: process.pid },
      });
      return now?.attempt?.at;
    });
  }

  async #forgetAttempt({ connection }: GrantOwner): Promise<void> {
    await (await this.#options.environment()).transaction(({ store }) => {
      const now = readGrant(store, connection);
      if (now !== undefined) putGrant(store, connection, { ...now, attempt: null });
    });
  }

  /** Resolves to the error to throw. */
  async #pause(
    owner: GrantOwner,
    found: Found,
    refusal: SluiceError | undefined,
    cutOff: string | undefined,
    tried: readonly Secret[],
  ): Promise<AuthError> {
    const { connection, config, app } = owner;
    const { environment, clock, random } = this.#options;
    const at = new Date(clock.now()).toISOString();
    const said = tried.reduce(
      (text, token) => text.replaceAll(token.open(), "[redacted]"),
      refusal?.message ?? "the access token is refused and there is no refresh token",
    );
    const lost = `; a request for tokens of ${cutOff} was cut off, and the answer that it may have had is lost`;
    const message = `${said}${cutOff === undefined ? "" : lost}`;
    await (await environment()).transaction(({ store }) => {
      const now = readGrant(store, connection);
      if (revisionOf(now) !== revisionOf(found.record)) return;
      const salt = now?.salt ?? random.uuid();
      putGrant(store, connection, {
        ...(now ?? emptyRecord(salt, app, at)),
        updatedAt: at,
        attempt: null,
        paused: {
          at,
          code: refusal?.code ?? "GRANT_REVOKED",
          message,
          config: markOf(salt, openedConfig(config)),
        },
      });
    });
    return revoked(connection, app, message, at, refusal);
  }

  /** One process at a time; once it is held, `work` goes on to its end whatever `signal` does. */
  async #underLease<T>(
    { connection }: GrantOwner,
    signal: AbortSignal,
    work: (lease: HeldLease) => Promise<T>,
  ): Promise<T> {
    const environment = await this.#options.environment();
    return withLease({ ...this.#options, environment }, grantLease(connection), signal, work);
  }

  #learn({ tokens, previous }: KeptTokens): void {
    for (const secret of [tokens.accessToken, tokens.refreshToken, previous])
      if (secret !== undefined) this.#options.onSecret(secret);
  }
}

function isGood(
  found: Found,
  refused: Secret | undefined,
  now: number,
): found is Found & { readonly kept: KeptTokens } {
  const tokens = found.kept?.tokens;
  return tokens !== undefined && tokens.accessToken.open() !== refused?.open() && lives(tokens, now);
}

function revisionOf(record: GrantRecord | undefined): number {
  return record?.revision ?? 0;
}

function emptyRecord(salt: string, app: OAuthApp, at: string): GrantRecord {
  return {
    version: 1,
    revision: 0,
    sealed: null,
    salt,
    seeds: seedsOf(salt, app),
    grantedAt: at,
    updatedAt: at,
    attempt: null,
    paused: null,
  };
}

function revoked(
  connection: string,
  app: OAuthApp,
  message: string,
  at: string,
  cause?: SluiceError,
): AuthError {
  const orSet = app.refreshToken === undefined ? "" : ", or set a new refresh token in the connection's auth";
  return new AuthError(
    "GRANT_REVOKED",
    `the sign-in of ${connection} has ended, and its flows are paused since ${at}: ${message}`,
    {
      place: connection,
      fix: `Sign in again: sluice connect ${connection}${orSet}.`,
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
