import type { Clock, Environment, Log, Random, RunState, StoreTx, Value } from "../contracts/index.js";
import type { Connectors, Project } from "../flow/types.js";
import type { BudgetForecast } from "../http/index.js";
import type { Grants } from "./grants.js";

/** What a run needs of its host: the CLI, the daemon. */
export interface RunHost {
  readonly project: Project;
  readonly connectors: Connectors;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onProgress?: (progress: Progress) => void;
  /** Keeps what accounts hand out; absent: refresh tokens live as long as their connection. */
  readonly grants?: Grants;
}

export interface RunOptions {
  readonly trigger: string;
  /** Reads everything again and starts a new checkpoint. */
  readonly full?: boolean;
  /** Epoch ms: a backfill window; the checkpoint does not move. */
  readonly from?: number;
  readonly to?: number;
  /** Called in the transaction that writes the run down: what asked for it is answered exactly once. */
  readonly began?: (tx: StoreTx) => void;
  readonly signal: AbortSignal;
}

/** A running run, a few times a second. */
export interface Progress {
  readonly flow: string;
  readonly run: string;
  readonly phase: "starting" | "reading" | "delivering" | "waiting" | "done";
  readonly fetched: number;
  readonly loaded: number;
  readonly bytes: number;
  /** Records in the sink queues. */
  readonly queued: number;
  readonly apiCalls: number;
  /** While phase is waiting: why, and how long in all. */
  readonly wait?: { readonly reason: string; readonly ms: number };
  readonly elapsedMs: number;
}

/** A finished run; also carries what was delivered on behalf of earlier runs that had left something behind. */
export interface RunResult {
  readonly state: RunState;
  readonly earlier: { readonly runs: number; readonly records: number };
  /** 0, 1, 2, 3, 4 or 130 (design.md, Commands). */
  readonly exitCode: number;
}

/** One record as `sluice preview` shows it. */
export interface PreviewRow {
  readonly source: Value;
  readonly outcome: "mapped" | "filtered" | "rejected";
  readonly mapped?: Value;
  readonly reason?: string;
}

export interface PlanReport {
  readonly flow: string;
  readonly query: string;
  readonly pushedDown: readonly string[];
  readonly notPushedDown: readonly string[];
  readonly window: { readonly from: string | null; readonly to: string } | null;
  readonly records: number | null;
  readonly apiCalls: number | null;
  /** At least so long for its calls and by what is left of the limits, milliseconds; null where nobody can say. */
  readonly durationMs: number | null;
  /** What the calls will meet in each limit of the account. */
  readonly budget: readonly BudgetForecast[];
  readonly schema: readonly { readonly name: string; readonly type: string }[];
  readonly sinks: readonly {
    readonly connection: string;
    readonly target: string;
    readonly changes: readonly string[];
  }[];
  readonly openLoads: number;
  readonly queued: number;
}
