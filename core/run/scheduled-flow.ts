import type { Environment, Lease, RunState, Store } from "../contracts/index.js";
import { type ScheduleTrigger, type Timetable, timetableOf } from "../flow/timetable.js";
import type { Flow } from "../flow/types.js";
import { lookAtSchedule, type Skip } from "./due.js";
import { isAlive } from "./lease.js";
import { leaseName } from "./names.js";
import { putScheduleState, type ScheduleState, scheduleState, takeStart } from "./schedule-state.js";
import { streakOf } from "./streak.js";

/** A start that may be made now. */
export interface Start {
  /** When it was due; undefined: it goes on with what a parked or interrupted run left. */
  readonly due: number | undefined;
  /** A run of another process is waited for, not counted as overlap. */
  readonly waits: boolean;
}

/** Runs that the daemon has started, as the history names them. */
export const DAEMON_TRIGGERS: readonly string[] = ["schedule", "after"];
/** Newest runs of a flow among which the success is looked for that an `after` flow may have missed. */
const HISTORY = 20;

/**
 * A flow with `trigger: schedule` or `after` in the daemon: what is due of it, and what keeps it from starting. Starts
 * that were asked for stand in the store; what is in memory here can be had from the history again.
 *
 *   idle -> waiting (due, or to be resumed) -> running -> idle
 *                    -> left out: overlap, parked, switched off
 */
export class ScheduledFlow {
  readonly flow: Flow;
  /** As the history names its runs. */
  readonly trigger: "schedule" | "after";
  isRunning = false;
  /** A promise of Sluice itself was broken: not started again by this daemon. */
  isStopped = false;
  /** Earliest next try of a start that could not begin. */
  retryAt: number | undefined;
  readonly #environment: Environment;
  readonly #schedule: ScheduleTrigger | undefined;
  readonly #timetable: Timetable | undefined;
  readonly #upSince: number;
  #isFirstLook = true;
  /** When to go on with what a parked or interrupted run left. */
  #resumeAt: number | undefined;
  /** The next start after `seen`, which is asked for in every turn of the scheduler. */
  #next: { readonly seen: number; readonly due: number | undefined } | undefined;

  /** `now`: when the daemon began. */
  constructor(flow: Flow, environment: Environment, now: number) {
    const { trigger } = flow;
    this.flow = flow;
    this.trigger = trigger.type === "after" ? "after" : "schedule";
    this.#environment = environment;
    this.#schedule = trigger.type === "schedule" ? trigger : undefined;
    this.#timetable = this.#schedule && timetableOf(this.#schedule);
    this.#upSince = now;
  }

  get name(): string {
    return this.flow.name;
  }

  get #store(): Store {
    return this.#environment.store;
  }

  /** The flow whose success it waits for. */
  get follows(): string | undefined {
    return this.flow.trigger.type === "after" ? this.flow.trigger.flow : undefined;
  }

  /** The daemon begins: what it left parked or interrupted is gone on with, what it owes an `after` flow is noted. */
  async recover(): Promise<readonly Skip[]> {
    const [last] = this.#store.runs({ flow: this.name, limit: 1 });
    if (last !== undefined && DAEMON_TRIGGERS.includes(last.trigger)) this.#resumeAfter(last);
    if (this.follows === undefined) return [];
    const state = scheduleState(this.#store, this.name);
    if (state?.rule !== this.#rule) {
      const fresh = { rule: this.#rule, anchor: this.#upSince, seen: this.#upSince, waiting: [] };
      await this.#put(fresh);
      return [];
    }
    const succeeded = this.#store
      .runs({ flow: this.follows, limit: HISTORY })
      .find(({ status, trigger }) => status === "succeeded" && DAEMON_TRIGGERS.includes(trigger));
    return succeeded === undefined ? [] : this.offer(succeeded);
  }

  get #rule(): string {
    return this.#timetable?.rule ?? `after ${this.follows}`;
  }

  #resumeAfter(last: RunState): void {
    const retryAt = last.error?.retryAt;
    if (retryAt !== undefined) this.#resumeAt = Date.parse(retryAt);
    const other = this.otherRun(this.#upSince);
    // A lease of this very process id: in a container every life of the daemon has the same.
    const isAlone = other === undefined || other.pid === process.pid;
    const isLeft = last.status === "cancelled" || (last.status === "running" && isAlone);
    if (isLeft && this.#schedule?.missed !== "skip") this.#resumeAt = this.#upSince;
  }

  /** The flow that it follows has succeeded: a start is due, unless one waits already. */
  async offer({ endedAt }: RunState): Promise<readonly Skip[]> {
    const due = Date.parse(endedAt ?? "");
    const state = scheduleState(this.#store, this.name);
    if (state === undefined || !(due > state.seen)) return [];
    const isWaiting = state.waiting.length > 0;
    await this.#put({ ...state, seen: due, waiting: isWaiting ? state.waiting : [due] });
    return isWaiting ? [{ reason: "others wait already", due, starts: 1 }] : [];
  }

  /** Looks at the clock; resolves to what is left out. */
  async look(now: number): Promise<readonly Skip[]> {
    const [timetable, trigger] = [this.#timetable, this.#schedule];
    if (timetable === undefined || trigger === undefined || this.isStopped) return [];
    const state = scheduleState(this.#store, this.name);
    const isFirst = this.#isFirstLook;
    if (state !== undefined && !isFirst && !this.#isToBeLookedAt(state, now)) return [];
    const upSince = this.#upSince;
    const { isRunning } = this;
    const barred = this.#bar(now);
    const request = { timetable, trigger, state, now, upSince, isFirst, isRunning, barred };
    const { state: next, skips } = lookAtSchedule(request);
    if (JSON.stringify(next) !== JSON.stringify(state)) await this.#put(next);
    this.#isFirstLook = false;
    return skips;
  }

  /** Something is due or waits, which what bars the flow would end; or the clock was set back. */
  #isToBeLookedAt(state: ScheduleState, now: number): boolean {
    const due = this.#nextDue(state);
    return (due !== undefined && due <= now) || state.waiting.length > 0 || state.seen > now;
  }

  #put(state: ScheduleState): Promise<void> {
    return this.#environment.transaction(({ store }) => putScheduleState(store, this.name, state));
  }

  #nextDue({ seen, anchor }: ScheduleState): number | undefined {
    if (this.#next?.seen !== seen) this.#next = { seen, due: this.#timetable?.next(seen, anchor) };
    return this.#next.due;
  }

  /** Why nothing may start now. */
  #bar(now: number): string | undefined {
    const failures = this.failures();
    if (this.isOff())
      return `switched off after ${failures} failed runs; \`sluice run ${this.name}\` switches it on again`;
    const retryAt = this.isRunning
      ? undefined
      : this.#store.runs({ flow: this.name, limit: 1 })[0]?.error?.retryAt;
    if (retryAt !== undefined && Date.parse(retryAt) > now) return `parked until ${retryAt}`;
    return undefined;
  }

  failures(): number {
    return streakOf(this.#store, this.name)?.failures ?? 0;
  }

  /** So many runs have failed one after the other that it is not started any more. */
  isOff(): boolean {
    return this.#schedule !== undefined && this.failures() >= this.#schedule.disableAfter;
  }

  /** What may start at `now`. */
  start(now: number): Start | undefined {
    if (this.isRunning || this.isStopped || (this.retryAt !== undefined && this.retryAt > now))
      return undefined;
    const due = scheduleState(this.#store, this.name)?.waiting[0];
    if (due !== undefined) return { due, waits: this.#schedule?.overlap !== "skip" };
    if (this.#resumeAt === undefined || this.#resumeAt > now || this.isOff()) return undefined;
    return { due: undefined, waits: true };
  }

  /** The lease of a run of this flow in another process. */
  otherRun(now: number): Lease | undefined {
    const lease = this.#store.lease(leaseName(this.name));
    return lease !== undefined && lease.expiresAt > now && isAlive(lease) ? lease : undefined;
  }

  /** A start that is left out. */
  async drop({ due }: Start): Promise<void> {
    if (due !== undefined)
      await this.#environment.transaction(({ store }) => takeStart(store, this.name, due));
  }

  /** A run has begun: it goes on with whatever was left. */
  begun(): void {
    this.#resumeAt = undefined;
    this.retryAt = undefined;
  }

  /** A run has ended. */
  ended({ error }: RunState): void {
    if (error?.retryAt !== undefined) this.#resumeAt = Date.parse(error.retryAt);
  }

  /** When to look again; undefined: not before something else happens. */
  wakeAt(): number | undefined {
    if (this.isStopped) return undefined;
    const state = scheduleState(this.#store, this.name);
    const times = [state && this.#nextDue(state)];
    if (!this.isRunning && state !== undefined && state.waiting.length > 0) times.push(this.retryAt);
    else if (!this.isRunning && this.#resumeAt !== undefined && !this.isOff())
      times.push(Math.max(this.#resumeAt, this.retryAt ?? 0));
    const known = times.filter((time) => time !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }
}
