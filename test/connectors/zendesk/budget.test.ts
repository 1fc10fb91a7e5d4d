import { describe, expect, it } from "vitest";
import { Budgets, parseEndpoint, parseGeneral } from "../../../connectors/zendesk/budget.js";
import { startZendeskFake, type ZendeskFake } from "../../fakes/zendesk/index.js";
import { VirtualClock } from "../../virtual-clock.js";
import { connectTo, never, requestFor } from "./account.js";
import { deskOf, NOON, sized } from "./desk.js";

/** Moves the clock on in small steps until the work is done; real requests take their real time in between. */
async function untilDone<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let settled = false;
  const outcome = work.finally(() => {
    settled = true;
  });
  outcome.catch(() => undefined);
  while (!settled) {
    // A step only when somebody sleeps: an answer on its way must not find its minute gone.
    if (clock.waiting > 0) await clock.advance(250);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return outcome;
}

describe("the ten exports a minute", () => {
  async function timed(stream: readonly string[], tickets: number, options: object = {}) {
    const clock = new SleepingClock();
    const fake: ZendeskFake = await startZendeskFake({
      clock,
      account: { tickets, organizations: tickets },
      ...options,
    });
    const { source, waits } = connectTo(fake.url, {
      clock,
      config: { auth: { type: "accessToken", accessToken: fake.accessToken } },
    });
    try {
      const started = clock.now();
      const work = Promise.all(
        stream.map(async (name) => {
          let records = 0;
          for await (const page of source.read(await requestFor(source, name, { options: sized(10) }))) {
            records += page.records.length;
          }
          return records;
        }),
      );
      const records = await untilDone(clock, work);
      return { records, minutes: (clock.now() - started) / 60_000, waits, fake };
    } finally {
      await source.close();
      await fake.close();
    }
  }

  it("are kept by waiting, shown as waits, and no request is refused", async () => {
    const { records, minutes, waits, fake } = await timed(["tickets"], 350);
    expect(records).toEqual([350]);
    expect(fake.requests.byStatus).toEqual({ "200": 35 });
    // 35 requests: ten at once, and three times ten within three minutes more. Nine tenths of what the limit allows.
    expect(minutes).toBeGreaterThanOrEqual(3);
    expect(minutes).toBeLessThan(3.3);
    expect(waits.length).toBeGreaterThan(2);
    for (const { reason } of waits)
      expect(reason).toBe("desk: Zendesk's limit of 10 export requests a minute");
  });

  it("are shared by all streams of the connection", async () => {
    const { records, minutes, fake } = await timed(["tickets", "organizations", "ticket_events"], 100);
    expect(records.slice(0, 2)).toEqual([100, 100]);
    expect(fake.requests.byStatus["429"]).toBeUndefined();
    expect(minutes).toBeGreaterThanOrEqual(3);
  });

  it.each(["2024", "2023"] as const)("are thirty where the header of %s says so", async (spelling) => {
    const { minutes, fake } = await timed(["tickets"], 350, { exportsPerMinute: 30, spelling });
    expect(fake.requests.byStatus).toEqual({ "200": 35 });
    expect(minutes).toBeLessThan(1.2);
  });

  it("are fewer where others use them too: a refusal is waited out as long as it says", async () => {
    const { records, fake, waits } = await timed(["tickets"], 100, { exportsPerMinute: 4, spelling: "none" });
    expect(records).toEqual([100]);
    expect(fake.requests.byStatus["429"]).toBeGreaterThan(0);
    expect(waits.some(({ reason }) => reason.includes("APIRateLimitExceeded"))).toBe(true);
  });
});

/** A virtual clock whose deadlines do not count as somebody waiting. */
class SleepingClock extends VirtualClock {
  constructor() {
    super(NOON);
  }
  override every(): () => void {
    return () => undefined;
  }
}

describe("the account's minute", () => {
  it.each([
    ["2024", { "ratelimit-limit": "700", "ratelimit-remaining": "0", "ratelimit-reset": "8" }],
    [
      "2023",
      {
        "x-rate-limit": "700",
        "x-rate-limit-remaining": "0",
        "rate-limit": "700",
        "rate-limit-remaining": "0",
        "rate-limit-reset": "8",
      },
    ],
  ])("that is used up is waited for, as spelled in %s", async (_year, headers) => {
    const clock = new SleepingClock();
    const waits: number[] = [];
    const budgets = new Budgets({
      connection: "desk",
      clock,
      exportsPerMinute: 10,
      onWait: ({ ms }) => waits.push(ms),
    });
    budgets.note(headers, "account");
    await untilDone(clock, budgets.take("account", never()));
    expect(waits).toEqual([8_250]);
    expect(budgets.allowance("account")).toEqual({ total: 700, remaining: 0, resetsIn: 8 });
    // The Help Center counts for itself.
    await budgets.take("helpCenter", never());
    expect(waits).toHaveLength(1);
  });

  it("without headers nothing is waited for", async () => {
    const budgets = new Budgets({ connection: "desk", clock: new VirtualClock(), exportsPerMinute: 10 });
    budgets.note({ date: "x", "zendesk-ratelimit-tickets-index": "nonsense" }, "account");
    await budgets.take("account", never());
    expect(budgets.allowance("account")).toBeUndefined();
  });

  it("a wait ends when the read is cancelled", async () => {
    const clock = new VirtualClock();
    const budgets = new Budgets({ connection: "desk", clock, exportsPerMinute: 1 });
    const abort = new AbortController();
    await budgets.take("exports", abort.signal);
    const second = budgets.take("exports", abort.signal);
    abort.abort();
    await expect(second).rejects.toMatchObject({ kind: "cancelled" });
  });

  it("headers are read in every spelling, and nonsense is none", () => {
    expect(parseGeneral({ "x-rate-limit": "700", "x-rate-limit-remaining": "699" })).toEqual({
      total: 700,
      remaining: 699,
      resetsIn: undefined,
    });
    expect(parseGeneral({ "ratelimit-limit": "400" })).toBeUndefined();
    expect(parseGeneral({ "ratelimit-remaining": "many" })).toBeUndefined();
    expect(parseEndpoint("total=100; remaining=99; resets=43")).toEqual({
      total: 100,
      remaining: 99,
      resetsIn: 43,
    });
    expect(parseEndpoint("Total=10;Remaining=0")).toEqual({ total: 10, remaining: 0, resetsIn: undefined });
    expect(parseEndpoint("10")).toBeUndefined();
  });
});

describe("plan", () => {
  const plan = async (stream: string, tickets: number, extra: object = {}, config: object = {}) => {
    const { source, fake } = await deskOf({ account: { tickets, others: 230 } }, { config });
    const planned = await source.plan(await requestFor(source, stream, { options: sized(10), ...extra }));
    return { planned, fake, source };
  };

  it("forecasts calls and time of an export, without spending one", async () => {
    const { planned, fake } = await plan("tickets", 350);
    const alive = [...fake.account.table("tickets").values()].filter(
      (row) => row.status !== "deleted",
    ).length;
    const calls = Math.ceil(alive / 10);
    expect(planned).toMatchObject({
      query: `GET ${fake.url}/api/v2/incremental/tickets/cursor.json?start_time=0&per_page=10`,
      records: null,
      apiCalls: calls,
      durationMs: (Math.ceil(calls / 10) - 1) * 60_000,
      window: { from: null, to: "2026-10-01T11:59:00Z" },
      pushedDown: [],
    });
    expect(fake.requests.recent.filter((line) => line.includes("/incremental/"))).toEqual([]);
  });

  it("with the High Volume add-on takes a third of the time", async () => {
    const slow = (await plan("tickets", 900)).planned.durationMs ?? 0;
    const fast = (await plan("tickets", 900, {}, { exportsPerMinute: 30 })).planned.durationMs ?? 0;
    expect(slow).toBeGreaterThan(7 * 60_000);
    expect(fast).toBeLessThan(slow / 2.5);
  });

  it("knows a list's length exactly, and says what stays with the flow", async () => {
    const filter = { all: [{ field: "active", operator: "equals", value: true }] } as const;
    const { planned } = await plan("macros", 3, { filter });
    expect(planned).toMatchObject({
      records: 230,
      apiCalls: 23,
      notPushedDown: ["active equals true"],
      window: undefined,
    });
  });

  it("behind a cursor says what is asked, and that nobody knows how much there is", async () => {
    const { source } = await plan("tickets", 30);
    let cursor = null;
    for await (const page of source.read(await requestFor(source, "tickets"))) cursor = page.cursor;
    const again = await source.plan(await requestFor(source, "tickets", { cursor }));
    expect(again).toMatchObject({ records: 0, apiCalls: 0, query: "" });
  });
});
