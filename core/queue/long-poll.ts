import { CancelledError, type Clock } from "../contracts/index.js";

/** A send by another process is noticed within this time; one by this process at once. */
const LOOK_EVERY_MS = 100;

/** The receives that wait for something to arrive, by queue. */
export class LongPolls {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lets the waiting receives of a queue look again. */
  wake(queue: string): void {
    for (const wake of this.#waiting.get(queue) ?? []) wake();
  }

  wakeAll(): void {
    for (const queue of this.#waiting.keys()) this.wake(queue);
  }

  /** Until woken, aborted, or `ms` have passed (at most the time after which to look for other processes' sends). */
  async pause(queue: string, ms: number, signal: AbortSignal | undefined): Promise<void> {
    const end = new AbortController();
    const wake = () => end.abort();
    const waiting = this.#waiting.get(queue) ?? new Set();
    this.#waiting.set(queue, waiting.add(wake));
    signal?.addEventListener("abort", wake, { once: true });
    try {
      if (signal?.aborted) return;
      await this.#clock.sleep(Math.max(1, Math.min(ms, LOOK_EVERY_MS)), end.signal);
    } catch (error) {
      if (!(error instanceof CancelledError)) throw error; // woken: that is all it means here
    } finally {
      signal?.removeEventListener("abort", wake);
      waiting.delete(wake);
      if (waiting.size === 0) this.#waiting.delete(queue);
    }
  }
}
