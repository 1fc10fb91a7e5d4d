import { afterEach, describe, expect, it } from "vitest";
import { parseLimitInfo } from "../../../connectors/salesforce/api.js";
import type { Source, StreamSchema } from "../../../core/contracts/index.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { json, type ScriptedServer, startScriptedServer } from "../../core/http/scripted-server.js";
import { startSalesforceFake } from "../../fakes/salesforce/index.js";
import { apiError, connectTo, field, never, SYSTEM_FIELDS, startScriptedOrg } from "./org.js";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function orgOf(objects: Readonly<Record<string, readonly object[]>>) {
  const org = await startScriptedOrg({ objects, query: () => json({}) });
  const connected = connectTo(org.server.url);
  closers.push(
    () => org.server.close(),
    () => connected.source.close(),
  );
  return { ...org, ...connected };
}

const fieldsOf = (schema: StreamSchema) =>
  Object.fromEntries(schema.fields.map(({ name, ...rest }) => [name, rest]));

describe("types", () => {
  it("of Salesforce become ours, every column but the key may be null", async () => {
    const strings =
      "string picklist multipicklist combobox textarea phone url email encryptedstring datacategorygroupreference complexvalue masterrecord json anyType time".split(
        " ",
      );
    const { source, log } = await orgOf({
      Thing__c: [
        ...SYSTEM_FIELDS,
        ...strings.map((type) => field(`${type}__c`, type, { length: 255 })),
        field("Owner__c", "reference", { length: 18, referenceTo: ["User"], relationshipName: "Owner__r" }),
        field("Flag__c", "boolean"),
        field("Int__c", "int", { precision: 8 }),
        field("Long__c", "long"),
        field("Money__c", "currency", { precision: 18, scale: 2 }),
        field("Share__c", "percent", { precision: 3, scale: 0 }),
        field("Odd__c", "double", { precision: 2, scale: 6 }),
        field("Free__c", "double", { precision: 0, scale: 0 }),
        field("Day__c", "date"),
        field("Formula__c", "double", { precision: 18, scale: 4, calculated: true }),
        field("Place__c", "location"),
        field("BillingAddress", "address", { filterable: false }),
        field("Body", "base64"),
        field("New__c", "hologram"),
      ],
    });
    const schema = await source.describe("Thing__c", never());
    const fields = fieldsOf(schema);
    for (const type of strings) expect(fields[`${type}__c`]).toMatchObject({ type: "string", length: 255 });
    expect(fields.Id).toMatchObject({ type: "string", length: 18 });
    expect(fields.Owner__c).toMatchObject({
      type: "string",
      length: 18,
      relationship: { name: "Owner__r", to: ["User"] },
    });
    expect(fields.Flag__c?.type).toBe("boolean");
    expect([fields.Int__c?.type, fields.Long__c?.type]).toEqual(["integer", "integer"]);
    expect(fields.Money__c).toMatchObject({ type: "decimal", precision: 18, scale: 2 });
    expect(fields.Share__c).toMatchObject({ type: "decimal", precision: 3, scale: 0 });
    expect(fields.Odd__c).toMatchObject({ type: "decimal", precision: 2, scale: 2 });
    expect(fields.Free__c).not.toHaveProperty("precision");
    expect(fields.Day__c?.type).toBe("date");
    expect(fields.SystemModstamp?.type).toBe("timestamp");
    expect(fields.Formula__c).toMatchObject({ type: "decimal", calculated: true });
    expect(fields.Place__c?.type).toBe("json");
    expect(fields.BillingAddress).toMatchObject({ type: "json", filterable: false });
    expect(fields.Body).toBeUndefined();
    expect(fields.New__c?.type).toBe("string");
    expect(log.lines.join("\n")).toMatch(
      /warn Thing__c.New__c has the unknown type hologram[\s\S]*info Thing__c: fields that hold files/,
    );
    expect(schema).toMatchObject({
      primaryKey: ["Id"],
      cursors: ["SystemModstamp"],
      defaultLookbackMs: 900_000,
    });
  });

  it("cursors come best first, and only where Salesforce can filter and sort by them", async () => {
    const times = ["LoginTime", "CreatedDate", "LastModifiedDate", "SystemModstamp"].map((name) =>
      field(name, "datetime"),
    );
    const { source } = await orgOf({
      All: [field("Id", "id"), ...times],
      History: [field("Id", "id"), field("CreatedDate", "datetime")],
      Unsorted: [
        field("Id", "id"),
        field("SystemModstamp", "datetime", { sortable: false }),
        field("CreatedDate", "datetime", { filterable: false }),
      ],
      Typed: [field("Id", "id"), field("CreatedDate", "date")],
    });
    const cursors = async (name: string) => (await source.describe(name, never())).cursors;
    expect(await cursors("All")).toEqual(["SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime"]);
    expect(await cursors("History")).toEqual(["CreatedDate"]);
    expect(await cursors("Unsorted")).toEqual([]);
    expect(await cursors("Typed")).toEqual([]);
  });
});

describe("names", () => {
  it.each([
    ["Acount", "Did you mean Account?"],
    ["account", "Did you mean Account?"],
    ["Widget__c", "Check its API name"],
    ["Opportunities", "Did you mean Opportunity?"],
    ["Oportunity", "Did you mean Opportunity?"],
    ["Account' OR 'x'='x", "Check its API name"],
    ["../../limits", "Check its API name"],
  ])("%s is refused: %s", async (name, fix) => {
    const { source, server } = await orgOf({ Account: SYSTEM_FIELDS, Opportunity: SYSTEM_FIELDS });
    await expect(source.describe(name, never())).rejects.toMatchObject({
      kind: "config",
      code: "SALESFORCE_UNKNOWN_OBJECT",
      fix: expect.stringContaining(fix),
    });
    for (const { url } of server.seen) expect(url).toMatch(/\/sobjects(\/\w+\/describe)?$/);
  });

  it("that Salesforce takes in any case are refused all the same", async () => {
    const { server } = await orgOf({});
    server.script((seen, response) =>
      json(
        seen.url.endsWith("/describe")
          ? { name: "Account", fields: SYSTEM_FIELDS }
          : { sobjects: [{ name: "Account" }] },
      )(seen, response),
    );
    const { source } = connectTo(server.url);
    await expect(source.describe("ACCOUNT", never())).rejects.toMatchObject({ fix: "Did you mean Account?" });
    await source.close();
  });

  it("of streams are listed with the reason why some cannot be read", async () => {
    const names = [
      "Account",
      "AccountChangeEvent",
      "ActivityHistory",
      "ContentDocumentLink",
      "ApiEventStream",
    ];
    const server = await startScriptedServer(
      json({
        sobjects: [
          ...names.map((name) => ({ name, label: name, queryable: true })),
          { name: "Locked", queryable: false },
        ],
      }),
    );
    const { source } = connectTo(server.url);
    closers.push(
      () => server.close(),
      () => source.close(),
    );
    const listed = await source.discover(never());
    expect(listed[0]).toEqual({ name: "Account", label: "Account", readable: true });
    for (const stream of listed.slice(1))
      expect(stream).toMatchObject({ readable: false, reason: expect.stringMatching(/quer/) });
    expect(listed).toHaveLength(6);
  });

  it("an answer of another form is a passing trouble, not a crash", async () => {
    const server = await startScriptedServer(json({ surprise: true }));
    const { source } = connectTo(server.url);
    closers.push(
      () => server.close(),
      () => source.close(),
    );
    await expect(source.discover(never())).rejects.toMatchObject({
      kind: "transient",
      code: "SALESFORCE_UNEXPECTED_ANSWER",
    });
    await expect(source.describe("Account", never())).rejects.toMatchObject({
      code: "SALESFORCE_UNEXPECTED_ANSWER",
    });
  });
});

describe("relationship paths", () => {
  const user = [
    field("Id", "id", { length: 18 }),
    field("Name", "string", { length: 121 }),
    field("Age", "int"),
    field("Photo", "base64"),
    field("ManagerId", "reference", { referenceTo: ["User"], relationshipName: "Manager" }),
  ];
  const group = [
    field("Id", "id", { length: 18 }),
    field("Name", "string", { length: 40 }),
    field("Age", "string"),
    field("Kind", "picklist"),
  ];
  const many = Array.from({ length: 12 }, (_, n) => `Thing${n}`);
  const objects = {
    User: user,
    Group: group,
    Account: [
      field("Id", "id"),
      field("OwnerId", "reference", { referenceTo: ["User"], relationshipName: "Owner" }),
    ],
    Case: [
      field("Id", "id"),
      field("OwnerId", "reference", { referenceTo: ["Group", "User"], relationshipName: "Owner" }),
      field("AccountId", "reference", { referenceTo: ["Account"], relationshipName: "Account" }),
      field("WhatId", "reference", { referenceTo: many, relationshipName: "What" }),
    ],
  };
  const resolve = async (source: Source, stream: string, path: string) => {
    const schema = await source.describe(stream, never());
    if (source.resolvePath === undefined) throw new Error("no resolvePath");
    return source.resolvePath(schema, path, never());
  };

  it("climb to a parent and on to its parents", async () => {
    const { source } = await orgOf(objects);
    expect(await resolve(source, "Account", "Owner.Name")).toMatchObject({
      name: "Owner.Name",
      type: "string",
      length: 121,
    });
    expect(await resolve(source, "Case", "Account.Owner.Manager.Name")).toMatchObject({
      name: "Account.Owner.Manager.Name",
      type: "string",
    });
    expect(await resolve(source, "Account", "Owner.Age")).toMatchObject({ type: "integer" });
  });

  it("to several kinds of parents offer what all of them have", async () => {
    const { source, server } = await orgOf(objects);
    expect(await resolve(source, "Case", "Owner.Name")).toMatchObject({ type: "string" });
    expect(await resolve(source, "Case", "Owner.Type")).toMatchObject({ type: "string" });
    for (const path of ["Owner.Kind", "Owner.Age"]) {
      await expect(resolve(source, "Case", path)).rejects.toMatchObject({ code: "SALESFORCE_UNKNOWN_FIELD" });
    }
    const before = server.seen.length;
    expect(await resolve(source, "Case", "What.Name")).toMatchObject({ type: "string" });
    // Twelve kinds of parents are not described one by one.
    expect(server.seen.length).toBe(before);
    await expect(resolve(source, "Case", "What.Amount")).rejects.toMatchObject({
      code: "SALESFORCE_UNKNOWN_FIELD",
    });
  });

  it.each([
    ["Ownr.Name", "SALESFORCE_UNKNOWN_RELATIONSHIP", "Did you mean Owner?"],
    ["OwnerId.Name", "SALESFORCE_UNKNOWN_RELATIONSHIP", "Did you mean Owner?"],
    ["Owner.Nmae", "SALESFORCE_UNKNOWN_FIELD", "Did you mean Name"],
    ["Owner.Photo", "SALESFORCE_FILE_FIELD", "Leave it out"],
    ["Owner.Manager.Manager.Manager.Manager.Manager.Name", "SALESFORCE_PATH_TOO_DEEP", undefined],
  ])("that do not exist are refused: %s", async (path, code, fix) => {
    const { source } = await orgOf(objects);
    await expect(resolve(source, "Account", path)).rejects.toMatchObject({
      kind: "config",
      code,
      ...(fix === undefined ? {} : { fix: expect.stringContaining(fix) }),
    });
  });

  it("describe each object once", async () => {
    const { source, server } = await orgOf(objects);
    for (let n = 0; n < 3; n++) await resolve(source, "Account", "Owner.Manager.Name");
    expect(server.seen.filter(({ url }) => url.includes("/User/"))).toHaveLength(1);
  });
});

describe("check", () => {
  const org = async (answers: Readonly<Record<string, (seen: never, response: never) => void>>) => {
    const server: ScriptedServer = await startScriptedServer((seen, response) => {
      const path = seen.url.replace("/services/data/v67.0/", "");
      const script = answers[path] ?? apiError(404, "NOT_FOUND", "nothing there");
      return script(seen as never, response as never);
    });
    const connected = connectTo(server.url);
    closers.push(
      () => server.close(),
      () => connected.source.close(),
    );
    return connected;
  };
  const versions = json([{ version: "66.0" }, { version: "67.0" }]) as never;
  const limits = (Remaining: number) => json({ DailyApiRequests: { Max: 1000, Remaining } }) as never;
  const user = json({ preferred_username: "me@acme.example", organization_id: "00D5g0000000001" }) as never;

  it("says who we are, the version and the calls left", async () => {
    const { source } = await org({
      "/services/data": versions,
      limits: limits(900),
      "/services/oauth2/userinfo": user,
    });
    expect(await source.check(never())).toEqual({
      identity: "me@acme.example in org 00D5g0000000001",
      details: { apiVersion: "v67.0", dailyApiRequests: "900 of 1000 left" },
      warnings: [],
    });
  });

  it("says what is left of the day's Bulk jobs and results, where the org tells", async () => {
    const { source } = await org({
      "/services/data": versions,
      limits: json({
        DailyApiRequests: { Max: 1000, Remaining: 900 },
        DailyBulkV2QueryJobs: { Max: 10_000, Remaining: 9_990 },
        DailyBulkV2QueryFileStorageMB: { Max: 976_562, Remaining: 976_000 },
      }) as never,
      "/services/oauth2/userinfo": user,
    });
    expect((await source.check(never())).details).toEqual({
      apiVersion: "v67.0",
      dailyApiRequests: "900 of 1000 left",
      dailyBulkQueryJobs: "9990 of 10000 left",
      dailyBulkQueryResults: "976000 of 976562 MB left",
    });
  });

  it("warns of what is missing, each with its fix", async () => {
    const forbidden = apiError(403, "INSUFFICIENT_ACCESS", "no") as never;
    const { source } = await org({
      "/services/data": versions,
      limits: forbidden,
      "/services/oauth2/userinfo": forbidden,
    });
    const report = await source.check(never());
    expect(report.warnings).toHaveLength(2);
    expect(report.warnings.join(" ")).toMatch(/View Setup and Configuration.*scope openid/);
  });

  it("warns when few calls are left", async () => {
    const { source } = await org({
      "/services/data": versions,
      limits: limits(50),
      "/services/oauth2/userinfo": user,
    });
    expect((await source.check(never())).warnings).toEqual([expect.stringContaining("Only 50 of 1000")]);
  });

  it("refuses a version the org does not know", async () => {
    const { source } = await org({
      "/services/data": json([{ version: "64.0" }, { version: "65.0" }]) as never,
    });
    await expect(source.check(never())).rejects.toMatchObject({
      kind: "config",
      code: "SALESFORCE_API_VERSION",
      fix: "Set apiVersion to v65.0 or earlier.",
    });
  });

  it("is an AuthError where the token is refused", async () => {
    const { source } = await org({
      "/services/data": versions,
      limits: apiError(401, "INVALID_SESSION_ID", "expired") as never,
    });
    await expect(source.check(never())).rejects.toMatchObject({ kind: "auth" });
  });
});

describe("the calls an org has used", () => {
  it.each([
    ["api-usage=18/15000", { used: 18, limit: 15000 }],
    ["api-usage=25/5000, per-app-api-usage=17/250(appName=x)", { used: 25, limit: 5000 }],
    ["per-app-api-usage=17/250(appName=x), api-usage=25/5000", { used: 25, limit: 5000 }],
    ["per-app-api-usage=17/250(appName=x)", undefined],
    ["nonsense", undefined],
    [undefined, undefined],
  ])("are read from %s", (header, usage) => {
    expect(parseLimitInfo(header)).toEqual(usage);
  });

  it("are warned of once beyond nine tenths", async () => {
    const clock = new PatientClock();
    const fake = await startSalesforceFake({
      clock,
      dailyLimit: 20,
      org: { seed: 1, accounts: 1, contacts: 1, opportunities: 1, invoices: 1, users: 1 },
    });
    const { source, log } = connectTo(fake.url, {
      clock,
      config: { auth: { type: "accessToken", accessToken: fake.accessToken } },
    });
    closers.push(
      () => fake.close(),
      () => source.close(),
    );
    for (let n = 0; n < 20; n++) await source.discover(never());
    expect(log.lines.filter((line) => line.includes("more than 90 %"))).toHaveLength(1);
    await expect(source.discover(never())).rejects.toMatchObject({ kind: "rateLimit", scope: "park" });
    expect(source.apiCalls()).toBe(21);
  });
});
