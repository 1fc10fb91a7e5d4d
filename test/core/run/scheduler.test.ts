/** The daemon's scheduler, on time that the test moves. */
import { hostname } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TransientError } from "../../../core/contracts/index.js";
import { leaseName } from "../../../core/run/names.js";
import { streakOf } from "../../../core/run/streak.js";
import { Life } from "./mortal.js";
import { NOON, SchedulerWorld } from "./scheduler-world.js";

const SECOND = 1000;
const HOUR = 3600 * SECOND;

let world: SchedulerWorld;
beforeEach(() => {
  world = new SchedulerWorld();
});
afterEach(() => world.close());

const advance = (seconds: number) => world.clock.advance(seconds * SECOND);

/** The lease of a run of another process for so many seconds. */
function runElsewhere(flow: string, seconds: number): Promise<void> {
  const now = world.clock.now();
  const lease = { name: leaseName(flow), owner: "other", pid: process.ppid, host: hostname() };
  return world.environment.transaction(({ store }) =>
    store.putLease({ ...lease, acquiredAt: now, expiresAt: now + seconds * SECOND }),
  );
}

describe("schedules", () => {
  it("start flows when cron and every say so, and `every` does not drift over restarts", async () => {
    world.project({
      hourly: '{ type: schedule, cron: "30 * * * *" }',
      often: "{ type: schedule, every: 20m }",
      "by-hand": "{ type: onDemand }",
    });
    await world.up();
    await advance(1805);
    await world.down();
    await advance(300);
    await world.up();
    await advance(3600);
    await world.down();
    expect(world.begun("hourly")).toEqual([1800, 5400]);
    expect(world.begun("often")).toEqual([0, 1200, 2400, 3600, 4800]);
    expect(world.begun("by-hand")).toEqual([]);
    expect(new Set(world.starts.map(({ trigger }) => trigger))).toEqual(new Set(["schedule"]));
  });

  it("leaves a start out while the last run goes on, or lets one wait", async () => {
    world.project({
      skips: "{ type: schedule, every: 10s, overlap: skip }",
      queues: "{ type: schedule, every: 10s, overlap: queue }",
    });
    world.outcome = () => ({ ms: 25_000 });
    await world.up();
    await advance(60);
    await world.down();
    expect(world.begun("skips")).toEqual([0, 30, 60]);
    expect(world.begun("queues")).toEqual([0, 25, 50]);
    expect(world.lines).toContain("skips | start left out | overlap: the last run is still going on | 1");
    expect(world.lines).toContain("queues | start left out | others wait already | 1");
  });

  it("makes up for what was missed while the daemon was down", async () => {
    world.project({
      latest: '{ type: schedule, cron: "5 * * * *", missed: latest }',
      all: '{ type: schedule, cron: "5 * * * *", missed: all }',
      none: '{ type: schedule, cron: "5 * * * *", missed: skip }',
    });
    await world.up();
    await world.down();
    world.clock.step(3.5 * HOUR);
    await world.up();
    await advance(1);
    expect(world.starts.map(({ flow, due }) => `${flow} ${due}`).sort()).toEqual([
      "all 11100",
      "all 300",
      "all 3900",
      "all 7500",
      "latest 11100",
    ]);
    expect(world.lines).toContain("none | start left out | missed | 4");
    await world.down();
    await world.up();
    await world.down();
    expect(world.starts).toHaveLength(5);
  });

  it("runs a bounded number at once, who waits longest first", async () => {
    const names = ["a", "b", "c", "d", "e"];
    world.project(Object.fromEntries(names.map((name) => [name, "{ type: schedule, every: 1h }"])));
    world.outcome = () => ({ ms: 10_000 });
    await world.up({ most: 2 });
    await advance(100);
    await world.down();
    expect(world.starts.map(({ flow, at }) => `${flow} ${at}`)).toEqual([
      "a 0",
      "b 0",
      "c 10",
      "d 10",
      "e 20",
    ]);
  });

  it("counts a run of another process as overlap, or waits for it", async () => {
    world.project({
      skips: "{ type: schedule, every: 10s }",
      queues: "{ type: schedule, every: 10s, overlap: queue }",
    });
    await runElsewhere("skips", 15);
    await runElsewhere("queues", 15);
    await world.up();
    await advance(20);
    await world.down();
    expect(world.begun("skips")).toEqual([20]);
    expect(world.begun("queues")).toEqual([15, 20]);
    expect(world.lines).toContain("skips | start left out | overlap: another process runs the flow | 1");
    expect(streakOf(world.environment.store, "skips")).toBeUndefined();
  });
});

describe("failures", () => {
  it("switch the schedule off, over restarts, until a run succeeds", async () => {
    world.project({ a: "{ type: schedule, every: 10s, disableAfter: 3 }" });
    world.outcome = () => ({ error: { class: "auth", code: "REVOKED" } });
    await world.up();
    await advance(15);
    await world.down();
    await world.up();
    await advance(30);
    expect(world.begun("a")).toEqual([0, 10, 20]);
    expect(world.lines).toContain("a | the schedule is switched off");
    expect(world.lines.at(-1)).toContain(
      "switched off after 3 failed runs; `sluice run a` switches it on again",
    );
    world.outcome = () => ({});
    await world.runByHand("a", { code: "STILL" });
    await advance(10);
    expect(world.begun("a")).toHaveLength(3);
    await world.runByHand("a");
    await advance(10);
    await world.down();
    expect(world.begun("a")).toEqual([0, 10, 20, 60]);
  });

  it("of a quota end in a pause until it says to come back; parked runs are no failures", async () => {
    world.project({ a: "{ type: schedule, every: 10s, disableAfter: 1 }" });
    const retryAt = new Date(NOON + 47 * SECOND).toISOString();
    world.outcome = () => (world.starts.length > 0 ? {} : { error: { class: "rateLimit", retryAt } });
    await world.up();
    await advance(25);
    await world.down();
    await world.up();
    await advance(30);
    await world.down();
    expect(world.starts.map(({ at, due }) => [at, due])).toEqual([
      [0, 0],
      [47, undefined],
      [50, 50],
    ]);
    expect(world.lines).toContain(`a | start left out | parked until ${retryAt} | 1`);
  });

  it("of a promise of Sluice stop that flow and no other", async () => {
    world.project({ a: "{ type: schedule, every: 10s }", b: "{ type: schedule, every: 10s }" });
    world.outcome = (flow) => (flow === "a" ? { error: { class: "invariant", code: "BROKEN" } } : {});
    await world.up();
    await advance(25);
    await world.down();
    expect([world.begun("a"), world.begun("b")]).toEqual([[0], [0, 10, 20]]);
  });

  it("of the disk end nothing: what is due begins when there is room again", async () => {
    world.project({ a: "{ type: schedule, every: 1h }" });
    const { environment } = world;
    let isFull = true;
    await world.up({
      environment: {
        queues: environment.queues,
        store: environment.store,
        transaction: (work) =>
          isFull
            ? Promise.reject(new TransientError("DISK_FULL", "the disk is full"))
            : environment.transaction(work),
        close: () => Promise.resolve(),
      },
    });
    await advance(100);
    expect(world.lines).toHaveLength(4);
    expect(world.lines[0]).toBe("no flow can be started");
    isFull = false;
    await advance(30);
    await world.down();
    expect(world.starts).toHaveLength(1);
  });

  it("of the scheduler itself end it, and its runs", async () => {
    world.project({ a: "{ type: schedule, every: 10s }", b: "{ type: schedule, every: 1h }" });
    world.outcome = (flow) => ({ ms: flow === "a" ? 0 : 60_000 });
    await world.up();
    world.outcome = () => {
      throw new Error("out of order");
    };
    await advance(30);
    await expect(world.down()).rejects.toThrow("out of order");
    expect(world.environment.store.runs({ flow: "b", limit: 1 })[0]?.status).toBe("cancelled");
  });
});

describe("after another flow", () => {
  const flows = {
    first: "{ type: schedule, every: 1m }",
    second: "{ type: after, flow: first }",
    third: "{ type: after, flow: second }",
  };

  it("starts when that has succeeded, and not when it has failed", async () => {
    world.project(flows);
    world.outcome = (flow) => ({
      ms: 5000,
      ...(flow === "first" && world.clock.now() > NOON + 30 * SECOND ? { error: {} } : {}),
    });
    await world.up();
    await advance(90);
    await world.down();
    expect(world.starts.map(({ flow, at, trigger }) => `${flow} ${at} ${trigger}`)).toEqual([
      "first 0 schedule",
      "second 5 after",
      "third 10 after",
      "first 60 schedule",
    ]);
  });

  it("starts after a restart when the daemon was killed in between", async () => {
    world.project(flows);
    let death = 1;
    for (; world.begun("third").length === 0; death++) {
      const life = new Life(death, true);
      await world.up({ environment: life.of(world.environment) });
      await advance(1);
      await world.down().catch(() => undefined);
      // The leases of the dead: their process is this one, so they have to run out.
      world.clock.step(31 * SECOND);
      if (death > 50) throw new Error("never");
    }
    expect(death).toBeGreaterThan(3);
    expect(world.begun("second").length).toBeGreaterThan(0);
  });
});

describe("restarts", () => {
  it("go on at once with a run that was cancelled or killed", async () => {
    world.project({ a: "{ type: schedule, every: 1h }", b: "{ type: schedule, every: 1h, missed: skip }" });
    world.outcome = () => ({ ms: 60_000 });
    await world.up();
    await advance(10);
    await world.down();
    await world.up();
    await advance(10);
    expect(world.begun("a")).toEqual([0, 10]);
    expect(world.begun("b")).toEqual([0]);
    await world.down();
  });

  it("start schedules anew when their rule has changed", async () => {
    world.project({ a: '{ type: schedule, cron: "0 13 * * *" }' });
    await world.up();
    await world.down();
    world.project({ a: '{ type: schedule, cron: "0 11 * * *" }' });
    await world.up();
    await advance(10);
    await world.down();
    expect(world.begun("a")).toEqual([]);
  });
});
