import type { BucketSpec, Environment, RequestBudget, TakeOptions } from "../../../core/contracts/index.js";
import { createBudget } from "../../../core/http/index.js";
import { memoryEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";
import { LogSpy } from "./log-spy.js";

/** Processes on one data directory, each with its own budget of the same connection, and what they send. */
export class BudgetWorld {
  readonly clock = new VirtualClock();
  readonly log = new LogSpy();
  readonly environment: Environment;
  /** Every request let through, by epoch ms. */
  readonly sent: number[] = [];
  readonly waits: { reason: string; ms: number }[] = [];
  transactions = 0;
  /** Processes that are known to be gone, by their pids: 1, 2, ... in the order they were made. */
  readonly dead = new Set<number>();
  #seed = 1;

  constructor(environment?: Environment) {
    this.environment = environment ?? memoryEnvironment({ clock: this.clock, random: seededRandom(1) });
  }

  process(buckets: readonly BucketSpec[], reserve = 0): RequestBudget {
    return createBudget({
      connection: "crm",
      environment: {
        transaction: (work) => {
          this.transactions++;
          return this.environment.transaction(work);
        },
      },
      clock: this.clock,
      holder: { pid: this.#seed, host: "here" },
      isAlive: ({ pid }) => !this.dead.has(pid),
      random: seededRandom(this.#seed++),
      log: this.log,
      buckets,
      reserve,
    });
  }

  options(extra: Partial<TakeOptions> = {}): TakeOptions {
    return { longestWaitMs: 900_000, onWait: (wait) => this.waits.push(wait), ...extra };
  }

  /** Sends one request that is answered at once. */
  async send(
    budget: RequestBudget,
    bucket: string,
    headers: Readonly<Record<string, string>> = {},
    extra: Partial<TakeOptions> = {},
  ): Promise<void> {
    const ticket = await budget.take([bucket], this.options(extra));
    this.sent.push(this.clock.now());
    ticket.answered(headers);
  }

  /** Resolves to the outcome of `work` while time passes in steps, `ms` at most. */
  async during<T>(work: Promise<T>, ms: number, step = 50): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    work.then(done, done);
    for (let passed = 0; passed <= ms && !settled; passed += step) await this.clock.advance(step);
    if (!settled) throw new Error(`not settled after ${ms} ms of virtual time`);
    return work;
  }

  /** The most requests in any window of this length. */
  busiest(windowMs: number, sent: readonly number[] = this.sent): number {
    const times = [...sent].sort((a, b) => a - b);
    let most = 0;
    for (let first = 0, last = 0; last < times.length; last++) {
      while ((times[last] ?? 0) - (times[first] ?? 0) >= windowMs) first++;
      most = Math.max(most, last - first + 1);
    }
    return most;
  }

  close(): Promise<void> {
    return this.environment.close();
  }
}
