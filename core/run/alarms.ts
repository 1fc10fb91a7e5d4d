import type {
  AlarmChange,
  AlarmMetric,
  AlarmState,
  Environment,
  Log,
  QueueDepth,
  Queues,
} from "../contracts/index.js";
import type { Project } from "../flow/types.js";
import { deadLetterQueue, queueName } from "./names.js";
import { matchesPattern } from "./queue-pattern.js";

/*
 * Alarms watch queues. A rule of `buffer.alarms` and a queue whose name fits its pattern make one alarm for each
 * threshold:
 *
 *        value >= threshold
 *   ok ----------------------> firing
 *      <----------------------
 *        value < threshold, or the rule or the queue is gone
 *
 * What they are now is measured; the store keeps the moves. Whoever measures (a run at its end, `sluice status`, a
 * daemon on its tick) writes the moves it finds, in a transaction that looks again, so that each is written once.
 */

export interface Alarm {
  readonly id: string;
  /** The rule's pattern, and where the rule stands. */
  readonly pattern: string;
  readonly place: string;
  readonly queue: string;
  readonly metric: AlarmMetric;
  /** Messages, records, bytes; milliseconds for `oldest`. */
  readonly threshold: number;
  readonly value: number;
  readonly state: AlarmChange["state"];
  /** ISO text of the last move; null for one that has never fired. */
  readonly since: string | null;
  /** Its last moves, oldest first, a present one among them. */
  readonly changes: readonly AlarmChange[];
}

/** A threshold that watches no queue, there or to come: its pattern is probably mistyped. */
export interface IdleThreshold {
  readonly pattern: string;
  readonly place: string;
  readonly metric: AlarmMetric;
}

export interface AlarmMove {
  readonly alarm: Omit<AlarmState, "changes">;
  readonly change: AlarmChange;
}

export interface AlarmReport {
  readonly alarms: readonly Alarm[];
  readonly idle: readonly IdleThreshold[];
  /** Moves since the store was last told; `noteAlarms` tells it. */
  readonly moves: readonly AlarmMove[];
}

/** Moves kept of one alarm. */
const MOST_CHANGES = 50;
/** What an alarm that is gone has done stays to be seen for so long. */
const KEPT_MS = 14 * 86_400_000;

/** Measures every alarm of the project; writes nothing. `now`: epoch ms. `environment` undefined: nothing ever ran. */
export function measureAlarms(
  environment: Environment | undefined,
  project: Pick<Project, "flows" | "buffer">,
  now: number,
): AlarmReport {
  const { alarms: rules } = project.buffer;
  const stored = environment?.store.alarms() ?? [];
  // Undefined since sluice.yaml cannot be read: nobody took an alarm away.
  if (rules === undefined || (rules.length === 0 && stored.length === 0))
    return { alarms: [], idle: [], moves: [] };
  const history = new Map(stored.map(({ id, changes }) => [id, changes]));
  const queues = watchedQueues(environment?.queues, project);
  const alarms = new Map<string, Alarm>();
  const idle: IdleThreshold[] = [];
  for (const { queue: pattern, thresholds, place } of rules) {
    for (const { metric, threshold } of thresholds) {
      const watched = queues.filter((queue) => watches(pattern, metric, queue));
      if (watched.length === 0) idle.push({ pattern, place, metric });
      for (const { name: queue, depth } of watched) {
        if (depth === undefined) continue;
        const id = `${queue} ${metric} ${threshold}`;
        const value = measured(depth, metric, now);
        const state: AlarmChange["state"] = value >= threshold ? "firing" : "ok";
        const before = history.get(id) ?? [];
        const moved = stateAfter(before) !== state;
        const changes = moved ? [...before, { state, at: new Date(now).toISOString(), value }] : before;
        const since = changes.at(-1)?.at ?? null;
        alarms.set(id, { id, pattern, place, queue, metric, threshold, value, state, since, changes });
      }
    }
  }
  const all = [...alarms.values()];
  return { alarms: all, idle, moves: movesOf(stored, all, now) };
}

/** Writes the moves of a measurement that the store does not know yet; resolves to those that it wrote. */
export async function noteAlarms(
  environment: Environment,
  { alarms, moves }: AlarmReport,
  now: number,
): Promise<readonly AlarmMove[]> {
  if (moves.length === 0) return [];
  return environment.transaction(({ store }) => {
    const stored = new Map(store.alarms().map((state) => [state.id, state]));
    const fresh = movesOf([...stored.values()], alarms, now);
    for (const { alarm, change } of fresh) {
      const changes = [...(stored.get(alarm.id)?.changes ?? []), change].slice(-MOST_CHANGES);
      store.putAlarm({ ...alarm, changes });
    }
    const alive = new Set([...alarms, ...fresh.map(({ alarm }) => alarm)].map(({ id }) => id));
    for (const { id, changes } of stored.values()) {
      const last = changes.at(-1);
      if (!alive.has(id) && (last === undefined || Date.parse(last.at) + KEPT_MS < now))
        store.deleteAlarm(id);
    }
    return fresh;
  });
}

/** Measures, writes what moved, and says one line for each alarm that has begun to fire. */
export async function evaluateAlarms(
  environment: Environment,
  project: Pick<Project, "flows" | "buffer">,
  now: number,
  log: Log,
): Promise<AlarmReport> {
  const report = measureAlarms(environment, project, now);
  const moves = await noteAlarms(environment, report, now);
  for (const { alarm, change } of moves) {
    if (change.state !== "firing") continue;
    const { queue, metric, threshold } = alarm;
    log.warn("an alarm fires", { queue, metric, value: change.value, threshold });
  }
  return { ...report, moves };
}

function movesOf(stored: readonly AlarmState[], alarms: readonly Alarm[], now: number): AlarmMove[] {
  const at = new Date(now).toISOString();
  const known = new Map(stored.map(({ id, changes }) => [id, stateAfter(changes)]));
  const alive = new Set(alarms.map(({ id }) => id));
  const moved = alarms.filter(({ id, state }) => (known.get(id) ?? "ok") !== state);
  const gone = stored.filter(({ id }) => known.get(id) === "firing" && !alive.has(id));
  return [
    ...moved.map(({ id, queue, metric, threshold, state, value }) => ({
      alarm: { id, queue, metric, threshold },
      change: { state, at, value },
    })),
    ...gone.map(({ id, queue, metric, threshold }) => ({
      alarm: { id, queue, metric, threshold },
      change: { state: "ok" as const, at, value: null },
    })),
  ];
}

const stateAfter = (changes: readonly AlarmChange[]): AlarmChange["state"] => changes.at(-1)?.state ?? "ok";

interface WatchedQueue {
  readonly name: string;
  readonly isDead: boolean;
  /** Undefined: the first run of its flow will create it. */
  readonly depth: QueueDepth | undefined;
}

/** The queues that are there, and those that the flows will have. */
function watchedQueues(queues: Queues | undefined, { flows }: Pick<Project, "flows">): WatchedQueue[] {
  const there = queues?.listQueues() ?? [];
  const dead = new Set<string>();
  for (const name of there) {
    const target = queues?.getQueueAttributes(name).RedrivePolicy?.deadLetterTargetQueue;
    if (target !== undefined) dead.add(target);
  }
  const names = new Set(there);
  for (const { name: flow, sinks } of flows.values()) {
    for (const [index, { connection }] of sinks.entries()) names.add(queueName(flow, index, connection));
    names.add(deadLetterQueue(flow));
  }
  return [...names].sort().map((name) => ({
    name,
    isDead: dead.has(name) || name.endsWith(deadLetterQueue("")),
    depth: queues?.hasQueue(name) === true ? queues.depth(name) : undefined,
  }));
}

/**
 * `deadLetters` watches dead-letter queues alone. The other thresholds are about work that waits, and a dead letter rests:
 * a pattern that ends in a wildcard leaves its queue out, as a shell's `*` does hidden files.
 */
function watches(pattern: string, metric: AlarmMetric, { name, isDead }: WatchedQueue): boolean {
  if (!matchesPattern(pattern, name)) return false;
  return metric === "deadLetters" ? isDead : !isDead || !/[*?]$/.test(pattern);
}

function measured(depth: QueueDepth, metric: AlarmMetric, now: number): number {
  switch (metric) {
    case "messages":
    case "deadLetters":
      return (
        depth.ApproximateNumberOfMessages +
        depth.ApproximateNumberOfMessagesNotVisible +
        depth.ApproximateNumberOfMessagesDelayed
      );
    case "records":
      return depth.records;
    case "bytes":
      return depth.bytes;
    case "oldest":
      return depth.oldestSentAt === undefined ? 0 : Math.max(0, now - depth.oldestSentAt);
  }
}
