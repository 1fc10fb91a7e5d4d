import { describe, expect, it } from "vitest";
import type { Page } from "../../../core/contracts/index.js";
import { idsOf, living, recordsOf, things } from "./living.js";

describe("a field that vanishes while its object is read", () => {
  it.each([
    ["rest", { api: "rest", pageSize: 200 }],
    ["bulk", { api: "bulk" }],
  ])("is left out of the rest, by %s, and named; every record comes once", async (api, options) => {
    const org = await living(things(1_000), { bulk: { pageRows: 200 } });
    const request = await org.request("Thing__c", options, { fields: ["Name"] });
    if (api === "bulk") org.org.hideField("Thing__c", "Name");
    // A query goes on as it began, until Salesforce finds that it cannot.
    const body = [{ errorCode: "INVALID_FIELD", message: "No such column 'Name' on entity 'Thing__c'." }];
    const fault = { kind: "answer" as const, status: 400, body };
    if (api === "rest") org.fake.faults.set({ rules: [{ path: "/query", on: { nth: 3 }, fault }] });
    const pages: Page[] = [];
    for await (const page of org.source.read(request)) {
      pages.push(page);
      if (pages.length === 2) org.org.hideField("Thing__c", "Name");
    }
    expect(new Set(idsOf(pages)).size).toBe(1_000);
    expect(idsOf(pages)).toHaveLength(1_000);
    const named = recordsOf(pages).filter(({ Name }) => Name !== undefined);
    expect(named.length).toBe(api === "bulk" ? 0 : 400);
    expect(
      org.log.lines.filter((line) => line.includes("Thing__c has lost Name while it was read")),
    ).toHaveLength(1);
  });

  it("fails the read where a filter needs it", async () => {
    const org = await living(things(10));
    const filter = { field: "Name", operator: "equals" as const, value: "thing 1" };
    const request = await org.request("Thing__c", { api: "rest" }, { fields: ["Name"], filter });
    org.org.hideField("Thing__c", "Name");
    await expect(
      (async () => {
        for await (const _ of org.source.read(request));
      })(),
    ).rejects.toMatchObject({ kind: "config", code: expect.stringMatching(/FIELD/) });
  });

  it("is no excuse for an error that names no field of the object", async () => {
    const org = await living(things(10));
    const body = [{ errorCode: "INVALID_FIELD", message: "No such column 'Ghost' on entity 'Thing__c'." }];
    org.fake.faults.set({ rules: [{ path: "/query", fault: { kind: "answer", status: 400, body } }] });
    await expect(org.read("Thing__c", { api: "rest" })).rejects.toMatchObject({
      code: "SALESFORCE_INVALID_FIELD",
    });
  });
});
