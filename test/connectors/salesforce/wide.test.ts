import { describe, expect, it } from "vitest";
import type { Page, ReadRequest, SourceRecord } from "../../../core/contracts/index.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { type FakeClock, Org, recordId, type SalesforceFakeOptions } from "../../fakes/salesforce/index.js";
import { byId, idsOf, type Living, living, MINUTE, NOW, recordsOf } from "./living.js";
import { never } from "./org.js";

const NAMES = Array.from({ length: 600 }, (_, n) => `Quite_A_Long_Field_Name_${n}__c`);
const CREATED = "POST /services/data/jobs/query";
const ROWS = 450;
const REST = { api: "rest", pageSize: 200 };
const FULL = { mode: "full", cursorField: undefined } as const;

const values = (text: string) => Object.fromEntries(NAMES.map((name) => [name, text]));

/** Rows of six hundred fields, each with one text in all of them: a record of two texts is torn. */
const wide =
  (more: Partial<Parameters<Org["define"]>[0]> = {}) =>
  (clock: FakeClock): Org => {
    const org = new Org(clock);
    org.define({
      name: "User",
      keyPrefix: "005",
      fields: [
        { name: "Id", type: "id" },
        { name: "Name", type: "string" },
      ],
    });
    const user = org.upsert("User", { Name: "Ann" });
    org.define({
      name: "Wide__c",
      keyPrefix: "a09",
      fields: [
        { name: "Id", type: "id" },
        { name: "IsDeleted", type: "boolean" },
        { name: "OwnerId", type: "reference", referenceTo: ["User"], relationshipName: "Owner" },
        { name: "CreatedDate", type: "datetime" },
        { name: "SystemModstamp", type: "datetime" },
        ...NAMES.map((name) => ({ name, type: "string" })),
      ],
      ...more,
    });
    const start = clock.now() - 60 * MINUTE - ROWS * 100;
    const table = org.table("Wide__c");
    const stored = table.storedFields();
    for (let n = 0; n < ROWS; n++) {
      const at = start + Math.floor(n / 10) * 1000;
      const cells: (string | number | null)[] = stored.map((name) =>
        name === "CreatedDate" ? at : `row ${n}`,
      );
      cells[stored.indexOf("OwnerId")] = n % 2 === 0 ? user : null;
      table.load(recordId("a09", n), at, false, cells);
    }
    return org;
  };

const wideOrg = (
  options: Omit<SalesforceFakeOptions, "org" | "clock"> = {},
  more: Partial<Parameters<Org["define"]>[0]> = {},
) => living(wide(more), { pageSize: 200, ...options });

/** Pages asked for so far, of whatever query. */
function queriesOf(org: Living): number {
  const asked = Object.entries(org.fake.requests.byPath);
  return asked.reduce((sum, [path, times]) => (/data\/query/.test(path) ? sum + times : sum), 0);
}

async function everything(org: Living): Promise<{ readonly fields: readonly string[] }> {
  const { fields } = await org.source.describe("Wide__c", never());
  return { fields: [...fields.map(({ name }) => name), "Owner.Name"] };
}

/** Texts of a record's many fields: one, unless it is torn. */
const textsOf = (record: SourceRecord) => new Set(NAMES.map((name) => record[name]));
const torn = (records: readonly SourceRecord[]) => records.filter((record) => textsOf(record).size !== 1);

/** Calls `change` before the nth query, counted from now on. */
function beforeQuery(org: Living, nth: number | "each", change: (query: number) => void): void {
  let queries = 0;
  org.fake.before = (_method, target) => {
    if (!target.includes("/query")) return;
    queries++;
    if (nth === "each" || queries === nth) change(queries);
  };
}

describe("an object too wide for a URL", () => {
  it.each([
    ["incremental", {}],
    ["full", FULL],
  ] as const)("is read by REST in chunks, the same records as by Bulk: %s", async (_mode, extra) => {
    const org = await wideOrg();
    const all = { ...(await everything(org)), ...extra };
    const rest = byId(recordsOf(await org.read("Wide__c", REST, all)));
    // Three pages of two chunks.
    expect(queriesOf(org)).toBe(6);
    expect(org.asked(CREATED)).toBe(0);
    const bulk = byId(recordsOf(await org.read("Wide__c", { api: "bulk" }, all)));
    expect(rest).toHaveLength(ROWS);
    expect(rest).toEqual(bulk);
    expect(Object.keys(rest[0] ?? {})).toEqual(Object.keys(bulk[0] ?? {}));
    expect(org.log.lines.join("\n")).toContain("read in 2 chunks of columns");
  });

  it.each(["auto", "bulk"])("is read in chunks where Bulk refuses it: %s", async (api) => {
    const org = await wideOrg({}, { bulk: false });
    const all = await everything(org);
    // Also where the connection knows already.
    for (const _ of [1, 2]) {
      const records = recordsOf(await org.read("Wide__c", { ...REST, api }, all));
      expect(records).toHaveLength(ROWS);
      expect(torn(records)).toEqual([]);
    }
    expect(org.asked(CREATED)).toBe(1);
  });

  it("costs what the plan says", async () => {
    const org = await wideOrg();
    const request = await org.request("Wide__c", REST, await everything(org));
    const plan = await org.source.plan(request);
    const before = org.source.apiCalls();
    for await (const page of org.source.read(request)) expect(page.bytes).toBeGreaterThan(1_000);
    expect(plan.records).toBe(ROWS);
    expect(plan.apiCalls).toBe(org.source.apiCalls() - before);
    // Fewer fields fit as they are.
    const few = await org.source.plan({ ...request, fields: NAMES.slice(0, 300) });
    expect(few.apiCalls).toBe((plan.apiCalls ?? 0) - 3);
  });

  it.each([
    ["incremental", {}],
    ["full", FULL],
  ] as const)("resumes from every cursor, whatever the size of the pages: %s", async (_mode, extra) => {
    const org = await wideOrg({ shortPages: { seed: 5, probability: 1 } });
    const all = { ...(await everything(org)), ...extra };
    const ledger = new SourceLedger("mode" in extra ? undefined : "SystemModstamp", ["Id"]);
    const states: SourceLedger[] = [];
    for await (const page of org.source.read(await org.request("Wide__c", REST, all))) {
      ledger.take(page);
      states.push(ledger.copy());
    }
    expect(ledger.keys()).toHaveLength(ROWS);
    expect(states.length).toBeGreaterThan(3);
    for (const state of states) {
      const cursor = state.checkpoint ?? null;
      for (const page of await org.read("Wide__c", REST, { ...all, cursor, resumes: true })) state.take(page);
      expect(state.keys().sort()).toEqual(ledger.keys().sort());
      expect(torn(state.stored)).toEqual([]);
    }
  });

  it.each([
    ["a dead locator", { errorCode: "INVALID_QUERY_LOCATOR", message: "invalid" }, 400],
    ["a query that takes too long", { errorCode: "QUERY_TIMEOUT", message: "too long" }, 400],
    ["a moment's trouble", { errorCode: "UNKNOWN_EXCEPTION", message: "oops" }, 500],
  ])("survives %s in the middle of a page", async (_what, fault, status) => {
    for (const nth of [3, 4]) {
      const org = await wideOrg();
      const rule = { path: "/\\/query[/?]/", on: { nth }, times: 1 };
      org.fake.faults.set({ rules: [{ ...rule, fault: { kind: "answer", status, body: [fault] } }] });
      const records = recordsOf(await org.read("Wide__c", REST, await everything(org)));
      expect(new Set(records.map(({ Id }) => Id)).size).toBe(ROWS);
      expect(records).toHaveLength(ROWS);
      expect(torn(records)).toEqual([]);
    }
  });

  it("hands on as refused what holds a key twice in any chunk", async () => {
    const org = await wideOrg();
    const field = NAMES[599] ?? "";
    org.fake.faults.set({
      rules: [
        {
          path: "/\\/query[/?]/",
          on: { nth: 2 },
          fault: { kind: "poisonRecord", poison: "duplicateKey", record: 7, field },
        },
      ],
    });
    const pages = await org.read("Wide__c", REST, await everything(org));
    const refused = pages.flatMap((page) => page.records.filter((record) => page.refused?.has(record)));
    expect(idsOf(pages)).toHaveLength(ROWS);
    expect(refused).toHaveLength(1);
    expect(Object.keys(refused[0] ?? {}).length).toBeGreaterThan(600);
    const why = pages.flatMap(({ refused: map }) => [...(map?.values() ?? [])]);
    expect(why).toEqual([
      { rule: `duplicate key on ${field}`, reason: expect.any(String), doubtful: [field] },
    ]);
  });

  it("loses no record whose key is in doubt in one of its chunks", async () => {
    for (const query of [1, 2]) {
      const org = await wideOrg();
      const fault = { kind: "poisonRecord", poison: "duplicateKey", record: 7, field: "Id" } as const;
      const path = "/\\/query[/?]/";
      const rules = [{ path, on: { nth: query }, fault }];
      org.fake.faults.set({ rules });
      const pages = await org.read("Wide__c", REST, await everything(org));
      expect(recordsOf(pages)).toHaveLength(ROWS);
    }
  });

  it("is refused where the filter or one parent's fields alone are too long, with the way out", async () => {
    const org = await wideOrg();
    const all = await everything(org);
    const field = NAMES[0] ?? "";
    const any = Array.from({ length: 150 }, (_, n) => ({
      field,
      operator: "equals" as const,
      value: `${n}${"x".repeat(80)}`,
    }));
    const long: Partial<ReadRequest> = { ...all, filter: { any } };
    await expect(org.read("Wide__c", REST, long)).rejects.toMatchObject({
      kind: "config",
      code: "SALESFORCE_QUERY_TOO_LONG",
      fix: "Shorten the filter.",
    });
    // A shorter one takes more chunks.
    const shorter: Partial<ReadRequest> = { ...all, filter: { any: any.slice(0, 60) } };
    expect(recordsOf(await org.read("Wide__c", REST, shorter))).toEqual([]);
  });
});

describe("records that change between two chunks", () => {
  const some = (org: Living, count: number) =>
    [...org.org.table("Wide__c").rows()].slice(20, 20 + count).map(({ id }) => id);

  it("leave a settled window as a whole, and come with the next one", async () => {
    const org = await wideOrg();
    const all = await everything(org);
    const moved = some(org, 60);
    // After the first chunk of the first page.
    beforeQuery(org, 2, () => org.org.touch("Wide__c", moved, values("changed")));
    const ledger = new SourceLedger("SystemModstamp", ["Id"]);
    for (const page of await org.read("Wide__c", REST, all)) ledger.take(page);
    expect(ledger.keys()).toHaveLength(ROWS - 60);
    expect(torn(ledger.stored)).toEqual([]);
    org.fake.before = undefined;
    org.clock.set(NOW + 10 * MINUTE);
    const cursor = ledger.checkpoint ?? null;
    for (const page of await org.read("Wide__c", REST, { ...all, cursor })) ledger.take(page);
    expect(ledger.keys()).toHaveLength(ROWS);
    expect(new Set(ledger.keys()).size).toBe(ROWS);
    expect(torn(ledger.stored)).toEqual([]);
  });

  it("are read anew as a whole in a full read, however many they are", async () => {
    for (const count of [1, 60, ROWS - 20]) {
      const org = await wideOrg();
      const all = { ...(await everything(org)), ...FULL };
      beforeQuery(org, 2, () => {
        org.clock.set(NOW + MINUTE);
        org.org.touch("Wide__c", some(org, count), values("changed"));
      });
      const records = recordsOf(await org.read("Wide__c", REST, all));
      expect(new Set(records.map(({ Id }) => Id)).size).toBe(ROWS);
      expect(torn(records)).toEqual([]);
      const changed = records.filter((record) => textsOf(record).has("changed"));
      expect(changed).toHaveLength(count);
      for (const { SystemModstamp } of changed) expect(SystemModstamp).toBe("2026-10-01T12:01:00.000+0000");
      // Of a page at most 200 are asked for again; more ids take shorter columns.
      expect(queriesOf(org)).toBeLessThan(6 + 10);
    }
  });

  it("by a transaction that was running are of one version, and none is lost", async () => {
    const org = await wideOrg({}, { replicateable: false });
    const all = await everything(org);
    const moved = some(org, 30);
    org.clock.set(NOW - 10 * MINUTE);
    const transaction = org.org.begin();
    for (const Id of moved) transaction.upsert("Wide__c", { Id, ...values("late") });
    org.clock.set(NOW);
    beforeQuery(org, 2, () => transaction.commit());
    const ledger = new SourceLedger("SystemModstamp", ["Id"]);
    for (const page of await org.read("Wide__c", REST, all)) ledger.take(page);
    expect(torn(ledger.stored)).toEqual([]);
    org.fake.before = undefined;
    org.clock.set(NOW + 30 * MINUTE);
    const cursor = ledger.checkpoint ?? null;
    for (const page of await org.read("Wide__c", REST, { ...all, cursor })) ledger.take(page);
    const newest = new Map(ledger.stored.map((record) => [String(record.Id), record]));
    expect(newest.size).toBe(ROWS);
    for (const id of moved) expect(textsOf(newest.get(id) ?? {})).toEqual(new Set(["late"]));
    expect(new Set(ledger.versions()).size).toBe(ledger.versions().length);
  });

  it.each([
    ["to the recycle bin", (org: Living, ids: readonly string[]) => org.org.delete("Wide__c", ids)],
    ["for good", (org: Living, ids: readonly string[]) => org.org.purge("Wide__c", ids)],
  ])("by being deleted %s are left out, and told where deletes are wanted", async (_where, remove) => {
    for (const deleted of ["exclude", "include"] as const) {
      const org = await wideOrg();
      const all = await everything(org);
      const gone = some(org, 5);
      beforeQuery(org, 2, () => {
        org.clock.set(NOW + MINUTE);
        remove(org, gone);
      });
      const ledger = new SourceLedger("SystemModstamp", ["Id"]);
      for (const page of await org.read("Wide__c", { ...REST, deleted }, all)) ledger.take(page);
      expect(ledger.keys()).toHaveLength(ROWS - 5);
      expect(queriesOf(org)).toBe(7);
      org.fake.before = undefined;
      org.clock.set(NOW + 10 * MINUTE);
      const cursor = ledger.checkpoint ?? null;
      const later = await org.read("Wide__c", { ...REST, deleted }, { ...all, cursor });
      const told = recordsOf(later).map(({ Id, IsDeleted }) => ({ Id, IsDeleted }));
      const wanted = gone.map((Id) => ({ Id, IsDeleted: true }));
      expect(told.sort((a, b) => (String(a.Id) < String(b.Id) ? -1 : 1))).toEqual(
        deleted === "include" ? wanted : [],
      );
    }
  });

  it("all the time are taken as they are after some rounds, with the stamp of the oldest part", async () => {
    const org = await wideOrg();
    const all = { ...(await everything(org)), ...FULL };
    const [restless = ""] = some(org, 1);
    beforeQuery(org, "each", (query) => {
      org.clock.set(NOW + query * MINUTE);
      org.org.touch("Wide__c", [restless], values(`version ${query}`));
    });
    const records = recordsOf(await org.read("Wide__c", REST, all));
    expect(records).toHaveLength(ROWS);
    const [record] = records.filter(({ Id }) => Id === restless);
    expect(torn(records)).toEqual([record]);
    const texts = [...textsOf(record ?? {})].map((text) => Number(String(text).replace("version ", "")));
    const stamp = new Date(NOW + Math.min(...texts) * MINUTE).toISOString().replace("Z", "+0000");
    expect(record?.SystemModstamp).toBe(stamp);
    expect(queriesOf(org)).toBe(6 + 4 * 2);
    expect(org.log.lines.join("\n")).toContain("SALESFORCE_CHUNKS_DIFFER");
  });

  it("by automation are noticed where the flow reads by LastModifiedDate", async () => {
    const fields = [
      { name: "Id", type: "id" },
      { name: "LastModifiedDate", type: "datetime" },
      { name: "SystemModstamp", type: "datetime" },
      ...NAMES.map((name) => ({ name, type: "string" })),
    ];
    const org = await living(
      (clock) => {
        const made = new Org(clock);
        made.define({ name: "Wide__c", keyPrefix: "a09", fields });
        for (let n = 0; n < 20; n++)
          made.upsert(
            "Wide__c",
            { ...values("before"), LastModifiedDate: NOW - 60 * MINUTE },
            NOW - 60 * MINUTE,
          );
        return made;
      },
      { pageSize: 200 },
    );
    const asked = { fields: ["Id", ...NAMES], cursorField: "LastModifiedDate" };
    const request = await org.request("Wide__c", REST, asked);
    const pages: Page[] = [];
    for await (const page of org.source.read(request)) pages.push(page);
    expect(recordsOf(pages)).toHaveLength(20);
    // SystemModstamp was asked for and is not handed on.
    expect(Object.keys(recordsOf(pages)[0] ?? {})).not.toContain("SystemModstamp");
    expect(org.fake.requests.recent.filter((line) => line.includes("SystemModstamp")).length).toBeGreaterThan(
      1,
    );
  });
});
