/** When cron expressions fire, above all where the clocks are set. fast-check prints seed and path of a failure. */
import fc from "fast-check";
import { createTask } from "node-cron";
import { describe, expect, it } from "vitest";
import { Cron } from "../../../core/flow/cron.js";
import { Timezone } from "../../../core/flow/timezone.js";

/** Of the walk; every expression of it names multiples of five minutes. */
const STEP_MS = 300_000;

/** The first moments after `from`, as ISO text without seconds. */
function moments(expression: string, timezone: string, from: string, count: number): string[] {
  const cron = new Cron(expression, timezone);
  const found: string[] = [];
  for (let time: number | undefined = Date.parse(from); found.length < count; ) {
    time = cron.next(time);
    if (time === undefined) break;
    found.push(new Date(time).toISOString().replace(/:00\.000Z$/, "Z"));
  }
  return found;
}

describe("cron", () => {
  it.each([
    ["0 * * * *", "2026-01-01T10:00:00Z", ["2026-01-01T11:00Z", "2026-01-01T12:00Z"]],
    ["0 * * * *", "2026-01-01T09:59:59.999Z", ["2026-01-01T10:00Z"]],
    ["*/20 8-9 * * 1-5", "2026-01-02T09:30:00Z", ["2026-01-02T09:40Z", "2026-01-05T08:00Z"]],
    ["0 12 L * *", "2026-01-31T12:00:00Z", ["2026-02-28T12:00Z", "2026-03-31T12:00Z"]],
    ["0 6 * * 1#2", "2026-01-01T00:00:00Z", ["2026-01-12T06:00Z", "2026-02-09T06:00Z"]],
    ["@daily", "2026-12-31T00:00:00Z", ["2027-01-01T00:00Z"]],
    ["0 0 29 2 *", "2026-01-01T00:00:00Z", ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]],
    ["0 0 29 2 1", "2077-01-01T00:00:00Z", ["2112-02-29T00:00Z", "2140-02-29T00:00Z"]],
    ["0 0 L-29 2 *", "2026-01-01T00:00:00Z", []],
  ] as const)("%s after %s", (expression, from, expected) => {
    expect(moments(expression, "UTC", from, expected.length || 1)).toEqual(expected);
  });

  it("counts seconds where there are six fields", () => {
    const cron = new Cron("*/20 * * * * *", "UTC");
    expect([0, 1, 19_999, 20_000, 40_000].map((time) => cron.next(time))).toEqual([
      20_000, 20_000, 20_000, 40_000, 60_000,
    ]);
  });

  it("goes by the zone's wall time in winter and summer", () => {
    expect(moments("0 6 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 2)).toEqual([
      "2026-03-28T05:00Z",
      "2026-03-29T04:00Z",
    ]);
    expect(moments("30 5 1 * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", 1)).toEqual(["2026-01-31T23:45Z"]);
  });

  it("makes up for a wall time in a gap at the moment the clock jumps, once", () => {
    // Berlin goes from 02:00 to 03:00 at 01:00 UTC.
    expect(moments("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2)).toEqual([
      "2026-03-29T01:00Z",
      "2026-03-30T00:30Z",
    ]);
    expect(moments("*/15 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3)).toEqual([
      "2026-03-29T01:00Z",
      "2026-03-29T01:15Z",
      "2026-03-29T01:30Z",
    ]);
    expect(moments("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", 1)).toEqual(["2026-03-30T00:30Z"]);
    expect(moments("30 2 * * *", "Europe/Berlin", "2026-03-29T00:59:59.999Z", 1)).toEqual([
      "2026-03-29T01:00Z",
    ]);
  });

  it("fires a repeated wall time the first time only", () => {
    // Berlin goes from 03:00 back to 02:00 at 01:00 UTC.
    expect(moments("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2)).toEqual([
      "2026-10-25T00:30Z",
      "2026-10-26T01:30Z",
    ]);
    expect(moments("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1)).toEqual(["2026-10-26T01:30Z"]);
    expect(moments("0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 1)).toEqual(["2026-10-25T02:00Z"]);
  });

  it("goes on through a repeated hour with an expression of every hour", () => {
    expect(moments("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 4)).toEqual([
      "2026-10-25T00:30Z",
      "2026-10-25T01:00Z",
      "2026-10-25T01:30Z",
      "2026-10-25T02:00Z",
    ]);
    expect(moments("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2)).toEqual([
      "2026-03-29T00:30Z",
      "2026-03-29T01:30Z",
    ]);
  });

  it("makes up for a day that a zone left out", () => {
    // Samoa had no 30 December 2011: the 31st began at 10:00 UTC of the 30th.
    expect(moments("0 9 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", 1)).toEqual(["2011-12-30T10:00Z"]);
    expect(moments("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 3)).toEqual([
      "2011-12-29T19:00Z",
      "2011-12-30T10:00Z",
      "2011-12-30T19:00Z",
    ]);
  });

  it("fires what a walk through the days fires, around changes of the clock", () => {
    const minutes = fc.constantFrom("*/5", "0", "30", "*/15", "5,50");
    const hours = fc.constantFrom("*", "0", "1", "2", "3", "23", "1-3", "*/2", "0-22");
    const days = fc.constantFrom("*", "*", "L", "1", "29-31", "1-15");
    const weekdays = fc.constantFrom("*", "*", "0", "1-5", "0L");
    // Each lies before a change; Lord Howe's is half an hour, Casablanca's goes back for Ramadan.
    const places = fc.constantFrom(
      ...([
        ["Europe/Berlin", "2026-03-28T10:00Z"],
        ["Europe/Berlin", "2026-10-24T10:00Z"],
        ["America/New_York", "2026-03-07T18:00Z"],
        ["America/New_York", "2026-10-31T18:00Z"],
        ["America/Sao_Paulo", "2018-11-03T12:00Z"],
        ["Australia/Lord_Howe", "2026-04-04T00:00Z"],
        ["Australia/Lord_Howe", "2026-10-03T00:00Z"],
        ["Africa/Casablanca", "2026-02-14T12:00Z"],
        ["Pacific/Apia", "2011-12-29T00:00Z"],
        ["UTC", "2026-02-27T12:00Z"],
      ] as const),
    );
    const shift = fc.integer({ min: 0, max: 240 });
    fc.assert(
      fc.property(
        minutes,
        hours,
        days,
        weekdays,
        places,
        shift,
        (minute, hour, day, weekday, place, later) => {
          const expression = `${minute} ${hour} ${day} * ${weekday}`;
          const [zone, start] = place;
          const from = Date.parse(start) + later * STEP_MS;
          const to = from + 2 * 86_400_000;
          const cron = new Cron(expression, zone);
          const found: number[] = [];
          for (let time = cron.next(from); time !== undefined && time <= to; time = cron.next(time))
            found.push(time);
          expect(found, expression).toEqual(walked(expression, zone, from, to));
        },
      ),
      { numRuns: 30 },
    );
  });
});

/** The same by looking at every five minutes: slow, and obviously right. */
function walked(expression: string, zone: string, from: number, to: number): number[] {
  const there = createTask(expression, () => undefined, { timezone: zone });
  const wall = createTask(expression, () => undefined, { timezone: "UTC" });
  const offsets = new Timezone(zone);
  const isInterval = expression.split(" ")[1] === "*";
  const found: number[] = [];
  let latest = Number.NEGATIVE_INFINITY;
  for (let time = from - 30 * 3_600_000; time <= to; time += STEP_MS) {
    const shown = time + offsets.offset(time);
    const isFirst = shown > latest;
    const jumped = isFirst && Number.isFinite(latest) ? latest + STEP_MS : shown;
    latest = Math.max(latest, shown);
    if (time <= from) continue;
    let fires = (isInterval || isFirst) && there.match(new Date(time));
    for (let skipped = jumped; skipped < shown && !isInterval; skipped += STEP_MS)
      fires ||= wall.match(new Date(skipped));
    if (fires) found.push(time);
  }
  there.destroy();
  wall.destroy();
  return found;
}
