import { type Answer, apiError, withHeaders } from "./answer.js";

export interface LimitOptions {
  /** Requests a minute of the account; default 700 (Enterprise). */
  readonly perMinute?: number;
  /** Requests a minute to all incremental exports; default 10. */
  readonly exportsPerMinute?: number;
  /** How limits are spelled in headers: as since 2024 (default), as in 2023, or not at all. */
  readonly spelling?: "2024" | "2023" | "none";
}

type Bucket = "account" | "helpCenter" | "exports" | "sample";

interface Window {
  startedAt: number;
  used: number;
}

/** The limits of an account: every bucket counts in minutes that begin with its first request. */
export class Limits {
  perMinute: number;
  exportsPerMinute: number;
  private readonly spelling: "2024" | "2023" | "none";
  private readonly windows = new Map<Bucket, Window>();
  /** Requests that were refused, by bucket. */
  readonly refused: Record<string, number> = {};

  constructor(options: LimitOptions) {
    this.perMinute = options.perMinute ?? 700;
    this.exportsPerMinute = options.exportsPerMinute ?? 10;
    this.spelling = options.spelling ?? "2024";
  }

  /** Counts a request; the refusal where one of its buckets is empty, and the headers of its answer. */
  count(
    path: string,
    now: number,
  ): { readonly refusal: Answer | undefined; readonly headers: Record<string, string> } {
    const isExport = /\/incremental\//.test(path) && !/help_center/.test(path);
    const general: Bucket = /\/help_center\//.test(path) ? "helpCenter" : "account";
    const special: Bucket | undefined = !isExport ? undefined : /\/sample/.test(path) ? "sample" : "exports";
    const buckets: Bucket[] = special === undefined ? [general] : [general, special];
    const states = buckets.map((bucket) => ({ bucket, ...this.use(bucket, now) }));
    const headers = this.headers(general, special, now);
    const empty = states.find(({ allowed }) => !allowed);
    if (empty === undefined) return { refusal: undefined, headers };
    this.refused[empty.bucket] = (this.refused[empty.bucket] ?? 0) + 1;
    const refusal = withHeaders(
      apiError(429, "APIRateLimitExceeded", "Number of allowed API requests per minute exceeded"),
      { "retry-after": String(empty.resets) },
    );
    return { refusal, headers };
  }

  reset(): void {
    this.windows.clear();
  }

  private use(bucket: Bucket, now: number): { allowed: boolean; resets: number } {
    const window = this.window(bucket, now);
    const allowed = window.used < this.totalOf(bucket);
    if (allowed) window.used += 1;
    return { allowed, resets: this.resets(bucket, now) };
  }

  private window(bucket: Bucket, now: number): Window {
    const known = this.windows.get(bucket);
    const length = lengthOf(bucket);
    if (known !== undefined && now >= known.startedAt && now < known.startedAt + length) return known;
    const fresh = { startedAt: now, used: 0 };
    this.windows.set(bucket, fresh);
    return fresh;
  }

  private resets(bucket: Bucket, now: number): number {
    return Math.ceil((this.window(bucket, now).startedAt + lengthOf(bucket) - now) / 1000);
  }

  private totalOf(bucket: Bucket): number {
    if (bucket === "exports") return this.exportsPerMinute;
    return bucket === "sample" ? 10 : this.perMinute;
  }

  private headers(general: Bucket, special: Bucket | undefined, now: number): Record<string, string> {
    if (this.spelling === "none") return {};
    const left = (bucket: Bucket) => this.totalOf(bucket) - this.window(bucket, now).used;
    const total = String(this.totalOf(general));
    const remaining = String(left(general));
    const resets = String(this.resets(general, now));
    const old = this.spelling === "2023";
    const headers: Record<string, string> = { "X-Rate-Limit": total, "X-Rate-Limit-Remaining": remaining };
    const own = old ? "rate-limit" : "ratelimit";
    headers[old ? "rate-limit" : "ratelimit-limit"] = total;
    headers[`${own}-remaining`] = remaining;
    headers[`${own}-reset`] = resets;
    if (special !== undefined) {
      const name = special === "sample" ? "incremental-sample" : "incremental-exports";
      headers[`Zendesk-${old ? "Rate-Limit" : "RateLimit"}-${name}`] =
        `total=${this.totalOf(special)}; remaining=${left(special)}; resets=${this.resets(special, now)}`;
    }
    return headers;
  }
}

function lengthOf(bucket: Bucket): number {
  return bucket === "sample" ? 20 * 60_000 : 60_000;
}
