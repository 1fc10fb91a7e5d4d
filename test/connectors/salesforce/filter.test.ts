import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DescribedField } from "../../../connectors/salesforce/describe.js";
import { pushDown } from "../../../connectors/salesforce/filter.js";
import { and, escapeLike, or, quote } from "../../../connectors/salesforce/soql.js";
import {
  ExactNumber,
  type Filter,
  type SourceRecord,
  type StreamSchema,
  type Value,
} from "../../../core/contracts/index.js";
import { compileFlow } from "../../../core/flow/index.js";
import type { Flow } from "../../../core/flow/types.js";
import { flowText, project } from "../../core/flow/project.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { Digits, Org, type SalesforceFake, startSalesforceFake } from "../../fakes/salesforce/index.js";
import { collect, connectTo, never, requestFor } from "./org.js";

const FIELDS: Readonly<Record<string, Partial<DescribedField>>> = {
  Name: { type: "string" },
  Stage: { type: "picklist" },
  Tags: { type: "multipicklist" },
  Notes: { type: "textarea", filterable: false },
  OwnerId: { type: "reference" },
  Amount: { type: "currency" },
  Weighted: { type: "currency", calculated: true },
  Count: { type: "int" },
  Closed: { type: "boolean" },
  CloseDate: { type: "date" },
  Stamp: { type: "datetime" },
  At: { type: "time" },
  "Owner.Name": { type: "string" },
};
const fieldOf = (name: string): DescribedField | undefined => {
  const field = FIELDS[name];
  return field === undefined ? undefined : { name, type: "string", ...field };
};
const c = (field: string, operator: string, value?: Value): Filter =>
  ({ field, operator, ...(value === undefined ? {} : { value }) }) as Filter;
const where = (filter: Filter) => pushDown(filter, fieldOf).where;
const ID = "0065g000001AbCdEFG";

describe("what Salesforce takes over", () => {
  it.each<[Filter, string | undefined]>([
    [c("Name", "equals", 'O\'Neil \\ "x"'), "Name = 'O\\'Neil \\\\ \\\"x\\\"'"],
    [c("Stage", "in", ["Won", "Lost"]), "Stage IN ('Won','Lost')"],
    [c("Name", "contains", "50%_\\"), "Name LIKE '%50\\%\\_\\\\%'"],
    [c("Name", "startsWith", "A"), "Name LIKE 'A%'"],
    [c("Name", "endsWith", "A"), "Name LIKE '%A'"],
    [c("Owner.Name", "equals", "Ann"), "Owner.Name = 'Ann'"],
    [c("Name", "isNull"), "Name = null"],
    [c("Name", "isNotNull"), "Name != null"],
    [c("Tags", "isNotNull"), undefined],
    [c("Amount", "greaterThan", 1000), "Amount > 1000"],
    [c("Amount", "between", [1, 2.5]), "Amount >= 1 AND Amount <= 2.5"],
    [c("Amount", "notEquals", 5), "(Amount != 5) OR (Amount = null)"],
    [c("Amount", "notIn", [5, 6]), "(Amount NOT IN (5,6)) OR (Amount = null)"],
    [c("Amount", "equals", new ExactNumber("9007199254740993.25")), "Amount = 9007199254740993.25"],
    [c("Count", "lessThanOrEquals", 7), "Count <= 7"],
    [c("Closed", "equals", true), "Closed = true"],
    [c("Closed", "notEquals", true), "Closed != true"],
    [c("CloseDate", "greaterThanOrEquals", "2026-10-01"), "CloseDate >= 2026-10-01"],
    [c("Stamp", "lessThan", "2026-10-01T02:00:00+02:00"), "Stamp < 2026-10-01T00:00:00Z"],
    [c("Stamp", "greaterThan", "2026-10-01"), "Stamp > 2026-10-01T00:00:00Z"],
    [c("Stamp", "greaterThan", "2026-10-01 08:30"), "Stamp > 2026-10-01T08:30:00Z"],
    [c("OwnerId", "equals", ID), `OwnerId = '${ID}'`],
    // SOQL would find less than the filter, refuse the literal, or compare in another order.
    [c("Name", "notEquals", "x"), undefined],
    [c("Name", "notIn", ["x"]), undefined],
    [c("Name", "notContains", "x"), undefined],
    [c("Name", "greaterThan", "x"), undefined],
    [c("Name", "between", ["a", "b"]), undefined],
    [c("Name", "equals", ""), undefined],
    [c("Name", "equals", " x"), undefined],
    [c("Name", "equals", "a\u0000b"), undefined],
    [c("Name", "equals", "\ud83d"), undefined],
    [c("Name", "equals", "x".repeat(1001)), undefined],
    [c("Name", "equals", 5), undefined],
    [c("Stage", "in", []), undefined],
    [
      c(
        "Stage",
        "in",
        Array.from({ length: 201 }, (_, n) => `v${n}`),
      ),
      undefined,
    ],
    [c("Tags", "equals", "a;b"), undefined],
    [c("Notes", "equals", "x"), undefined],
    [c("At", "equals", "14:30:00.000Z"), undefined],
    [c("OwnerId", "notEquals", ID), undefined],
    [c("OwnerId", "equals", ID.slice(0, 15)), undefined],
    [c("OwnerId", "startsWith", "005"), undefined],
    [c("Weighted", "greaterThan", 1), undefined],
    [c("Amount", "equals", 1e21), undefined],
    [c("Count", "equals", 1.5), undefined],
    [c("Count", "equals", 3_000_000_000), undefined],
    [c("CloseDate", "equals", "0999-12-31"), undefined],
    [c("Stamp", "greaterThan", "2026-10-01T00:00:00.5Z"), undefined],
    [c("Closed", "isNull"), undefined],
    [c("Owner.Name", "isNull"), undefined],
    [c("Unknown", "equals", "x"), undefined],
    [{ not: c("Amount", "equals", 5) }, undefined],
    [{ any: [c("Amount", "equals", 5), c("Name", "notEquals", "x")] }, undefined],
    [{ any: [c("Amount", "equals", 5), c("Name", "equals", "x")] }, "(Amount = 5) OR (Name = 'x')"],
    [
      {
        all: [
          c("Amount", "equals", 5),
          { any: [c("Name", "equals", "a"), { all: [c("Name", "equals", "b"), c("Count", "equals", 1)] }] },
        ],
      },
      "Amount = 5 AND ((Name = 'a') OR (Name = 'b' AND Count = 1))",
    ],
  ])("%j", (filter, expected) => {
    expect(where(filter)).toBe(expected);
  });

  it("tells which conditions it takes, which not, and which in part", () => {
    const filter: Filter = {
      all: [
        c("Amount", "greaterThan", 1000),
        c("Name", "notEquals", "x"),
        {
          any: [
            c("Stage", "equals", "Won"),
            { all: [c("Closed", "equals", true), c("Tags", "contains", "a")] },
          ],
        },
      ],
    };
    expect(pushDown(filter, fieldOf)).toEqual({
      where: "Amount > 1000 AND ((Stage = 'Won') OR (Closed = true))",
      pushed: [
        "Amount greaterThan 1000",
        "any of (Stage equals Won; all of (Closed equals true; Tags contains a))",
      ],
      notPushed: [
        "Name notEquals x",
        "any of (Stage equals Won; all of (Closed equals true; Tags contains a)) (in part)",
      ],
    });
    expect(pushDown(undefined, fieldOf)).toEqual({ where: undefined, pushed: [], notPushed: [] });
  });

  it("escapes everything SOQL knows, and nothing else", () => {
    expect(quote("'\\\"\n\r\t\b\f%_é😀")).toBe("'\\'\\\\\\\"\\n\\r\\t\\b\\f%_é😀'");
    expect(escapeLike("100%_\\'")).toBe("100\\%\\_\\\\\\'");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // Read the literal back as SOQL does.
        const back = quote(text)
          .slice(1, -1)
          .replace(
            /\\(.)/gs,
            (_whole, character: string) =>
              ({ n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" })[character] ?? character,
          );
        expect(back).toBe(text);
        expect(quote(text).slice(1, -1).replace(/\\./gs, "")).not.toMatch(/['\\]/);
      }),
    );
  });

  it("sets parentheses where AND meets OR", () => {
    expect(and(undefined, undefined)).toBeUndefined();
    expect(and("a", undefined)).toBe("a");
    expect(and(or("a", "b"), "c", or("d", "e"))).toBe("((a) OR (b)) AND c AND ((d) OR (e))");
  });
});

describe("a pushed filter never holds back what the flow's filter accepts", () => {
  let fake: SalesforceFake;
  let schema: StreamSchema;
  let all: SourceRecord[];
  const clock = new PatientClock();
  const NAMES = [
    "Ann",
    "ann",
    "ANN ",
    "Bob's \\ pub",
    "100%",
    "a_b",
    "Straße",
    "STRASSE",
    "",
    "ångström",
    "Zoë",
    "😀",
    "null",
  ];
  const connect = () =>
    connectTo(fake.url, { clock, config: { auth: { type: "accessToken", accessToken: fake.accessToken } } });

  beforeAll(async () => {
    const org = new Org(clock);
    org.define({
      name: "Deal__c",
      keyPrefix: "a01",
      fields: [
        { name: "Id", type: "id" },
        { name: "Name", type: "string" },
        { name: "Stage", type: "picklist" },
        { name: "Amount", type: "currency", precision: 18, scale: 2 },
        { name: "Count", type: "int", precision: 8 },
        { name: "Closed", type: "boolean" },
        { name: "CloseDate", type: "date" },
        { name: "Stamp", type: "datetime" },
        { name: "IsDeleted", type: "boolean" },
        { name: "SystemModstamp", type: "datetime" },
      ],
    });
    const day = (n: number) => new Date(Date.UTC(2026, 0, 1 + n)).toISOString().slice(0, 10);
    for (let n = 0; n < 180; n++) {
      org.upsert(
        "Deal__c",
        {
          Name: n % 7 === 0 ? null : NAMES[n % NAMES.length] || null,
          Stage: n % 5 === 0 ? null : (["Won", "won", "Lost"][n % 3] ?? null),
          Amount: n % 4 === 0 ? null : n % 9 === 0 ? new Digits("12345678901234.25") : (n % 11) / 4,
          Count: n % 6 === 0 ? null : n % 8,
          Closed: n % 2 === 0,
          CloseDate: n % 10 === 0 ? null : day(n % 9),
          Stamp: n % 3 === 0 ? null : Date.UTC(2026, 0, 1, n % 5),
        },
        clock.now() - 86_400_000,
      );
    }
    fake = await startSalesforceFake({ clock, org });
    const { source } = connect();
    schema = await source.describe("Deal__c", never());
    all = await rows(undefined);
    await source.close();
  });
  afterAll(() => fake.close());

  async function rows(filter: Filter | undefined): Promise<SourceRecord[]> {
    const { source } = connect();
    const fields = schema.fields.map((field) => field.name);
    const pages = await collect(source.read(await requestFor(source, "Deal__c", { fields, filter })));
    await source.close();
    return pages.flatMap((page) => [...page.records]);
  }

  const days = Array.from({ length: 10 }, (_, n) => `2026-01-${String(n + 1).padStart(2, "0")}`);
  const values: Readonly<Record<string, fc.Arbitrary<Value>>> = {
    Name: fc.constantFrom(...NAMES.filter((name) => name !== ""), "x", "n", "A"),
    Stage: fc.constantFrom("Won", "won", "Lost", "o"),
    Amount: fc.constantFrom<Value>(0, 0.25, 1, 2.5, -1, 12345678901234.25),
    Count: fc.integer({ min: -1, max: 8 }),
    Closed: fc.boolean(),
    CloseDate: fc.constantFrom(...days),
    Stamp: fc.integer({ min: 0, max: 5 }).map((hour) => `2026-01-01T0${hour}:00:00+01:00`),
  };
  const condition = fc.constantFrom(...Object.keys(values)).chain((field) => {
    const value = values[field] ?? fc.constant(null);
    const isText = field === "Name" || field === "Stage";
    const single = [
      "equals",
      "notEquals",
      ...(isText ? ["contains", "notContains", "startsWith", "endsWith"] : []),
    ];
    const ordered =
      field === "Closed" ? [] : ["greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals"];
    return fc
      .oneof(
        fc.record({ operator: fc.constantFrom(...single, ...ordered), value }),
        fc.record({
          operator: fc.constantFrom("in", "notIn"),
          value: fc.array(value, { minLength: 1, maxLength: 3 }),
        }),
        ...(field === "Closed"
          ? []
          : [
              fc.record({
                operator: fc.constant("between"),
                value: fc
                  .tuple(value, value)
                  .map((pair): Value[] => [...pair].sort((a, b) => (String(a) < String(b) ? -1 : 1))),
              }),
            ]),
        fc.record({ operator: fc.constantFrom("isNull", "isNotNull"), value: fc.constant(true) }),
      )
      .map(({ operator, value: given }) => ({ field, [operator]: given }));
  });
  const tree = fc.letrec<{ node: object }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 2 },
      { arbitrary: condition, weight: 4 },
      { arbitrary: fc.record({ all: fc.array(tie("node"), { minLength: 1, maxLength: 3 }) }), weight: 1 },
      { arbitrary: fc.record({ any: fc.array(tie("node"), { minLength: 1, maxLength: 3 }) }), weight: 2 },
      { arbitrary: fc.record({ not: tie("node") }), weight: 1 },
    ),
  })).node;

  it("for any filter", async () => {
    let pushed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 1, maxLength: 3 }), async (nodes) => {
        const loaded = project({
          "flows/a.yaml": flowText(`filter: ${JSON.stringify(nodes)}\nmap: [{ from: Id, to: id }]`),
        });
        const flow: Flow | undefined = loaded.flows.get("deals");
        // A few made-up conditions are no valid flow (a range from high to low).
        fc.pre(flow !== undefined);
        const plan = compileFlow({ flow, fields: schema.fields });
        const accepted = all
          .filter((record) => plan.process(record).kind === "mapped")
          .map((record) => record.Id);
        const got = await rows(flow.filter);
        if (got.length < all.length) pushed++;
        const ids = new Set(got.map((record) => record.Id));
        expect(accepted.filter((id) => !ids.has(id))).toEqual([]);
      }),
      { numRuns: 150 },
    );
    expect(pushed).toBeGreaterThan(30);
  });
});
