import { createTask, parse } from "node-cron";
import { type ClockChange, Timezone } from "./timezone.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Longer than the clock was ever set by: Samoa left out a day. */
const LONGEST_CHANGE_MS = 25 * HOUR_MS;
/** Days looked at before an expression is said never to fire: 29 February on a Monday can be 40 years away. */
const MOST_DAYS = 366 * 41;

/**
 * The moments that a cron expression names in a time zone. node-cron reads the expression and says which days it names;
 * the moments are computed here, since node-cron asks the wall clock, and leaves out what falls into a gap.
 *
 * Where the clocks are set it does what cron has always done:
 * - A wall time that does not exist is made up for at the moment the clock jumps, once however many there are.
 * - A wall time that comes twice fires the first time.
 * - An expression of every hour is an interval and goes by the time that passes, also through a repeated hour.
 *
 * Wall times are epoch milliseconds at which a clock in UTC would show them.
 */
export class Cron {
  readonly #zone: Timezone;
  readonly #isInterval: boolean;
  readonly #months: ReadonlySet<number>;
  readonly #hours: readonly number[];
  readonly #minutes: readonly number[];
  readonly #seconds: readonly number[];
  readonly #isNamed: (wall: number) => boolean;

  /** Throws for an expression or a zone that the schema refuses. */
  constructor(expression: string, timezone: string) {
    this.#zone = new Timezone(timezone);
    const { second, minute, hour, month } = parse(expression);
    this.#seconds = ascending(second);
    this.#minutes = ascending(minute);
    this.#hours = ascending(hour);
    this.#months = new Set(month);
    this.#isInterval = this.#hours.length === 24;
    this.#isNamed = matcher(expression);
  }

  /** The first moment after `time` (epoch ms); undefined: there is none. */
  next(time: number): number | undefined {
    for (let first = time + 1; ; ) {
      const recent = this.#isInterval ? undefined : this.#zone.change(first - LONGEST_CHANGE_MS, first);
      if (recent?.at === first && this.#isMissed(recent)) return first;
      const offset = this.#zone.offset(first);
      const repeated = recent === undefined ? Number.NEGATIVE_INFINITY : recent.at + recent.before;
      const wall = this.#nextWall(Math.max(first + offset, repeated) - 1);
      if (wall === undefined) return undefined;
      const moment = wall - offset;
      if (moment - first > 2 * LONGEST_CHANGE_MS) {
        // Nothing is named in between, whatever the clocks do there.
        first = moment - LONGEST_CHANGE_MS;
        continue;
      }
      const change = this.#zone.change(first, moment);
      if (change === undefined) return moment;
      first = change.at;
    }
  }

  /** A wall time is named that the clock jumps over. */
  #isMissed({ at, before, after }: ClockChange): boolean {
    const wall = this.#nextWall(at + before - 1);
    return wall !== undefined && wall < at + after;
  }

  /** The first named wall time after `wall`. */
  #nextWall(wall: number): number | undefined {
    let day = Math.floor(wall / DAY_MS) * DAY_MS;
    for (let days = 0; days < MOST_DAYS; days++, day += DAY_MS) {
      if (!this.#months.has(new Date(day).getUTCMonth() + 1) || !this.#isNamedDay(day)) continue;
      for (const time of this.#times(wall - day)) if (day + time > wall) return day + time;
    }
    return undefined;
  }

  #isNamedDay(day: number): boolean {
    const [time = 0] = this.#times(0);
    return this.#isNamed(day + time);
  }

  /** Named times of a day in milliseconds, ascending, from the minute of `from` on. */
  *#times(from: number): Generator<number, void> {
    for (const hour of this.#hours) {
      if ((hour + 1) * HOUR_MS <= from) continue;
      for (const minute of this.#minutes) {
        if (hour * HOUR_MS + (minute + 1) * MINUTE_MS <= from) continue;
        for (const second of this.#seconds) yield hour * HOUR_MS + minute * MINUTE_MS + second * 1000;
      }
    }
  }
}

function ascending(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

/** A task of node-cron that is never started: it says which days L, W and # name. */
function matcher(expression: string): (wall: number) => boolean {
  const task = createTask(expression, () => undefined, { timezone: "UTC" });
  // node-cron keeps a list of all tasks.
  task.destroy();
  return (wall) => task.match(new Date(wall));
}
