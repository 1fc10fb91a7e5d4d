import type { Clock } from "../../core/contracts/index.js";

/** What counts against which limit: exports have their own ten a minute, the Help Center has its own minute. */
export type Bucket = "exports" | "account" | "helpCenter";

/** What a limit header says. */
export interface Allowance {
  readonly total: number | undefined;
  readonly remaining: number;
  /** Seconds until `remaining` is `total` again; undefined where the header does not tell. */
  readonly resetsIn: number | undefined;
}

const MINUTE_MS = 60_000;
/** Requests arrive at Zendesk a little later than they leave, and not all equally late. */
const MARGIN_MS = 250;

export interface BudgetOptions {
  readonly connection: string;
  readonly clock: Clock;
  readonly exportsPerMinute: number;
  readonly onWait?: (wait: { readonly reason: string; readonly ms: number }) => void;
}

/**
 * Keeps within the limits per minute by waiting before a request rather than being refused. Exports: no more than so many
 * in any minute, all streams together. Every bucket: none while the last answer said that nothing is left. What other
 * processes use is seen in the headers only; the client waits out a refusal that comes all the same.
 */
export class Budgets {
  readonly #options: BudgetOptions;
  readonly #allowances = new Map<Bucket, Allowance>();
  readonly #blockedUntil = new Map<Bucket, number>();
  #exportLimit: number;
  #sent: number[] = [];

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#exportLimit = options.exportsPerMinute;
  }

  get exportsPerMinute(): number {
    return this.#exportLimit;
  }

  /** Of the last answer that told it. */
  allowance(bucket: Bucket): Allowance | undefined {
    return this.#allowances.get(bucket);
  }

  /** Resolves when a request may be sent, and counts it. */
  async take(bucket: Bucket, signal: AbortSignal): Promise<void> {
    const { clock, connection, onWait } = this.#options;
    for (;;) {
      const ms = this.#waitMs(bucket, clock.monotonicMs());
      if (ms <= 0) break;
      const what =
        bucket === "exports"
          ? `${this.#exportLimit} export requests a minute`
          : bucket === "helpCenter"
            ? "Help Center requests a minute"
            : "requests a minute";
      onWait?.({ reason: `${connection}: Zendesk's limit of ${what}`, ms });
      await clock.sleep(ms, signal);
    }
    if (bucket === "exports") this.#sent.push(clock.monotonicMs());
  }

  #waitMs(bucket: Bucket, now: number): number {
    const blocked = (this.#blockedUntil.get(bucket) ?? 0) - now;
    if (bucket !== "exports") return blocked;
    const span = MINUTE_MS + MARGIN_MS;
    this.#sent = this.#sent.filter((at) => at <= now && at > now - span);
    const first = this.#sent.at(-this.#exportLimit);
    return Math.max(blocked, first === undefined ? 0 : first + span - now);
  }

  /** Told of every answer's headers, refused ones included. */
  note(headers: Readonly<Record<string, string>>, bucket: Bucket): void {
    const general = parseGeneral(headers);
    const shared = bucket === "helpCenter" ? "helpCenter" : "account";
    if (general !== undefined) this.#keep(shared, general);
    for (const [name, value] of Object.entries(headers)) {
      if (!/^zendesk-rate-?limit-/.test(name)) continue;
      const allowance = parseEndpoint(value);
      if (allowance === undefined) continue;
      if (/incremental/.test(name)) {
        // The sample endpoint has a small bucket of its own.
        if (/sample/.test(name)) continue;
        this.#keep("exports", allowance);
        if (allowance.total !== undefined && allowance.total > 0) this.#exportLimit = allowance.total;
      }
    }
  }

  #keep(bucket: Bucket, allowance: Allowance): void {
    this.#allowances.set(bucket, allowance);
    if (allowance.remaining > 0 || allowance.resetsIn === undefined) return;
    const ms = Math.min(allowance.resetsIn, 60) * 1000 + MARGIN_MS;
    this.#blockedUntil.set(bucket, this.#options.clock.monotonicMs() + ms);
  }
}

/**
 * The limit of the account, in whichever spelling: `ratelimit-limit`, `-remaining`, `-reset` (since 2024), `rate-limit`,
 * `rate-limit-remaining`, `rate-limit-reset` (2023), `x-rate-limit`, `x-rate-limit-remaining`. Names are lower case here.
 */
export function parseGeneral(headers: Readonly<Record<string, string>>): Allowance | undefined {
  const first = (...names: string[]): number | undefined => {
    for (const name of names) {
      const value = headers[name];
      if (value !== undefined && /^\d+$/.test(value.trim())) return Number(value);
    }
    return undefined;
  };
  const remaining = first("ratelimit-remaining", "rate-limit-remaining", "x-rate-limit-remaining");
  if (remaining === undefined) return undefined;
  return {
    total: first("ratelimit-limit", "rate-limit-limit", "rate-limit", "x-rate-limit"),
    remaining,
    resetsIn: first("ratelimit-reset", "rate-limit-reset", "x-rate-limit-reset"),
  };
}

/** `total=10; remaining=9; resets=43`, of `zendesk-ratelimit-...` and the older `zendesk-rate-limit-...`. */
export function parseEndpoint(header: string): Allowance | undefined {
  const part = (name: string): number | undefined => {
    const match = new RegExp(`(?:^|[;,\\s])${name}\\s*=\\s*(\\d+)`, "i").exec(header);
    return match === null ? undefined : Number(match[1]);
  };
  const remaining = part("remaining");
  return remaining === undefined ? undefined : { total: part("total"), remaining, resetsIn: part("resets") };
}
