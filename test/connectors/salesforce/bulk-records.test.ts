import { describe, expect, it } from "vitest";
import { Digits, type FakeClock, Org } from "../../fakes/salesforce/index.js";
import { byId, idsOf, type Living, living, MINUTE, NOW, recordsOf, things } from "./living.js";
import { never } from "./org.js";

const JOBS = "/services/data/jobs/query";
const CREATED = `POST ${JOBS}`;
const DELETED = `DELETE ${JOBS}/<job>`;
const QUERIES = "GET /services/data/query";

const BULK = { api: "bulk" };

describe("records by Bulk and by REST", () => {
  const both = async (org: Living, stream: string, fields: readonly string[], extra: object = {}) => {
    const schema = await org.source.describe(stream, never());
    const all = [...schema.fields.map(({ name }) => name), ...fields];
    const rest = await org.read(stream, { api: "rest" }, { fields: all, ...extra });
    const bulk = await org.read(stream, BULK, { fields: all, ...extra });
    return { rest: byId(recordsOf(rest)), bulk: byId(recordsOf(bulk)) };
  };

  it.each([
    [
      "Account",
      ["Owner.Name", "Parent.BillingAddress", "Parent.AnnualRevenue", "Owner.Manager.Manager.Email"],
    ],
    ["Contact", ["Account.Name", "Account.Owner.Name", "ReportsTo.FirstName", "Account.Industry"]],
    ["Opportunity", ["Account.Name", "Account.Founded__c"]],
    ["Invoice__c", ["Account__r.Name", "Opportunity__r.Amount"]],
    ["User", ["Manager.IsActive"]],
  ])("are the same to the last digit, key and null: %s", async (stream, paths) => {
    const org = await living({ seed: 5, accounts: 400, contacts: 400, opportunities: 400, invoices: 400 });
    const { rest, bulk } = await both(org, stream, paths);
    expect(rest.length).toBeGreaterThan(20);
    // The order of the keys as well: a json column shows it.
    expect(bulk.map((record) => JSON.stringify(Object.entries(record)))).toEqual(
      rest.map((record) => JSON.stringify(Object.entries(record))),
    );
    expect(bulk).toEqual(rest);
    const full = await both(org, stream, paths, { mode: "full", cursorField: undefined });
    expect(full.bulk).toEqual(rest);
  });

  it("are the same where the values are strange", async () => {
    const org = await living((clock) => strangeOrg(clock));
    const { rest, bulk } = await both(org, "Odd__c", ["Who__r.Name", "Who__r.Site__c", "Who__r.Id"]);
    expect(bulk).toEqual(rest);
    expect(bulk.map(({ Who__r }) => Who__r)).toEqual([
      { Name: "Lead One", Site__c: null, Id: expect.any(String) },
      { Name: null, Site__c: { latitude: 1.5, longitude: -2 }, Id: expect.any(String) },
      null,
      null,
    ]);
    expect(bulk[0]).toMatchObject({
      Text__c: 'a "quoted", value\r\nover\nthree lines',
      Whole__c: 12,
      Ratio__c: 0.1,
    });
    expect(bulk[1]).toMatchObject({ Text__c: null, Secret__c: "NA", Flag__c: true });
    expect(JSON.stringify(bulk[0]?.Big__c)).toContain("123456789012345678.12");
    expect(bulk[2]).toMatchObject({ Text__c: "None", At__c: "0999-12-31T23:59:59.000+0000" });
    expect(bulk[3]).toMatchObject({ Text__c: "“✓” 漢字 \u2028 \u0000", Future__c: "kept as it is" });
    expect(Object.keys(bulk[0]?.Place__c ?? {})).toEqual([
      "city",
      "country",
      "countryCode",
      "geocodeAccuracy",
      "latitude",
      "longitude",
      "postalCode",
      "state",
      "stateCode",
      "street",
    ]);
  });
});

function strangeOrg(clock: FakeClock): Org {
  const org = new Org(clock);
  const base = [
    { name: "Id", type: "id" },
    { name: "Name", type: "string" },
    { name: "SystemModstamp", type: "datetime" },
  ];
  const site = [
    { name: "Site__Latitude__s", type: "double", precision: 9, scale: 6, compoundFieldName: "Site__c" },
    { name: "Site__Longitude__s", type: "double", precision: 9, scale: 6, compoundFieldName: "Site__c" },
    {
      name: "Site__c",
      type: "location",
      formula: (read: (field: string) => unknown) => {
        const [latitude, longitude] = [read("Site__Latitude__s"), read("Site__Longitude__s")];
        if (typeof latitude !== "number" || typeof longitude !== "number") return null;
        return { parts: { latitude, longitude } };
      },
    },
  ];
  org.define({ name: "Lead", keyPrefix: "00Q", fields: [...base, ...site] });
  org.define({ name: "Person__c", keyPrefix: "a01", fields: [...base, ...site] });
  const part = (key: string, type = "string") => ({
    name: `Place__${key}__s`,
    type,
    compoundFieldName: "Place__c",
  });
  const keys = ["City", "Country", "CountryCode", "PostalCode", "State", "StateCode", "Street"];
  org.define({
    name: "Odd__c",
    keyPrefix: "a02",
    fields: [
      ...base,
      { name: "Who__c", type: "reference", referenceTo: ["Lead", "Person__c"], relationshipName: "Who__r" },
      { name: "Text__c", type: "textarea", length: 32_000 },
      { name: "Secret__c", type: "encryptedstring" },
      { name: "Whole__c", type: "int" },
      { name: "Ratio__c", type: "percent", precision: 18, scale: 17 },
      { name: "Big__c", type: "double", precision: 20, scale: 2 },
      { name: "Flag__c", type: "boolean" },
      { name: "Day__c", type: "date" },
      { name: "At__c", type: "datetime" },
      { name: "Clock__c", type: "time" },
      { name: "Future__c", type: "somethingNew" },
      ...keys.map((key) => part(key)),
      part("Latitude", "double"),
      part("Longitude", "double"),
      {
        name: "Place__c",
        type: "address",
        formula: (read) => {
          const city = read("Place__City__s");
          if (typeof city !== "string") return null;
          const none = {
            country: null,
            countryCode: "DE",
            geocodeAccuracy: null,
            latitude: null,
            longitude: null,
          };
          return {
            parts: { city, ...none, postalCode: "10115", state: null, stateCode: null, street: null },
          };
        },
      },
    ],
  });
  const lead = org.upsert("Lead", { Name: "Lead One" });
  const person = org.upsert("Person__c", { Name: "", Site__Latitude__s: 1.5, Site__Longitude__s: -2 });
  const at = clock.now() - MINUTE;
  const rows: Record<string, string | number | boolean | Digits | null>[] = [
    {
      Who__c: lead,
      Text__c: 'a "quoted", value\r\nover\nthree lines',
      Whole__c: 12,
      Ratio__c: 0.1,
      Big__c: new Digits("123456789012345678.12"),
      Flag__c: false,
      Day__c: "2026-02-28",
      Clock__c: "14:30:00.000Z",
      Place__City__s: "Berlin",
      Place__PostalCode__s: "10115",
      Place__CountryCode__s: "DE",
    },
    { Who__c: person, Text__c: "", Secret__c: "NA", Whole__c: 0, Flag__c: true, Big__c: 1e21 },
    { Text__c: "None", At__c: Date.parse("0999-12-31T23:59:59Z"), Flag__c: false, Ratio__c: -0.000001 },
    { Text__c: "“✓” 漢字 \u2028 \u0000", Future__c: "kept as it is", Flag__c: false, Whole__c: -5 },
  ];
  for (const row of rows) org.upsert("Odd__c", row, at);
  return org;
}

/** An object whose fields together do not fit into a URL. */
function wideOrg(clock: FakeClock): Org {
  const org = new Org(clock);
  const names = Array.from({ length: 600 }, (_, n) => `Quite_A_Long_Field_Name_${n}__c`);
  org.define({
    name: "Wide__c",
    keyPrefix: "a09",
    fields: [
      { name: "Id", type: "id" },
      { name: "SystemModstamp", type: "datetime" },
      ...names.map((name) => ({ name, type: "string" })),
    ],
  });
  for (const name of names.slice(0, 30)) org.upsert("Wide__c", { [name]: "value" }, NOW - MINUTE);
  return org;
}

describe("which API reads", () => {
  it("is REST for up to 2,000 records behind the first page, Bulk for more", async () => {
    const small = await living(things(3_900));
    expect(idsOf(await small.read("Thing__c"))).toHaveLength(3_900);
    expect(small.asked(CREATED)).toBe(0);
    const large = await living(things(4_100));
    const pages = await large.read("Thing__c");
    expect(new Set(idsOf(pages)).size).toBe(4_100);
    expect(idsOf(pages)).toHaveLength(4_100);
    // Nothing of the first page is read twice.
    expect(pages.map(({ records }) => records.length)).toEqual([2_000, 2_100]);
    expect([large.asked(QUERIES), large.asked(CREATED), large.asked(DELETED)]).toEqual([2, 1, 1]);
    expect(large.fake.bulk.size).toBe(0);
  });

  it("is Bulk where the query is too long for a URL", async () => {
    const org = await living(wideOrg);
    const { fields } = await org.source.describe("Wide__c", never());
    const pages = await org.read("Wide__c", {}, { fields: fields.map(({ name }) => name) });
    expect(recordsOf(pages)).toHaveLength(30);
    for (const record of recordsOf(pages))
      expect(Object.values(record).filter((v) => v !== null)).toHaveLength(3);
    expect(org.asked(CREATED)).toBe(1);
  });

  it.each(["auto", "bulk"])("is REST where the object refuses Bulk: %s", async (api) => {
    const org = await living(things(5_000, { bulk: false }));
    const pages = await org.read("Thing__c", { api });
    expect(new Set(idsOf(pages)).size).toBe(5_000);
    expect(idsOf(pages)).toHaveLength(5_000);
    expect(org.log.lines.join("\n")).toContain("not supported by the Bulk API");
    const asked = org.asked(CREATED);
    // It is not asked again.
    await org.read("Thing__c", { api });
    expect([asked, org.asked(CREATED)]).toEqual([1, 1]);
  });

  it("is REST where a job fails because Bulk cannot write its result", async () => {
    const org = await living(things(300));
    org.fake.bulk.failing = {
      times: 1,
      message: "FeatureNotEnabled : Cannot serialize value for 'x' in CSV format",
    };
    expect(idsOf(await org.read("Thing__c", BULK))).toHaveLength(300);
    expect(org.asked(QUERIES)).toBeGreaterThan(1);
  });

  it("is never REST for want of Bulk jobs or of calls: the run is parked and says for how long", async () => {
    const org = await living(things(300), { bulk: { dailyJobs: 0 } });
    await expect(org.read("Thing__c", BULK)).rejects.toMatchObject({
      kind: "rateLimit",
      code: "SALESFORCE_BULK_LIMIT_EXCEEDED",
      scope: "park",
      retryAfterMs: 3_600_000,
    });
    org.fake.setDailyLimit(100, 100);
    await expect(org.read("Thing__c", {})).rejects.toMatchObject({
      kind: "rateLimit",
      code: "SALESFORCE_REQUEST_LIMIT_EXCEEDED",
      scope: "park",
      retryAfterMs: 3_600_000,
    });
    expect(org.asked(QUERIES)).toBeLessThan(3);
  });
});
