import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, describe, expect, it } from "vitest";
import { datetimeText } from "./salesforce/cell.js";
import { id18, parseId } from "./salesforce/ids.js";
import {
  Digits,
  generateOrg,
  type Org,
  readOrgFolder,
  type SalesforceFake,
  startSalesforceFake,
} from "./salesforce/index.js";

const clock = { now: () => Date.parse("2026-06-01T12:00:00.700Z") };
const SMALL = { accounts: 1500, contacts: 1500, opportunities: 3000, invoices: 300, users: 5 };

const started: SalesforceFake[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((fake) => fake.close()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

/** Everything a table holds, as plain text. */
function dump(org: Org, object: string): string[] {
  const table = org.table(object);
  return table
    .ordered()
    .map((row) => JSON.stringify([row.deleted, ...table.columns().map((column) => column.read(row))]));
}

function values(org: Org, object: string, field: string): unknown[] {
  const column = org.table(object).column(field);
  if (column === undefined) throw new Error(`${object} has no ${field}`);
  return [...org.table(object).rows()].map((row) => column.read(row));
}

describe("ids", () => {
  it("get the checksum of their upper-case letters", () => {
    // Pairs known from Salesforce's documentation and from public exports of real orgs.
    expect(id18("001A0000006Vm9r")).toBe("001A0000006Vm9rIAC");
    expect(id18("0018a000022jPn9")).toBe("0018a000022jPn9AAE");
    expect(id18("0058a00000KsGqv")).toBe("0058a00000KsGqvAAF");
    expect(parseId("0018a000022jPn9AAE")).toBe("0018a000022jPn9AAE");
    expect(parseId("0018a000022jPn9AAA")).toBeUndefined();
    expect(parseId("0018a000022jPn")).toBeUndefined();
  });
});

describe("a generated org", () => {
  it("is the same for the same seed and differs for another", () => {
    const one = generateOrg({ ...SMALL, seed: 5 }, clock);
    const same = generateOrg({ ...SMALL, seed: 5 }, { now: () => 0 });
    const other = generateOrg({ ...SMALL, seed: 6 }, clock);
    for (const object of ["User", "Account", "Contact", "Opportunity", "Invoice__c"]) {
      expect(dump(same, object)).toEqual(dump(one, object));
      expect(dump(other, object)).not.toEqual(dump(one, object));
    }
  });

  it("has valid ids and references, ties in SystemModstamp, and the values that break pipelines", () => {
    const org = generateOrg(SMALL, clock);
    for (const table of org.all()) {
      for (const column of table.columns()) {
        if (column.spec.type !== "reference" && column.spec.type !== "id") continue;
        const targets = column.spec.referenceTo ?? [table.name];
        for (const row of table.rows()) {
          const id = column.read(row);
          if (id === null) continue;
          expect(parseId(String(id))).toBe(id);
          expect(targets.some((target) => org.table(target).get(String(id)) !== undefined)).toBe(true);
        }
      }
    }
    const stamps = new Map<unknown, number>();
    for (const stamp of values(org, "Opportunity", "SystemModstamp"))
      stamps.set(stamp, (stamps.get(stamp) ?? 0) + 1);
    expect(Math.max(...stamps.values())).toBeGreaterThan(1000);
    expect([...stamps.keys()].every((stamp) => typeof stamp === "number" && stamp % 1000 === 0)).toBe(true);
    const texts = values(org, "Account", "Description").join("");
    for (const part of ["👩🏽‍🚀", "漢字", "שלום", "\r\n", '"', "\u0301", "\u2028"])
      expect(texts).toContain(part);
    expect(values(org, "Contact", "Birthdate")).toContain(null);
    const days = [...values(org, "Account", "Founded__c"), ...values(org, "Opportunity", "CloseDate")];
    expect(days.some((day) => String(day) < "1000")).toBe(true);
    expect(days.some((day) => String(day) > "1800" && String(day) < "1970")).toBe(true);
    const ledger = values(org, "Invoice__c", "Ledger_Number__c");
    expect(ledger.every((number) => number instanceof Digits && BigInt(number.text) > 2n ** 53n)).toBe(true);
    expect([...org.table("Account").rows()].some((row) => row.deleted)).toBe(true);
  });

  it("writes every moment as Date does, with the service's offset", () => {
    for (let n = 0; n < 20_000; n++) {
      const ms = Math.floor(Math.sin(n) * 6.1e13);
      expect(datetimeText(ms)).toBe(new Date(ms).toISOString().replace("Z", "+0000"));
    }
    expect(datetimeText(Date.parse("2024-11-07T17:43:03.219Z") + 0.086)).toBe(
      "2024-11-07T17:43:03.219086+0000",
    );
  });
});

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "salesforce-org-"));
  folders.push(folder);
  return folder;
}

async function folderOrg(): Promise<string> {
  const folder = await temporary();
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(`COPY (SELECT * FROM (VALUES
      ('0018a000022jPn9AAE', 'Kitty''s "Corn"', '0058a00000KsGqvAAF', TIMESTAMPTZ '2022-12-16 00:00:16+00', DATE '0999-12-31', 43.6486512345678::DOUBLE, 9007199254740993::BIGINT, 12345678901234.56::DECIMAL(18,2), true, TIMESTAMPTZ '2024-11-07 17:43:03.219086+00', ''),
      ('0018a00001uyzhxAAA', NULL, NULL, TIMESTAMPTZ '2022-12-16 00:00:16+00', NULL, NULL, NULL, NULL, NULL, NULL, repeat('long ', 100))
    ) AS t(Id, Name, OwnerId, SystemModstamp, Day__c, Latitude, Big__c, Amount__c, Active__c, Recordstamp, Notes__c))
    TO '${join(folder, "Account.parquet")}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  const user = {
    Id: "0058a00000KsGqvAAF",
    Name: "Zoë",
    IsActive: true,
    SystemModstamp: "2022-01-01T00:00:00.000+0000",
  };
  await writeFile(join(folder, "User.ndjson"), `${JSON.stringify(user)}\n`);
  return folder;
}

describe("an org from a folder", () => {
  it("describes the columns and serves their values", async () => {
    const org = await readOrgFolder(await folderOrg(), clock);
    const fake = await startSalesforceFake({ org, clock });
    started.push(fake);
    const get = async (path: string) =>
      (await fetch(fake.url + path, { headers: { authorization: `Bearer ${fake.accessToken}` } })).text();
    const described: { fields: { name: string; type: string; precision: number; scale: number }[] } =
      JSON.parse(await get("/services/data/v67.0/sobjects/Account/describe"));
    const types = Object.fromEntries(described.fields.map((field) => [field.name, field.type]));
    expect(types).toEqual({
      Id: "id",
      IsDeleted: "boolean",
      Name: "string",
      OwnerId: "reference",
      SystemModstamp: "datetime",
      Day__c: "date",
      Latitude: "double",
      Big__c: "int",
      Amount__c: "double",
      Active__c: "boolean",
      Recordstamp: "datetime",
      Notes__c: "textarea",
    });
    const double = (name: string) => described.fields.find((field) => field.name === name);
    expect(double("Latitude")).toMatchObject({ precision: 18, scale: 13 });
    expect(double("Amount__c")).toMatchObject({ precision: 18, scale: 2 });
    const soql =
      "SELECT Id, Name, Owner.Name, Day__c, Latitude, Big__c, Amount__c, Active__c, Recordstamp, SystemModstamp FROM Account ORDER BY SystemModstamp, Id LIMIT 1";
    const text = await get(`/services/data/v67.0/query?q=${encodeURIComponent(soql)}`);
    expect(text).toContain(
      '"Day__c":null,"Latitude":null,"Big__c":null,"Amount__c":null,"Active__c":null,"Recordstamp":null,"SystemModstamp":"2022-12-16T00:00:16.000+0000"',
    );
    const second = await get(`/services/data/v67.0/query?q=${encodeURIComponent(`${soql} OFFSET 1`)}`);
    expect(second).toContain(
      '"Name":"Kitty\'s \\"Corn\\"","Owner":{"attributes":{"type":"User","url":"/services/data/v67.0/sobjects/User/0058a00000KsGqvAAF"},"Name":"Zoë"},"Day__c":"0999-12-31","Latitude":43.6486512345678,"Big__c":9007199254740993,"Amount__c":12345678901234.56,"Active__c":true,"Recordstamp":"2024-11-07T17:43:03.219086+0000"',
    );
  });

  it("can be changed like any other", async () => {
    const org = await readOrgFolder(await folderOrg(), clock);
    const [changed = ""] = org.changeSome("Account", 1, 3);
    const [inserted = ""] = org.insertSome("Account", 1, 3);
    expect(inserted).toMatch(/^001/);
    const table = org.table("Account");
    expect(table.get(changed)?.stamp).toBe(Date.parse("2026-06-01T12:00:00Z"));
    expect(
      table
        .ordered()
        .map((row) => row.id)
        .slice(1)
        .sort(),
    ).toEqual([changed, inserted].sort());
    org.deleteSome("Account", 1, 9);
    expect(table.deletedRows).toBe(1);
  });

  it("says what is wrong with a folder", async () => {
    const empty = await temporary();
    await expect(readOrgFolder(empty, clock)).rejects.toThrow("holds no .parquet, .ndjson or .jsonl file");
    await writeFile(join(empty, "Thing__c.ndjson"), '{"Name":"x"}\n');
    await expect(readOrgFolder(empty, clock)).rejects.toThrow("Thing__c has no column Id");
  });
});

describe("the control endpoint", () => {
  it("changes, inserts and deletes rows, and shows what the org holds", async () => {
    const fake = await startSalesforceFake({ org: SMALL, clock });
    started.push(fake);
    const control = async (method: string, path: string, body?: unknown) => {
      const response = await fetch(`${fake.url}/__fake/${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, text: await response.text() };
    };
    const ids = async (verb: string, body: unknown): Promise<string[]> =>
      JSON.parse((await control("POST", verb, body)).text).ids;
    const before = JSON.parse((await control("GET", "objects")).text).Account;
    const changed = await ids("change", { object: "Account", count: 20, seed: 4 });
    expect(new Set(changed).size).toBe(20);
    expect(await ids("insert", { object: "Account", count: 5 })).toHaveLength(5);
    expect(await ids("delete", { object: "Account", count: 3, seed: 2 })).toHaveLength(3);
    expect(await ids("touch", { object: "Account", ids: [changed[0]], values: { Name: "touched" } })).toEqual(
      [changed[0]],
    );
    expect(JSON.parse((await control("GET", "objects")).text).Account).toBe(before + 5 - 3);

    const lines = (await control("GET", "objects/Account")).text.trim().split("\n");
    const rows: { Id: string; Name: string; SystemModstamp: string; Description: string }[] = lines.map(
      (line) => JSON.parse(line),
    );
    expect(rows).toHaveLength(before + 2);
    expect(rows.find((row) => row.Id === changed[0])).toMatchObject({
      Name: "touched",
      SystemModstamp: "2026-06-01T12:00:00.000+0000",
    });
    expect(rows.filter((row) => row.Description?.startsWith("changed 4."))).toHaveLength(
      changed.filter((id) => rows.some((row) => row.Id === id)).length,
    );
    const withDeleted = (await control("GET", "objects/Account?deleted=true")).text.trim().split("\n");
    expect(withDeleted.length).toBe(fake.org.table("Account").size);

    await control("PUT", "faults", { rules: [{ fault: { kind: "status", preset: "serverError" } }] });
    expect((await fetch(`${fake.url}/services/data`)).status).toBe(500);
    await control("DELETE", "faults");
    expect((await fetch(`${fake.url}/services/data`)).status).toBe(200);
    expect(JSON.parse((await control("GET", "requests")).text)).toMatchObject({
      total: 2,
      byStatus: { 200: 1, 500: 1 },
      faults: { serverError: 1 },
    });
    expect(JSON.parse((await control("GET", "environment")).text)).toMatchObject({ SF_URL: fake.url });
    for (const [method, path, body] of [
      ["POST", "change", { object: "Nope", count: 1 }],
      ["POST", "change", { count: 1 }],
      ["PUT", "faults", { rules: [{}] }],
      ["GET", "nothing", undefined],
    ] as const) {
      const refused = await control(method, path, body);
      expect([refused.status >= 400, refused.text]).toEqual([true, expect.stringContaining("FAKE_CONTROL")]);
    }
  });
});
