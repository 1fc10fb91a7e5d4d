import jsforce from "jsforce";
import { afterEach, describe, expect, it } from "vitest";
import {
  recordId,
  type SalesforceFake,
  type SalesforceFakeOptions,
  startSalesforceFake,
} from "./salesforce/index.js";

const SMALL = { accounts: 30, contacts: 120, opportunities: 50, invoices: 10, users: 4 };
const JOBS = "/services/data/v67.0/jobs/query";
const QUERY =
  "SELECT Id, Name, Email, MailingStreet, SystemModstamp, Account.Name, HasOptedOutOfEmail FROM Contact";

const started: SalesforceFake[] = [];
async function start(options: SalesforceFakeOptions = {}): Promise<SalesforceFake> {
  const fake = await startSalesforceFake({ org: SMALL, ...options });
  started.push(fake);
  return fake;
}
afterEach(async () => {
  await Promise.all(started.splice(0).map((fake) => fake.close()));
});

async function ask(fake: SalesforceFake, method: string, path: string, body?: object) {
  const response = await fetch(fake.url + path, {
    method,
    headers: { authorization: `Bearer ${fake.accessToken}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: () => JSON.parse(text),
  };
}

const connection = (fake: SalesforceFake) =>
  new jsforce.Connection({ instanceUrl: fake.url, accessToken: fake.accessToken, version: "67.0" });

describe("jsforce runs Bulk API 2.0 queries on the fake", () => {
  it("reads a result of one page with every value as REST has it", async () => {
    const fake = await start({ bulk: { queueMs: 5, runMs: 20 } });
    const bulk2 = connection(fake).bulk2;
    const stream = await bulk2.query(QUERY, { pollInterval: 10, pollTimeout: 5_000 });
    const records: Record<string, string>[] = await stream.toArray();
    const rest = JSON.parse(JSON.stringify(await connection(fake).query(QUERY)));
    expect(records).toHaveLength(rest.totalSize);
    const byId = new Map(records.map((record) => [record.Id, record]));
    for (const record of rest.records) {
      const found = byId.get(record.Id);
      expect(found).toEqual({
        Id: record.Id,
        Name: record.Name ?? "",
        Email: record.Email ?? "",
        MailingStreet: record.MailingStreet ?? "",
        SystemModstamp: record.SystemModstamp.replace("+0000", "Z"),
        "Account.Name": record.Account?.Name ?? "",
        HasOptedOutOfEmail: String(record.HasOptedOutOfEmail),
      });
    }
  });

  it("creates, polls, aborts and deletes jobs, and scans deleted records", async () => {
    const fake = await start({ bulk: { queueMs: 0, runMs: 60_000 } });
    const job = connection(fake).bulk2.job("query", {
      id: (await ask(fake, "POST", JOBS, { operation: "query", query: QUERY })).json().id,
    });
    expect((await job.check()).state).toBe("InProgress");
    expect((await job.abort()).state).toBe("Aborted");
    await job.delete();
    await expect(job.check()).rejects.toThrow();

    const quick = await start({ bulk: { queueMs: 0, runMs: 1 } });
    quick.org.deleteSome("Contact", 15, 2);
    const all = await connection(quick).bulk2.query("SELECT Id, IsDeleted FROM Contact", {
      scanAll: true,
      pollInterval: 10,
      pollTimeout: 5_000,
    });
    const records: Record<string, string>[] = await all.toArray();
    expect(records.filter(({ IsDeleted }) => IsDeleted === "true").length).toBeGreaterThanOrEqual(15);
    expect(records).toHaveLength(120);
  });
});

describe("a query job", () => {
  const clock = { at: Date.UTC(2026, 9, 1, 12), now: () => clock.at };
  const create = async (fake: SalesforceFake, body: object = {}) =>
    ask(fake, "POST", JOBS, {
      operation: "query",
      query: "SELECT Id FROM Contact",
      contentType: "CSV",
      ...body,
    });

  it("waits, runs, is complete, and keeps what it found", async () => {
    const fake = await start({ clock, bulk: { queueMs: 100, runMs: 200, concurrentJobs: 1, pageRows: 50 } });
    const first = (await create(fake)).json();
    const second = (await create(fake)).json();
    expect(first).toMatchObject({
      state: "UploadComplete",
      object: "Contact",
      apiVersion: 67,
      operation: "query",
    });
    clock.at += 100;
    expect((await ask(fake, "GET", `${JOBS}/${first.id}`)).json().state).toBe("InProgress");
    expect((await ask(fake, "GET", `${JOBS}/${first.id}/results`)).status).toBe(400);
    expect((await ask(fake, "DELETE", `${JOBS}/${first.id}`)).status).toBe(400);
    // One at a time.
    expect(fake.bulk.states()).toEqual(["InProgress", "UploadComplete"]);
    clock.at += 200;
    const done = (await ask(fake, "GET", `${JOBS}/${first.id}`)).json();
    expect(done).toMatchObject({
      state: "JobComplete",
      jobType: "V2Query",
      isPkChunkingSupported: true,
      retries: 0,
    });
    const live = done.numberRecordsProcessed;
    // What happens later does not change a result.
    fake.org.deleteSome("Contact", 20, 1);
    let locator = "";
    let rows = 0;
    const seen = new Set<string>();
    do {
      const page = await ask(
        fake,
        "GET",
        `${JOBS}/${first.id}/results?maxRecords=70${locator && `&locator=${locator}`}`,
      );
      expect(page.headers.get("content-type")).toContain("text/csv");
      const lines = page.text.trimEnd().split("\n");
      expect(lines[0]).toBe('"Id"');
      expect(Number(page.headers.get("sforce-numberofrecords"))).toBe(lines.length - 1);
      rows += lines.length - 1;
      locator = page.headers.get("sforce-locator") ?? "";
      expect(seen.has(locator)).toBe(false);
      seen.add(locator);
    } while (locator !== "null");
    expect(rows).toBe(live);
    expect((await ask(fake, "GET", `${JOBS}/${first.id}/results?locator=nonsense`)).status).toBe(400);
    expect((await ask(fake, "GET", `/services/data/v66.0/jobs/query/${first.id}/results`)).status).toBe(409);
    expect((await ask(fake, "DELETE", `${JOBS}/${first.id}`)).status).toBe(204);
    expect((await ask(fake, "GET", `${JOBS}/${first.id}`)).status).toBe(404);
    clock.at += 200;
    expect((await ask(fake, "GET", `${JOBS}/${second.id}`)).json().state).toBe("JobComplete");
    clock.at += 7 * 86_400_000;
    expect((await ask(fake, "GET", JOBS)).json().records).toEqual([]);
  });

  it("hands out its rows in an order of its own", async () => {
    const fake = await start({ clock, bulk: { queueMs: 0, runMs: 0 } });
    const orders = [];
    for (let n = 0; n < 2; n++) {
      const { id } = (await create(fake)).json();
      orders.push((await ask(fake, "GET", `${JOBS}/${id}/results`)).text);
    }
    expect(orders[0]).not.toBe(orders[1]);
    expect(orders[0]?.split("\n").sort()).toEqual(orders[1]?.split("\n").sort());
  });

  it.each([
    ["a compound field", { query: "SELECT Id, MailingAddress FROM Contact" }, "FeatureNotEnabled"],
    ["COUNT()", { query: "SELECT COUNT() FROM Contact" }, "FeatureNotEnabled"],
    ["OFFSET", { query: "SELECT Id FROM Contact LIMIT 5 OFFSET 5" }, "FeatureNotEnabled"],
    ["an unknown field", { query: "SELECT Nope__c FROM Contact" }, "INVALID_FIELD"],
    ["an unknown object", { query: "SELECT Id FROM Nope__c" }, "INVALID_TYPE"],
    [
      "an object that takes no query",
      { query: "SELECT Id FROM ActivityHistory" },
      "INVALID_TYPE_FOR_OPERATION",
    ],
    ["no SOQL", { query: "SELEC" }, "MALFORMED_QUERY"],
    ["another operation", { operation: "insert" }, "INVALIDJOB"],
    ["another dialect", { columnDelimiter: "PIPE" }, "INVALIDJOB"],
  ])("is refused: %s", async (_what, body, errorCode) => {
    const fake = await start({ clock });
    const answer = await create(fake, body);
    expect([answer.status, answer.json()[0].errorCode]).toEqual([400, errorCode]);
    expect(fake.bulk.size).toBe(0);
  });

  it("is refused for objects without Bulk and beyond the day's number; fails by script", async () => {
    const fake = await start({ clock, bulk: { dailyJobs: 2, queueMs: 0, runMs: 0, mostRows: 100 } });
    fake.org.define({
      name: "CaseStatus",
      keyPrefix: "01J",
      fields: [{ name: "Id", type: "id" }],
      bulk: false,
    });
    expect((await create(fake, { query: "SELECT Id FROM CaseStatus" })).json()[0].errorCode).toBe(
      "INVALIDENTITY",
    );
    fake.bulk.failing = { times: 1, message: "an internal error" };
    const failed = (await create(fake, { query: "SELECT Id FROM User" })).json();
    expect((await ask(fake, "GET", `${JOBS}/${failed.id}`)).json()).toMatchObject({
      state: "Failed",
      errorMessage: "an internal error",
    });
    const large = (await create(fake)).json();
    expect((await ask(fake, "GET", `${JOBS}/${large.id}`)).json()).not.toHaveProperty("errorMessage");
    expect((await create(fake)).json()[0].errorCode).toBe("EXCEEDED_QUOTA");
    expect((await ask(fake, "GET", "/services/data/v67.0/limits")).json().DailyBulkV2QueryJobs).toEqual({
      Max: 2,
      Remaining: 0,
    });
  });

  it("over Bench__c is the same records as the pages of a query", async () => {
    const fake = await start({
      clock,
      org: undefined,
      bench: { records: 13_000 },
      bulk: { queueMs: 0, runMs: 0 },
    });
    const fields = "Id, Name, SystemModstamp, Amount__c, Notes__c, Status__c";
    const query = `SELECT ${fields} FROM Bench__c WHERE SystemModstamp >= 2025-01-01T00:00:01Z`;
    const { id } = (await create(fake, { query })).json();
    const options = { autoFetch: true, maxFetch: 20_000 };
    const rest: { records: Record<string, string>[] } = JSON.parse(
      JSON.stringify(await connection(fake).query(query, options)),
    );
    const last = await ask(fake, "GET", `${JOBS}/${id}/results`);
    const lines = last.text
      .trimEnd()
      .split("\n")
      .filter((line) => line.startsWith('"a0B'));
    expect(lines).toHaveLength(12_750);
    expect(Number(last.headers.get("sforce-numberofrecords"))).toBe(12_750);
    rest.records.forEach((record, n) => {
      const stamp = record.SystemModstamp?.replace("+0000", "Z");
      expect(lines[n]).toContain(
        `"${record.Id}","${record.Name}","${stamp}","${record.Amount__c?.toString() ?? ""}`,
      );
    });
  });
});

describe("transactions", () => {
  it("stamp at once, show at the commit, and hold latestDateCovered back", async () => {
    const clock = { at: Date.UTC(2026, 9, 1, 12), now: () => clock.at };
    const fake = await start({ clock });
    const id = recordId("003", 1);
    const transaction = fake.org.begin();
    transaction.upsert("Contact", { Id: id, Title: "late" });
    transaction.delete("Contact", [recordId("003", 2)]);
    clock.at += 600_000;
    const span = "start=2026-10-01T11:00:00Z&end=2026-10-01T13:00:00Z";
    const updated = async () =>
      (await ask(fake, "GET", `/services/data/v67.0/sobjects/Contact/updated/?${span}`)).json();
    expect(await updated()).toEqual({ ids: [], latestDateCovered: "2026-10-01T12:00:00.000+0000" });
    transaction.commit();
    expect(await updated()).toEqual({ ids: [id], latestDateCovered: "2026-10-01T12:10:00.000+0000" });
    expect(fake.org.table("Contact").get(id)?.stamp).toBe(Date.UTC(2026, 9, 1, 12));
  });
});
