import { afterEach, describe, expect, it } from "vitest";
import type { SourceRecord } from "../../../core/contracts/index.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { replicationLimit } from "../../fakes/salesforce/replication.js";
import { type Living, living, MINUTE, NOW, things } from "./living.js";
import { never } from "./org.js";

const DAY = 86_400_000;
const INCLUDE = { deleted: "include" };
const LISTED = "GET /services/data/sobjects/Thing__c/deleted/";

afterEach(() => {
  replicationLimit.ids = 600_000;
});

/** Reads into the ledger, as the engine would, and returns what is new. */
async function next(org: Living, ledger: SourceLedger, options: object = INCLUDE, extra: object = {}) {
  const before = ledger.stored.length;
  const cursor = ledger.checkpoint === undefined ? {} : { cursor: ledger.checkpoint };
  for (const page of await org.read("Thing__c", options, { fields: ["Id", "Name"], ...cursor, ...extra })) {
    ledger.take(page);
  }
  return ledger.stored.slice(before);
}

const newLedger = () => new SourceLedger("SystemModstamp", ["Id"]);
const ids = (records: readonly SourceRecord[]) => records.map(({ Id }) => String(Id)).sort();
const warnings = (org: Living) => org.log.lines.join("\n");

describe.each(["rest", "bulk"])("deleted records by %s", (api) => {
  const include = { ...INCLUDE, api };

  it("are left out by default, and come with IsDeleted where they are asked for", async () => {
    const org = await living(things(100));
    const deleted = org.org.deleteSome("Thing__c", 7, 1);
    org.clock.set(NOW + MINUTE);
    const without = await next(org, newLedger(), { api });
    expect(without).toHaveLength(93);
    expect(without[0]).not.toHaveProperty("IsDeleted");
    const all = await next(org, newLedger(), include);
    expect(all).toHaveLength(100);
    expect(ids(all.filter(({ IsDeleted }) => IsDeleted === true))).toEqual([...deleted].sort());
    for (const record of all) expect(record.Name).toMatch(/^thing /);
  });

  it("come with the window their delete falls into, whole from the recycle bin, as an Id once purged", async () => {
    const org = await living(things(100));
    const ledger = newLedger();
    await next(org, ledger, include);
    org.clock.set(NOW + 3_600_000);
    const binned = org.org.deleteSome("Thing__c", 5, 1);
    const purged = org.org.deleteSome("Thing__c", 6, 2, true);
    // First into the recycle bin, then out of it.
    const both = org.org.deleteSome("Thing__c", 4, 3);
    const deletedAt = "2026-10-01T13:00:00.000+0000";
    org.clock.set(NOW + 3_600_000 + MINUTE);
    org.org.purge("Thing__c", both);
    const restored = org.org.deleteSome("Thing__c", 3, 4);
    org.org.undelete("Thing__c", restored);
    org.clock.set(NOW + 2 * 3_600_000);
    const found = await next(org, ledger, include);
    expect(ids(found)).toEqual([...binned, ...purged, ...both, ...restored].sort());
    const gone = found.filter(({ Name }) => Name === undefined);
    expect(ids(gone)).toEqual([...purged, ...both].sort());
    for (const record of gone) {
      expect(record).toEqual({ Id: expect.any(String), IsDeleted: true, SystemModstamp: deletedAt });
    }
    expect(found.filter(({ Id }) => restored.includes(String(Id))).map(({ IsDeleted }) => IsDeleted)).toEqual(
      [false, false, false],
    );
    // The overlap of the windows shows them again, and they are recognised.
    org.clock.set(NOW + 2 * 3_600_000 + 30_000);
    const late = org.org.deleteSome("Thing__c", 2, 9, true);
    org.clock.set(NOW + 2 * 3_600_000 + 2 * MINUTE);
    expect(ids(await next(org, ledger, include))).toEqual([...late].sort());
    org.clock.set(NOW + 2 * 3_600_000 + 4 * MINUTE);
    expect(await next(org, ledger, include)).toEqual([]);
    expect(ledger.repeats).toBeGreaterThan(0);
  });

  it("resume from every page, rows and hard deletes alike", async () => {
    const org = await living(things(6_000), { pageSize: 200, bulk: { pageRows: 400 } });
    const first = newLedger();
    await next(org, first, include);
    org.clock.set(NOW + 3_600_000);
    const changed = org.org.changeSome("Thing__c", 500, 5);
    const purged = org.org.deleteSome("Thing__c", 4_500, 6, true);
    org.clock.set(NOW + 2 * 3_600_000);
    const ledger = first.copy();
    const states: SourceLedger[] = [];
    const fields = ["Id", "Name"];
    const asked = await org.request(
      "Thing__c",
      { ...include, pageSize: 200 },
      { fields, cursor: ledger.checkpoint },
    );
    for await (const page of org.source.read(asked)) {
      ledger.take(page);
      states.push(ledger.copy());
    }
    const survivors = changed.filter((id) => !purged.includes(id));
    const expected = [...survivors, ...purged].sort();
    expect(ids(ledger.stored.slice(6_000))).toEqual(expected);
    expect(states.length).toBeGreaterThan(3);
    for (const state of states) {
      await next(org, state, { ...include, pageSize: 200 });
      expect(ids(state.stored.slice(6_000))).toEqual(expected);
    }
  });
});

describe("hard deletes", () => {
  it("are not asked for where nothing was handed out before, nor in full reads", async () => {
    const org = await living(things(50));
    org.org.deleteSome("Thing__c", 5, 1, true);
    expect(await next(org, newLedger())).toHaveLength(45);
    const full = { mode: "full", cursorField: undefined };
    expect(await next(org, new SourceLedger(undefined, ["Id"]), INCLUDE, full)).toHaveLength(45);
    expect(org.asked(LISTED)).toBe(0);
  });

  it("of a running transaction are found by the window after its end", async () => {
    const org = await living(things(50), { heldBackMs: 0 });
    const ledger = newLedger();
    await next(org, ledger);
    org.clock.set(NOW + 3_600_000);
    const purged = org.org.deleteSome("Thing__c", 3, 1, true);
    org.clock.set(NOW + 3_600_000 + 5 * MINUTE);
    // getDeleted covers less than getUpdated said a moment ago.
    org.fake.faults.set({
      rules: [
        {
          path: "/deleted/",
          times: 1,
          fault: {
            kind: "answer",
            status: 200,
            body: { deletedRecords: [], latestDateCovered: "2026-10-01T12:30:00.000+0000" },
          },
        },
      ],
    });
    expect(await next(org, ledger)).toEqual([]);
    expect(ledger.checkpoint).toMatchObject({ done: true, deletesTo: "2026-10-01T12:30:00.000+0000" });
    org.clock.set(NOW + 2 * 3_600_000);
    expect(ids(await next(org, ledger))).toEqual([...purged].sort());
    expect(ledger.checkpoint).not.toHaveProperty("deletesTo");
  });

  it("of too far back are told as lost, with what to do", async () => {
    const org = await living(things(50));
    const ledger = newLedger();
    await next(org, ledger);
    org.clock.set(NOW + 20 * DAY);
    const purged = org.org.deleteSome("Thing__c", 3, 1, true);
    org.clock.set(NOW + 20 * DAY + MINUTE);
    expect(ids(await next(org, ledger))).toEqual([...purged].sort());
    expect(warnings(org)).toMatch(
      /hard deletes from 2026-10-01T11:45:00.000Z to 2026-10-06T12:0\d:00.000Z cannot/,
    );
    expect(warnings(org)).toContain("SALESFORCE_DELETES_LOST");
  });

  it("whose log was cut are told as lost", async () => {
    const org = await living(things(50));
    const ledger = newLedger();
    await next(org, ledger);
    expect(warnings(org)).not.toContain("SALESFORCE_DELETES_LOST");
    org.clock.set(NOW + 3_600_000);
    org.org.deleteSome("Thing__c", 3, 1, true);
    org.clock.set(NOW + 2 * 3_600_000);
    org.org.table("Thing__c").cutDeleteLog(NOW + 90 * MINUTE);
    expect(await next(org, ledger)).toEqual([]);
    expect(warnings(org)).toContain("hard deletes from 2026-10-01T11:45:00.000Z to 2026-10-01T13:30:00.000Z");
  });

  it("that are too many for one answer are asked for in halves", async () => {
    const org = await living(things(300));
    const ledger = newLedger();
    await next(org, ledger);
    const purged: string[] = [];
    for (let n = 0; n < 10; n++) {
      org.clock.set(NOW + 3_600_000 + n * 5 * MINUTE);
      purged.push(...org.org.deleteSome("Thing__c", 20, n, true));
    }
    org.clock.set(NOW + 3 * 3_600_000);
    replicationLimit.ids = 50;
    expect(ids(await next(org, ledger))).toEqual(purged.sort());
    expect(org.asked(LISTED)).toBeGreaterThan(5);
  });

  it("of an object that does not list them are a warning, and so is a filter that leaves them out", async () => {
    const org = await living(things(50, { replicateable: false }));
    const ledger = newLedger();
    org.clock.set(NOW + MINUTE);
    await next(org, ledger);
    org.org.deleteSome("Thing__c", 3, 1, true);
    org.clock.set(NOW + 3_600_000);
    const filter = { field: "Name", operator: "contains", value: "thing" };
    expect(await next(org, ledger, INCLUDE, { filter })).toEqual([]);
    expect(warnings(org)).toContain("SALESFORCE_DELETES_UNKNOWN");
    expect(warnings(org)).toContain("SALESFORCE_DELETES_FILTERED");
  });

  it("of an object without IsDeleted cannot be marked: it is read without, with a warning", async () => {
    const org = await living(
      things(20, {
        fields: [
          { name: "Id", type: "id" },
          { name: "Name", type: "string" },
          { name: "SystemModstamp", type: "datetime" },
        ],
      }),
    );
    expect(await next(org, newLedger())).toHaveLength(20);
    expect(warnings(org)).toContain("SALESFORCE_DELETES_UNKNOWN");
    expect((await org.source.describe("Thing__c", never())).fields).toHaveLength(3);
  });
});
