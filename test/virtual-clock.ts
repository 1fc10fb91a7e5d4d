import { CancelledError, type Clock } from "../core/contracts/index.js";

interface Alarm {
  at: number;
  /** Order of setting; alarms of one instant ring in this order. */
  readonly order: number;
  readonly ring: () => void;
  /** Repeats every so many ms; undefined: once. */
  readonly everyMs: number | undefined;
}

/**
 * Time that stands still until the test moves it. `sleep` and `every` ring inside `advance`, in order of their
 * instants, and code that was waiting gets its turn before the next alarm rings.
 */
export class VirtualClock implements Clock {
  #now: number;
  readonly #start: number;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  /** `start`: epoch milliseconds; the default is 2026-01-01T00:00:00Z. */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#now - this.#start;
  }

  /** How many sleeps and repeating tasks are waiting. */
  get waiting(): number {
    return this.#alarms.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancelled = () => new CancelledError("CANCELLED", "cancelled while waiting");
      if (signal?.aborted) return reject(cancelled());
      const onAbort = () => {
        this.#alarms.delete(alarm);
        reject(cancelled());
      };
      const ring = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const alarm: Alarm = { at: this.#now + ms, order: this.#order++, ring, everyMs: undefined };
      this.#alarms.add(alarm);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  every(ms: number, task: () => void): () => void {
    if (!(ms > 0)) throw new RangeError(`a repeating task needs a positive interval, not ${ms}`);
    const alarm: Alarm = { at: this.#now + ms, order: this.#order++, ring: task, everyMs: ms };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /**
   * Moves time forward by `ms`, ringing what falls due on the way, each at its own instant. Alarms set meanwhile
   * ring too when they fall due within the span.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const due = this.#nextDue(end);
      if (due === undefined) break;
      this.#now = Math.max(this.#now, due.at);
      if (due.everyMs === undefined) this.#alarms.delete(due);
      else due.at += due.everyMs;
      due.ring();
      await settle();
    }
    this.#now = end;
  }

  /** Sets the time without ringing anything: a clock that was stepped by hand, forwards or backwards. */
  step(ms: number): void {
    this.#now += ms;
  }

  #nextDue(end: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at > end) continue;
      if (!first || alarm.at < first.at || (alarm.at === first.at && alarm.order < first.order))
        first = alarm;
    }
    return first;
  }
}

/** Lets promise chains (and callbacks of finished I/O) run before time moves on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
