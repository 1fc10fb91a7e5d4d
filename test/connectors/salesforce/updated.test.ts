import { describe, expect, it } from "vitest";
import { stampOf } from "../../../connectors/salesforce/cursor.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { type Living, living, MINUTE, NOW, things } from "./living.js";

const ASKED = "GET /services/data/sobjects/Thing__c/updated/";

const windowOf = async (org: Living, options: object = {}, extra: object = {}) =>
  (await org.read("Thing__c", options, extra)).at(-1)?.window?.to;

describe("the end of a window", () => {
  it("is now while no transaction runs, to the second", async () => {
    const org = await living(things(10));
    org.clock.set(NOW + 12_345);
    expect(await windowOf(org)).toBe("2026-10-01T12:00:12.000Z");
    expect(org.asked(ASKED)).toBe(1);
    // The span is small: its ids come along.
    const asked = org.fake.requests.recent.find((target) => target.includes("/updated/"));
    expect(decodeURIComponent(asked ?? "")).toContain(
      "start=2026-10-01T11:50:00.000Z&end=2026-10-01T12:01:00.000Z",
    );
  });

  it("is the beginning of the longest transaction, whose records come with the window after it", async () => {
    const org = await living(things(10));
    const ids = [...org.org.table("Thing__c").rows()].map(({ id }) => id);
    const ledger = new SourceLedger("SystemModstamp", ["Id"]);
    const next = async () => {
      const extra = ledger.checkpoint === undefined ? {} : { cursor: ledger.checkpoint };
      const before = ledger.stored.length;
      for (const page of await org.read("Thing__c", {}, extra)) ledger.take(page);
      return ledger.stored.slice(before).map(({ Id }) => Id);
    };
    const transaction = org.org.begin();
    for (const id of ids.slice(0, 4)) transaction.upsert("Thing__c", { Id: id, Name: "late" });
    // Longer than any lookback: twenty minutes.
    org.clock.set(NOW + 20 * MINUTE);
    expect((await next()).length).toBe(10);
    expect(ledger.checkpoint).toMatchObject({
      window: { to: "2026-10-01T12:00:00.000+0000" },
      settled: true,
    });
    org.clock.set(NOW + 40 * MINUTE);
    expect(await next()).toEqual([]);
    transaction.commit();
    expect((await next()).sort()).toEqual(ids.slice(0, 4).sort());
    expect(ledger.checkpoint).toMatchObject({ window: { to: "2026-10-01T12:40:00.000+0000" } });
  });

  it("stays five minutes behind now where Salesforce names none, and is not settled", async () => {
    const org = await living(things(10, { replicateable: false }));
    const pages = await org.read("Thing__c");
    expect(pages.at(-1)?.window?.to).toBe("2026-10-01T11:55:00.000Z");
    expect(pages.at(-1)?.cursor).not.toHaveProperty("settled");
    expect(org.asked(ASKED)).toBe(0);
  });

  it.each([
    ["INVALID_REPLICATION_DATE", 3],
    ["EXCEEDED_ID_LIMIT", 3],
    ["INVALID_TYPE_FOR_OPERATION", 1],
    ["INSUFFICIENT_ACCESS", 1],
  ])("stays behind as well where the question is refused: %s", async (errorCode, times) => {
    const org = await living(things(10));
    org.clock.set(NOW + 30_000);
    const body = [{ errorCode, message: "refused" }];
    org.fake.faults.set({ rules: [{ path: "/updated/", fault: { kind: "answer", status: 400, body } }] });
    expect(await windowOf(org)).toBe("2026-10-01T11:55:30.000Z");
    expect(org.asked(ASKED)).toBe(times);
  });

  it("is the last whole minute where an end in the future is refused", async () => {
    const org = await living(things(10));
    org.clock.set(NOW + 30_000);
    const body = [{ errorCode: "INVALID_REPLICATION_DATE", message: "endDate" }];
    org.fake.faults.set({
      rules: [{ path: "/updated/", times: 1, fault: { kind: "answer", status: 400, body } }],
    });
    expect(await windowOf(org)).toBe("2026-10-01T12:00:00.000Z");
  });

  it("is not asked for where it lies a day back, and the start of a flow may lie behind it", async () => {
    const org = await living(things(10));
    const from = NOW - 3 * 86_400_000;
    expect(await windowOf(org, {}, { from, to: from + 86_400_000 })).toBe("2026-09-29T12:00:00.000Z");
    expect(org.asked(ASKED)).toBe(0);
    // A transaction runs since before the start: there is nothing to read yet, and no error.
    org.org.begin();
    org.clock.set(NOW + 10 * MINUTE);
    const pages = await org.read("Thing__c", {}, { from: NOW + 5 * MINUTE });
    expect(pages.flatMap(({ records }) => records)).toEqual([]);
    expect(pages.at(-1)?.window).toEqual({
      from: "2026-10-01T12:05:00.000Z",
      to: "2026-10-01T12:05:00.000Z",
    });
  });

  it("stays behind now for as long as the flow says", async () => {
    const org = await living(things(10));
    expect(await windowOf(org, { settle: "7m" })).toBe("2026-10-01T11:53:00.000Z");
  });

  it("ends the read where the failure is not the object's", async () => {
    const org = await living(things(10));
    org.fake.faults.set({ rules: [{ path: "/updated/", fault: { kind: "status", preset: "dailyLimit" } }] });
    await expect(windowOf(org)).rejects.toMatchObject({ kind: "rateLimit", scope: "park" });
  });

  it.each([
    ["ahead of Salesforce's: it is theirs", -90_000, "2026-10-01T11:58:30.000+0000"],
    ["behind Salesforce's: it is ours, and the rest comes next time", 90_000, "2026-10-01T12:00:00.000+0000"],
  ])("with our clock %s", async (_how, skewMs, end) => {
    const org = await living(things(10), { skewMs });
    const ledger = new SourceLedger("SystemModstamp", ["Id"]);
    const next = async () => {
      const extra = ledger.checkpoint === undefined ? {} : { cursor: ledger.checkpoint };
      for (const page of await org.read("Thing__c", {}, extra)) ledger.take(page);
    };
    org.org.changeSome("Thing__c", 3, 1);
    await next();
    expect(ledger.checkpoint).toMatchObject({ window: { to: end } });
    org.org.changeSome("Thing__c", 3, 2);
    org.clock.set(NOW + 5 * MINUTE);
    await next();
    const versions = [...org.org.table("Thing__c").rows()].map(({ id, stamp }) => `${id} ${stampOf(stamp)}`);
    expect(versions.filter((version) => !ledger.versions().includes(version))).toEqual([]);
    expect(new Set(ledger.versions()).size).toBe(ledger.versions().length);
  });
});
