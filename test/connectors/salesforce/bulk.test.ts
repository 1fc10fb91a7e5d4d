import { describe, expect, it } from "vitest";
import type { SourceRecord, Value } from "../../../core/contracts/index.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { Org } from "../../fakes/salesforce/index.js";
import { idsOf, type Living, living, MINUTE, NOW, recordsOf, things } from "./living.js";

const JOBS = "/services/data/jobs/query";
const CREATED = `POST ${JOBS}`;
const RESULTS = `GET ${JOBS}/<job>/results`;
const LOOKS = `GET ${JOBS}/<job>`;
const DELETED = `DELETE ${JOBS}/<job>`;

const BULK = { api: "bulk" };

describe("the life of a job", () => {
  it("asks for a dialect, waits with growing pauses, reads pages to the end and cleans up", async () => {
    const org = await living(things(1_000), { bulk: { queueMs: 2_000, runMs: 100_000, pageRows: 300 } });
    const started = org.clock.now();
    const pages = await org.read("Thing__c", BULK);
    // A page on the way, since the job takes its time.
    expect(pages.map(({ records }) => records.length)).toEqual([0, 300, 300, 300, 100]);
    expect(org.asked(LOOKS)).toBeLessThan(20);
    const pauses = org.clock.sleeps;
    expect(pauses[0]).toBe(500);
    expect(Math.max(...pauses)).toBe(30_000);
    expect(org.clock.now() - started).toBeLessThan(150_000);
    expect([org.asked(CREATED), org.asked(RESULTS), org.asked(DELETED)]).toEqual([1, 4, 1]);
    expect(org.fake.bulk.size).toBe(0);
  });

  it("costs no job where there is nothing to read", async () => {
    const org = await living(things(100));
    const first = await org.read("Thing__c", BULK);
    org.clock.set(NOW + 3_600_000);
    const second = await org.read("Thing__c", BULK, { cursor: first.at(-1)?.cursor ?? null });
    expect(second.map(({ records }) => records.length)).toEqual([0]);
    expect(org.asked(CREATED)).toBe(1);
  });

  it("goes on from the checkpoint of a job that was still running", async () => {
    const org = await living(things(500), { bulk: { runMs: 60_000 } });
    let cursor: Value | undefined;
    for await (const page of org.source.read(await org.request("Thing__c", BULK))) {
      cursor = page.cursor;
      break;
    }
    expect(cursor).toMatchObject({ done: false, job: { locator: null, rows: 0 } });
    const rest = await org.read("Thing__c", BULK, { cursor: throughJson(cursor) });
    expect(idsOf(rest)).toHaveLength(500);
    expect(org.asked(CREATED)).toBe(1);
  });

  it("is aborted when the run is cancelled while it waits, and made anew by the next run", async () => {
    const org = await living(things(500), { bulk: { runMs: 1e9 } });
    const abort = new AbortController();
    const request = await org.request("Thing__c", BULK, { signal: abort.signal });
    let looks = 0;
    const sleep = org.clock.sleep.bind(org.clock);
    org.clock.sleep = async (ms, signal) => {
      if (++looks > 4) abort.abort();
      await sleep(ms, signal);
    };
    await expect(
      (async () => {
        for await (const _ of org.source.read(request)) expect(_.records).toEqual([]);
      })(),
    ).rejects.toMatchObject({ kind: "cancelled" });
    expect(org.fake.bulk.states()).toEqual(["Aborted"]);
    org.clock.sleep = sleep;
    expect(org.asked(`PATCH ${JOBS}/<job>`)).toBe(1);
  });

  it.each([
    ["with a message", { times: 100, message: "retried more than 15 times" }],
    ["without one, as they often do", { times: 100 }],
  ])("that fails is halved in time, then told: %s", async (_how, failing) => {
    const org = await living(things(500));
    org.fake.bulk.failing = { ...failing };
    await expect(org.read("Thing__c", BULK)).rejects.toMatchObject({
      kind: "transient",
      code: "SALESFORCE_JOB_FAILED",
      fix: expect.stringContaining("options.api"),
    });
    // Segments without records cost a count and no job.
    expect(org.asked(CREATED)).toBeGreaterThan(4);
    expect(org.asked(CREATED)).toBeLessThan(40);
    // The org keeps none of them.
    expect(org.fake.bulk.size).toBe(0);
  });

  it.each([
    ["incremental", { from: NOW - 60 * MINUTE - 900 * 100 }],
    ["full, by CreatedDate", { mode: "full", cursorField: undefined, resumes: true }],
  ] as const)(
    "with too many rows for one is cut in time, each record once, and resumes in every part: %s",
    async (_mode, extra) => {
      const org = await living(things(900), { bulk: { mostRows: 400, pageRows: 90 } });
      const ledger = new SourceLedger("from" in extra ? "SystemModstamp" : undefined, ["Id"]);
      const states: SourceLedger[] = [];
      for await (const page of org.source.read(await org.request("Thing__c", BULK, extra))) {
        ledger.take(page);
        states.push(ledger.copy());
      }
      expect(new Set(ledger.keys()).size).toBe(900);
      expect(ledger.stored).toHaveLength(900);
      expect(states.length).toBeGreaterThan(10);
      for (const [n, state] of states.entries()) {
        // Each costs dozens of counts: some are enough, with their job and without.
        if (n % 3 === 1) continue;
        if (n % 3 === 0) org.fake.bulk.forget();
        // Twice: the engine may die before it has seen the end.
        for (const _ of [1, 2]) {
          const pages = await org.read("Thing__c", BULK, { ...extra, cursor: state.checkpoint });
          for (const page of pages) state.take(page);
          expect(state.keys().sort()).toEqual(ledger.keys().sort());
        }
      }
    },
  );

  it("of a full read is cut behind the place that REST has reached", async () => {
    const org = await living(things(9_000), { bulk: { mostRows: 3_000, pageRows: 700 } });
    const pages = await org.read("Thing__c", {}, { mode: "full", cursorField: undefined });
    expect(pages[0]?.cursor).toMatchObject({ at: { id: expect.any(String) }, done: false });
    expect(idsOf(pages)).toHaveLength(9_000);
    expect(new Set(idsOf(pages)).size).toBe(9_000);
    expect(org.asked(CREATED)).toBeGreaterThan(2);
  });

  it("that somebody aborts ends the run, and the next one makes another", async () => {
    const org = await living(things(100));
    org.fake.faults.set({
      rules: [
        {
          path: "/\\/jobs\\/query\\/750\\w+$/",
          method: "GET",
          times: 1,
          fault: { kind: "answer", status: 200, body: { id: "7505g0000000001AAA", state: "Aborted" } },
        },
      ],
    });
    await expect(org.read("Thing__c", BULK)).rejects.toMatchObject({
      kind: "transient",
      code: "SALESFORCE_JOB_ABORTED",
    });
    expect(idsOf(await org.read("Thing__c", BULK))).toHaveLength(100);
  });
});

describe("a job that is lost", () => {
  const partly = async (org: Living, count: number, extra: object = {}, options: object = BULK) => {
    const ledger = new SourceLedger("cursorField" in extra ? undefined : "SystemModstamp", ["Id"]);
    for await (const page of org.source.read(await org.request("Thing__c", options, extra))) {
      ledger.take(page);
      if (--count === 0) break;
    }
    return ledger;
  };

  it.each([
    ["incremental", {}],
    ["full", { mode: "full", cursorField: undefined }],
  ] as const)(
    "is made anew in the same window; nothing is lost and nothing comes twice: %s",
    async (_mode, extra) => {
      const org = await living(things(1_000), { bulk: { pageRows: 150 } });
      const ledger = await partly(org, 3, extra);
      // Seven days later the job is gone; meanwhile records have left the window.
      org.clock.set(NOW + 8 * 86_400_000);
      const changed = org.org.changeSome("Thing__c", 50, 3);
      const rest = await org.read("Thing__c", BULK, { ...extra, cursor: ledger.checkpoint, resumes: true });
      for (const page of rest) ledger.take(page);
      const all = [...org.org.table("Thing__c").rows()].map(({ id }) => id);
      expect(new Set(ledger.keys())).toEqual(new Set(all));
      expect(new Set(ledger.versions()).size).toBe(ledger.versions().length);
      const twice = ledger.keys().length - new Set(ledger.keys()).size;
      // What changed after it was handed out is another version.
      expect(twice).toBeLessThanOrEqual(_mode === "full" ? 0 : changed.length);
      expect(org.log.lines.join("\n")).toContain("made anew");
    },
  );

  it("may be lost again and again, as long as each brings a page", async () => {
    const org = await living(things(1_000), { bulk: { pageRows: 100 } });
    const ledger = new SourceLedger("SystemModstamp", ["Id"]);
    let pages = 0;
    for await (const page of org.source.read(await org.request("Thing__c", BULK))) {
      ledger.take(page);
      if (++pages % 2 === 0 && pages < 16) org.fake.bulk.forget();
    }
    expect(ledger.keys()).toHaveLength(1_000);
    expect(new Set(ledger.keys()).size).toBe(1_000);
    // And dead locators are no better than dead jobs.
    const dead = [{ errorCode: "INVALID_QUERY_LOCATOR", message: "invalid locator" }];
    org.fake.faults.set({
      rules: [{ path: "/results", fault: { kind: "answer", status: 400, body: dead } }],
    });
    await expect(org.read("Thing__c", BULK)).rejects.toMatchObject({
      kind: "transient",
      code: "SALESFORCE_JOB_GONE",
    });
  });

  it("is read on by REST where the flow now says so, without what it handed out", async () => {
    const org = await living(things(1_000), { pageSize: 200, bulk: { pageRows: 150 } });
    const ledger = await partly(org, 3);
    const rest = await org.read("Thing__c", { api: "rest", pageSize: 200 }, { cursor: ledger.checkpoint });
    for (const page of rest) ledger.take(page);
    expect(ledger.repeats).toBe(0);
    expect(ledger.keys()).toHaveLength(1_000);
    expect(new Set(ledger.keys()).size).toBe(1_000);
    expect(org.fake.bulk.size).toBe(0);
  });

  it("is another where the flow asks for other fields or another version; records come once", async () => {
    const org = await living(things(1_000), { bulk: { pageRows: 150 } });
    const ledger = await partly(org, 2, { fields: ["Id"] });
    const extra = { fields: ["Id", "Name"], cursor: ledger.checkpoint };
    const records: SourceRecord[] = recordsOf(await org.read("Thing__c", BULK, extra));
    expect(records).toHaveLength(700);
    expect(records.every(({ Name }) => typeof Name === "string")).toBe(true);
    expect(new Set([...ledger.keys(), ...records.map(({ Id }) => String(Id))]).size).toBe(1_000);
  });
});

describe("pages of a result", () => {
  it.each([
    ["fewer rows than it says", { "sforce-numberofrecords": "7" }, '"Id","SystemModstamp"\n"a01","x"\n'],
    ["half a row", { "sforce-numberofrecords": "1" }, '"Id","SystemModstamp"\n"a01'],
    ["a row too short", { "sforce-numberofrecords": "1" }, '"Id","SystemModstamp"\n"a01"\n'],
    ["other columns", { "sforce-numberofrecords": "1" }, '"Id","Name"\n"a01","x"\n'],
    ["no CSV", { "content-type": "application/xml" }, "<result/>"],
  ])("with %s are asked for again, smaller, and then end the run", async (_what, headers, body) => {
    const org = await living(things(100));
    const fault = {
      kind: "answer" as const,
      status: 200,
      body,
      headers: { "content-type": "text/csv", "sforce-locator": "null", ...headers },
    };
    org.fake.faults.set({ rules: [{ path: "/results", times: 1, fault }] });
    const once = org.read("Thing__c", BULK);
    if (_what !== "no CSV") expect(idsOf(await once)).toHaveLength(100);
    else await expect(once).rejects.toMatchObject({ code: "SALESFORCE_UNEXPECTED_ANSWER" });
    org.fake.faults.set({ rules: [{ path: "/results", fault }] });
    await expect(org.read("Thing__c", BULK)).rejects.toMatchObject({
      kind: "transient",
      code: expect.stringMatching(/^SALESFORCE_(BULK_BROKEN_PAGE|UNEXPECTED_ANSWER)$/),
    });
    const sizes = org.fake.requests.recent.map((target) => Number(/maxRecords=(\d+)/.exec(target)?.[1]));
    if (_what !== "no CSV") expect(Math.min(...sizes.filter((size) => size > 0))).toBeLessThan(1_000);
  });

  it("that do not add up to the job's rows fail the window, and the next run makes the job anew", async () => {
    const org = await living(things(500), { bulk: { pageRows: 200 } });
    const short = { "content-type": "text/csv", "sforce-locator": "null", "sforce-numberofrecords": "0" };
    org.fake.faults.set({
      rules: [
        {
          path: "/results",
          on: { nth: 2 },
          fault: { kind: "answer", status: 200, headers: short, body: '"Id","SystemModstamp"\n' },
        },
      ],
    });
    const ledger = new SourceLedger("SystemModstamp", ["Id"]);
    const reading = async () => {
      const extra = ledger.checkpoint === undefined ? {} : { cursor: ledger.checkpoint };
      for await (const page of org.source.read(await org.request("Thing__c", BULK, extra))) ledger.take(page);
    };
    await expect(reading()).rejects.toMatchObject({ kind: "transient", code: "SALESFORCE_ROWS_MISSING" });
    expect(ledger.keys()).toHaveLength(200);
    await reading();
    expect(ledger.keys()).toHaveLength(500);
    expect(new Set(ledger.keys()).size).toBe(500);
    expect(org.asked(CREATED)).toBe(2);
  });

  it("are fetched while the one before is worked on, one ahead and no more, once a stored cursor has the job", async () => {
    const org = await living(things(1_000), { bulk: { pageRows: 200 } });
    const ahead: number[] = [];
    let taken = 0;
    for await (const _ of org.source.read(await org.request("Thing__c", BULK))) {
      taken++;
      // Time enough for requests that nobody asked for.
      await new Promise((resolve) => setTimeout(resolve, 30));
      ahead.push(org.asked(RESULTS) - taken);
    }
    expect(ahead).toEqual([0, 1, 1, 1, 0]);
  });

  it("are asked for when the one before is stored, where nothing can be kept", async () => {
    const org = await living(things(1_000), { bulk: { pageRows: 200 } });
    const { ahead: _, ...without } = await org.request("Thing__c", BULK);
    let taken = 0;
    for await (const _page of org.source.read(without)) {
      taken++;
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(org.asked(RESULTS)).toBe(taken);
    }
    expect(taken).toBe(5);
  });

  it("stay near a size, however long the rows", async () => {
    const org = await living((clock) => {
      const made = new Org(clock);
      made.define({
        name: "Thing__c",
        keyPrefix: "a00",
        fields: [
          { name: "Id", type: "id" },
          { name: "Text__c", type: "textarea", length: 131_072 },
          { name: "SystemModstamp", type: "datetime" },
        ],
      });
      for (let n = 0; n < 3_000; n++) made.upsert("Thing__c", { Text__c: "x".repeat(20_000) }, NOW - MINUTE);
      return made;
    });
    const pages = await org.read("Thing__c", { ...BULK, bulkPageSize: 1_000 }, { fields: ["Text__c"] });
    expect(recordsOf(pages)).toHaveLength(3_000);
    expect(pages[0]?.bytes).toBeGreaterThan(18e6);
    for (const page of pages.slice(1)) expect(page.bytes).toBeLessThan(6.5e6);
  });
});

function throughJson(value: Value | undefined): Value {
  return JSON.parse(JSON.stringify(value ?? null));
}
