import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Digits, Org, recordId } from "./salesforce/index.js";
import { SoqlError } from "./salesforce/soql/error.js";
import { parseSoql } from "./salesforce/soql/parse.js";
import { bindWhere } from "./salesforce/soql/predicate.js";
import { prune } from "./salesforce/soql/prune.js";
import { runQuery } from "./salesforce/soql/select.js";

const clock = { now: () => Date.parse("2026-03-15T10:00:00Z") };
const at = (text: string) => Date.parse(text);
const id = (n: number) => recordId("001", n);

/** Six companies, one of them deleted, with every kind of field. */
function smallOrg(): Org {
  const org = new Org(clock);
  org.define({
    name: "User",
    keyPrefix: "005",
    fields: [
      { name: "Id", type: "id" },
      { name: "Name", type: "string" },
      { name: "SystemModstamp", type: "datetime" },
    ],
  });
  org.define({
    name: "Account",
    keyPrefix: "001",
    fields: [
      { name: "Id", type: "id" },
      { name: "IsDeleted", type: "boolean" },
      { name: "Name", type: "string" },
      { name: "OwnerId", type: "reference", referenceTo: ["User"], relationshipName: "Owner" },
      { name: "ParentId", type: "reference", referenceTo: ["Account"], relationshipName: "Parent" },
      { name: "Amount__c", type: "currency" },
      { name: "Big__c", type: "double", precision: 18, scale: 0 },
      { name: "Active__c", type: "boolean" },
      { name: "Founded__c", type: "date" },
      { name: "Seen__c", type: "datetime" },
      { name: "Opens__c", type: "time" },
      { name: "Tags__c", type: "multipicklist" },
      { name: "Description", type: "textarea", length: 32_000 },
      { name: "SystemModstamp", type: "datetime" },
    ],
  });
  org.define({
    name: "AccountChangeEvent",
    keyPrefix: "0K1",
    queryable: false,
    fields: [{ name: "Id", type: "id" }],
  });
  const ada = recordId("005", 1);
  org.table("User").insert(ada, at("2026-01-01T00:00:00Z"), { Name: "Ada" });
  const rows: readonly [string, Record<string, string | number | boolean | null | Digits>][] = [
    [
      "2026-01-01T00:00:00Z",
      {
        Name: "Acme",
        OwnerId: ada,
        Amount__c: 10,
        Big__c: new Digits("900719925474099301"),
        Active__c: true,
        Founded__c: "1999-12-31",
        Seen__c: at("2026-03-15T00:00:00Z"),
        Opens__c: "08:30:00.000Z",
        Tags__c: "A;B",
      },
    ],
    [
      "2026-01-02T00:00:00Z",
      {
        Name: "acme 100%",
        ParentId: id(0),
        Amount__c: 10.5,
        Big__c: new Digits("900719925474099302"),
        Active__c: false,
        Founded__c: "0999-01-01",
        Seen__c: at("2026-03-14T23:59:59Z"),
        Opens__c: "09:00:00.000Z",
        Tags__c: "B",
      },
    ],
    [
      "2026-01-02T00:00:00Z",
      { Name: 'O\'Brien \\ "Sons"', OwnerId: ada, Amount__c: null, Active__c: true, Tags__c: "A;B;C" },
    ],
    [
      "2026-01-02T00:00:00Z",
      { Name: "Ñandú\n二行", ParentId: id(1), Amount__c: -3, Active__c: false, Founded__c: "2026-02-28" },
    ],
    ["2026-01-03T00:00:00Z", { Name: null, Amount__c: 0, Active__c: false }],
    ["2026-01-04T00:00:00Z", { Name: "gone", Amount__c: 10, Active__c: true }],
  ];
  rows.forEach(([stamp, values], n) => {
    org.table("Account").insert(id(n), at(stamp), values);
  });
  org.delete("Account", [id(5)], at("2026-01-05T00:00:00Z"));
  return org;
}

function found(soql: string, all = false): number[] {
  const result = runQuery(smallOrg(), parseSoql(soql), all, "67.0", clock);
  const records: { Id: string }[] = JSON.parse(`[${result.page(0, result.total)}]`);
  expect(records).toHaveLength(result.total);
  return records.map((record) => [0, 1, 2, 3, 4, 5].findIndex((n) => id(n) === record.Id));
}

function refusal(soql: string): { code: string; message: string } {
  try {
    runQuery(smallOrg(), parseSoql(soql), false, "67.0", clock);
  } catch (error) {
    if (error instanceof SoqlError) return { code: error.errorCode, message: error.message };
    throw error;
  }
  throw new Error(`accepted: ${soql}`);
}

describe("SOQL conditions", () => {
  const cases: readonly (readonly [where: string, rows: number[]])[] = [
    ["Name = 'ACME'", [0]],
    ["Name != 'acme'", [1, 2, 3, 4]],
    ["Name <> 'acme'", [1, 2, 3, 4]],
    ["Name = null", [4]],
    ["Name = ''", [4]],
    ["Name != null", [0, 1, 2, 3]],
    ["Name LIKE 'acme%'", [0, 1]],
    ["Name LIKE 'acme 100\\%'", [1]],
    ["Name LIKE '%\\%'", [1]],
    ["Name LIKE 'acm_'", [0]],
    ["Name LIKE '%b_ien%'", [2]],
    ["(NOT Name LIKE 'acme%')", [2, 3, 4]],
    ["Name = 'O\\'Brien \\\\ \\\"Sons\\\"'", [2]],
    ["Name = 'ñandú\\n二行'", [3]],
    ["Name = '\\u00d1and\\u00FA\\n\\u4e8c\\u884c'", [3]],
    ["Name > 'acme' AND Name < 'b'", [1]],
    ["Name IN ('acme', 'GONE')", [0]],
    ["Name NOT IN ('acme')", [1, 2, 3, 4]],
    ["Name NOT IN ('acme', null)", [1, 2, 3]],
    ["Amount__c = 10", [0]],
    ["Amount__c >= 10.0", [0, 1]],
    ["Amount__c < 0", [3]],
    ["Amount__c = -3", [3]],
    ["Amount__c = 1.05e1", [1]],
    ["Amount__c IN (0, 10.5)", [1, 4]],
    ["Amount__c = null", [2]],
    ["Amount__c < 100", [0, 1, 3, 4]],
    ["Amount__c != 10", [1, 2, 3, 4]],
    ["Big__c = 900719925474099301", [0]],
    ["Big__c > 900719925474099301", [1]],
    ["Active__c = TRUE", [0, 2]],
    ["Active__c != true", [1, 3, 4]],
    ["Founded__c = 0999-01-01", [1]],
    ["Founded__c < 2000-01-01", [0, 1]],
    ["Founded__c >= 2026-02-28", [3]],
    ["Founded__c = LAST_MONTH", [3]],
    ["Seen__c = TODAY", [0]],
    ["Seen__c = YESTERDAY", [1]],
    ["Seen__c = LAST_N_DAYS:1", [0, 1]],
    ["Seen__c >= 2026-03-15T02:00:00+02:00", [0]],
    ["Opens__c < 09:00:00.000Z", [0]],
    ["Tags__c INCLUDES ('A')", [0, 2]],
    ["Tags__c INCLUDES ('A;C', 'x')", [2]],
    ["Tags__c EXCLUDES ('A')", [1, 3, 4]],
    ["Tags__c = 'a;b'", [0]],
    ["Owner.Name = 'ada'", [0, 2]],
    ["Owner.Name != 'ada'", [1, 3, 4]],
    ["Parent.Parent.Name = 'Acme'", [3]],
    [`Id = '${id(2).slice(0, 15)}'`, [2]],
    [`Id > '${id(2)}'`, [3, 4]],
    [`Id IN ('${id(0)}', '${id(4)}')`, [0, 4]],
    [`ParentId = '${id(0)}'`, [1]],
    ["SystemModstamp >= 2026-01-02T00:00:00Z AND SystemModstamp < 2026-01-03T00:00:00.000Z", [1, 2, 3]],
    [
      `(SystemModstamp = 2026-01-02T00:00:00Z AND Id > '${id(2)}') OR SystemModstamp > 2026-01-02T00:00:00Z`,
      [3, 4],
    ],
    [
      `SystemModstamp < 2026-01-03T00:00:00Z AND ((SystemModstamp = 2026-01-02T00:00:00Z AND Id > '${id(1)}') OR SystemModstamp > 2026-01-02T00:00:00Z)`,
      [2, 3],
    ],
    ["NOT SystemModstamp = 2026-01-02T00:00:00Z", [0, 4]],
    ["IsDeleted = true", []],
    ["Amount__c = 10 OR (Amount__c = 0 AND (NOT Active__c = true))", [0, 4]],
  ];
  it.each(cases)("%s", (where, rows) => {
    expect(found(`SELECT Id FROM Account WHERE ${where} ORDER BY Id`)).toEqual(rows);
  });

  it("shows deleted rows to queryAll only", () => {
    expect(found("SELECT Id FROM Account WHERE Amount__c = 10 ORDER BY Id", true)).toEqual([0, 5]);
    expect(found("select id from ACCOUNT where isdeleted = true", true)).toEqual([5]);
  });
});

describe("SOQL order, limit, offset", () => {
  const cases: readonly (readonly [clause: string, rows: number[]])[] = [
    ["ORDER BY Amount__c", [2, 3, 4, 0, 1]],
    ["ORDER BY Amount__c NULLS LAST", [3, 4, 0, 1, 2]],
    ["ORDER BY Amount__c DESC", [2, 1, 0, 4, 3]],
    ["ORDER BY Amount__c DESC NULLS LAST", [1, 0, 4, 3, 2]],
    ["ORDER BY Active__c DESC, Name ASC", [0, 2, 4, 1, 3]],
    ["ORDER BY SystemModstamp DESC, Id DESC", [4, 3, 2, 1, 0]],
    ["ORDER BY SystemModstamp, Id LIMIT 3", [0, 1, 2]],
    ["ORDER BY Id LIMIT 2 OFFSET 1", [1, 2]],
    ["ORDER BY Owner.Name DESC NULLS LAST, Id DESC LIMIT 3", [2, 0, 4]],
    ["LIMIT 0", []],
  ];
  it.each(cases)("%s", (clause, rows) => {
    expect(found(`SELECT Id FROM Account ${clause}`)).toEqual(rows);
  });
});

describe("SOQL records", () => {
  it("nest parents, keep the order of the query, use canonical names and bare digits", () => {
    const soql =
      "SELECT Big__c, name, Owner.Name, Parent.Name, Owner.Id, Amount__c, SystemModstamp FROM Account ORDER BY Id LIMIT 2";
    const page = runQuery(smallOrg(), parseSoql(soql), false, "67.0", clock).page(0, 2).toString();
    const attributes = (type: string, of: string) =>
      `"attributes":{"type":"${type}","url":"/services/data/v67.0/sobjects/${type}/${of}"}`;
    expect(page).toBe(
      `{${attributes("Account", id(0))},"Big__c":900719925474099301,"Name":"Acme","Owner":{${attributes("User", recordId("005", 1))},"Name":"Ada","Id":"${recordId("005", 1)}"},"Parent":null,"Amount__c":10.0,"SystemModstamp":"2026-01-01T00:00:00.000+0000"},` +
        `{${attributes("Account", id(1))},"Big__c":900719925474099302,"Name":"acme 100%","Owner":null,"Parent":{${attributes("Account", id(0))},"Name":"Acme"},"Amount__c":10.5,"SystemModstamp":"2026-01-02T00:00:00.000+0000"}`,
    );
  });

  it("counts", () => {
    const result = runQuery(smallOrg(), parseSoql("SELECT COUNT() FROM Account"), false, "67.0", clock);
    expect([result.countOnly, result.total]).toEqual([true, 5]);
  });
});

describe("SOQL refusals", () => {
  const cases: readonly (readonly [soql: string, code: string, words: string])[] = [
    ["SELECT Id, Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'."],
    ["SELECT Id FROM Nothing__c", "INVALID_TYPE", "sObject type 'Nothing__c' is not supported."],
    [
      "SELECT Id FROM AccountChangeEvent",
      "INVALID_TYPE_FOR_OPERATION",
      "entity type AccountChangeEvent does not support query",
    ],
    [
      "SELECT Id, Boss.Name FROM Account",
      "INVALID_FIELD",
      "Didn't understand relationship 'Boss' in field path.",
    ],
    ["SELECT Id, Id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"],
    [
      "SELECT Id FROM Account WHERE Description = 'x'",
      "INVALID_FIELD",
      "field 'Description' can not be filtered in a query call",
    ],
    [
      "SELECT Id FROM Account ORDER BY Description",
      "INVALID_FIELD",
      "field 'Description' can not be sorted in a query call",
    ],
    [
      "SELECT Id FROM Account WHERE SystemModstamp > '2026-01-01T00:00:00Z'",
      "INVALID_FIELD",
      "must be of type dateTime and should not be enclosed in quotes",
    ],
    [
      "SELECT Id FROM Account WHERE Founded__c = '2026-01-01'",
      "INVALID_FIELD",
      "must be of type date and should not be enclosed in quotes",
    ],
    ["SELECT Id FROM Account WHERE SystemModstamp > 2026-01-01", "INVALID_FIELD", "must be of type dateTime"],
    [
      "SELECT Id FROM Account WHERE Name = 5",
      "INVALID_FIELD",
      "must be of type string and should be enclosed in quotes",
    ],
    [
      "SELECT Id FROM Account WHERE Amount__c = '5'",
      "INVALID_FIELD",
      "must be of type double and should not be enclosed in quotes",
    ],
    ["SELECT Id FROM Account WHERE Active__c = 'true'", "INVALID_FIELD", "must be of type boolean"],
    [
      "SELECT Id FROM Account WHERE Active__c > true",
      "INVALID_QUERY_FILTER_OPERATOR",
      "invalid operator on boolean field",
    ],
    ["SELECT Id FROM Account WHERE Name INCLUDES ('x')", "INVALID_QUERY_FILTER_OPERATOR", "multipicklist"],
    [
      "SELECT Id FROM Account WHERE Amount__c LIKE '1%'",
      "INVALID_QUERY_FILTER_OPERATOR",
      "invalid operator on currency field",
    ],
    [
      "SELECT Id FROM Account WHERE Id = 'nonsense'",
      "INVALID_QUERY_FILTER_OPERATOR",
      "invalid ID field: nonsense",
    ],
    [
      `SELECT Id FROM Account WHERE Id = '${id(1).slice(0, 15)}ZZZ'`,
      "INVALID_QUERY_FILTER_OPERATOR",
      "invalid ID field",
    ],
    ["SELECT Id FROM Account WHERE Founded__c = 2026-02-30", "MALFORMED_QUERY", "2026-02-30"],
    ["SELECT Id FROM Account WHERE Name = 'a\\d'", "MALFORMED_QUERY", "Illegal character sequence '\\d'"],
    ["SELECT Id FROM Account WHERE Name = 'a\\u12'", "MALFORMED_QUERY", "\\u12"],
    ["SELECT Id FROM Account WHERE Name = 'open", "MALFORMED_QUERY", "unterminated string"],
    [
      "SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'",
      "MALFORMED_QUERY",
      "unexpected token: 'OR'",
    ],
    [
      "SELECT Id FROM Account WHERE Name = 'a' AND NOT Name = 'b'",
      "MALFORMED_QUERY",
      "unexpected token: 'NOT'",
    ],
    ["SELECT Id FROM Account WHERE Name IS NULL", "MALFORMED_QUERY", "unexpected token: 'IS'"],
    ["SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"],
    ["SELECT Id FROM Account WHERE Name IN ()", "MALFORMED_QUERY", "unexpected token: ')'"],
    ["SELECT * FROM Account", "MALFORMED_QUERY", "no viable alternative at character '*'"],
    ["SELECT Id FROM Account; DROP", "MALFORMED_QUERY", "no viable alternative at character ';'"],
    [
      "SELECT Id FROM Account WHERE SystemModstamp > 2026-01-01T00:00:00 02:00",
      "MALFORMED_QUERY",
      "line 1:65 no viable alternative at character ' '",
    ],
    ["SELECT Id FROM Account LIMIT -1", "MALFORMED_QUERY", "unexpected token: '-1'"],
    ["SELECT Id FROM Account GROUP BY Name", "MALFORMED_QUERY", "unexpected token: 'GROUP'"],
    ["SELECT Id FROM Account LIMIT 1 ORDER BY Id", "MALFORMED_QUERY", "unexpected token: 'ORDER'"],
    ["SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"],
    ["FORM Account", "MALFORMED_QUERY", "unexpected token: 'FORM'"],
  ];
  it.each(cases)("%s", (soql, code, words) => {
    const refused = refusal(soql);
    expect([refused.code, refused.message]).toEqual([code, expect.stringContaining(words)]);
  });

  it("points at row and column, with a caret below", () => {
    expect(refusal("SELECT Id,\n  Foo FROM Account").message).toMatch(
      /^\n {2}Foo FROM Account\n {2}\^\nERROR at Row:2:Column:3\nNo such column 'Foo'/,
    );
  });

  it("hides fields that field-level security took away", () => {
    const org = smallOrg();
    org.hideField("Account", "Amount__c");
    expect(() => runQuery(org, parseSoql("SELECT Amount__c FROM Account"), false, "67.0", clock)).toThrow(
      "No such column",
    );
  });
});

describe("the index", () => {
  it("never loses or adds a row, whatever the condition (against a test of every row)", () => {
    const org = new Org(clock);
    org.define({
      name: "T",
      keyPrefix: "001",
      fields: [
        { name: "Id", type: "id" },
        { name: "N", type: "int" },
        { name: "SystemModstamp", type: "datetime" },
      ],
    });
    const table = org.table("T");
    const second = (n: number) => `2026-01-01T00:00:0${n}Z`;
    for (let n = 0; n < 60; n++)
      table.insert(recordId("001", (n * 37) % 60), at(second((n * 7) % 9)), { N: n % 4 });
    const operator = fc.constantFrom("=", "!=", "<", "<=", ">", ">=");
    const leaf = fc.oneof(
      fc.tuple(operator, fc.nat(9)).map(([op, n]) => `SystemModstamp ${op} ${second(n)}`),
      fc.tuple(operator, fc.nat(61)).map(([op, n]) => `Id ${op} '${recordId("001", n)}'`),
      fc.tuple(operator, fc.nat(4)).map(([op, n]) => `N ${op} ${n}`),
    );
    const { tree } = fc.letrec<{ tree: string }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        leaf,
        fc.tuple(tie("tree"), tie("tree")).map(([a, b]) => `(${a}) AND (${b})`),
        fc.tuple(tie("tree"), tie("tree")).map(([a, b]) => `(${a}) OR (${b})`),
        tie("tree").map((a) => `NOT (${a})`),
      ),
    }));
    fc.assert(
      fc.property(tree, (where) => {
        const query = parseSoql(`SELECT Id FROM T WHERE ${where} ORDER BY SystemModstamp, Id`);
        const predicate = bindWhere(org, table, query, clock);
        if (predicate === undefined) throw new Error("no condition");
        const rows = table.ordered();
        const expected = rows.filter((row) => predicate.test(row)).map((row) => row.id);
        const order = {
          length: rows.length,
          stampAt: (n: number) => rows[n]?.stamp ?? 0,
          idAt: (n: number) => rows[n]?.id ?? "",
          idsAscend: false,
        };
        const pruned = prune(predicate, order, { from: 0, to: rows.length });
        const inside = pruned.intervals.flatMap(({ from, to }) => rows.slice(from, to));
        const kept = pruned.exact ? inside : inside.filter((row) => predicate.test(row));
        expect(kept.map((row) => row.id)).toEqual(expected);
        const result = runQuery(org, query, false, "67.0", clock);
        const records: { Id: string }[] = JSON.parse(`[${result.page(0, result.total)}]`);
        expect(records.map((record) => record.Id)).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });

  it("answers a keyset window without testing rows", () => {
    const org = smallOrg();
    const table = org.table("Account");
    const query = parseSoql(
      `SELECT Id FROM Account WHERE SystemModstamp >= 2026-01-01T00:00:00Z AND SystemModstamp < 2026-01-04T00:00:00Z AND ((SystemModstamp = 2026-01-02T00:00:00Z AND Id > '${id(1)}') OR SystemModstamp > 2026-01-02T00:00:00Z)`,
    );
    const predicate = bindWhere(org, table, query, clock);
    if (predicate === undefined) throw new Error("no condition");
    const rows = table.ordered();
    const order = {
      length: rows.length,
      stampAt: (n: number) => rows[n]?.stamp ?? 0,
      idAt: (n: number) => rows[n]?.id ?? "",
      idsAscend: false,
    };
    expect(prune(predicate, order, { from: 0, to: rows.length })).toEqual({
      intervals: [{ from: 2, to: 5 }],
      exact: true,
    });
  });

  it("follows rows as they move", () => {
    const org = smallOrg();
    const ids = () => {
      const result = runQuery(
        org,
        parseSoql("SELECT Id FROM Account ORDER BY SystemModstamp, Id"),
        false,
        "67.0",
        clock,
      );
      const records: { Id: string }[] = JSON.parse(`[${result.page(0, result.total)}]`);
      return records.map((record) => [0, 1, 2, 3, 4, 5].findIndex((n) => id(n) === record.Id));
    };
    expect(ids()).toEqual([0, 1, 2, 3, 4]);
    org.touch("Account", [id(0), id(2)], {}, at("2026-01-03T00:00:00.900Z"));
    expect(ids()).toEqual([1, 3, 0, 2, 4]);
    org.purge("Account", [id(3)]);
    org.undelete("Account", [id(5)], at("2026-01-01T00:00:00Z"));
    expect(ids()).toEqual([5, 1, 0, 2, 4]);
  });
});
