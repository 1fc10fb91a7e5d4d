/**
 * Limits that an API sets on requests, as data of a connector's spec, and what keeps to them. The state of each lives in the
 * data directory (core/http), so that all flows and processes of the machine share it.
 */
export type BucketSpec = WindowBucket | ConcurrentBucket;

interface Limit {
  /** Unique in the connector: `daily`, `exports`, `conversations.history`. */
  readonly name: string;
  /** What is counted, for people: `API calls in 24 hours`. */
  readonly title: string;
}

/** So many requests in any stretch of a length. */
export interface WindowBucket extends Limit {
  readonly kind: "window";
  readonly windowMs: number;
  /** Undefined: differs by account and is learned from answers; until then requests are counted and not held back. */
  readonly limit?: number;
  /**
   * What the API promises where it tolerates more and tells only by refusing: the limit where a reserve is asked for, since a
   * share must be of something.
   */
  readonly atLeast?: number;
  /**
   * How long the last word of the other side holds where it names no time, ms: one request asks again after that.
   * Default: windowMs.
   */
  readonly askAgainMs?: number;
  /** What an answer's headers (lower-case names) say of this limit. Undefined: nothing. */
  readonly learn?: (headers: Readonly<Record<string, string>>) => LimitFacts | undefined;
}

/** So many requests under way at a time. */
export interface ConcurrentBucket extends Limit {
  readonly kind: "concurrent";
  readonly limit: number;
  /** The longest a request may be under way, ms: so long a process that died is taken to be sending. */
  readonly longestMs: number;
}

/** What the other side says of a limit; each part may be missing. */
export interface LimitFacts {
  readonly limit?: number | undefined;
  /** Requests left to all applications of the account together. */
  readonly remaining?: number | undefined;
  /** Until the count begins anew, ms; undefined where it slides or is not told. */
  readonly resetsInMs?: number | undefined;
}

/** One request that was let through. */
export interface BudgetTicket {
  /** Call once: with the answer's headers, or without where none came. */
  answered(headers?: Readonly<Record<string, string>>): void;
}

export interface TakeOptions {
  readonly signal?: AbortSignal | undefined;
  /** A longer wait is not begun. */
  readonly longestWaitMs: number;
  /** Told of every wait before it begins. */
  readonly onWait: (wait: { readonly reason: string; readonly ms: number }) => void;
}

/** The budget of one connection. Every request of the HTTP client asks it first. */
export interface RequestBudget {
  /**
   * Resolves when a request may be sent that counts against all of these buckets; names that the spec does not have count
   * nowhere. RateLimitError of scope `park` where that would take longer than `longestWaitMs`.
   */
  take(buckets: readonly string[], options: TakeOptions): Promise<BudgetTicket>;
  /** What was learned by other ways than headers: a limits resource, the size of a page. */
  learn(bucket: string, facts: LimitFacts): void;
  /**
   * The other side refused a request for this limit: nobody asks again for `ms`, or for as long as the spec says. Returns
   * how long that is; undefined where the spec has no such bucket.
   */
  refused(bucket: string, ms: number | undefined): number | undefined;
  /** Gives back what is not used and writes down what was learned. Never rejects. */
  close(): Promise<void>;
}
