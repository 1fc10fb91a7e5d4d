import { afterEach, describe, expect, it } from "vitest";
import { type SalesforceFake, type SalesforceFakeOptions, startSalesforceFake } from "./salesforce/index.js";

interface Page {
  totalSize: number;
  done: boolean;
  nextRecordsUrl?: string;
  records: { Id: string; Name: string | null }[];
}

const started: SalesforceFake[] = [];
async function start(options: SalesforceFakeOptions = {}): Promise<SalesforceFake> {
  const org = { accounts: 1000, contacts: 0, opportunities: 0, invoices: 0, users: 2 };
  const fake = await startSalesforceFake({ org, ...options });
  started.push(fake);
  return fake;
}
afterEach(async () => {
  await Promise.all(started.splice(0).map((fake) => fake.close()));
});

const QUERY = `/services/data/v67.0/query?q=${encodeURIComponent("SELECT Id, Name FROM Account ORDER BY SystemModstamp, Id")}`;

async function get(
  fake: SalesforceFake,
  path: string,
  headers: Record<string, string> = {},
  token = fake.accessToken,
) {
  const response = await fetch(fake.url + path, {
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  return { status: response.status, text: await response.text() };
}

async function page(fake: SalesforceFake, path: string, headers: Record<string, string> = {}): Promise<Page> {
  const { status, text } = await get(fake, path, headers);
  expect(status).toBe(200);
  return JSON.parse(text);
}

async function rest(fake: SalesforceFake, first: Page): Promise<Page[]> {
  const pages = [first];
  for (let last = first; last.nextRecordsUrl !== undefined; ) {
    last = await page(fake, last.nextRecordsUrl);
    pages.push(last);
  }
  return pages;
}

function live(fake: SalesforceFake): string[] {
  return [...fake.org.table("Account").rows()].filter((row) => !row.deleted).map((row) => row.id);
}

describe("query pages", () => {
  it("follow the page size, and the batchSize asked for between 200 and 2,000", async () => {
    const fake = await start();
    const total = live(fake).length;
    const asked = async (options?: string) =>
      (await page(fake, QUERY, options === undefined ? {} : { "sforce-query-options": options })).records
        .length;
    expect(await asked()).toBe(total);
    expect(await asked("batchSize=300")).toBe(300);
    expect(await asked("batchSize=5")).toBe(200);
    const first = await page(fake, QUERY, { "sforce-query-options": "batchSize=300" });
    expect(first.nextRecordsUrl).toMatch(/^\/services\/data\/v67\.0\/query\/01g\w{15}-300$/);
    const pages = await rest(fake, first);
    expect(pages.map((one) => one.records.length)).toEqual([300, 300, 300, total - 900]);
    expect(pages.map((one) => one.done)).toEqual([false, false, false, true]);
    expect(pages.map((one) => one.totalSize)).toEqual([total, total, total, total]);
  });

  it("may be short at any time: only done ends a read", async () => {
    const fake = await start({ pageSize: 100, shortPages: { probability: 0.5, seed: 3 } });
    const pages = await rest(fake, await page(fake, QUERY));
    expect(pages.slice(0, -1).some((one) => one.records.length < 100)).toBe(true);
    expect(pages.flatMap((one) => one.records.map((record) => record.Id)).sort()).toEqual(live(fake).sort());
  });

  it("hold the rows matched at query time with the values of page time; deleted rows vanish", async () => {
    const fake = await start({ pageSize: 250 });
    const first = await page(fake, QUERY);
    const all = await rest(fake, await page(fake, QUERY));
    const later = all.slice(1).flatMap((one) => one.records.map((record) => record.Id));
    const [changed = "", deleted = "", purged = ""] = later;
    fake.org.touch("Account", [changed], { Name: "changed while being read" });
    fake.org.delete("Account", [deleted]);
    fake.org.purge("Account", [purged]);
    fake.org.upsert("Account", { Name: "inserted while being read" });
    const again = (await rest(fake, first)).slice(1).flatMap((one) => one.records);
    expect(again.map((record) => record.Id)).toEqual(later.filter((id) => id !== deleted && id !== purged));
    expect(again[0]).toMatchObject({ Id: changed, Name: "changed while being read" });
  });

  it("hold deleted rows when queryAll asks", async () => {
    const fake = await start();
    const [deleted] = fake.org.deleteSome("Account", 1, 1);
    const soql = encodeURIComponent(`SELECT Id, Name FROM Account WHERE Id = '${deleted}'`);
    expect((await page(fake, `/services/data/v67.0/query?q=${soql}`)).totalSize).toBe(0);
    const all = await page(fake, `/services/data/v67.0/queryAll?q=${soql}`);
    expect(all.records.map((record) => record.Id)).toEqual([deleted]);
  });

  it("can be read again by the same locator", async () => {
    const fake = await start({ pageSize: 400 });
    const { nextRecordsUrl = "" } = await page(fake, QUERY);
    expect(await page(fake, nextRecordsUrl)).toEqual(await page(fake, nextRecordsUrl));
  });
});

describe("query locators", () => {
  const gone = {
    status: 400,
    text: JSON.stringify([{ message: "invalid query locator", errorCode: "INVALID_QUERY_LOCATOR" }]),
  };

  it("expire when they are not read for their time", async () => {
    let now = Date.parse("2026-06-01T00:00:00Z");
    const fake = await start({ pageSize: 300, cursors: { ttlMs: 60_000 }, clock: { now: () => now } });
    const { nextRecordsUrl = "" } = await page(fake, QUERY);
    now += 60_000;
    expect((await get(fake, nextRecordsUrl)).status).toBe(200);
    now += 60_001;
    expect(await get(fake, nextRecordsUrl)).toEqual(gone);
  });

  it("are limited in number: a new one closes the oldest", async () => {
    const fake = await start({ pageSize: 300, cursors: { max: 2 } });
    const urls: string[] = [];
    for (let n = 0; n < 3; n++) urls.push((await page(fake, QUERY)).nextRecordsUrl ?? "");
    expect(await get(fake, urls[0] ?? "")).toEqual(gone);
    expect((await get(fake, urls[1] ?? "")).status).toBe(200);
    expect((await get(fake, urls[2] ?? "")).status).toBe(200);
  });

  it("may belong to their session, and die with a failover", async () => {
    const fake = await start({ pageSize: 300, cursors: { perSession: true } });
    const { nextRecordsUrl = "" } = await page(fake, QUERY);
    expect(await get(fake, nextRecordsUrl, {}, fake.oauth.startSession())).toEqual(gone);
    expect((await get(fake, nextRecordsUrl)).status).toBe(200);
    fake.closeCursors();
    expect(await get(fake, nextRecordsUrl)).toEqual(gone);
    expect(await get(fake, "/services/data/v67.0/query/01gNONSENSE-1")).toEqual(gone);
  });
});
