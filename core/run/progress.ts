import type { Clock } from "../contracts/index.js";
import type { Progress } from "./types.js";

const REPORT_MS = 200;

/** Gathers what a running run has done so far and reports it a few times a second. */
export class ProgressMeter {
  fetched = 0;
  loaded = 0;
  bytes = 0;
  phase: Progress["phase"] = "starting";
  /** Set by the session: records in the sink queues, requests sent. */
  queued: () => number = () => 0;
  apiCalls: () => number = () => 0;
  readonly #flow: string;
  readonly #run: string;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  readonly #stop: () => void;
  #wait: { reason: string; ms: number; until: number } | undefined;

  constructor(
    flow: string,
    run: string,
    clock: Clock,
    onProgress: ((progress: Progress) => void) | undefined,
  ) {
    this.#flow = flow;
    this.#run = run;
    this.#clock = clock;
    this.#startedAt = clock.monotonicMs();
    this.#onProgress = onProgress;
    this.#stop = onProgress === undefined ? () => undefined : clock.every(REPORT_MS, () => this.#report());
  }

  /** Shown until it is over. */
  waiting(wait: { reason: string; ms: number }): void {
    this.#wait = { ...wait, until: this.#clock.monotonicMs() + wait.ms };
  }

  done(): void {
    this.#stop();
    this.phase = "done";
    this.#wait = undefined;
    this.#report();
  }

  #report(): void {
    const now = this.#clock.monotonicMs();
    if (this.#wait !== undefined && this.#wait.until <= now) this.#wait = undefined;
    const wait = this.#wait;
    this.#onProgress?.({
      flow: this.#flow,
      run: this.#run,
      phase: wait === undefined ? this.phase : "waiting",
      fetched: this.fetched,
      loaded: this.loaded,
      bytes: this.bytes,
      queued: this.queued(),
      apiCalls: this.apiCalls(),
      ...(wait === undefined ? {} : { wait: { reason: wait.reason, ms: wait.ms } }),
      elapsedMs: now - this.#startedAt,
    });
  }
}
