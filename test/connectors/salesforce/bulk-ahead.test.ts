import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Page, ReadRequest, Value } from "../../../core/contracts/index.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import type { FaultRule } from "../../fakes/salesforce/index.js";
import { idsOf, type Living, living, MINUTE, NOW, things } from "./living.js";

const JOBS = "/services/data/jobs/query";
const CREATED = `POST ${JOBS}`;
const RESULTS = `GET ${JOBS}/<job>/results`;
const QUERIES = "GET /services/data/query";

const BULK = { api: "bulk" };
const FULL = { mode: "full", cursorField: undefined, resumes: true } as const;
const COUNT = 3_000;
const START = NOW - 60 * MINUTE - COUNT * 100;

const stampOf = (ms: number) => new Date(ms).toISOString().replace("Z", "+0000");

/** As an earlier version left it: a window of which the first half minute is read, 300 things. */
const cut = (more: object = {}): Value => ({
  field: "SystemModstamp",
  window: { from: stampOf(START), to: stampOf(NOW - 1_000) },
  settled: true,
  repeatsBelow: null,
  rememberFrom: stampOf(NOW - 15 * MINUTE),
  at: null,
  segment: { from: stampOf(START), to: stampOf(START + 30_000) },
  done: false,
  ...more,
});

const cutFull = (): Value => ({
  field: null,
  at: null,
  segment: { from: stampOf(START), to: stampOf(START + 30_000), above: null },
  done: false,
});

/** Three thousand things that are read by several jobs of a minute each. */
const many = (options: Parameters<typeof living>[1] = {}) =>
  living(things(COUNT), { ...options, bulk: { runMs: 60_000, pageRows: 200, ...options.bulk } });

/** The instant at which background work against the fake has come to rest. */
async function rest(org: Living): Promise<void> {
  for (let before = -1; before !== org.source.apiCalls(); ) {
    before = org.source.apiCalls();
    await delay(40);
  }
}

/** Reads until `stop` says so and then does nothing more, as a process that was killed. */
async function killed(
  org: Living,
  ledger: SourceLedger,
  extra: Partial<ReadRequest>,
  stop: (page: Page) => boolean,
): Promise<void> {
  const pages = org.source.read(await org.request("Thing__c", BULK, extra))[Symbol.asyncIterator]();
  for (let next = await pages.next(); next.done !== true; next = await pages.next()) {
    const dies = stop(next.value);
    ledger.take(next.value);
    if (dies) break;
  }
  await rest(org);
}

const aheadOf = (cursor: Value | undefined): readonly unknown[] => {
  const ahead: unknown = typeof cursor === "object" && cursor !== null ? Reflect.get(cursor, "ahead") : [];
  return Array.isArray(ahead) ? ahead : [];
};

const ledgerOf = (extra: object = {}) =>
  new SourceLedger("mode" in extra ? undefined : "SystemModstamp", ["Id"]);

const only = (org: Living, rule: FaultRule) => org.fake.faults.set({ rules: [rule] });

describe("jobs ahead", () => {
  it.each([
    ["incremental", { cursor: cut() }],
    ["full", { ...FULL, cursor: cutFull() }],
  ] as const)("run while the present one is read, and cost no more calls: %s", async (_mode, extra) => {
    const time = async (bulkJobs: number) => {
      const org = await many();
      const started = org.clock.now();
      const pages = await org.read("Thing__c", { ...BULK, bulkJobs }, extra);
      expect(idsOf(pages)).toHaveLength(COUNT);
      expect(new Set(idsOf(pages)).size).toBe(COUNT);
      expect(org.fake.bulk.size).toBe(0);
      expect(org.fake.bulk.most).toBe(bulkJobs);
      return { ms: org.clock.now() - started, created: org.asked(CREATED), calls: org.source.apiCalls() };
    };
    const one = await time(1);
    const three = await time(3);
    expect(one.created).toBeGreaterThan(3);
    expect(three.created).toBe(one.created);
    expect(three.ms).toBeLessThan(one.ms * 0.65);
    expect(three.calls).toBeLessThan(one.calls);
  });

  it.each([
    ["incremental", { cursor: cut() }],
    ["full", { ...FULL, cursor: cutFull() }],
  ] as const)("resume from every cursor, with their jobs and without: %s", async (_mode, extra) => {
    const org = await many({ bulk: { runMs: 1_000 } });
    const ledger = ledgerOf(extra);
    const states: SourceLedger[] = [];
    for await (const page of org.source.read(await org.request("Thing__c", BULK, extra))) {
      ledger.take(page);
      states.push(ledger.copy());
    }
    const all = ledger.keys().sort();
    expect(all).toHaveLength(COUNT);
    expect(states.filter(({ checkpoint }) => aheadOf(checkpoint).length === 2).length).toBeGreaterThan(1);
    for (const [n, state] of states.entries()) {
      if (n % 2 === 0) org.fake.bulk.forget();
      for await (const page of org.source.read(
        await org.request("Thing__c", BULK, { ...extra, cursor: state.checkpoint ?? null }),
      ))
        state.take(page);
      expect(state.keys().sort()).toEqual(all);
      expect(state.repeats).toBe(0);
    }
  });

  it("that a killed run has stored are taken over by the next one", async () => {
    const org = await many();
    const ledger = ledgerOf();
    await killed(org, ledger, { cursor: cut() }, ({ cursor }) => aheadOf(cursor).length === 2);
    const open = org.fake.bulk.size;
    expect(open).toBe(3);
    const before = org.asked(CREATED);
    for (const page of await org.read("Thing__c", BULK, { cursor: ledger.checkpoint ?? null }))
      ledger.take(page);
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(org.fake.bulk.size).toBe(0);
    // As many as a read that nobody kills.
    const whole = await many();
    await whole.read("Thing__c", BULK, { cursor: cut() });
    expect(org.asked(CREATED)).toBe(whole.asked(CREATED));
    expect(before).toBe(3);
  });

  it("that fail do not concern the segments before; theirs is halved, and later jobs are made anew", async () => {
    const org = await many();
    org.fake.bulk.doomed.add(2);
    const sizes: number[] = [];
    const ledger = ledgerOf();
    for await (const page of org.source.read(await org.request("Thing__c", BULK, { cursor: cut() }))) {
      if (page.records.length > 0) sizes.push(page.records.length);
      ledger.take(page);
    }
    expect(sizes.slice(0, 2)).toEqual([200, 100]);
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(org.fake.bulk.size).toBe(0);
    const whole = await many();
    await whole.read("Thing__c", BULK, { cursor: cut() });
    expect(org.asked(CREATED)).toBeGreaterThan(whole.asked(CREATED));
  });

  it("that are lost are made anew at their turn", async () => {
    const org = await many();
    const ledger = ledgerOf();
    let pages = 0;
    for await (const page of org.source.read(await org.request("Thing__c", BULK, { cursor: cut() }))) {
      ledger.take(page);
      if (++pages === 4) org.fake.bulk.forget();
    }
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(org.log.lines.join("\n")).toContain("made anew");
  });

  it.each([
    ["the day's Bulk jobs", [{ errorCode: "EXCEEDED_QUOTA", message: "DailyBulkV2QueryJobs exceeded" }], 400],
    ["the day's calls", [{ errorCode: "REQUEST_LIMIT_EXCEEDED", message: "TotalRequests Limit" }], 403],
    ["calls at a time", [{ errorCode: "REQUEST_LIMIT_EXCEEDED", message: "ConcurrentPerOrg" }], 403],
  ])("that a limit refuses are left for their turn, without a wait: %s", async (_limit, body, status) => {
    const org = await many({ bulk: { runMs: 0, queueMs: 0 } });
    // The present job's creation comes first.
    only(org, {
      path: "/jobs/query",
      method: "POST",
      on: { nth: 2 },
      fault: { kind: "answer", status, body },
    });
    const pages = await org.read("Thing__c", BULK, { cursor: cut() });
    expect(new Set(idsOf(pages)).size).toBe(COUNT);
    expect(org.fake.bulk.most).toBe(1);
    expect(Math.max(...org.clock.sleeps)).toBe(500);
    expect(org.log.lines.join("\n")).toContain("no Bulk job is made ahead");
  });

  it("are none where nine tenths of the day's calls are used", async () => {
    const org = await many();
    org.fake.setDailyLimit(1_000, 905);
    const pages = await org.read("Thing__c", { ...BULK, bulkPageSize: 1_000 }, { cursor: cut() });
    expect(idsOf(pages)).toHaveLength(COUNT);
    expect(org.fake.bulk.most).toBe(1);
  });

  it.each([
    ["are waited for where their segment's turn has come", []],
    ["are discarded where the segments were cut anew meanwhile", [1]],
  ])("that take long to be created %s", async (_what, doomed) => {
    const org = await many({ bulk: { runMs: 0, queueMs: 0 } });
    for (const job of doomed) org.fake.bulk.doomed.add(job);
    const slow = { kind: "slow", delayMs: 100 } as const;
    only(org, { path: "/jobs/query", method: "POST", on: { nth: 2 }, fault: slow });
    const pages = await org.read("Thing__c", BULK, { cursor: cut() });
    expect(idsOf(pages)).toHaveLength(COUNT);
    expect(new Set(idsOf(pages)).size).toBe(COUNT);
    expect(org.fake.bulk.size).toBe(0);
    expect(org.asked(CREATED)).toBeGreaterThan(3);
  });

  it("whose creation fails are tried again with the next segment", async () => {
    const org = await many();
    only(org, {
      path: "/jobs/query",
      method: "POST",
      on: { nth: [2, 3, 4, 5, 6] },
      fault: { kind: "status", preset: "serverError" },
    });
    const pages = await org.read("Thing__c", BULK, { cursor: cut() });
    expect(new Set(idsOf(pages)).size).toBe(COUNT);
    expect(org.fake.bulk.most).toBe(3);
    expect(org.fake.bulk.size).toBe(0);
  });
});

describe("results of jobs ahead", () => {
  const resultsOf = (target: string) => /jobs\/query\/(\w+)\/results/.exec(target)?.[1];

  /** Pages of results as they are asked for: a letter for each job. */
  function noteResults(org: Living): string[] {
    const jobs: string[] = [];
    const asked: string[] = [];
    org.fake.before = (_method, target) => {
      const job = resultsOf(target);
      if (job === undefined) return;
      if (!jobs.includes(job)) jobs.push(job);
      asked.push("abcdefghijklmnopqrstuvwxyz"[jobs.indexOf(job)] ?? "?");
    };
    return asked;
  }

  it.each([
    ["incremental", { cursor: cut() }],
    ["full", { ...FULL, cursor: cutFull() }],
  ] as const)(
    "are fetched while the present one is read, each once, and keep their order: %s",
    async (_mode, extra) => {
      const one = await many({ bulk: { runMs: 0, queueMs: 0 } });
      const plain = await org1(one, extra);
      const org = await many({ bulk: { runMs: 0, queueMs: 0 } });
      const asked = noteResults(org);
      const ids: string[] = [];
      for await (const page of org.source.read(await org.request("Thing__c", BULK, extra))) {
        ids.push(...page.records.map(({ Id }) => String(Id)));
        await rest(org);
      }
      expect(ids).toEqual(plain);
      // Before the first job's last page was asked for, those of the next jobs had come.
      expect(asked.indexOf("b")).toBeLessThan(asked.lastIndexOf("a"));
      expect(asked).toHaveLength(one.asked(RESULTS));
    },
  );

  /** From the second page on whose cursor holds two jobs ahead their results are under way. */
  const underWay = () => {
    let seen = 0;
    return ({ cursor }: Page) => aheadOf(cursor).length === 2 && ++seen === 2;
  };

  it("cost a kill no page that was fetched, and no record", async () => {
    const org = await many({ bulk: { runMs: 0, queueMs: 0 } });
    const ledger = ledgerOf();
    await killed(org, ledger, { cursor: cut() }, underWay());
    const asked = org.asked(RESULTS);
    expect(asked).toBeGreaterThan(4);
    for (const page of await org.read("Thing__c", BULK, { cursor: ledger.checkpoint ?? null }))
      ledger.take(page);
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    const whole = await many({ bulk: { runMs: 0, queueMs: 0 } });
    await whole.read("Thing__c", BULK, { cursor: cut() });
    expect(org.asked(RESULTS) - whole.asked(RESULTS)).toBeLessThanOrEqual(1);
  });

  it("of jobs that no stored cursor knows are left alone: a kill would cost them all", async () => {
    const org = await many({ bulk: { runMs: 0, queueMs: 0 } });
    const ledger = ledgerOf();
    let asked = 0;
    for await (const page of org.source.read(await org.request("Thing__c", BULK, { cursor: cut() }))) {
      await rest(org);
      asked = org.asked(RESULTS);
      // Killed before the first page is stored.
      if (page.records.length > 0) break;
      ledger.take(page);
    }
    expect(org.fake.bulk.most).toBe(3);
    expect(asked).toBe(1);
  });

  it("of jobs that are given up are not kept", async () => {
    const org = await many({ bulk: { runMs: 0, queueMs: 0 } });
    const abort = new AbortController();
    const ledger = ledgerOf();
    const stop = underWay();
    let kept = 0;
    const reading = async () => {
      const request = await org.request("Thing__c", BULK, { cursor: cut(), signal: abort.signal });
      for await (const page of org.source.read(request)) {
        await rest(org);
        if (stop(page)) {
          kept = org.kept();
          abort.abort();
        }
        ledger.take(page);
      }
    };
    await expect(reading()).rejects.toMatchObject({ kind: "cancelled" });
    expect(kept).toBeGreaterThan(4);
    expect(org.kept()).toBeLessThan(kept);
    // What is left is of the job that the cursor holds.
    for (const page of await org.read("Thing__c", BULK, { cursor: ledger.checkpoint ?? null }))
      ledger.take(page);
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(org.kept()).toBe(0);
  });

  it("that are broken are fetched again at their turn", async () => {
    const org = await many({ bulk: { runMs: 0, queueMs: 0 } });
    const half = { "content-type": "text/csv", "sforce-locator": "null", "sforce-numberofrecords": "200" };
    let fake = 0;
    org.fake.before = (_method, target) => {
      // The first page of the second job's result.
      if (resultsOf(target) !== undefined && !target.includes("locator=") && ++fake === 2)
        only(org, {
          path: "/results",
          times: 1,
          fault: { kind: "answer", status: 200, headers: half, body: '"Id","SystemModstamp"\n"a00' },
        });
    };
    const ledger = ledgerOf();
    for await (const page of org.source.read(await org.request("Thing__c", BULK, { cursor: cut() }))) {
      ledger.take(page);
      await rest(org);
    }
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(org.log.lines.join("\n")).toContain("asking for a smaller one");
  });

  it("that fail to come are left for their turn", async () => {
    const org = await many({ bulk: { runMs: 0, queueMs: 0 } });
    const jobs = new Set<string>();
    org.fake.before = (_method, target) => {
      const job = resultsOf(target);
      if (job === undefined || jobs.has(job)) return;
      // As often as the client asks: of every job but the first, the first page.
      if (jobs.size > 0)
        only(org, { path: `${job}/results`, times: 5, fault: { kind: "status", preset: "serverError" } });
      jobs.add(job);
    };
    const ledger = ledgerOf();
    for await (const page of org.source.read(await org.request("Thing__c", BULK, { cursor: cut() }))) {
      ledger.take(page);
      await rest(org);
    }
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(org.log.lines.join("\n")).toContain("is not fetched ahead");
  });
});

/** Ids as one job at a time reads them. */
async function org1(org: Living, extra: Partial<ReadRequest>): Promise<string[]> {
  return idsOf(await org.read("Thing__c", { ...BULK, bulkJobs: 1 }, extra));
}

describe("the end of a read with jobs ahead", () => {
  /** Pages up to the first one whose cursor holds two jobs ahead. */
  const untilTwo = async (org: Living, ledger: SourceLedger, request: ReadRequest, then: () => void) => {
    for await (const page of org.source.read(request)) {
      ledger.take(page);
      if (aheadOf(page.cursor).length === 2) {
        then();
        return "left";
      }
    }
    return "complete";
  };

  it("by cancelling leaves none of them behind, and the next read makes them anew", async () => {
    const org = await many();
    const abort = new AbortController();
    const ledger = ledgerOf();
    const reading = async () => {
      const request = await org.request("Thing__c", BULK, { cursor: cut(), signal: abort.signal });
      for await (const page of org.source.read(request)) {
        ledger.take(page);
        if (aheadOf(page.cursor).length === 2) abort.abort();
      }
    };
    await expect(reading()).rejects.toMatchObject({ kind: "cancelled" });
    // The job that is read stands in the cursor, and is aborted or complete.
    expect(org.fake.bulk.size).toBeLessThanOrEqual(1);
    expect(org.fake.bulk.states()).not.toContain("InProgress");
    expect(org.fake.bulk.states()).not.toContain("UploadComplete");
    for (const page of await org.read("Thing__c", BULK, { cursor: ledger.checkpoint ?? null }))
      ledger.take(page);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(ledger.keys()).toHaveLength(COUNT);
  });

  it("by leaving the loop leaves none of them behind", async () => {
    const org = await many();
    const ledger = ledgerOf();
    const request = await org.request("Thing__c", BULK, { cursor: cut() });
    expect(await untilTwo(org, ledger, request, () => undefined)).toBe("left");
    expect(org.fake.bulk.size).toBeLessThanOrEqual(1);
  });

  it("while one is created waits for its name no longer than it has patience", async () => {
    const org = await many();
    only(org, { path: "/jobs/query", method: "POST", on: { nth: 2 }, fault: { kind: "slow", delayMs: 400 } });
    const request = await org.request("Thing__c", BULK, { cursor: cut() });
    for await (const _ of org.source.read(request)) break;
    expect(org.asked(CREATED)).toBeGreaterThan(1);
    expect(org.fake.bulk.size).toBeLessThanOrEqual(1);

    const slow = await many();
    const hung = { kind: "slow", delayMs: 60_000 } as const;
    only(slow, { path: "/jobs/query", method: "POST", on: { nth: 2 }, fault: hung });
    const reading = slow.source.read(await slow.request("Thing__c", BULK, { cursor: cut() }));
    const started = performance.now();
    for await (const _ of reading) {
      setTimeout(() => slow.clock.ring(), 100);
      break;
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it("by a failure keeps those that a cursor holds, and the next read takes them over", async () => {
    const org = await many();
    const ledger = ledgerOf();
    const reading = async (cursor: Value) => {
      const request = await org.request("Thing__c", BULK, { cursor });
      for await (const page of org.source.read(request)) {
        ledger.take(page);
        if (aheadOf(page.cursor).length === 2)
          only(org, { path: "/results", fault: { kind: "status", preset: "serverError" } });
      }
    };
    await expect(reading(cut())).rejects.toMatchObject({ kind: "transient" });
    expect(aheadOf(ledger.checkpoint)).toHaveLength(2);
    expect(org.fake.bulk.size).toBe(3);
    org.fake.faults.clear();
    const created = org.asked(CREATED);
    for (const page of await org.read("Thing__c", BULK, { cursor: ledger.checkpoint ?? null }))
      ledger.take(page);
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(org.asked(CREATED) - created).toBeLessThan(3);
    expect(org.fake.bulk.size).toBe(0);
  });

  it("for REST gives them up, and what came does not come again", async () => {
    const org = await many();
    const ledger = ledgerOf();
    await killed(org, ledger, { cursor: cut() }, ({ records, cursor }) => {
      return records.length > 0 && aheadOf(cursor).length === 2;
    });
    const rest = await org.read("Thing__c", { api: "rest" }, { cursor: ledger.checkpoint ?? null });
    for (const page of rest) ledger.take(page);
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(org.fake.bulk.size).toBe(0);
  });

  it("where the flow asks for other fields makes each of them anew", async () => {
    const org = await many();
    const ledger = ledgerOf();
    await killed(org, ledger, { cursor: cut() }, ({ cursor }) => aheadOf(cursor).length === 2);
    const extra = { fields: ["Id", "Name"], cursor: ledger.checkpoint ?? null };
    const pages = await org.read("Thing__c", BULK, extra);
    const named = pages.flatMap(({ records }) => records).filter(({ Name }) => typeof Name === "string");
    expect(named).toHaveLength(COUNT - ledger.keys().length);
    expect(org.fake.bulk.size).toBe(0);
  });
});

describe("segments", () => {
  it("grow where there is little, so that a quiet year is not counted by the second", async () => {
    const org = await living(things(100));
    const year = 365 * 24 * 60 * MINUTE;
    const window = { from: stampOf(NOW - year), to: stampOf(NOW - 1_000) };
    const segment = { from: stampOf(NOW - year), to: stampOf(NOW - year + 1_000) };
    const pages = await org.read("Thing__c", BULK, { cursor: cut({ window, segment }) });
    expect(idsOf(pages)).toHaveLength(100);
    expect(org.asked(QUERIES)).toBeLessThan(40);
  });
});
