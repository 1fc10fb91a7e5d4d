import { describe, expect, test } from "vitest";
import { sourceNames, sourcePaths } from "../../../core/flow/index.js";
import { flowText, plan, project } from "./project.js";
import { FIELDS, problemsOf } from "./steps.js";

describe("compileFlow refuses", () => {
  test.each([
    [
      "filter: [{ field: Amont, equals: 1 }]",
      [
        'flows/a.yaml:3:19 filter[0].field: the stream Opportunity has no field "Amont" (did you mean "Amount"?)',
      ],
    ],
    [
      "filter: [{ field: Owner.Nam, isNull: true }]",
      [
        'flows/a.yaml:3:19 filter[0].field: the stream Opportunity has no field "Owner.Nam" (did you mean "Owner.Name"?)',
      ],
    ],
    [
      "filter: [{ field: Amount, equals: x }]",
      ['flows/a.yaml:3:35 filter[0].equals: expected a number, since Amount is of type decimal, found "x"'],
    ],
    [
      "filter: [{ field: Name, in: [a, 5] }]",
      [
        "flows/a.yaml:3:29 filter[0].in: expected a text in quotes, since Name is of type string, found the number 5",
      ],
    ],
    [
      "filter: [{ field: Amount, contains: x }]",
      ["flows/a.yaml:3:37 filter[0].contains: expected a text field for contains, Amount is of type decimal"],
    ],
    [
      "filter: [{ field: Closed, greaterThan: true }]",
      [
        "flows/a.yaml:3:40 filter[0].greaterThan: expected equals or notEquals: Closed is true or false and has no order",
      ],
    ],
    [
      "filter: [{ field: Stamp, greaterThan: yesterday }]",
      [
        'flows/a.yaml:3:39 filter[0].greaterThan: expected a timestamp such as 2026-10-01T00:00:00Z, since Stamp is of type timestamp, found "yesterday"',
      ],
    ],
    [
      "map: [{ from: Id, to: a }, { from: Name, to: a }]",
      ['flows/a.yaml:3:46 map[1].to: the mapped field "a" is also made at flows/a.yaml:3:23'],
    ],
    [
      'map: ["*", { from: Id, to: id }]',
      [
        'flows/a.yaml:3:28 map[1].to: the mapped fields "Id" and "id" differ only in case, which most sinks take for one column: drop or rename one',
      ],
    ],
    [
      "map: [{ from: Id, to: a }, { drop: b }]",
      ['flows/a.yaml:3:36 map[1].drop: there is no mapped field "b" before this entry (valid: a)'],
    ],
    [
      "map: [{ from: Id, to: a }, { drop: a }]",
      ["flows/a.yaml:3:7 map[0]: expected at least one mapped field: nothing is left to load"],
    ],
    [
      "map: [{ from: Id, to: _sluice_order }]",
      ['flows/a.yaml:3:23 map[0].to: the name "_sluice_order" is reserved: choose another one in "to"'],
    ],
    [
      "map: [{ from: [Id, Amount], arithmetic: add, to: a }]",
      ["flows/a.yaml:3:7 map[0]: expected number fields for arithmetic, Id is of type string"],
    ],
    [
      "map: [{ from: CloseDate, type: integer, to: a }]",
      [
        "flows/a.yaml:3:7 map[0]: expected another type: date cannot become integer (CloseDate is of type date)",
      ],
    ],
    [
      "map: [{ value: x, type: integer, to: a }]",
      ['flows/a.yaml:3:7 map[0]: expected an integer within 64 bits, found "x"'],
    ],
    [
      "map: [{ from: Id, to: a }]\nvalidate: [{ field: Id, rule: notNull }]",
      ['flows/a.yaml:4:21 validate[0].field: there is no mapped field "Id" (it is mapped to "a")'],
    ],
    [
      "map: [{ from: Id, to: a }]\nvalidate: [{ field: a, rule: notZero }]",
      ["flows/a.yaml:4:12 validate[0]: expected a number field for rule notZero, a is of type string"],
    ],
  ])("%s", (middle, expected) => {
    expect(problemsOf(middle)).toEqual(expected);
  });

  test("all problems at once, and a sink key that no entry maps", () => {
    const sinks =
      "sinks: [{ connection: warehouse, table: t, write: upsert, key: [opportunity_id, kind] }]\n";
    expect(
      problemsOf(
        "filter: [{ field: Nope, isNull: true }]\nmap: [{ from: Ids, to: opportunityid }, { from: Nam, to: kind }]",
        sinks,
      ),
    ).toEqual([
      expect.stringContaining('no field "Nope"'),
      expect.stringContaining('no field "Ids"'),
      expect.stringContaining('no field "Nam" (did you mean "Name"?)'),
      'flows/a.yaml:5:65 sinks[0].key[0]: there is no mapped field "opportunity_id" (did you mean "opportunityid"?)',
    ]);
  });
});

describe("names a flow uses", () => {
  test("sourceNames and sourcePaths", () => {
    const middle =
      'filter: [{ any: [{ field: Owner.Email, isNull: true }, { not: { field: Amount, equals: 1 } }] }]\nmap: ["*", { from: [Name, Owner.Name], join: "", to: n }, { from: Address.city, to: c }]';
    const flow = project({ "flows/a.yaml": flowText(middle) }).flows.get("deals");
    expect(flow && sourceNames(flow)).toEqual({
      names: ["Owner.Email", "Amount", "Name", "Owner.Name", "Address.city"],
      all: true,
    });
    expect(flow && sourcePaths(flow)).toEqual(["Owner.Email", "Owner.Name", "Address.city"]);
    expect(flow && sourcePaths(flow, FIELDS)).toEqual(["Owner.Email"]);
  });

  test("schemaId follows names and types of the columns, not the order of other keys", () => {
    const idOf = (middle: string) => plan(middle, FIELDS).schemaId;
    expect(idOf("map: [{ from: Id, to: a }]")).toBe(idOf("map: [{ from: Email, to: a }]"));
    expect(idOf("map: [{ from: Id, to: a }]")).not.toBe(idOf("map: [{ from: Count, to: a }]"));
    expect(idOf("map: [{ from: Id, to: a }]")).toMatch(/^[0-9a-f]{12}$/);
  });
});
