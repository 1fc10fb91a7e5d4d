import { describe, expect, it } from "vitest";
import { optionsSchema } from "../../../connectors/salesforce/config.js";
import type { Value } from "../../../core/contracts/index.js";
import { json } from "../../core/http/scripted-server.js";
import { at, closers, FIVE_PAST, id, lastCursor, NOON, orgOf, page, row } from "./deals.js";
import { collect, connectTo, field, requestFor, SYSTEM_FIELDS, startScriptedOrg } from "./org.js";

describe("the query", () => {
  it("asks for the frozen window in the order of stamp and id", async () => {
    const { read, queries, server } = await orgOf(() => page([]));
    const pages = await read({ fields: ["Name", "Owner.Name"], from: Date.UTC(2026, 0, 1, 0, 0, 0, 900) });
    expect(queries).toEqual([
      "SELECT Id,Name,Owner.Name,SystemModstamp FROM Deal__c WHERE SystemModstamp >= 2026-01-01T00:00:00.000Z AND SystemModstamp < 2026-10-01T12:00:00.000Z ORDER BY SystemModstamp,Id",
    ]);
    const asked = server.seen.at(-1);
    expect(asked?.headers["sforce-query-options"]).toBe("batchSize=2000");
    expect(asked?.url).toMatch(/^\/services\/data\/v67.0\/query\?q=SELECT\+Id,Name,Owner\.Name/);
    expect(pages).toEqual([
      {
        records: [],
        bytes: expect.any(Number),
        window: { from: "2026-01-01T00:00:00.000Z", to: "2026-10-01T12:00:00.000Z" },
        rememberFrom: "2026-10-01T11:45:00.000+0000",
        cursor: {
          field: "SystemModstamp",
          window: { from: "2026-01-01T00:00:00.000+0000", to: "2026-10-01T12:00:00.000+0000" },
          settled: true,
          repeatsBelow: null,
          rememberFrom: "2026-10-01T11:45:00.000+0000",
          at: null,
          done: true,
        },
      },
    ]);
  });

  it("carries what of the filter Salesforce takes over", async () => {
    const { read, queries } = await orgOf(() => page([]));
    await read({
      filter: {
        all: [
          { field: "Amount", operator: "greaterThan", value: 5 },
          {
            any: [
              { field: "Owner.Name", operator: "equals", value: "A'n" },
              { field: "Name", operator: "equals", value: "x" },
            ],
          },
        ],
      },
    });
    expect(queries[0]).toContain(
      "WHERE Amount > 5 AND ((Owner.Name = 'A\\'n') OR (Name = 'x')) AND SystemModstamp < ",
    );
  });

  it("of a full read goes by the id alone, and takes the stamp along", async () => {
    const { read, queries } = await orgOf(({ soql }) =>
      page(soql?.includes("Id >") ? [] : [row(1, at("08:00:00"))]),
    );
    const [first] = await read({ mode: "full", cursorField: undefined });
    expect(queries[0]).toBe("SELECT Id,SystemModstamp FROM Deal__c ORDER BY Id");
    expect(first?.cursor).toEqual({ field: null, at: { id: id(1) }, done: true });
    expect(first).not.toHaveProperty("window");
    await read({
      mode: "full",
      cursorField: undefined,
      cursor: { field: null, at: { id: id(1) }, done: false },
    });
    expect(queries[1]).toBe(`SELECT Id,SystemModstamp FROM Deal__c WHERE Id > '${id(1)}' ORDER BY Id`);
    // A finished full read is followed by a whole one.
    await read({ mode: "full", cursorField: undefined, cursor: first?.cursor });
    expect(queries[2]).toBe(queries[0]);
    // But where the engine died before it had seen the end, the same read goes on.
    await read({ mode: "full", cursorField: undefined, cursor: first?.cursor, resumes: true });
    expect(queries[3]).toBe(queries[1]);
  });

  it("stays behind now for as long as the options say", async () => {
    const { read, queries } = await orgOf(() => page([]));
    await read({ options: optionsSchema.parse({ settle: "5m", pageSize: 500 }) });
    expect(queries[0]).toContain("SystemModstamp < 2026-10-01T11:55:00.000Z");
  });

  it("ends with the clock of Salesforce where ours is ahead", async () => {
    const ahead = 90_000;
    const real = Date.now();
    const { read, queries } = await orgOf(() => page([]), real + ahead);
    await read();
    const to = Date.parse(/SystemModstamp < (\S+)/.exec(queries[0] ?? "")?.[1] ?? "");
    expect(to).toBeGreaterThan(real - 10_000);
    expect(to).toBeLessThan(real + 60_000);
  });

  it.each([
    [["Nmae"], "SALESFORCE_UNKNOWN_FIELD", "Did you mean Name?"],
    [["name"], "SALESFORCE_UNKNOWN_FIELD", "Did you mean Name?"],
    [["Id FROM User--"], "SALESFORCE_UNKNOWN_FIELD", undefined],
    [["Ownr.Name"], "SALESFORCE_UNKNOWN_RELATIONSHIP", "Did you mean Owner?"],
  ])("never holds a name that describe does not show: %j", async (fields, code, fix) => {
    const { read, queries } = await orgOf(() => page([]));
    await expect(read({ fields })).rejects.toMatchObject({
      kind: "config",
      code,
      ...(fix === undefined ? {} : { fix }),
    });
    expect(queries).toEqual([]);
  });

  it("that would not fit into a URL is asked in chunks of columns, where REST alone may read", async () => {
    const wide = Array.from({ length: 700 }, (_, n) => field(`Quite_A_Long_Field_Name_${n}__c`, "string"));
    const org = await startScriptedOrg({
      objects: { Wide__c: [...SYSTEM_FIELDS, ...wide] },
      query: () => page([]),
    });
    const { source } = connectTo(org.server.url);
    closers.push(
      () => org.server.close(),
      () => source.close(),
    );
    const request = await requestFor(source, "Wide__c");
    const all = request.schema.fields.map(({ name }) => name);
    const options = optionsSchema.parse({ api: "rest" });
    expect(await collect(source.read({ ...request, options, fields: all }))).toHaveLength(1);
    // Commas stay commas: more than four hundred of such names fit.
    expect(await collect(source.read({ ...request, options, fields: all.slice(0, 430) }))).toHaveLength(1);
    // Nothing was found, so the other chunk is not asked for.
    expect(org.queries.map((soql) => soql.split(",").length)).toEqual([355, 431]);
  });
});

describe("windows", () => {
  it("follow each other with the lookback between them", async () => {
    const { read, queries, clock } = await orgOf(() => page([]));
    const first = await read({ lookbackMs: 600_000 });
    clock.set(NOON + 3_600_000);
    const second = await read({ lookbackMs: 600_000, cursor: lastCursor(first) });
    expect(queries[1]).toContain(
      "SystemModstamp >= 2026-10-01T11:50:00.000Z AND SystemModstamp < 2026-10-01T13:00:00.000Z",
    );
    expect(second[0]).toMatchObject({
      repeatsBelow: "2026-10-01T12:00:00.000+0000",
      rememberFrom: "2026-10-01T12:50:00.000+0000",
    });
  });

  it("never look back to before what was remembered: it would come twice", async () => {
    const { read, queries, clock } = await orgOf(() => page([]));
    const start = NOON - 60_000;
    const first = await read({ from: start, lookbackMs: 600_000 });
    clock.set(NOON + 60_000);
    const second = await read({ from: start, lookbackMs: 600_000, cursor: lastCursor(first) });
    expect(queries[1]).toContain("SystemModstamp >= 2026-10-01T11:59:00.000Z");
    clock.set(NOON + 120_000);
    await read({ from: start, lookbackMs: 3_600_000, cursor: lastCursor(second) });
    expect(queries[2]).toContain("SystemModstamp >= 2026-10-01T11:59:00.000Z");
  });

  it("left unfinished are finished first, frozen as they were, and then comes the time since", async () => {
    const { read, queries } = await orgOf(
      ({ soql }) => page(soql?.includes("12:00:00") ? [row(9, FIVE_PAST)] : [row(5, at("09:00:00"))]),
      NOON + 3_600_000,
    );
    const unfinished: Value = {
      field: "SystemModstamp",
      window: { from: null, to: "2026-10-01T11:00:00.000+0000" },
      repeatsBelow: null,
      rememberFrom: "2026-10-01T10:45:00.000+0000",
      at: { value: at("08:00:00"), id: id(3) },
      done: false,
    };
    const pages = await read({ cursor: unfinished });
    expect(queries).toEqual([
      `SELECT Id,SystemModstamp FROM Deal__c WHERE ((SystemModstamp = 2026-09-30T08:00:00.000Z AND Id > '${id(3)}') OR (SystemModstamp > 2026-09-30T08:00:00.000Z)) AND SystemModstamp < 2026-10-01T11:00:00.000Z ORDER BY SystemModstamp,Id`,
      "SELECT Id,SystemModstamp FROM Deal__c WHERE SystemModstamp >= 2026-10-01T10:45:00.000Z AND SystemModstamp < 2026-10-01T13:00:00.000Z ORDER BY SystemModstamp,Id",
    ]);
    expect(pages.map((each) => each.window?.to)).toEqual([
      "2026-10-01T11:00:00.000Z",
      "2026-10-01T13:00:00.000Z",
    ]);
    expect(pages[0]).not.toHaveProperty("repeatsBelow");
    expect(pages[1]?.repeatsBelow).toBe("2026-10-01T11:00:00.000+0000");
  });

  it("that end before what was read already hold nothing and move nothing", async () => {
    const { read, queries, clock } = await orgOf(() => page([]));
    const first = await read();
    clock.set(NOON + 3_600_000);
    const nothing = await read({ cursor: lastCursor(first), to: NOON - 1000 });
    expect(nothing).toEqual([{ records: [], cursor: lastCursor(first), bytes: 0 }]);
    expect(queries).toHaveLength(1);
    await expect(read({ from: NOON + 10 * 3_600_000 })).rejects.toMatchObject({
      kind: "config",
      code: "SALESFORCE_EMPTY_WINDOW",
    });
  });

  it("of another field or kind of read are not resumed", async () => {
    const { read } = await orgOf(() => page([]));
    const foreign: readonly Value[] = ["x", { field: null, at: null, done: true }, { field: "CreatedDate" }];
    for (const cursor of foreign) {
      await expect(read({ cursor })).rejects.toMatchObject({ kind: "config", code: "SALESFORCE_CURSOR" });
    }
    await expect(read({ mode: "full", cursorField: undefined, cursor: { a: 1 } })).rejects.toMatchObject({
      code: "SALESFORCE_CURSOR",
    });
  });
});

describe("plan", () => {
  const planOf = async (totalSize: number, options?: object) => {
    const { source, queries } = await orgOf(({ soql }) =>
      json({ totalSize, done: true, records: soql?.includes("COUNT()") ? [] : [{}] }),
    );
    const request = await requestFor(source, "Deal__c", {
      options: optionsSchema.parse(options ?? {}),
      filter: {
        all: [
          { field: "Amount", operator: "greaterThan", value: 5 },
          { field: "Name", operator: "notEquals", value: "x" },
        ],
      },
    });
    return { plan: await source.plan(request), queries };
  };

  it("shows the query, what is pushed, and what it will cost", async () => {
    const { plan, queries } = await planOf(4_000);
    expect(plan).toEqual({
      query:
        "SELECT Id,SystemModstamp FROM Deal__c WHERE Amount > 5 AND SystemModstamp < 2026-10-01T12:00:00.000Z ORDER BY SystemModstamp,Id",
      pushedDown: ["Amount greaterThan 5"],
      notPushedDown: ["Name notEquals x"],
      window: { from: null, to: "2026-10-01T12:00:00.000Z" },
      records: 4_000,
      apiCalls: 3,
      durationMs: expect.any(Number),
    });
    expect(queries).toEqual([
      "SELECT COUNT() FROM Deal__c WHERE Amount > 5 AND SystemModstamp < 2026-10-01T12:00:00.000Z",
    ]);
  });

  it.each([
    [400_000, {}, 1],
    [10, { api: "bulk" }, 1],
  ])("shows the query of a Bulk job where one will read: %d records, %j", async (records, options, jobs) => {
    const { plan } = await planOf(records, options);
    expect(plan.query).toBe(
      "SELECT Id,SystemModstamp FROM Deal__c WHERE Amount > 5 AND SystemModstamp < 2026-10-01T12:00:00.000Z",
    );
    expect(plan.apiCalls).toBe(9 + Math.ceil(records / 5_000));
    expect(plan.calls).toEqual({ daily: plan.apiCalls, bulkJobs: jobs });
  });

  it.each([
    [500_001, 2],
    [1_600_000, 4],
    [4_100_000, 16],
  ])("counts the jobs that %d records are cut into", async (records, jobs) => {
    const { plan } = await planOf(records);
    expect(plan.apiCalls).toBe(1 + 8 * jobs + Math.ceil(records / 5_000));
    expect(plan.calls).toEqual({ daily: plan.apiCalls, bulkJobs: jobs });
  });
});

describe("options", () => {
  it.each([
    [{ api: "soap" }, "auto"],
    [{ deleted: "only" }, "include"],
    [{ pageSize: 100 }, "from 200 to 2000"],
    [{ bulkPageSize: 100 }, "from 1000 to 100000"],
    [{ settle: "soon" }, "expected a duration"],
    [{ nonsense: 1 }, "nonsense"],
  ])("%j is refused", (options, problem) => {
    expect(optionsSchema.safeParse(options).error?.message).toContain(problem);
  });

  it("have defaults", () => {
    expect(optionsSchema.parse({})).toEqual({
      api: "auto",
      bulkJobs: 3,
      deleted: "exclude",
      pageSize: 2000,
      bulkPageSize: 5_000,
      settle: 0,
    });
  });
});
