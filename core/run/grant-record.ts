import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import {
  ConfigError,
  type OAuthApp,
  Secret,
  type Store,
  type StoreTx,
  type TokenSet,
  type Value,
} from "../contracts/index.js";

const sealed = z.strictObject({ keyId: z.string(), salt: z.string(), box: z.string() });

const record = z.strictObject({
  version: z.literal(1),
  /** Goes up with every change of the tokens: what was read and what is there now are told apart by it. */
  revision: z.int(),
  /** The tokens, encrypted (token-cipher.ts of core/store); null: there never were any. */
  sealed: sealed.nullable(),
  /** Of all marks below. */
  salt: z.string(),
  /** Marks of what sluice.yaml held when the grant began. */
  seeds: z.strictObject({ token: z.string().nullable(), account: z.string() }),
  /** Since when, ISO text. */
  grantedAt: z.string(),
  updatedAt: z.string(),
  /** A request for tokens that has begun and of whose end nothing is known. */
  attempt: z.strictObject({ at: z.string(), pid: z.int() }).nullable(),
  paused: z
    .strictObject({
      at: z.string(),
      /** Of the connector: `SALESFORCE_INVALID_GRANT`. */
      code: z.string(),
      message: z.string(),
      /** Mark of the connection's whole entry: a changed one may be tried again. */
      config: z.string(),
    })
    .nullable(),
});

/**
 * What the store keeps of a connection's grant, in JSON. The tokens are inside `sealed`; everything else may be read by
 * whoever may read the data directory.
 */
export type GrantRecord = z.output<typeof record>;

/** Key of the store's small values. */
function grantKey(connection: string): string {
  return `grant/${connection}`;
}

/** Name of the lease that makes one refresher at a time. */
export function grantLease(connection: string): string {
  return `grant/${connection}`;
}

export function readGrant(store: Pick<Store, "get">, connection: string): GrantRecord | undefined {
  const value = store.get(grantKey(connection));
  if (value === undefined) return undefined;
  const parsed = record.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    "GRANT_UNREADABLE",
    `the stored grant of ${connection} has a form that is not known here`,
    {
      place: connection,
      fix: "Use the version of Sluice that wrote it, or name another dataDir and sign in there.",
      cause: parsed.error,
    },
  );
}

export function putGrant(store: StoreTx, connection: string, grant: GrantRecord): void {
  const { sealed: box, seeds, attempt, paused, ...rest } = grant;
  const value: Value = {
    ...rest,
    sealed: box === null ? null : { ...box },
    seeds: { ...seeds },
    attempt: attempt === null ? null : { ...attempt },
    paused: paused === null ? null : { ...paused },
  };
  store.put(grantKey(connection), value);
}

/**
 * A mark of `parts`, to tell whether they have changed. Tokens and client secrets are random and long, so that nobody finds
 * them again from a salted hash.
 */
export function markOf(salt: string, parts: Value): string {
  return createHash("sha256")
    .update(`${salt}\0${JSON.stringify(parts)}`)
    .digest("base64");
}

/** The marks of what a grant begins with. */
export function seedsOf(salt: string, app: OAuthApp): GrantRecord["seeds"] {
  const { clientId, account, refreshToken } = app;
  return {
    token: refreshToken === undefined ? null : markOf(salt, ["token", clientId, refreshToken.open()]),
    account: markOf(salt, ["account", clientId, account]),
  };
}

/**
 * True where the stored tokens are those of the connection as it is configured now. A refresh token of sluice.yaml names
 * the account by itself: where it was replaced, the stored ones are of the grant before, perhaps of another account.
 */
export function belongsTo(grant: GrantRecord, app: OAuthApp): boolean {
  const now = seedsOf(grant.salt, app);
  return now.token === null ? same(now.account, grant.seeds.account) : same(now.token, grant.seeds.token);
}

/** A connection's entry of sluice.yaml, secrets opened, with its keys in order: for `markOf` only. */
export function openedConfig(config: unknown): Value {
  if (config instanceof Secret) return config.open();
  if (Array.isArray(config)) return config.map(openedConfig);
  if (typeof config === "object" && config !== null) {
    const entries = Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, value]) => [key, openedConfig(value)]));
  }
  return typeof config === "string" || typeof config === "number" || typeof config === "boolean"
    ? config
    : null;
}

/** The pause of a grant, unless the connection was configured anew since. */
export function pauseOf(grant: GrantRecord | undefined, config: unknown): GrantRecord["paused"] {
  if (grant?.paused == null) return null;
  return same(markOf(grant.salt, openedConfig(config)), grant.paused.config) ? grant.paused : null;
}

function same(a: string, b: string | null): boolean {
  if (b === null || a.length !== b.length) return false;
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** What is encrypted: the tokens, and the refresh token before the newest until that one has worked once. */
export interface KeptTokens {
  readonly tokens: TokenSet;
  readonly previous: Secret | undefined;
}

const kept = z.strictObject({
  access: z.string(),
  refresh: z.string().nullable(),
  previous: z.string().nullable(),
  renewAt: z.number().nullable(),
  baseUrl: z.string().nullable(),
  identity: z.string().nullable(),
});

export function keptText({ tokens, previous }: KeptTokens): string {
  const plain: z.output<typeof kept> = {
    access: tokens.accessToken.open(),
    refresh: tokens.refreshToken?.open() ?? null,
    previous: previous?.open() ?? null,
    renewAt: tokens.renewAt ?? null,
    baseUrl: tokens.baseUrl ?? null,
    identity: tokens.identity ?? null,
  };
  return JSON.stringify(plain);
}

export function keptTokens(text: string): KeptTokens {
  const { access, refresh, previous, renewAt, baseUrl, identity } = kept.parse(JSON.parse(text));
  return {
    tokens: {
      accessToken: new Secret(access),
      refreshToken: refresh === null ? undefined : new Secret(refresh),
      renewAt: renewAt ?? undefined,
      baseUrl: baseUrl ?? undefined,
      identity: identity ?? undefined,
    },
    previous: previous === null ? undefined : new Secret(previous),
  };
}
