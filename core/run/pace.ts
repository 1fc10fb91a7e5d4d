import type { Clock } from "../contracts/index.js";

/** Spreads work over time: so many units a second, on average from its first. */
export class Pace {
  readonly perSecond: number;
  readonly #clock: Clock;
  #dueMs: number;

  constructor(clock: Clock, perSecond: number) {
    this.perSecond = perSecond;
    this.#clock = clock;
    this.#dueMs = clock.monotonicMs();
  }

  /** Milliseconds until `units` more may be done; what was missed while nothing was done is not made up for. */
  take(units: number): number {
    const now = this.#clock.monotonicMs();
    const wait = Math.max(0, this.#dueMs - now);
    this.#dueMs = now + wait + (units * 1000) / this.perSecond;
    return wait;
  }
}
