import {
  CancelledError,
  InvariantError,
  type RunState,
  SluiceError,
  TransientError,
} from "../contracts/index.js";
import type { Skip } from "./due.js";
import { runError } from "./history.js";
import { takeStart } from "./schedule-state.js";
import { ScheduledFlow, type Start } from "./scheduled-flow.js";
import type { RunHost, RunOptions, RunResult } from "./types.js";

export interface SchedulerOptions {
  readonly signal: AbortSignal;
  /** Runs at once; others wait for their turn. Default 4. */
  readonly most?: number;
  readonly run: (host: RunHost, flow: ScheduledFlow["flow"], options: RunOptions) => Promise<RunResult>;
}

const MOST_RUNS = 4;
/** A machine that sleeps does not count its timers down: the wall clock is asked this often. */
const MOST_SLEEP_MS = 30_000;
/** How often a run of another process is looked for that a start waits for. */
const OTHER_RUN_MS = 1_000;
/** After a start that failed before there was a run, such as a full disk. */
const UNABLE_MS = 30_000;

/**
 * Starts flows by their triggers, a bounded number at once. Every start that was due is in the store before its run is
 * and leaves it in the transaction that writes the run down: a kill at any instant neither loses nor repeats one.
 */
export class Scheduler {
  readonly #host: RunHost;
  readonly #options: SchedulerOptions;
  readonly #flows: readonly ScheduledFlow[];
  readonly #runs = new Set<Promise<void>>();
  /** Ends the runs when the scheduler breaks. */
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  #pause: AbortController | undefined;
  #isWoken = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(host: RunHost, options: SchedulerOptions) {
    const { project, environment, clock } = host;
    this.#host = host;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#abort.signal]);
    this.#flows = [...project.flows.values()]
      .filter(({ trigger }) => trigger.type === "schedule" || trigger.type === "after")
      .map((flow) => new ScheduledFlow(flow, environment, clock.now()));
  }

  /** Runs until the signal aborts and every run has ended. Rejects when it cannot go on; the runs are ended then, too. */
  async run(): Promise<void> {
    const onAbort = () => this.#wake();
    this.#signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (const flow of this.#flows) this.#say(flow, await flow.recover());
      while (!this.#signal.aborted) await this.#turn();
    } catch (error) {
      this.#fail(error);
    }
    await Promise.all(this.#runs);
    this.#signal.removeEventListener("abort", onAbort);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #turn(): Promise<void> {
    const { clock } = this.#host;
    this.#isWoken = false;
    if (!(await this.#look())) return this.#sleep([UNABLE_MS]);
    const now = clock.now();
    const ready = this.#flows.flatMap((flow) => {
      const start = flow.start(now);
      return start === undefined ? [] : [{ flow, start }];
    });
    // Who has waited longest; what is resumed has waited through a whole life of the daemon.
    ready.sort((a, b) => (a.start.due ?? 0) - (b.start.due ?? 0));
    for (const { flow, start } of ready.slice(0, this.#most - this.#runs.size)) {
      if (!this.#signal.aborted) this.#begin(flow, start);
    }
    const isFull = this.#runs.size >= this.#most;
    const since = clock.now();
    const waits = this.#flows.flatMap((flow) => flow.wakeAt() ?? []).map((time) => time - since);
    // What is due and has no turn is begun when a run ends.
    await this.#sleep(waits.filter((ms) => !isFull || ms > 0));
  }

  /** False: what is due could not be written down, as on a full disk. */
  async #look(): Promise<boolean> {
    const { clock, log } = this.#host;
    try {
      for (const flow of this.#flows) this.#say(flow, await flow.look(clock.now()));
      return true;
    } catch (error) {
      if (!(error instanceof SluiceError) || error instanceof InvariantError) throw error;
      log.error("no flow can be started", { ...runError(error) });
      return false;
    }
  }

  get #most(): number {
    return this.#options.most ?? MOST_RUNS;
  }

  #begin(flow: ScheduledFlow, start: Start): void {
    flow.isRunning = true;
    const run = this.#execute(flow, start)
      .catch((error: unknown) => this.#unable(flow, start, error))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        flow.isRunning = false;
        this.#runs.delete(run);
        this.#wake();
      });
    this.#runs.add(run);
  }

  async #execute(flow: ScheduledFlow, start: Start): Promise<void> {
    const { clock, log } = this.#host;
    const other = flow.otherRun(clock.now());
    if (other !== undefined) return this.#overlap(flow, start, other.pid);
    const { due } = start;
    const at = due === undefined ? {} : { due: new Date(due).toISOString() };
    log.info("run starts", { flow: flow.name, trigger: flow.trigger, ...at });
    const { state } = await this.#options.run(this.#host, flow.flow, {
      trigger: flow.trigger,
      signal: this.#signal,
      began: (store) => {
        if (due !== undefined) takeStart(store, flow.name, due);
        flow.begun();
      },
    });
    flow.ended(state);
    this.#sayEnd(flow, state);
    if (state.status !== "succeeded") return;
    for (const follower of this.#flows) {
      if (follower.follows === flow.name) this.#say(follower, await follower.offer(state));
    }
  }

  /** Another process runs the flow. */
  async #overlap(flow: ScheduledFlow, start: Start, pid?: number): Promise<void> {
    const { clock, log } = this.#host;
    if (start.waits) {
      if (flow.retryAt === undefined)
        log.info("waits for the run of another process", { flow: flow.name, pid });
      flow.retryAt = clock.now() + OTHER_RUN_MS;
      return;
    }
    flow.retryAt = undefined;
    await flow.drop(start);
    const due = start.due ?? clock.now();
    this.#say(flow, [{ reason: "overlap: another process runs the flow", due, starts: 1 }]);
  }

  /** A run could not begin, or its end could not be written down. */
  async #unable(flow: ScheduledFlow, start: Start, error: unknown): Promise<void> {
    const { clock, log } = this.#host;
    if (error instanceof CancelledError) return;
    if (!(error instanceof SluiceError)) throw error;
    if (error instanceof TransientError && error.code === "FLOW_RUNNING") return this.#overlap(flow, start);
    log.error("the flow could not be run", { flow: flow.name, ...runError(error) });
    if (error instanceof InvariantError && error.code !== "LEASE_LOST") this.#stop(flow);
    flow.retryAt = clock.now() + UNABLE_MS;
  }

  #stop(flow: ScheduledFlow): void {
    flow.isStopped = true;
    this.#host.log.error("the flow is not started any more by this daemon: this is a fault of Sluice", {
      flow: flow.name,
    });
  }

  #sayEnd(flow: ScheduledFlow, state: RunState): void {
    const { log } = this.#host;
    const { run, status, startedAt, endedAt, records, error } = state;
    const ms = endedAt === null ? 0 : Date.parse(endedAt) - Date.parse(startedAt);
    const facts = { flow: flow.name, run, status, ms, ...records };
    if (error === null || status === "cancelled") {
      log.info("run ended", facts);
      return;
    }
    const { class: kind, code, message, fix, retryAt } = error;
    log.warn("run ended", { ...facts, class: kind, code, error: message, fix, retryAt });
    if (kind === "invariant" && code !== "LEASE_LOST") this.#stop(flow);
    if (flow.isOff())
      log.error("the schedule is switched off", {
        flow: flow.name,
        failures: flow.failures(),
        fix: `When it is mended: sluice run ${flow.name}`,
      });
  }

  #say(flow: ScheduledFlow, skips: readonly Skip[]): void {
    for (const { reason, due, starts } of skips) {
      const at = new Date(due).toISOString();
      this.#host.log.info("start left out", { flow: flow.name, due: at, starts, reason });
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#abort.abort(error);
  }

  #wake(): void {
    this.#isWoken = true;
    this.#pause?.abort();
  }

  /** For the shortest of these times, or until a run has ended or the signal aborts. */
  async #sleep(waits: readonly number[]): Promise<void> {
    if (this.#isWoken || this.#signal.aborted) return;
    const { clock } = this.#host;
    const ms = Math.max(0, Math.min(MOST_SLEEP_MS, ...waits));
    this.#pause = new AbortController();
    try {
      await clock.sleep(ms, this.#pause.signal);
    } catch (error) {
      if (!(error instanceof CancelledError)) throw error;
    } finally {
      this.#pause = undefined;
    }
  }
}
