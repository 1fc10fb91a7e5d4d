import type { Environment, Lease, RunState } from "../../contracts/index.js";
import type { Flow, Project } from "../../flow/types.js";
import { isAlive } from "../../run/lease.js";
import { deadLetterQueue, leaseName } from "../../run/names.js";
import { type Streak, streakOf } from "../../run/streak.js";
import { flowsWithDeadLetters } from "./dead-letter-choice.js";
import { toJson } from "./json.js";
import type { Output } from "./output.js";

/** Everything `sluice status` says of one flow. Times are ISO text, lags and ages milliseconds. */
export interface FlowStatus {
  readonly flow: string;
  /** `never` ran, `running` now, `interrupted`: recorded as running, but its process is gone; else the last run's. */
  readonly state: "never" | "running" | "interrupted" | "succeeded" | "failed" | "cancelled";
  readonly lastRun: {
    readonly run: string;
    readonly status: RunState["status"];
    readonly startedAt: string;
    readonly endedAt: string | null;
    readonly records: RunState["records"];
    readonly error: RunState["error"];
  } | null;
  readonly checkpoint: {
    /** The source's own cursor as JSON text. */
    readonly cursor: string;
    readonly updatedAt: string;
    /** False: the read stopped in the middle and the next run resumes it. */
    readonly complete: boolean;
  } | null;
  /** The last run is parked: a limit of hours is used up, and a run before this time would end at once. */
  readonly parkedUntil: string | null;
  /** Its schedule is switched off since so many runs have failed one after the other; null: it is not. */
  readonly switchedOff: Streak | null;
  /** Time since the end of the newest window that was read to its end: how old the landed data may be. */
  readonly lagMs: number | null;
  readonly queues: readonly QueueStatus[];
  readonly deadLetters: number;
  readonly openLoads: number;
  readonly lease: Lease | null;
}

export interface QueueStatus {
  readonly queue: string;
  readonly connection: string;
  readonly messages: number;
  readonly records: number;
  readonly bytes: number;
  readonly oldestAgeMs: number | null;
}

/** How far back the newest finished window is looked for. */
const HISTORY = 100;

/**
 * Names of the flows to tell of: those of the project, and those that have run here but have no (readable) file now.
 */
export function flowNames(project: Project, environment: Environment | undefined): string[] {
  const ran = environment === undefined ? [] : flowsWithDeadLetters(environment);
  return [...new Set([...project.flows.keys(), ...ran])].sort();
}

export function flowStatus(
  flow: string,
  environment: Environment | undefined,
  now: number,
  output: Pick<Output, "redacted">,
  trigger?: Flow["trigger"],
): FlowStatus {
  if (environment === undefined) return { ...NOTHING, flow };
  const { store, queues } = environment;
  const [last, ...older] = store.runs({ flow: flow, limit: HISTORY });
  const lease = heldLease(store.lease(leaseName(flow)), now);
  const checkpoint = store.checkpoint(flow);
  const readTo = [last, ...older].flatMap((state) =>
    state?.readComplete === true && state.window.to !== null ? [Date.parse(state.window.to)] : [],
  );
  return {
    flow,
    state: stateOf(last, lease),
    lastRun:
      last === undefined
        ? null
        : {
            run: last.run,
            status: last.status,
            startedAt: last.startedAt,
            endedAt: last.endedAt,
            records: last.records,
            error: output.redacted(last.error),
          },
    checkpoint:
      checkpoint === undefined
        ? null
        : {
            cursor: toJson(checkpoint.cursor, 0),
            updatedAt: checkpoint.updatedAt,
            complete: checkpoint.complete,
          },
    parkedUntil: lease === null ? parkedUntil(last, now) : null,
    switchedOff: switchedOff(streakOf(store, flow), trigger),
    // The latest of them: a window that was read again on purpose may have ended long ago.
    lagMs: readTo.length === 0 ? null : Math.max(0, now - Math.max(...readTo)),
    queues: queues.listQueues(`${flow}--`).flatMap((queue) => {
      const connection = SINK_QUEUE.exec(queue.slice(flow.length))?.[1];
      return connection === undefined ? [] : [queueStatus(environment, queue, connection, now)];
    }),
    deadLetters: records(environment, deadLetterQueue(flow)),
    openLoads: store.openLoads(flow).length,
    lease,
  };
}

/** What queueName puts behind the flow: also queues of sinks that the flow has no more are told of. */
const SINK_QUEUE = /^--\d+-(.+)$/;

const NOTHING: Omit<FlowStatus, "flow"> = {
  state: "never",
  lastRun: null,
  checkpoint: null,
  parkedUntil: null,
  switchedOff: null,
  lagMs: null,
  queues: [],
  deadLetters: 0,
  openLoads: 0,
  lease: null,
};

/** A lease that still keeps others out: neither run out nor of a process that is gone. */
function heldLease(lease: Lease | undefined, now: number): Lease | null {
  return lease !== undefined && lease.expiresAt > now && isAlive(lease) ? lease : null;
}

function stateOf(last: RunState | undefined, lease: Lease | null): FlowStatus["state"] {
  if (lease !== null) return "running";
  if (last === undefined) return "never";
  return last.status === "running" ? "interrupted" : last.status;
}

function parkedUntil(last: RunState | undefined, now: number): string | null {
  const retryAt = last?.error?.retryAt;
  return retryAt !== undefined && Date.parse(retryAt) > now ? retryAt : null;
}

function switchedOff(streak: Streak | undefined, trigger: Flow["trigger"] | undefined): Streak | null {
  if (streak === undefined || trigger?.type !== "schedule") return null;
  return streak.failures >= trigger.disableAfter ? streak : null;
}

function queueStatus(environment: Environment, queue: string, connection: string, now: number): QueueStatus {
  const depth = environment.queues.depth(queue);
  return {
    queue,
    connection,
    messages:
      depth.ApproximateNumberOfMessages +
      depth.ApproximateNumberOfMessagesNotVisible +
      depth.ApproximateNumberOfMessagesDelayed,
    records: depth.records,
    bytes: depth.bytes,
    oldestAgeMs: depth.oldestSentAt === undefined ? null : Math.max(0, now - depth.oldestSentAt),
  };
}

function records({ queues }: Environment, queue: string): number {
  return queues.hasQueue(queue) ? queues.depth(queue).records : 0;
}
