import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment, Log, RunError, RunState, RunStatus } from "../../../core/contracts/index.js";
import { loadProject } from "../../../core/flow/index.js";
import { beginRun, updateRun } from "../../../core/run/history.js";
import { HeldLease } from "../../../core/run/lease.js";
import { leaseName, runId } from "../../../core/run/names.js";
import { scheduleState } from "../../../core/run/schedule-state.js";
import { Scheduler } from "../../../core/run/scheduler.js";
import { countOutcome } from "../../../core/run/streak.js";
import type { RunHost, RunOptions, RunResult } from "../../../core/run/types.js";
import { memoryEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";
import { connectorsOf, ScriptedSink, ScriptedSource } from "./connectors.js";

/** Noon, so that hours and minutes of a test are easy to read. */
export const NOON = Date.UTC(2026, 5, 1, 12);

export interface Started {
  readonly flow: string;
  readonly trigger: string;
  /** When it was due and when it began, seconds after noon. */
  readonly due: number | undefined;
  readonly at: number;
}

export interface Outcome {
  readonly ms?: number;
  readonly error?: Partial<RunError>;
}

/** Flows with triggers, time that a test moves, and runs that last and end as it says. */
export class SchedulerWorld {
  readonly clock: VirtualClock;
  readonly environment: Environment;
  readonly starts: Started[] = [];
  readonly lines: string[] = [];
  /** How each run goes; the default ends well at once. */
  outcome: (flow: string) => Outcome = () => ({});
  readonly #dir = mkdtempSync(join(tmpdir(), "sluice-schedule-"));
  readonly #random;
  #stop: AbortController | undefined;
  #running: Promise<void> | undefined;

  constructor(options: { readonly now?: number; readonly seed?: number } = {}) {
    this.clock = new VirtualClock(options.now ?? NOON);
    this.#random = seededRandom(options.seed ?? 1);
    this.environment = memoryEnvironment({ clock: this.clock, random: this.#random });
  }

  /** `flows`: their triggers, as YAML. */
  project(flows: Readonly<Record<string, string>>): void {
    rmSync(join(this.#dir, "flows"), { recursive: true, force: true });
    mkdirSync(join(this.#dir, "flows"));
    writeFileSync(
      join(this.#dir, "sluice.yaml"),
      "connections: { crm: { connector: scripted }, out: { connector: first } }\n",
    );
    for (const [name, trigger] of Object.entries(flows)) {
      writeFileSync(
        join(this.#dir, "flows", `${name}.yaml`),
        `name: ${name}\nsource: { connection: crm, stream: things }\ntrigger: ${trigger}\nsinks: [{ connection: out, name: a }]\n`,
      );
    }
  }

  #host(environment: Environment): RunHost {
    const connectors = connectorsOf(new ScriptedSource(), { first: new ScriptedSink() });
    const project = loadProject({ project: this.#dir, cwd: this.#dir, env: {}, connectors });
    const [problem] = project.problems;
    if (problem !== undefined) throw new Error(`${problem.file}: ${problem.message}`);
    const say = (message: string, fields: Record<string, unknown> = {}) => {
      const { flow, reason, starts } = fields;
      this.lines.push([flow, message, reason, starts].filter((part) => part !== undefined).join(" | "));
    };
    const log: Log = { debug: () => {}, info: say, warn: say, error: say };
    return { project, connectors, environment, clock: this.clock, random: this.#random, log };
  }

  /** Begins a life of the daemon. */
  async up(options: { readonly environment?: Environment; readonly most?: number } = {}): Promise<void> {
    const stop = new AbortController();
    const { environment = this.environment, ...rest } = options;
    const scheduler = new Scheduler(this.#host(environment), {
      ...rest,
      signal: stop.signal,
      run: (host, flow, asked) => this.#run(host, flow.name, asked),
    });
    this.#stop = stop;
    this.#running = scheduler.run();
    // Looked at by `down`; a life that is killed rejects before.
    this.#running.catch(() => undefined);
    await this.clock.advance(0);
  }

  /** Ends it as a signal does; rejects with what it broke of. */
  async down(): Promise<void> {
    this.#stop?.abort();
    await this.#running;
  }

  async #run(host: RunHost, flow: string, { trigger, signal, began }: RunOptions): Promise<RunResult> {
    const { environment, clock } = host;
    const { ms = 0, error } = this.outcome(flow);
    const run = runId(clock.now(), () => this.#random.next());
    const lease = await HeldLease.acquire(environment, clock, this.#random, leaseName(flow), () => {});
    try {
      const seconds = (time: number) => (time - NOON) / 1000;
      await environment.transaction(({ store }) => {
        const waited = scheduleState(store, flow)?.waiting ?? [];
        beginRun(store, stateOf(flow, run, trigger, clock.now()));
        began?.(store);
        const left = scheduleState(store, flow)?.waiting ?? [];
        const taken = waited.find((time) => !left.includes(time));
        // Noted here: a life that ends with this commit has begun the run all the same.
        const due = taken === undefined ? undefined : seconds(taken);
        this.starts.push({ flow, trigger, due, at: seconds(clock.now()) });
      });
      if (ms > 0) await clock.sleep(ms, signal).catch(() => undefined);
      return { state: await this.end(environment, flow, run, error, signal), earlier: NONE, exitCode: 0 };
    } finally {
      await lease.release();
    }
  }

  end(
    environment: Environment,
    flow: string,
    run: string,
    error: Partial<RunError> | undefined,
    signal: AbortSignal,
  ): Promise<RunState> {
    const status: RunStatus = signal.aborted ? "cancelled" : error === undefined ? "succeeded" : "failed";
    const full = { class: "transient", code: "DOWN", message: "the source is down", ...error };
    return environment.transaction(({ store }) => {
      const ended = updateRun(store, flow, run, (state) => ({
        ...state,
        status,
        endedAt: new Date(this.clock.now()).toISOString(),
        error: status === "failed" ? full : null,
      }));
      countOutcome(store, ended);
      return ended;
    });
  }

  /** `sluice run` in another process, to its end. */
  async runByHand(flow: string, error?: Partial<RunError>): Promise<void> {
    const run = runId(this.clock.now(), () => this.#random.next());
    await this.environment.transaction(({ store }) =>
      beginRun(store, stateOf(flow, run, "onDemand", this.clock.now())),
    );
    await this.end(this.environment, flow, run, error, new AbortController().signal);
  }

  /** Begun at, seconds after noon. */
  begun(flow: string): number[] {
    return this.starts.filter((start) => start.flow === flow).map(({ at }) => at);
  }

  async close(): Promise<void> {
    await this.environment.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

const NONE = { runs: 0, records: 0 };

function stateOf(flow: string, run: string, trigger: string, now: number): RunState {
  return {
    flow,
    run,
    generation: run,
    readComplete: false,
    trigger,
    status: "running",
    startedAt: new Date(now).toISOString(),
    endedAt: null,
    window: { from: null, to: null },
    records: { fetched: 0, filtered: 0, dropped: 0, deadLettered: 0, loaded: 0, queued: 0 },
    rejected: { dropped: 0, deadLettered: 0 },
    repeated: 0,
    bytes: 0,
    pages: 0,
    sinks: [],
    apiCalls: 0,
    error: null,
  };
}
