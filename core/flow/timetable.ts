import { Cron } from "./cron.js";
import type { Trigger } from "./types.js";

export type ScheduleTrigger = Extract<Trigger, { readonly type: "schedule" }>;

/** When a schedule asks for a run. */
export interface Timetable {
  /** What it was made of; another text is another timetable. */
  readonly rule: string;
  /** The first start after `time` (epoch ms). `every` counts from `anchor`, which is a start itself. */
  next(time: number, anchor: number): number | undefined;
}

export function timetableOf({ cron, everyMs, timezone }: ScheduleTrigger): Timetable {
  if (cron !== undefined) {
    const moments = new Cron(cron, timezone);
    return { rule: `cron ${cron} ${timezone}`, next: (time) => moments.next(time) };
  }
  if (everyMs === undefined) throw new RangeError("a schedule has cron or every");
  return {
    rule: `every ${everyMs}`,
    next: (time, anchor) =>
      time < anchor ? anchor : anchor + (Math.floor((time - anchor) / everyMs) + 1) * everyMs,
  };
}
