import { describe, expect, it } from "vitest";
import { zendesk } from "../../../connectors/zendesk/index.js";
import { createBudget, viewBudget } from "../../../core/http/index.js";
import { memoryEnvironment } from "../../../core/store/index.js";
import { LogSpy } from "../../core/http/log-spy.js";
import { startZendeskFake } from "../../fakes/zendesk/index.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";
import { connectTo, requestFor } from "./account.js";
import { NOON, sized } from "./desk.js";

/** A virtual clock whose deadlines do not count as somebody waiting. */
class SleepingClock extends VirtualClock {
  constructor() {
    super(NOON);
  }
  override every(): () => void {
    return () => undefined;
  }
}

/** Two processes that read one account, each with or without its part of the shared budget. */
async function readTwice(shared: boolean, reserve: number) {
  const clock = new SleepingClock();
  const fake = await startZendeskFake({ clock, account: { tickets: 150, organizations: 100 } });
  const environment = memoryEnvironment({ clock, random: seededRandom(1) });
  const buckets = zendesk.spec.buckets ?? [];
  const processes = [1, 2].map((seed) => {
    const budget = createBudget({
      connection: "desk",
      environment,
      clock,
      random: seededRandom(seed),
      log: new LogSpy(),
      buckets,
      reserve,
    });
    const config = { auth: { type: "accessToken", accessToken: fake.accessToken } };
    const { source } = connectTo(fake.url, { clock, config, ...(shared ? { budget } : {}) });
    return { source, budget };
  });
  try {
    const started = clock.now();
    let settled = false;
    const work = Promise.all(
      processes.map(async ({ source }) => {
        let records = 0;
        for await (const page of source.read(await requestFor(source, "tickets", { options: sized(10) })))
          records += page.records.length;
        return records;
      }),
    ).finally(() => {
      settled = true;
    });
    while (!settled) {
      // A step only when somebody sleeps: an answer on its way must not find its minute gone.
      if (clock.waiting > 0) await clock.advance(250);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const minutes = (clock.now() - started) / 60_000;
    await Promise.all(processes.map(({ budget }) => budget.close()));
    const views = buckets.map((spec) =>
      viewBudget({ spec, reserve }, environment.store.get(`budget/desk/${spec.name}`), clock.now()),
    );
    const requests = fake.requests.recent.filter((line) => line.includes("/incremental/")).length;
    return { records: await work, minutes, requests, refused: fake.requests.byStatus["429"] ?? 0, views };
  } finally {
    for (const { source } of processes) await source.close();
    await fake.close();
    await environment.close();
  }
}

describe("the exports of an account that two processes read", () => {
  it("are shared: none is refused, and nearly all of the limit is used", async () => {
    const { records, requests, minutes, refused, views } = await readTwice(true, 0);
    expect(records).toEqual([150, 150]);
    expect(refused).toBe(0);
    // Ten at once, and ten in each minute more.
    expect(minutes).toBeGreaterThanOrEqual(Math.ceil(requests / 10) - 1);
    expect(minutes).toBeLessThan(Math.ceil(requests / 10) - 1 + 0.2);
    // The account's own limit was learned from the answers.
    expect(views[0]).toMatchObject({ bucket: "account", limit: 700, left: expect.any(Number) });
    expect(views[1]).toMatchObject({ bucket: "exports", limit: 10 });
  });

  it("are refused now and then where nothing is shared", async () => {
    expect((await readTwice(false, 0)).refused).toBeGreaterThan(0);
  });

  it("leave the reserve to others", async () => {
    const { requests, minutes, refused } = await readTwice(true, 0.5);
    expect(refused).toBe(0);
    // Five a minute.
    expect(minutes).toBeGreaterThanOrEqual(Math.ceil(requests / 5) - 1);
    expect(minutes).toBeLessThan(Math.ceil(requests / 5) - 1 + 0.3);
  });
});
