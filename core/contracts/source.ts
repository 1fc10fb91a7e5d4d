import type { ZodType } from "zod";
import type { AnswersAhead } from "./answers.js";
import type { BucketSpec, RequestBudget } from "./budget.js";
import type { Clock, Random } from "./clock.js";
import type { Filter } from "./filter.js";
import type { OAuthSpec, TokenKeeper } from "./oauth.js";
import type { Field, SourceRecord, Value } from "./record.js";
import type { Secret } from "./secrets.js";

/** Facts about a connector, as data; nothing in core asks for a connector's name. */
export interface SourceSpec {
  /** The `connector:` value of sluice.yaml. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Schema of the connection in sluice.yaml (without `connector`). Every key is described; secrets marked `.meta({secret: true})`. */
  readonly configSchema: ZodType;
  /** Schema of `source.options` in a flow. */
  readonly optionsSchema: ZodType;
  /** Streams by name; `dynamic` where they come from the account (Salesforce objects). */
  readonly streams: readonly string[] | "dynamic";
  /** The environment's part that docs print: API version, limits. */
  readonly limits?: string;
  /** Limits on requests that are shared by everything that uses an account. A forecast counts against the first. */
  readonly buckets?: readonly BucketSpec[];
  /** For accounts that people sign in to by `sluice connect`. */
  readonly oauth?: OAuthSpec;
}

export interface StreamInfo {
  readonly name: string;
  readonly label: string;
  /** False: listed by the account but not readable, with the reason. */
  readonly readable: boolean;
  readonly reason?: string;
}

export interface StreamSchema {
  readonly stream: string;
  readonly fields: readonly SourceField[];
  /** Names of the fields that identify a record. */
  readonly primaryKey: readonly string[];
  /** Fields that can serve as the cursor, best first; empty: full reads only. */
  readonly cursors: readonly string[];
  /** Re-read behind the cursor when the flow does not say, milliseconds. */
  readonly defaultLookbackMs: number;
}

export interface SourceField extends Field {
  /** False: a filter on it cannot be pushed down. */
  readonly filterable: boolean;
  /** Fields of the parent record reachable as `name.field` (Salesforce relationships); resolved on demand. */
  readonly relationship?: { readonly name: string; readonly to: readonly string[] };
  /** Changes without moving the cursor (formula fields). */
  readonly calculated?: boolean;
}

export interface ReadRequest {
  readonly stream: string;
  readonly schema: StreamSchema;
  readonly mode: "incremental" | "full";
  /** Cursor field; undefined in full mode or where the stream has none. */
  readonly cursorField: string | undefined;
  /**
   * What the last page handed out in an earlier run or earlier in this one; undefined for a first run.
   * A finished read's cursor makes the next read start behind it (minus lookback); an unfinished one's resumes
   * inside its frozen window and then goes on to now.
   */
  readonly cursor: Value | undefined;
  /**
   * The cursor belongs to a read that the engine did not see the end of. A full read then goes on behind it even where
   * its last page said that it was done: beginning anew would put every record into the same read twice.
   */
  readonly resumes?: boolean;
  /** Epoch ms; lower bound of the first run, `--from`. */
  readonly from?: number;
  /** Epoch ms, exclusive; `--to`. Default: now. */
  readonly to?: number;
  readonly lookbackMs: number;
  /** Source fields (and relationship paths) the flow uses; the source asks for these and its key and cursor. */
  readonly fields: readonly string[];
  readonly filter: Filter | undefined;
  /** Parsed by optionsSchema. */
  readonly options: unknown;
  /** Where answers are kept that are asked for ahead of their turn. Absent: this read need not be fast. */
  readonly ahead?: AnswersAhead;
  readonly signal: AbortSignal;
}

/** Why a record cannot be taken although it was read. */
export interface RefusedRecord {
  /** `duplicate key on Name`. */
  readonly rule: string;
  /** One sentence: what is wrong, and what to do. */
  readonly reason: string;
  /** The record as the source wrote it, JSON; undefined where only the parsed one is left. */
  readonly text?: string;
  /**
   * Fields at the top of the record whose values are in doubt. Where the key or the cursor field is among them the record can
   * neither be recognised nor give a place to go on from.
   */
  readonly doubtful: readonly string[];
}

/** Records moving together. */
export interface Page {
  /** The engine's from now on: it empties the array when they are stored. */
  readonly records: readonly SourceRecord[];
  /**
   * Those of `records` that are to be rejected before filter and map, by their very objects: `errors.onReject` decides
   * what becomes of them. They count as fetched like all others.
   */
  readonly refused?: ReadonlyMap<SourceRecord, RefusedRecord>;
  /** Holds once `records` and all earlier pages' records are safely stored. JSON. */
  readonly cursor: Value;
  /** Size of the page on the wire after unpacking, bytes. */
  readonly bytes: number;
  /** The frozen window the page belongs to, ISO text; `from` null for the beginning of time. */
  readonly window?: { readonly from: string | null; readonly to: string };
  /**
   * Records whose cursor value is below this were possibly handed out by an earlier window (the lookback);
   * the engine skips those it has already stored with the same cursor value.
   */
  readonly repeatsBelow?: string;
  /** Records whose cursor value is at or above this will be read again by the next window: the engine remembers them. */
  readonly rememberFrom?: string;
}

export interface ReadPlan {
  /** What will be asked, e.g. SOQL. */
  readonly query: string;
  /** Conditions the source takes over, as text; the rest is filtered here. */
  readonly pushedDown: readonly string[];
  readonly notPushedDown: readonly string[];
  readonly window: { readonly from: string | null; readonly to: string } | undefined;
  /** Forecast; null where the source cannot say. */
  readonly records: number | null;
  readonly apiCalls: number | null;
  /** Where calls count against other buckets than the spec's first: how many against which. */
  readonly calls?: Readonly<Record<string, number>>;
  /** At least so long for its calls and by the limits of the API, milliseconds; null or absent where the source cannot say. */
  readonly durationMs?: number | null;
}

export interface CheckReport {
  /** Who we are there: user, org. */
  readonly identity: string;
  /** Facts worth a line: quota left, API version. */
  readonly details: Readonly<Record<string, string>>;
  /** What is missing, each with its fix. Empty: all well. */
  readonly warnings: readonly string[];
}

/** A connection to one account. Keeps no state between runs and never retries itself: core/http does. */
export interface Source {
  /** Connects and says who we are. AuthError, ConfigError or TransientError otherwise. */
  check(signal: AbortSignal): Promise<CheckReport>;
  discover(signal: AbortSignal): Promise<readonly StreamInfo[]>;
  /** ConfigError for an unknown stream, with the nearest name as fix. */
  describe(stream: string, signal: AbortSignal): Promise<StreamSchema>;
  /** Fields of a relationship path such as `Owner.Name`: its type; ConfigError when it does not exist. */
  resolvePath?(schema: StreamSchema, path: string, signal: AbortSignal): Promise<Field>;
  plan(request: ReadRequest): Promise<ReadPlan>;
  /** Pages in order. Aborting the signal ends the iteration promptly with CancelledError. */
  read(request: ReadRequest): AsyncIterable<Page>;
  /** Requests sent by this connection so far. */
  apiCalls(): number;
  close(): Promise<void>;
}

/** What the host gives every connector. */
export interface ConnectorContext {
  /** The connection's name in sluice.yaml. */
  readonly connection: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Absolute folder of sluice.yaml: relative paths in a connection's config start here. Default: the working directory. */
  readonly projectDir?: string;
  /** A folder of this connection for temporary files; emptied at start. */
  readonly tmpDir: string;
  /** For the HTTP client: what keeps within the spec's `buckets`. Absent: nothing does. */
  readonly budget?: RequestBudget;
  /** A wait worth showing: rate limits, backoff. */
  onWait?(wait: { readonly reason: string; readonly ms: number }): void;
  /** Keeps the tokens of connections that refresh theirs. Absent: nothing outlives this connection. */
  readonly tokens?: TokenKeeper;
  /**
   * Where there is no `tokens`: the account has put a new refresh token in place of the configured one, which is dead from
   * now on. Resolve only when it is stored: the access token that came with it is not used before.
   */
  onTokenRotated?(token: Secret): Promise<void>;
}

/** Structured log; `fields` never hold plain secrets. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface SourceConnector {
  readonly spec: SourceSpec;
  /** `config` as the user wrote it, secrets resolved; spec.configSchema accepts it. Opens nothing on the network. */
  connect(config: unknown, context: ConnectorContext): Source;
}
