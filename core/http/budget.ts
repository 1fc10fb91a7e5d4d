import {
  type BucketSpec,
  type BudgetTicket,
  type LimitFacts,
  type RequestBudget,
  type TakeOptions,
  throwIfCancelled,
} from "../contracts/index.js";
import { BudgetBucket, type BudgetHost } from "./budget-bucket.js";

export interface BudgetOptions extends BudgetHost {
  readonly buckets: readonly BucketSpec[];
  /** Share (0 to 1) of every limit per time that is left to other applications. Default 0. */
  readonly reserve?: number;
}

/**
 * The budget of one connection in this process. All of them on one data directory and of one connection's name together
 * keep within the limits.
 */
export function createBudget({ buckets, reserve = 0, ...host }: BudgetOptions): RequestBudget {
  return new Budget(
    new Map(buckets.map((spec) => [spec.name, new BudgetBucket({ spec, reserve }, host)])),
    host,
  );
}

const UNCOUNTED: BudgetTicket = { answered: () => undefined };

class Budget implements RequestBudget {
  readonly #buckets: ReadonlyMap<string, BudgetBucket>;
  readonly #host: BudgetHost;

  constructor(buckets: ReadonlyMap<string, BudgetBucket>, host: BudgetHost) {
    this.#buckets = buckets;
    this.#host = host;
  }

  async take(names: readonly string[], options: TakeOptions): Promise<BudgetTicket> {
    const buckets = names.flatMap((name) => this.#buckets.get(name) ?? []);
    if (buckets.length === 0) return UNCOUNTED;
    for (;;) {
      throwIfCancelled(options.signal);
      const now = this.#host.clock.now();
      const lacking = buckets.find((bucket) => !bucket.ready(now));
      if (lacking === undefined) {
        // All at once, when all are ready: what is counted before a wait would be counted too early.
        const tickets = buckets.map((bucket) => bucket.send(now));
        return { answered: (headers) => tickets.forEach((ticket) => void ticket.answered(headers)) };
      }
      await lacking.refill(options);
    }
  }

  learn(bucket: string, facts: LimitFacts): void {
    this.#buckets.get(bucket)?.learn(facts);
  }

  refused(bucket: string, ms: number | undefined): number | undefined {
    return this.#buckets.get(bucket)?.close(ms);
  }

  async close(): Promise<void> {
    const { log, connection } = this.#host;
    const flushed = await Promise.allSettled([...this.#buckets.values()].map((bucket) => bucket.flush()));
    for (const outcome of flushed) {
      // Grants run out by themselves, and what was learned the next answers tell: no reason to fail a run that is done.
      if (outcome.status === "rejected")
        log.warn("the budget was not written down", { connection, error: String(outcome.reason) });
    }
  }
}
