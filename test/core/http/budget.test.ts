import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type BucketSpec,
  CancelledError,
  RateLimitError,
  type RequestBudget,
} from "../../../core/contracts/index.js";
import { rateLimitHeaders, viewBudget } from "../../../core/http/index.js";
import { memoryEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { BudgetWorld } from "./budget-world.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const exports: BucketSpec = {
  name: "exports",
  title: "export requests a minute",
  kind: "window",
  limit: 10,
  windowMs: MINUTE,
};
const minute: BucketSpec = { ...exports, name: "minute", title: "requests a minute", limit: 700 };
const account: BucketSpec = {
  name: "account",
  title: "requests a minute",
  kind: "window",
  windowMs: MINUTE,
  learn: rateLimitHeaders,
};
const daily: BucketSpec = {
  name: "daily",
  title: "API calls a day",
  kind: "window",
  windowMs: DAY,
  askAgainMs: HOUR,
  learn: rateLimitHeaders,
};
const places: BucketSpec = {
  name: "places",
  title: "requests at a time",
  kind: "concurrent",
  limit: 5,
  longestMs: 10 * MINUTE,
};
const EVERY = [exports, minute, account, daily, places];

let world: BudgetWorld;
beforeEach(() => {
  world = new BudgetWorld();
});
afterEach(() => world.close());

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

async function sendMany(budget: RequestBudget, bucket: string, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) await world.send(budget, bucket);
}

const left = (remaining: number, limit: number, reset?: number) => ({
  "ratelimit-limit": `${limit}`,
  "ratelimit-remaining": `${remaining}`,
  ...(reset === undefined ? {} : { "ratelimit-reset": `${reset}` }),
});

const view = (spec: BucketSpec, reserve = 0) =>
  viewBudget({ spec, reserve }, world.environment.store.get(`budget/crm/${spec.name}`), world.clock.now());

describe("a window", () => {
  it("lets the limit through at once, and the rest when the first ones have left it", async () => {
    const one = world.process(EVERY);
    await sendMany(one, "exports", 10);
    expect(world.waits).toEqual([]);
    await world.during(sendMany(one, "exports", 10), 2 * MINUTE);
    expect(world.busiest(MINUTE)).toBe(10);
    // Nothing of the limit is given away but what rounding costs.
    expect(world.clock.monotonicMs()).toBeLessThan(MINUTE + 2_000);
    expect(world.waits[0]?.reason).toBe("crm: the budget of export requests a minute is used up");
    expect(world.waits[0]?.ms).toBeGreaterThan(MINUTE - 1_000);
  });

  it("is one for two processes, and for one that comes after", async () => {
    const [one, two] = [world.process(EVERY), world.process(EVERY)];
    await world.during(
      Promise.all([sendMany(one, "exports", 12), sendMany(two, "exports", 12)]),
      10 * MINUTE,
    );
    await one.close();
    await two.close();
    await world.during(sendMany(world.process(EVERY), "exports", 10), 10 * MINUTE);
    expect(world.sent).toHaveLength(34);
    expect(world.busiest(MINUTE)).toBe(10);
  });

  it("refuses who would not wait, and does not end the wait of those who do", async () => {
    const one = world.process(EVERY);
    await sendMany(one, "exports", 10);
    const waiting = world.send(one, "exports");
    await world.clock.advance(1_000);
    const waits = world.waits.length;
    const hasty = await failureOf(world.send(one, "exports", {}, { longestWaitMs: 0 }));
    expect(hasty).toBeInstanceOf(RateLimitError);
    expect(hasty).toMatchObject({ scope: "park" });
    expect(world.waits).toHaveLength(waits);
    await world.during(waiting, 2 * MINUTE);
    expect(world.sent).toHaveLength(11);
    expect(world.busiest(MINUTE)).toBe(10);
  });

  it("lets those who wait and those who do not through side by side", async () => {
    const one = world.process(EVERY);
    const buckets = ["minute", "account", "daily", "places"];
    const many = async (longestWaitMs: number) => {
      for (let sent = 0; sent < 60; sent++) {
        const ticket = await one.take(buckets, world.options({ longestWaitMs }));
        // The answer takes its time, and tells that little is left, so that grants stay small.
        await Promise.resolve();
        ticket.answered(left(3, 1_000));
        await world.clock.advance(1);
      }
    };
    await world.during(Promise.all([many(900_000), many(0), many(0)]), MINUTE);
    expect(world.transactions).toBeLessThan(3 * 60 * 20);
  });

  it("keeps the reserve, and one request where the reserve would leave none", async () => {
    const one = world.process(EVERY, 0.2);
    await world.during(sendMany(one, "exports", 24), 10 * MINUTE);
    expect(world.busiest(MINUTE)).toBe(8);
    const single = { ...exports, name: "single", limit: 1 };
    world.sent.length = 0;
    await world.during(sendMany(world.process([single], 0.5), "single", 3), 10 * MINUTE);
    expect(world.busiest(MINUTE)).toBe(1);
  });

  it("that only promises a number holds nothing back, but for a reserve or a refusal", async () => {
    const promise: BucketSpec = {
      name: "tier",
      title: "calls",
      kind: "window",
      windowMs: MINUTE,
      atLeast: 50,
    };
    await sendMany(world.process([promise]), "tier", 500);
    expect(world.waits).toEqual([]);
    await world.clock.advance(2 * MINUTE);
    world.sent.length = 0;
    await world.during(sendMany(world.process([promise], 0.2), "tier", 100), 10 * MINUTE);
    expect(world.busiest(MINUTE)).toBe(40);
  });

  it("costs one transaction for many requests, and uses nearly all of the limit", async () => {
    const one = world.process(EVERY);
    await world.during(sendMany(one, "minute", 2_100), 10 * MINUTE);
    expect(world.busiest(MINUTE)).toBe(700);
    expect(world.clock.monotonicMs()).toBeLessThan(2 * MINUTE + 3_000);
    expect(world.transactions).toBeLessThan(2_100 / 5);
  });

  it("gives the grant of a process that died back with the window", async () => {
    const [dead, other] = [world.process(EVERY), world.process(EVERY)];
    await sendMany(dead, "minute", 4);
    // Three are reported; of the grant of four that followed nobody knows what became.
    await world.during(sendMany(other, "minute", 693), 30_000);
    expect(view(minute).left).toBe(0);
    await world.clock.advance(MINUTE + 5_000);
    expect(view(minute)).toMatchObject({ used: 0, left: 700 });
    world.sent.length = 0;
    await world.during(sendMany(other, "minute", 700), 5_000);
    expect(world.sent).toHaveLength(700);
  });

  it("counts the grant of a process that is known to be gone no longer than it lived", async () => {
    const dead = world.process(EVERY);
    await sendMany(dead, "minute", 4);
    world.dead.add(1);
    await world.clock.advance(1_000);
    const next = world.process(EVERY);
    await sendMany(next, "minute", 1);
    await next.close();
    await world.clock.advance(MINUTE - 1_000 + 600);
    // Its requests of the first instant are gone, what it held until a second later is not.
    expect(view(minute).used).toBe(4 + 1);
    await world.clock.advance(1_000);
    expect(view(minute).left).toBe(700);
  });

  it("stays bounded and safe where processes die by the hundred", async () => {
    for (let pid = 1; pid <= 300; pid++) {
      await world.send(world.process(EVERY), "minute");
      world.dead.add(pid);
      await world.clock.advance(50);
    }
    const ledger = world.environment.store.get("budget/crm/minute");
    expect(JSON.stringify(ledger).length).toBeLessThan(12_000);
    expect(view(minute)).toMatchObject({ used: 300, left: 400 });
  });

  it("survives a restart and forgets with its window", async () => {
    const one = world.process(EVERY);
    await sendMany(one, "exports", 10);
    await one.close();
    expect(view(exports)).toMatchObject({ limit: 10, used: 10, left: 0 });
    const next = world.process(EVERY);
    const waiting = world.during(world.send(next, "exports"), 2 * MINUTE);
    await waiting;
    expect(world.busiest(MINUTE)).toBe(10);
    await next.close();
    await world.clock.advance(2 * MINUTE);
    expect(view(exports)).toMatchObject({ used: 0, left: 10, resetsAt: null });
  });

  it("ends a wait promptly when it is cancelled, and gives nothing away by it", async () => {
    const one = world.process(EVERY);
    await sendMany(one, "exports", 10);
    const abort = new AbortController();
    const waiting = failureOf(world.send(one, "exports", {}, { signal: abort.signal }));
    await world.clock.advance(1_000);
    abort.abort();
    expect(await waiting).toBeInstanceOf(CancelledError);
    expect(world.clock.waiting).toBe(0);
    await world.during(sendMany(one, "exports", 10), 2 * MINUTE);
    expect(world.busiest(MINUTE)).toBe(10);
  });

  it("takes from several buckets at once or from none", async () => {
    const one = world.process(EVERY);
    await sendMany(one, "exports", 10);
    const ticket = world.during(one.take(["minute", "exports"], world.options()), 2 * MINUTE);
    (await ticket).answered();
    await one.close();
    // The minute's one was not counted before the wait for the other bucket was over.
    const ledger = world.environment.store.get("budget/crm/minute");
    expect(ledger).toMatchObject({ sent: [[expect.any(Number), 1]] });
    const [[at]] = (ledger as { sent: [[number, number]] }).sent;
    expect(at).toBeGreaterThan(world.clock.now() - 2_000);
  });

  it("counts nothing for buckets that the spec does not have", async () => {
    const one = world.process(EVERY);
    await sendMany(one, "unheard-of", 5_000);
    expect(world.transactions).toBe(0);
  });
});

describe("what the other side says", () => {
  it("a limit nobody knew before holds from the answer that told it", async () => {
    const one = world.process(EVERY, 0.1);
    await world.send(one, "account", left(99, 100, 60));
    for (let sent = 1; sent < 90; sent++) await world.send(one, "account", left(99 - sent, 100, 60));
    expect(world.waits).toEqual([]);
    await world.during(world.send(one, "account", left(9, 100, 60)), 2 * MINUTE);
    expect(world.waits).not.toEqual([]);
    expect(world.busiest(MINUTE)).toBe(90);
  });

  it("other applications' use counts, and the reserve stays theirs", async () => {
    const one = world.process(EVERY, 0.2);
    // Of 100, 55 were used by others before the first answer.
    let remaining = 45;
    const burst = async () => {
      for (;;) {
        remaining--;
        await world.send(one, "account", left(remaining, 100, 60));
      }
    };
    void burst().catch(() => undefined);
    await world.clock.advance(1_000);
    expect(remaining).toBe(20 - 1);
    expect(world.sent).toHaveLength(25);
  });

  it("is told to all: what one process learned, another keeps to", async () => {
    const [one, two] = [world.process(EVERY, 0.2), world.process(EVERY, 0.2)];
    await world.send(one, "daily", left(3_000, 15_000));
    await one.close();
    const error = await failureOf(world.send(two, "daily"));
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({
      code: "RATE_LIMIT_PARKED",
      scope: "park",
      retryAfterMs: HOUR,
      message: "the API calls a day are used up, but for 3000 that are kept for other applications",
      fix: "Run the flow again after 2026-01-01T01:00:00.000Z: it resumes where it stopped.",
    });
    expect(world.waits).toEqual([]);
    expect(view(daily, 0.2)).toMatchObject({ used: 12_000, left: 0, waitsUntil: "2026-01-01T01:00:00.000Z" });
  });

  it("a word without an end is asked for again by one request alone", async () => {
    const one = world.process(EVERY);
    await world.send(one, "daily", left(0, 15_000));
    expect(await failureOf(world.send(one, "daily"))).toBeInstanceOf(RateLimitError);
    await one.close();
    await world.clock.advance(HOUR);
    const [two, three] = [world.process(EVERY), world.process(EVERY)];
    await world.send(two, "daily", left(0, 15_000));
    expect(await failureOf(world.send(two, "daily"))).toBeInstanceOf(RateLimitError);
    expect(await failureOf(world.send(three, "daily"))).toBeInstanceOf(RateLimitError);
    await world.clock.advance(HOUR);
    await world.send(three, "daily", left(14_000, 15_000));
    for (let sent = 1; sent < 500; sent++) await world.send(three, "daily", left(14_000 - sent, 15_000));
    expect(world.sent).toHaveLength(502);
  });

  it("counts hardly anything twice, with two processes that send in turn and each told of both", async () => {
    const [one, two] = [world.process(EVERY), world.process(EVERY)];
    // Half of it by others, so that our own account does not see the end coming.
    let used = 500;
    const sendOne = async (budget: RequestBudget) => {
      const ticket = await budget.take(["daily"], world.options());
      used++;
      await world.clock.sleep(20);
      ticket.answered(left(1_000 - used, 1_000));
    };
    const untilParked = async (budget: RequestBudget): Promise<unknown> => {
      for (;;) {
        const error = await failureOf(sendOne(budget));
        if (error !== undefined) return error;
      }
    };
    const ends = await world.during(Promise.all([untilParked(one), untilParked(two)]), 10 * MINUTE, 20);
    for (const end of ends) expect(end).toMatchObject({ code: "RATE_LIMIT_PARKED" });
    expect(used).toBeLessThanOrEqual(1_000);
    // What the other process held when the last answer came may or may not have been in its count.
    expect(used).toBeGreaterThanOrEqual(998);
  });

  it("what dead processes held is free as soon as a younger answer has told the count", async () => {
    for (let pid = 1; pid <= 100; pid++) {
      const dead = world.process(EVERY);
      await world.send(dead, "daily", left(15_000 - 7 * pid, 15_000));
      for (let sent = 1; sent < 7; sent++) await world.send(dead, "daily");
      world.dead.add(pid);
      await world.clock.advance(1_000);
    }
    await world.send(world.process(EVERY), "daily", left(15_000 - 701, 15_000));
    await world.clock.advance(1);
    const last = world.process(EVERY);
    await world.send(last, "daily", left(15_000 - 702, 15_000));
    await last.close();
    // 702 were sent. Besides, the living process before holds at most one.
    expect(view(daily).left).toBeGreaterThanOrEqual(15_000 - 702 - 1);
  });

  it("a refusal closes the bucket for every process, for as long as it says", async () => {
    const [one, two] = [world.process(EVERY), world.process(EVERY)];
    await world.send(one, "minute");
    await world.send(two, "minute");
    expect(one.refused("minute", 30_000)).toBe(30_000);
    await world.clock.advance(1_000);
    const before = world.clock.now();
    await world.during(Promise.all([world.send(one, "minute"), world.send(two, "minute")]), MINUTE);
    expect(world.clock.now() - before).toBeGreaterThanOrEqual(29_000);
    expect(one.refused("unheard-of", 1)).toBeUndefined();
  });

  it("a refusal that names no time closes a daily bucket until it is worth asking", async () => {
    const [one, two] = [world.process(EVERY), world.process(EVERY)];
    await world.send(one, "daily");
    expect(one.refused("daily", undefined)).toBe(HOUR);
    await one.close();
    expect(await failureOf(world.send(two, "daily"))).toMatchObject({ scope: "park", retryAfterMs: HOUR });
    await world.clock.advance(HOUR);
    await world.send(two, "daily");
  });

  it("a smaller limit that a connector found out holds at once, and until it finds another", async () => {
    const one = world.process(EVERY);
    await sendMany(one, "exports", 1);
    one.learn("exports", { limit: 2 });
    await world.during(sendMany(one, "exports", 3), 10 * MINUTE);
    expect(world.busiest(MINUTE)).toBe(2);
    one.learn("exports", { limit: 30 });
    world.sent.length = 0;
    await world.clock.advance(2 * MINUTE);
    await sendMany(one, "exports", 30);
    expect(world.waits.length).toBeGreaterThan(0);
  });

  it("nonsense in headers changes nothing", async () => {
    const one = world.process(EVERY);
    await world.send(one, "account", { "ratelimit-limit": "-5", "ratelimit-remaining": "many" });
    await world.send(one, "account", { "ratelimit-limit": "0", "ratelimit-remaining": "1e9" });
    await sendMany(one, "account", 300);
    expect(world.waits).toEqual([]);
    await one.close();
    expect(view(account)).toMatchObject({ limit: null, left: null, used: 302 });
  });

  it("a ledger that cannot be read counts as empty", async () => {
    await world.environment.transaction(({ store }) => store.put("budget/crm/exports", { of: "old" }));
    await sendMany(world.process(EVERY), "exports", 10);
    expect(world.sent).toHaveLength(10);
  });
});

describe("requests at a time", () => {
  it("are never more than there are places, over all processes", async () => {
    const processes = [world.process(EVERY), world.process(EVERY)];
    let running = 0;
    let most = 0;
    const work = async (budget: RequestBudget) => {
      for (let round = 0; round < 5; round++) {
        const ticket = await budget.take(["places"], world.options());
        most = Math.max(most, ++running);
        await world.clock.sleep(700);
        running--;
        ticket.answered();
      }
    };
    const all = processes.flatMap((budget) => [0, 1, 2, 3].map(() => work(budget)));
    await world.during(Promise.all(all), 10 * MINUTE, 350);
    expect(most).toBe(5);
    await Promise.all(processes.map((budget) => budget.close()));
    expect(view(places)).toMatchObject({ used: 0, left: 5 });
  });

  it("of a process that is known to be gone are free at once", async () => {
    const [dead, other] = [world.process(EVERY), world.process(EVERY)];
    for (let taken = 0; taken < 5; taken++) await dead.take(["places"], world.options());
    world.dead.add(1);
    const ticket = await other.take(["places"], world.options());
    expect(world.waits).toEqual([]);
    ticket.answered();
  });

  it("of a process that died unseen are free when its longest request must be over", async () => {
    const [dead, other] = [world.process(EVERY), world.process(EVERY)];
    for (let taken = 0; taken < 5; taken++) await dead.take(["places"], world.options());
    const waiting = other.take(["places"], world.options());
    await world.clock.advance(10 * MINUTE);
    expect(view(places).left).toBe(0);
    (await world.during(waiting, 2 * MINUTE, 1_000)).answered();
  });
});

describe("a data directory", () => {
  it("that cannot be written fails the request instead of letting it through", async () => {
    const failing = new BudgetWorld({
      ...memoryEnvironment({ clock: world.clock, random: seededRandom(1) }),
      transaction: () => Promise.reject(new Error("disk full")),
    });
    await expect(failing.send(failing.process(EVERY), "exports")).rejects.toThrow("disk full");
    expect(failing.sent).toEqual([]);
    // A run that is done does not fail for its budget.
    const budget = failing.process(EVERY);
    budget.learn("exports", { limit: 3 });
    await budget.close();
    expect(failing.log.lines.join("\n")).toContain("the budget was not written down");
  });
});
