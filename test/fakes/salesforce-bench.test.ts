import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { Bench } from "./salesforce/bench.js";
import { BENCH_FIELDS } from "./salesforce/bench-record.js";
import { Org, type SalesforceFake, startSalesforceFake } from "./salesforce/index.js";
import { parseSoql } from "./salesforce/soql/parse.js";

type Record_ = Record<string, unknown> & { Id: string; SystemModstamp: string };

const clock = { now: () => Date.parse("2026-06-01T00:00:00Z") };
const ALL = BENCH_FIELDS.map((field) => field.name).join(", ");

/** A bench object over a private org; 300 ties do not divide the page size, so resumes start anywhere. */
function bench(records: number) {
  const org = new Org(clock);
  org.define({ name: "User", keyPrefix: "005", fields: [{ name: "Id", type: "id" }] });
  const made = new Bench(org, { records, ties: 300 });
  return (soql: string) => made.run(parseSoql(soql), "67.0", org, clock);
}

function read(result: ReturnType<ReturnType<typeof bench>>, from: number, to: number): Record_[] {
  const page = result.page(from, to);
  const records: Record_[] = JSON.parse(`[${page.toString()}]`);
  if (page instanceof Buffer) result.release?.(page);
  return records;
}

describe("pre-rendered pages", () => {
  it("are valid JSON of about 1 KB a record, every record under its own number", () => {
    const result = bench(20_000)(`SELECT ${ALL} FROM Bench__c ORDER BY SystemModstamp, Id`);
    expect(result.total).toBe(20_000);
    const seen: Record_[] = [];
    for (let at = 0; at < result.total; at += 2000) {
      const size = result.page(at, at + 2000).length;
      expect(size).toBeGreaterThan(1_900_000);
      expect(size).toBeLessThan(2_100_000);
      seen.push(...read(result, at, at + 2000));
    }
    expect(new Set(seen.map((record) => record.Id)).size).toBe(20_000);
    const keys = seen.map((record) => record.SystemModstamp + record.Id);
    expect(keys).toEqual([...keys].sort());
    const last = seen[19_999];
    expect(last).toMatchObject({
      attributes: { type: "Bench__c", url: `/services/data/v67.0/sobjects/Bench__c/${last?.Id}` },
      Name: "Bench record 000019999",
      External_Ref__c: "REF-000019999",
      SystemModstamp: "2025-01-01T00:01:06.000+0000",
      LastModifiedDate: "2025-01-01T00:01:06.000+0000",
    });
    expect(Object.keys(last ?? {})).toEqual(["attributes", ...BENCH_FIELDS.map((field) => field.name)]);
    for (const field of ["Amount__c", "Notes__c", "Email__c"]) {
      expect(seen.some((record) => record[field] === null)).toBe(true);
      expect(seen.some((record) => record[field] !== null)).toBe(true);
    }
  });

  it("show the same records to a keyset resume, a window, another page size and a narrower query", () => {
    const ask = bench(15_000);
    const whole = read(ask(`SELECT ${ALL} FROM Bench__c ORDER BY SystemModstamp, Id`), 0, 15_000);
    for (const at of [0, 1, 299, 300, 5_999, 6_000, 12_345, 14_998]) {
      const { Id, SystemModstamp } = whole[at] ?? { Id: "", SystemModstamp: "" };
      const t = SystemModstamp.replace("+0000", "Z");
      const resumed = ask(
        `SELECT ${ALL} FROM Bench__c WHERE SystemModstamp >= 2020-01-01T00:00:00Z AND SystemModstamp < 2026-01-01T00:00:00Z AND ((SystemModstamp = ${t} AND Id > '${Id}') OR SystemModstamp > ${t}) ORDER BY SystemModstamp, Id`,
      );
      expect(resumed.total).toBe(15_000 - at - 1);
      expect(read(resumed, 0, 700)).toEqual(whole.slice(at + 1, at + 701));
    }
    const inWindow = whole.filter(
      (r) => r.SystemModstamp >= "2025-01-01T00:00:10" && r.SystemModstamp < "2025-01-01T00:00:30",
    );
    const window = ask(
      `SELECT ${ALL} FROM Bench__c WHERE SystemModstamp >= 2025-01-01T00:00:10Z AND SystemModstamp < 2025-01-01T00:00:30Z ORDER BY SystemModstamp, Id`,
    );
    expect(window.total).toBe(inWindow.length);
    expect([...read(window, 0, 1000), ...read(window, 1000, window.total)]).toEqual(inWindow);
    const narrow = read(ask("SELECT Amount__c, Id FROM Bench__c ORDER BY Id"), 100, 120);
    expect(narrow.map(({ attributes: _, ...rest }) => rest)).toEqual(
      whole.slice(100, 120).map(({ Amount__c, Id }) => ({ Amount__c, Id })),
    );
  });

  it("honour filters on other fields, COUNT(), LIMIT and OFFSET", () => {
    const ask = bench(15_000);
    const whole = read(ask(`SELECT ${ALL} FROM Bench__c`), 0, 15_000);
    const wanted = whole.filter(
      (r) =>
        r.Status__c === "New" && Number(r.Amount__c) > 900_000 && r.SystemModstamp >= "2025-01-01T00:00:07",
    );
    const where = "WHERE Status__c = 'new' AND Amount__c > 900000 AND SystemModstamp >= 2025-01-01T00:00:07Z";
    const filtered = ask(`SELECT ${ALL} FROM Bench__c ${where} ORDER BY SystemModstamp, Id`);
    expect(wanted.length).toBeGreaterThan(50);
    expect(filtered.total).toBe(wanted.length);
    expect([...read(filtered, 0, 33), ...read(filtered, 33, filtered.total)]).toEqual(wanted);
    const count = ask(`SELECT COUNT() FROM Bench__c ${where}`);
    expect([count.countOnly, count.total]).toEqual([true, wanted.length]);
    const few = ask(`SELECT Id FROM Bench__c ${where} ORDER BY SystemModstamp, Id LIMIT 5 OFFSET 2`);
    expect(read(few, 0, few.total).map((r) => r.Id)).toEqual(wanted.slice(2, 7).map((r) => r.Id));
  });

  it("refuse what they cannot serve", () => {
    const ask = bench(10);
    expect(() => ask("SELECT Id FROM Bench__c ORDER BY Amount__c")).toThrow("only read in the order");
    expect(() => ask("SELECT Id FROM Bench__c WHERE Name = 'x'")).toThrow("AND only");
    expect(() => ask("SELECT Id FROM Bench__c WHERE Active__c = true OR Id > 'a0B5g0000000001EAA'")).toThrow(
      "AND only",
    );
    expect(() => ask("SELECT Id, Nope FROM Bench__c")).toThrow("No such column");
  });
});

describe("over HTTP", () => {
  const started: SalesforceFake[] = [];
  const children: ChildProcess[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((fake) => fake.close()));
    for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  });

  it("a million records are read by keyset resumes and locators alike", async () => {
    const fake = await startSalesforceFake({ bench: { records: 1_000_000 }, clock });
    started.push(fake);
    const get = async (path: string) => {
      const response = await fetch(fake.url + path, {
        headers: { authorization: `Bearer ${fake.accessToken}` },
      });
      const page: { totalSize: number; nextRecordsUrl?: string; records: Record_[] } = JSON.parse(
        await response.text(),
      );
      return page;
    };
    const query = (where: string) =>
      `/services/data/v67.0/query?q=${encodeURIComponent(`SELECT Id, SystemModstamp FROM Bench__c ${where} ORDER BY SystemModstamp, Id`)}`;
    const first = await get(query(""));
    expect(first.totalSize).toBe(1_000_000);
    const last = first.records.at(-1);
    const second = await get(first.nextRecordsUrl ?? "");
    const t = last?.SystemModstamp.replace("+0000", "Z");
    const resumed = await get(
      query(`WHERE (SystemModstamp = ${t} AND Id > '${last?.Id}') OR SystemModstamp > ${t}`),
    );
    expect(resumed.totalSize).toBe(998_000);
    expect(resumed.records).toEqual(second.records);
    const tail = await get(query("WHERE Id >= 'a0B5g0000999999EAA'"));
    expect(tail.records.map((record) => record.Id)).toEqual(["a0B5g0000999999EAA"]);
  });

  it("main.js prints one line with its address and environment, and stops on SIGTERM", async () => {
    const main = fileURLToPath(new URL("../../dist/test/fakes/salesforce/main.js", import.meta.url));
    expect(existsSync(main), "run `npm run build` first").toBe(true);
    const child = spawn(process.execPath, [main, "--bench", "5000"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const lines: string[] = [];
    const reader = createInterface({ input: child.stdout });
    reader.on("line", (line) => lines.push(line));
    await once(reader, "line");
    const { url, env }: { url: string; env: Record<string, string> } = JSON.parse(lines[0] ?? "");
    expect(Object.keys(env)).toEqual([
      "SF_URL",
      "SF_CLIENT_ID",
      "SF_CLIENT_SECRET",
      "SF_USERNAME",
      "SF_PRIVATE_KEY",
      "SF_REFRESH_TOKEN",
      "SF_ACCESS_TOKEN",
    ]);
    const response = await fetch(`${url}/services/data/v67.0/query?q=SELECT+COUNT()+FROM+Bench__c`, {
      headers: { authorization: `Bearer ${env.SF_ACCESS_TOKEN}` },
    });
    expect(await response.json()).toEqual({ totalSize: 5000, done: true, records: [] });
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(lines).toHaveLength(1);
  });
});
