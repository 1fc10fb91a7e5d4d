/** What is due of a schedule: pure, by its `missed` and `overlap`. */
import { describe, expect, it } from "vitest";
import { timetableOf } from "../../../core/flow/timetable.js";
import { type LookRequest, lookAtSchedule } from "../../../core/run/due.js";

const T = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;
const HOURLY = timetableOf({
  type: "schedule",
  cron: "0 * * * *",
  timezone: "UTC",
  overlap: "skip",
  missed: "latest",
  disableAfter: 10,
});
const EVERY = timetableOf({
  type: "schedule",
  everyMs: 10 * MINUTE,
  timezone: "UTC",
  overlap: "skip",
  missed: "latest",
  disableAfter: 10,
});

function look(over: Partial<LookRequest> = {}) {
  const state = { rule: HOURLY.rule, anchor: T, seen: T, waiting: [] };
  const trigger = { overlap: "skip", missed: "latest" } as const;
  const { state: next, skips } = lookAtSchedule({
    timetable: HOURLY,
    trigger,
    state,
    now: T,
    upSince: T,
    isFirst: false,
    isRunning: false,
    barred: undefined,
    ...over,
  });
  return {
    waiting: next.waiting.map((due) => (due - T) / MINUTE),
    seen: (next.seen - T) / MINUTE,
    skips: skips.map(({ reason, starts }) => `${starts} ${reason}`),
    next,
  };
}
const at = (minutes: number) => T + minutes * MINUTE;

describe("a schedule that is looked at", () => {
  it("is not due before its time, and due once at it", () => {
    expect(look({ now: at(59) })).toMatchObject({ waiting: [], seen: 0, skips: [] });
    const due = look({ now: at(60) });
    expect(due).toMatchObject({ waiting: [60], seen: 60, skips: [] });
    expect(look({ now: at(61), state: due.next })).toMatchObject({ waiting: [60], skips: [] });
  });

  it("begins with cron's next moment, and with `every` at once; then counts from there", () => {
    expect(look({ state: undefined, now: at(30) })).toMatchObject({ waiting: [], skips: [] });
    const first = look({ timetable: EVERY, state: undefined, now: at(3), upSince: at(3) });
    expect(first).toMatchObject({ waiting: [3], seen: 3 });
    const later = { ...first.next, waiting: [] };
    expect(look({ timetable: EVERY, state: later, now: at(12.9) }).waiting).toEqual([]);
    // A restart or a long turn does not move the others.
    expect(look({ timetable: EVERY, state: later, now: at(13.5) }).waiting).toEqual([13]);
  });

  it("counts anew when its rule changes or the clock was far ahead, not when it stepped back a little", () => {
    const state = { rule: "cron 5 * * * * UTC", anchor: T, seen: at(-600), waiting: [at(-600)] };
    expect(look({ state, now: at(1) })).toMatchObject({ waiting: [], skips: [] });
    const ahead = { rule: HOURLY.rule, anchor: T, seen: at(60 * 24 * 365), waiting: [] };
    expect(look({ state: ahead, now: at(60) }).waiting).toEqual([60]);
    const back = { rule: HOURLY.rule, anchor: T, seen: at(60), waiting: [] };
    expect(look({ state: back, now: at(55) })).toMatchObject({ waiting: [], seen: 60 });
  });

  const after = { now: at(185), upSince: at(185), isFirst: true };
  it.each([
    ["latest", [180], ["2 missed"]],
    ["all", [60, 120, 180], []],
    ["skip", [], ["3 missed"]],
  ] as const)("with missed: %s makes up for %j", (missed, waiting, skips) => {
    expect(look({ ...after, trigger: { missed, overlap: "skip" } })).toMatchObject({ waiting, skips });
  });

  it("counts what waited when the daemon ended as missed", () => {
    const state = { rule: HOURLY.rule, anchor: T, seen: at(60), waiting: [at(0), at(60)] };
    const all = look({ ...after, state, trigger: { missed: "all", overlap: "skip" } });
    expect(all.waiting).toEqual([0, 60, 120, 180]);
    expect(look({ ...after, state })).toMatchObject({ waiting: [180], skips: ["3 missed"] });
  });

  it("makes up for the newest hundred at most, whatever the schedule", () => {
    const seconds = timetableOf({
      type: "schedule",
      cron: "* * * * * *",
      timezone: "Europe/Berlin",
      overlap: "skip",
      missed: "all",
      disableAfter: 1,
    });
    const state = { rule: seconds.rule, anchor: T, seen: T, waiting: [] };
    const now = at(60 * 24 * 30);
    const { next, skips } = look({
      timetable: seconds,
      state,
      now,
      upSince: now + 1,
      isFirst: true,
      trigger: { missed: "all", overlap: "skip" },
    });
    expect(next.waiting).toHaveLength(100);
    expect(next.waiting.at(-1)).toBe(now);
    expect(skips[0]).toContain("missed; the newest 100 are made up for");
  });

  it("takes a machine that slept for a daemon that was down", () => {
    const slept = { now: at(185), upSince: at(-60) };
    expect(look({ ...slept, trigger: { missed: "skip", overlap: "skip" } }).waiting).toEqual([]);
    expect(look(slept)).toMatchObject({ waiting: [180], skips: ["2 missed"] });
    expect(look({ ...slept, now: at(180.5) })).toMatchObject({ waiting: [180], skips: ["2 missed"] });
  });

  it("leaves out or queues one start while a run goes on", () => {
    const running = { isRunning: true, now: at(60) };
    expect(look(running).skips).toEqual(["1 overlap: the last run is still going on"]);
    const queue = { missed: "latest", overlap: "queue" } as const;
    const first = look({ ...running, trigger: queue });
    expect(first.waiting).toEqual([60]);
    const second = look({ isRunning: true, now: at(120), trigger: queue, state: first.next });
    expect(second).toMatchObject({ waiting: [60], skips: ["1 others wait already"] });
    const all = look({
      isRunning: true,
      now: at(120),
      trigger: { missed: "all", overlap: "queue" },
      state: first.next,
    });
    expect(all.waiting).toEqual([60, 120]);
  });

  it("leaves everything out while it is barred", () => {
    const state = { rule: HOURLY.rule, anchor: T, seen: T, waiting: [T] };
    expect(look({ state, now: at(60), barred: "parked until noon" })).toMatchObject({
      waiting: [],
      seen: 60,
      skips: ["2 parked until noon"],
    });
  });
});
