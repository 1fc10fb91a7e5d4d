import { CancelledError, type Clock } from "../../../core/contracts/index.js";

/** A clock whose sleeps take no time: it notes them and moves on. `every` rings only when the test says so. */
export class PatientClock implements Clock {
  readonly sleeps: number[] = [];
  readonly #tasks = new Set<() => void>();
  #now: number;

  constructor(now = Date.UTC(2026, 9, 1, 12)) {
    this.#now = now;
  }
  now(): number {
    return this.#now;
  }
  monotonicMs(): number {
    return this.#now;
  }
  set(now: number): void {
    this.#now = now;
  }
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw new CancelledError("CANCELLED", "cancelled while waiting");
    this.sleeps.push(ms);
    this.#now += ms;
  }
  every(_ms: number, task: () => void): () => void {
    this.#tasks.add(task);
    return () => this.#tasks.delete(task);
  }
  /** Rings every repeating task once: deadlines pass. */
  ring(): void {
    for (const task of [...this.#tasks]) task();
  }
  get repeating(): number {
    return this.#tasks.size;
  }
}
