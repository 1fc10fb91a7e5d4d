import type { ScheduleTrigger, Timetable } from "../flow/timetable.js";
import type { ScheduleState } from "./schedule-state.js";

/** A start this late was missed although the daemon was up: the machine slept. */
const GRACE_MS = 60_000;
/** Starts that wait at most; with `missed: all` the newest of those missed. */
export const MOST_WAITING = 100;
/** A clock that was set back by more starts its schedules anew instead of waiting to catch up. */
const MOST_BACK_MS = 3_600_000;

/** Starts left out for one reason. */
export interface Skip {
  readonly reason: string;
  /** The last of them, epoch ms. */
  readonly due: number;
  readonly starts: number;
}

export interface Look {
  readonly state: ScheduleState;
  readonly skips: readonly Skip[];
}

export interface LookRequest {
  readonly timetable: Timetable;
  readonly trigger: Pick<ScheduleTrigger, "overlap" | "missed">;
  readonly state: ScheduleState | undefined;
  readonly now: number;
  /** When the daemon began: what was due or waiting before was missed. */
  readonly upSince: number;
  /** The daemon looks for the first time: what waits was missed too. */
  readonly isFirst: boolean;
  /** A run of the flow is going on. */
  readonly isRunning: boolean;
  /** Why nothing may start now: switched off, parked. */
  readonly barred: string | undefined;
}

/** What is due of a schedule at `now`, by its `missed` and `overlap`. Pure: the caller writes the state down. */
export function lookAtSchedule(request: LookRequest): Look {
  const { timetable, now, upSince, isFirst, barred, trigger } = request;
  const state = currentState(request);
  const { times, hasMore } = newest(timetable, state, now);
  const isLate = (due: number) => due < upSince || due < now - GRACE_MS;
  const late = [...(isFirst ? state.waiting : []), ...times.filter(isLate)];
  const onTime = times.filter((due) => !isLate(due));
  const waiting = isFirst ? [] : [...state.waiting];
  const skips = new Skips();
  if (barred !== undefined) {
    skips.add(barred, [...waiting, ...late, ...onTime]);
    return { state: { ...state, seen: times.at(-1) ?? state.seen, waiting: [] }, skips: skips.list };
  }
  const made = madeUp(trigger.missed, late, onTime.length > 0);
  skips.add(
    hasMore && trigger.missed === "all" ? `missed; the newest ${MOST_WAITING} are made up for` : "missed",
    late.filter((due) => !made.includes(due)),
  );
  waiting.push(...made);
  const room = trigger.overlap === "skip" ? 0 : trigger.missed === "all" ? MOST_WAITING : 1;
  for (const due of onTime) {
    const isFree = !request.isRunning && waiting.length === 0;
    if (isFree || waiting.length < room) waiting.push(due);
    else skips.add(room === 0 ? "overlap: the last run is still going on" : "others wait already", [due]);
  }
  return { state: { ...state, seen: times.at(-1) ?? state.seen, waiting }, skips: skips.list };
}

function currentState({ timetable: { rule }, state, now }: LookRequest): ScheduleState {
  if (state !== undefined && state.rule === rule && state.seen - now < MOST_BACK_MS) return state;
  // Before the first look nothing was missed; `every` begins with a start at once.
  return { rule, anchor: now, seen: now - 1, waiting: [] };
}

function madeUp(missed: ScheduleTrigger["missed"], late: readonly number[], isFollowed: boolean): number[] {
  if (missed === "skip") return [];
  return missed === "all" ? late.slice(-MOST_WAITING) : isFollowed ? [] : late.slice(-1);
}

/** The newest starts in (seen, now]; a schedule of seconds may have missed millions. */
function newest(
  timetable: Timetable,
  { seen, anchor }: ScheduleState,
  now: number,
): { readonly times: readonly number[]; readonly hasMore: boolean } {
  for (let span = MOST_WAITING * 1000; ; span *= 4) {
    const from = Math.max(seen, now - span);
    const times: number[] = [];
    for (let due = timetable.next(from, anchor); due !== undefined && due <= now; ) {
      times.push(due);
      due = timetable.next(due, anchor);
    }
    if (from === seen) return { times, hasMore: times.length > MOST_WAITING };
    if (times.length > MOST_WAITING) return { times, hasMore: true };
  }
}

class Skips {
  readonly #byReason = new Map<string, Skip>();

  add(reason: string, dues: readonly number[]): void {
    const due = dues.at(-1);
    if (due === undefined) return;
    this.#byReason.set(reason, {
      reason,
      due,
      starts: (this.#byReason.get(reason)?.starts ?? 0) + dues.length,
    });
  }

  get list(): readonly Skip[] {
    return [...this.#byReason.values()];
  }
}
