import { CancelledError, type Clock } from "../contracts/index.js";

/** A send by another process is noticed within this time; one by this process at once. */
const LOOK_EVERY_MS = 100;

/** Why a pause ended. An abort without a reason would make an error of its own each time. */
const WOKEN = "woken";

/**
 * The receives that wait for something to arrive, by queue. What arrives wakes the one that has waited longest: it
 * takes what it may and wakes the next while there is more, so that ten messages do not have a hundred consumers look.
 */
export class LongPolls {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lets the longest waiting receive of a queue look again. */
  wake(queue: string): void {
    const waiting = this.#waiting.get(queue);
    const [longest] = waiting ?? [];
    if (!longest) return;
    waiting?.delete(longest);
    longest();
  }

  /** Lets all of them look again; of every queue without a name. */
  wakeAll(queue?: string): void {
    for (const name of queue === undefined ? this.#waiting.keys() : [queue])
      for (const wake of this.#waiting.get(name) ?? []) wake();
  }

  /** Until woken, aborted, or `ms` have passed (at most the time after which to look for other processes' sends). */
  async pause(queue: string, ms: number, signal: AbortSignal | undefined): Promise<void> {
    const end = new AbortController();
    const wake = () => end.abort(WOKEN);
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
      if (waiting.size === 0 && this.#waiting.get(queue) === waiting) this.#waiting.delete(queue);
      // What it was woken for is for the next one.
      if (signal?.aborted && end.signal.aborted) this.wake(queue);
    }
  }
}
