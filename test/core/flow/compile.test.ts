import { describe, expect, test } from "vitest";
import { ConfigError, ExactNumber, type Field, type Value } from "../../../core/contracts/index.js";
import { compileFlow, sourceNames, sourcePaths } from "../../../core/flow/index.js";
import { flowText, plan, project } from "./project.js";

const FIELDS: readonly Field[] = [
  { name: "Id", type: "string", length: 18 },
  { name: "Name", type: "string", length: 80 },
  { name: "Email", type: "string" },
  { name: "Amount", type: "decimal", precision: 18, scale: 2 },
  { name: "Probability", type: "double" },
  { name: "Count", type: "integer" },
  { name: "Big", type: "integer" },
  { name: "Closed", type: "boolean" },
  { name: "CloseDate", type: "date" },
  { name: "Stamp", type: "timestamp" },
  { name: "Address", type: "json" },
  { name: "Owner.Name", type: "string" },
];

const exact = (text: string) => new ExactNumber(text);

/** The mapped record as the line that goes to the sink, or what became of it instead. */
function outcome(middle: string, record: Record<string, Value>, sinks?: string): unknown {
  const made = plan(middle, FIELDS, sinks);
  const result = made.process(record);
  if (result.kind === "mapped") return made.stringify(result.record);
  if (result.kind === "filtered") return "filtered";
  const { stage, rule, reason, action } = result.rejection;
  return `${action} ${stage}: ${rule}: ${reason}`;
}

/** Runs one map entry and gives the text of its value in the line. */
function mapped(entry: string, record: Record<string, Value>): unknown {
  const line = outcome(`map: [${entry}]`, record);
  return typeof line === "string" && line.startsWith('{"x":') ? line.slice(5, -1) : line;
}

function problemsOf(middle: string, sinks?: string): string[] {
  const loaded = project({ "flows/a.yaml": flowText(middle, sinks) }, { PEPPER: "pepper" });
  const flow = loaded.flows.get("deals");
  if (flow === undefined) throw new Error(JSON.stringify(loaded.problems));
  try {
    compileFlow({ flow, fields: FIELDS });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.code).toBe("FLOW_INVALID");
    expect(error.place).toMatch(/^flows\/a\.yaml:\d+:\d+$/);
    return error.message.split("\n");
  }
}

describe("map", () => {
  test('left out, it means "*": every field, null where missing, unknown keys dropped', () => {
    expect(outcome("", { attributes: { type: "Opportunity" }, Id: "1", Owner: { Name: "Ann" } })).toBe(
      '{"Id":"1","Name":null,"Email":null,"Amount":null,"Probability":null,"Count":null,"Big":null,' +
        '"Closed":null,"CloseDate":null,"Stamp":null,"Address":null,"Owner.Name":"Ann"}',
    );
  });

  test('a path that the flow names is no part of "*"', () => {
    const made = plan('map: ["*", { from: Owner.Name, to: owner }]', FIELDS);
    expect(made.schema.fields.map((field) => field.name)).toEqual([
      ...FIELDS.map((field) => field.name).filter((name) => name !== "Owner.Name"),
      "owner",
    ]);
  });

  test("overrides keep the column's position, drop removes it, and only what is used is asked for", () => {
    const middle = `map:
  - "*"
  - { drop: [Name, Address, Amount, Probability, Count, Big, Closed, CloseDate, Stamp, Owner.Name] }
  - { from: Id, truncate: 2 }
  - { from: Email, to: mail }
  - { drop: Email }
`;
    const made = plan(middle, FIELDS);
    expect(made.schema.fields).toEqual([
      { name: "Id", type: "string", length: 2 },
      { name: "mail", type: "string" },
    ]);
    expect(made.sourceFields).toEqual(["Id", "Email"]);
    expect(outcome(middle, { Id: "12345", Email: "a@b" })).toBe('{"Id":"12","mail":"a@b"}');
  });

  test.each([
    ["{ from: Owner.Name, to: x }", { Owner: { Name: "Ann" } }, '"Ann"'],
    ["{ from: Owner.Name, to: x }", { Owner: null }, "null"],
    ["{ from: Owner.Name, to: x }", {}, "null"],
    ["{ from: Owner.Name, to: x }", { Owner: "005" }, "null"],
    ["{ from: Owner.Name, to: x }", { "Owner.Name": "flat" }, '"flat"'],
    ["{ from: Address.geo.lat, to: x }", { Address: { geo: { lat: 1.5 } } }, "1.5"],
    ["{ from: Address.lines.1, to: x }", { Address: { lines: ["a", "b"] } }, '"b"'],
    ["{ from: Address.constructor, to: x }", { Address: {} }, "null"],
  ] as [string, Record<string, Value>, string][])("path: %s of %j -> %s", (entry, record, expected) => {
    expect(mapped(entry, record)).toBe(expected);
  });

  test.each([
    ['{ from: [Name, Email], join: " ", to: x }', { Name: "Ann", Email: "a@b" }, '"Ann a@b"'],
    ['{ from: [Name, Email], join: " ", to: x }', { Name: null, Email: "a@b" }, '"a@b"'],
    ['{ from: [Name, Email], join: " ", to: x }', { Name: "", Email: "a@b" }, '" a@b"'],
    ['{ from: [Name, Email], join: " ", to: x }', {}, "null"],
    [
      '{ from: [Name, Count, Closed], join: "/", to: x }',
      { Name: "a", Count: 1, Closed: true },
      '"a/1/true"',
    ],
    ["{ from: Email, mask: all, to: x }", { Email: "a😀b" }, '"***"'],
    ["{ from: Email, mask: { first: 2 }, to: x }", { Email: "a😀b" }, '"**b"'],
    ["{ from: Email, mask: { last: 2 }, to: x }", { Email: "a😀b" }, '"a**"'],
    ["{ from: Email, mask: { last: 9 }, to: x }", { Email: "ab" }, '"**"'],
    ["{ from: Email, mask: all, to: x }", { Email: null }, "null"],
    ["{ from: Email, mask: all, to: x }", { Email: "" }, '""'],
    ["{ from: Count, mask: { first: 2 }, to: x }", { Count: 12345 }, '"**345"'],
    ["{ from: Big, mask: { last: 2 }, to: x }", { Big: exact("9007199254740993") }, '"90071992547409**"'],
    ["{ from: Closed, mask: { first: 1 }, to: x }", { Closed: true }, '"*rue"'],
    ["{ from: Address, mask: { last: 3 }, to: x }", { Address: { a: 1 } }, '"{\\"a\\"***"'],
    ["{ from: Name, truncate: 2, to: x }", { Name: "a😀b" }, '"a😀"'],
    ["{ from: Name, truncate: 9, to: x }", { Name: "a😀b" }, '"a😀b"'],
    ["{ from: Count, truncate: 2, to: x }", { Count: 123 }, '"12"'],
    ["{ from: Name, to: x }", { Name: "lone \ud800 surrogate" }, '"lone \ufffd surrogate"'],
    ["{ from: Name, mask: { first: 1 }, to: x }", { Name: "\ud800b" }, '"*b"'],
    [
      '{ from: Email, hash: { secret: "${env:PEPPER}" }, to: x }',
      { Email: "a@b" },
      // printf 'a@b' | openssl dgst -sha256 -hmac pepper
      '"7eab4270860abfacc1ad6889ad01f3e03208a6b5409c67581e226de9a37249f6"',
    ],
    ["{ value: salesforce, to: x }", {}, '"salesforce"'],
    ["{ value: 12345678901234567890123, to: x }", {}, "12345678901234567890123"],
    ["{ value: 1.50, to: x }", {}, "1.5"],
    ["{ value: true, to: x }", {}, "true"],
    ['{ value: "2026-10-01", type: timestamp, to: x }', {}, '"2026-10-01T00:00:00.000Z"'],
  ] as [string, Record<string, Value>, string][])("%s of %j -> %s", (entry, record, expected) => {
    expect(mapped(entry, record)).toBe(expected);
  });
});

describe("arithmetic", () => {
  test.each([
    [
      "{ from: [Amount, Probability], arithmetic: multiply, to: x }",
      { Amount: 0.1, Probability: 0.2 },
      "0.02",
    ],
    ["{ from: [Amount, Probability], arithmetic: add, to: x }", { Amount: 0.1, Probability: 0.2 }, "0.3"],
    [
      "{ from: [Count, Big], arithmetic: add, to: x }",
      { Count: 1, Big: exact("9007199254740993") },
      "9007199254740994",
    ],
    [
      "{ from: [Count, Big], arithmetic: add, to: x }",
      { Count: 1, Big: exact("9223372036854775806") },
      "9223372036854775807",
    ],
    ["{ from: [Count, Count, Count], arithmetic: subtract, to: x }", { Count: 5 }, "-5"],
    ["{ from: [Count, Big], arithmetic: multiply, to: x }", { Count: 0, Big: 4 }, "0"],
    ["{ from: [Count, Amount], arithmetic: divide, to: x }", { Count: 10, Amount: 4 }, "2.5"],
    ["{ from: [Count, Amount], arithmetic: divide, to: x }", { Count: 1, Amount: 3 }, `0.${"3".repeat(38)}`],
    [
      "{ from: [Count, Amount], arithmetic: divide, to: x }",
      { Count: -2, Amount: 3 },
      `-0.${"6".repeat(37)}7`,
    ],
    ["{ from: [Count, Amount], arithmetic: add, to: x }", { Count: 1, Amount: null }, "null"],
    ["{ from: [Count, Amount], arithmetic: add, type: string, to: x }", { Count: 1, Amount: 1.5 }, '"2.5"'],
    [
      "{ from: [Count, Amount], arithmetic: divide, to: x }",
      { Count: 1, Amount: 0 },
      "deadLetter map: arithmetic divide on x: x: division by zero",
    ],
    [
      "{ from: [Big, Big], arithmetic: multiply, to: x }",
      { Big: exact("9223372036854775807") },
      "deadLetter map: arithmetic multiply on x: x: the result is not an integer within 64 bits",
    ],
  ] as [string, Record<string, Value>, string][])("%s of %j -> %s", (entry, record, expected) => {
    expect(mapped(entry, record)).toBe(expected);
  });

  test("types: integers stay integers, a double makes a double, decimals add up their scales", () => {
    const typeOf = (entry: string) => plan(`map: [${entry}]`, FIELDS).schema.fields[0];
    expect(typeOf("{ from: [Count, Big], arithmetic: multiply, to: x }")).toEqual({
      name: "x",
      type: "integer",
    });
    expect(typeOf("{ from: [Count, Probability], arithmetic: add, to: x }")).toEqual({
      name: "x",
      type: "double",
    });
    expect(typeOf("{ from: [Amount, Amount], arithmetic: multiply, to: x }")).toMatchObject({
      type: "decimal",
      scale: 4,
    });
    expect(typeOf("{ from: [Count, Big], arithmetic: divide, to: x }")).toMatchObject({
      type: "decimal",
      scale: 9,
    });
  });
});

describe("values fit their type", () => {
  test.each([
    ["Count", 3.0, "3"],
    ["Count", exact("3.0"), "3"],
    ["Count", exact("-9223372036854775808"), "-9223372036854775808"],
    ["Count", 3.5, "rejected: Count is 3.5, expected an integer within 64 bits"],
    ["Count", "3", 'rejected: Count is "3", expected an integer within 64 bits'],
    ["Count", true, "rejected: Count is true, expected an integer within 64 bits"],
    ["Count", 1e20, "rejected: Count is 100000000000000000000, expected an integer within 64 bits"],
    [
      "Count",
      exact("9223372036854775808"),
      "rejected: Count is 9223372036854775808, expected an integer within 64 bits",
    ],
    ["Count", exact("1e999999999"), "rejected: Count is 1e999999999, expected an integer within 64 bits"],
    ["Amount", 12.5, "12.5"],
    ["Amount", 1e-7, "0.0000001"],
    ["Amount", exact("1234567890123456.78"), "1234567890123456.78"],
    ["Amount", exact("12E+3"), "12000"],
    ["Amount", 1e16, "rejected: Amount is 10000000000000000, expected a decimal(18,2)"],
    ["Amount", exact("9999999999999999.994"), "9999999999999999.994"],
    [
      "Amount",
      exact("9999999999999999.995"),
      "rejected: Amount is 9999999999999999.995, expected a decimal(18,2)",
    ],
    ["Amount", "12.5", 'rejected: Amount is "12.5", expected a decimal(18,2)'],
    ["Probability", exact("0.12345678901234567890"), "0.12345678901234568"],
    ["Probability", exact("1e400"), "rejected: Probability is 1e400, expected a number"],
    ["Name", 5, '"5"'],
    ["Name", 1e21, '"1000000000000000000000"'],
    ["Name", exact("9007199254740993"), '"9007199254740993"'],
    ["Name", false, '"false"'],
    ["Name", { a: exact("1.10") }, '"{\\"a\\":1.10}"'],
    ["Closed", "true", 'rejected: Closed is "true", expected true or false'],
    ["CloseDate", "2024-02-29", '"2024-02-29"'],
    ["CloseDate", "0999-12-31", '"0999-12-31"'],
    ["CloseDate", "2026-02-30", 'rejected: CloseDate is "2026-02-30", expected a date'],
    ["CloseDate", "2026-10-01T00:00:00Z", 'rejected: CloseDate is "2026-10-01T00:00:00Z", expected a date'],
    ["Stamp", "2026-10-01T12:00:00.000+0000", '"2026-10-01T12:00:00.000Z"'],
    ["Stamp", "2026-10-01T12:00:00.123456Z", '"2026-10-01T12:00:00.123456Z"'],
    ["Stamp", "2026-10-01T12:00:00.120000+02:00", '"2026-10-01T10:00:00.120Z"'],
    ["Stamp", "2026-10-01 23:30-0100", '"2026-10-02T00:30:00.000Z"'],
    ["Stamp", "2026-10-01", '"2026-10-01T00:00:00.000Z"'],
    ["Stamp", "2026-10-01T12:00:00.123456789Z", '"2026-10-01T12:00:00.123456Z"'],
    [
      "Stamp",
      "2026-02-30T00:00:00.000+0000",
      'rejected: Stamp is "2026-02-30T00:00:00.000+0000", expected a timestamp',
    ],
    [
      "Stamp",
      "2026-10-01T24:00:00.000Z",
      'rejected: Stamp is "2026-10-01T24:00:00.000Z", expected a timestamp',
    ],
    [
      "Stamp",
      "0001-01-01T00:00:00+01:00",
      'rejected: Stamp is "0001-01-01T00:00:00+01:00", expected a timestamp',
    ],
    ["Stamp", 1_700_000_000, "rejected: Stamp is 1700000000, expected a timestamp"],
    [
      "Address",
      { text: exact("9007199254740993"), "\ud800": ["\udc00"] },
      '{"text":9007199254740993,"\ufffd":["\ufffd"]}',
    ],
    ["Address", [], "[]"],
    ["Address", "plain", '"plain"'],
  ] as [string, Value, string][])("%s: %j -> %s", (name, value, expected) => {
    const type = FIELDS.find((field) => field.name === name)?.type;
    expect(mapped(`{ from: ${name}, to: x }`, { [name]: value })).toBe(
      expected.replace(/^rejected/, `deadLetter map: type ${type} on ${name}`),
    );
  });

  test("a value that nests too deep to be written is rejected, whatever its depth", () => {
    let deep: Value = 1;
    for (let depth = 0; depth < 100_000; depth++) deep = [deep];
    for (const name of ["Address", "Name"])
      expect(mapped(`{ from: ${name}, to: x }`, { [name]: deep })).toContain("a value that nests too deep");
  });
});

describe("type: conversions", () => {
  test.each([
    ["Name", "integer", " 42 ", "42"],
    ["Name", "integer", "0.0", "0"],
    ["Name", "integer", "4e2", "400"],
    ["Name", "integer", "x", 'rejected: x: "x" cannot become an integer within 64 bits'],
    ["Name", "integer", "", 'rejected: x: "" cannot become an integer within 64 bits'],
    ["Amount", "integer", 3, "3"],
    ["Amount", "integer", 3.2, "rejected: x: 3.2 cannot become an integer within 64 bits"],
    ["Closed", "integer", true, "1"],
    ["Name", "decimal", "12345678901234567890.123", "12345678901234567890.123"],
    ["Name", "double", "1e3", "1000"],
    ["Big", "double", exact("9007199254740993"), "9007199254740992"],
    ["Name", "boolean", "TRUE", "true"],
    ["Name", "boolean", "0", "false"],
    ["Count", "boolean", 1, "true"],
    ["Count", "boolean", 2, "rejected: x: 2 cannot become true or false"],
    ["Stamp", "date", "2026-10-01T23:30:00.000-0100", '"2026-10-02"'],
    ["Name", "date", "2026-10-01", '"2026-10-01"'],
    ["Name", "date", "01.10.2026", 'rejected: x: "01.10.2026" cannot become a date'],
    ["CloseDate", "timestamp", "2026-10-01", '"2026-10-01T00:00:00.000Z"'],
    ["Name", "timestamp", "2026-10-01T12:00:00+02:00", '"2026-10-01T10:00:00.000Z"'],
    ["Name", "json", '{"a":[1,9007199254740993]}', '{"a":[1,9007199254740993]}'],
    ["Name", "json", "{", 'rejected: x: "{" cannot become a value that nests at most 200 levels'],
    ["Count", "json", 4, "4"],
    ["Address", "string", { b: [1, null] }, '"{\\"b\\":[1,null]}"'],
    ["Address", "integer", "7", "7"],
    ["Address", "integer", {}, "rejected: x: {} cannot become an integer within 64 bits"],
    ["Stamp", "string", "2026-10-01T12:00:00.000+0000", '"2026-10-01T12:00:00.000Z"'],
    ["Amount", "string", 1e-7, '"0.0000001"'],
    ["Closed", "string", null, "null"],
  ] as [string, string, Value, string][])("%s to %s: %j -> %s", (name, type, value, expected) => {
    expect(mapped(`{ from: ${name}, type: ${type}, to: x }`, { [name]: value })).toBe(
      expected.replace(/^rejected/, `deadLetter map: type ${type} on x`),
    );
  });
});

describe("filter", () => {
  const decide = (condition: string, record: Record<string, Value>) => {
    const made = plan(`filter: [${condition}]\nmap: [{ from: Id, to: id }]`, FIELDS);
    const result = made.process(record);
    return result.kind === "rejected"
      ? `${result.rejection.rule}: ${result.rejection.reason}`
      : result.kind === "mapped";
  };

  test.each([
    ["{ field: Name, equals: Ann }", { Name: "Ann" }, true],
    ["{ field: Name, equals: Ann }", { Name: "ann" }, false],
    ["{ field: Name, equals: Ann }", { Name: null }, false],
    ["{ field: Name, equals: Ann }", {}, false],
    ["{ field: Name, notEquals: Ann }", {}, true],
    ["{ field: Name, notIn: [Ann, Bob] }", { Name: null }, true],
    ["{ field: Name, notIn: [Ann, Bob] }", { Name: "Bob" }, false],
    ["{ field: Name, in: [Ann, Bob] }", { Name: "Bob" }, true],
    ["{ field: Name, contains: nn }", { Name: "Ann" }, true],
    ["{ field: Name, notContains: nn }", {}, true],
    ["{ field: Name, startsWith: A }", { Name: "Ann" }, true],
    ["{ field: Name, endsWith: A }", { Name: "Ann" }, false],
    ['{ field: Name, greaterThan: "\uff5e" }', { Name: "😀" }, true],
    ["{ field: Name, isNull: true }", {}, true],
    ["{ field: Name, isNull: false }", {}, false],
    ["{ field: Name, isNotNull: true }", { Name: "" }, true],
    ["{ field: Amount, greaterThan: 1000 }", { Amount: 1000.01 }, true],
    ["{ field: Amount, greaterThan: 1000 }", { Amount: null }, false],
    ["{ field: Amount, lessThanOrEquals: 0.3 }", { Amount: exact("0.30000000000000000001") }, false],
    ["{ field: Big, equals: 9007199254740993 }", { Big: exact("9007199254740993") }, true],
    ["{ field: Big, equals: 9007199254740993 }", { Big: 9007199254740992 }, false],
    ["{ field: Big, greaterThan: 9007199254740992 }", { Big: exact("9007199254740993") }, true],
    ["{ field: Count, between: [1, 3] }", { Count: 3 }, true],
    ["{ field: Count, between: [1, 3] }", { Count: 4 }, false],
    ["{ field: Count, in: [1, 2] }", { Count: 2 }, true],
    ["{ field: Closed, equals: true }", { Closed: true }, true],
    ["{ field: CloseDate, greaterThanOrEquals: 2026-10-01 }", { CloseDate: "2026-10-01" }, true],
    ["{ field: CloseDate, lessThan: 1000-01-01 }", { CloseDate: "0999-12-31" }, true],
    [
      '{ field: Stamp, equals: "2026-10-01T12:00:00+02:00" }',
      { Stamp: "2026-10-01T10:00:00.000+0000" },
      true,
    ],
    [
      '{ field: Stamp, lessThan: "2026-10-01T10:00:00.0001Z" }',
      { Stamp: "2026-10-01T10:00:00.000+0000" },
      true,
    ],
    ["{ field: Stamp, greaterThan: 2026-10-01 }", { Stamp: "2026-10-01T00:00:00.000Z" }, false],
    ["{ field: Owner.Name, equals: Ann }", { Owner: null }, false],
    ["{ field: Owner.Name, equals: Ann }", { Owner: { Name: "Ann" } }, true],
    ["{ field: Address.city, equals: Rome }", { Address: { city: "Rome" } }, true],
    ["{ field: Address.city, equals: Rome }", { Address: { city: 5 } }, false],
    ["{ field: Address.city, notEquals: Rome }", { Address: { city: 5 } }, true],
    ["{ field: Address.zip, greaterThan: 5 }", { Address: { zip: 6 } }, true],
    ["{ field: Address.tags, contains: vip }", { Address: { tags: ["vip", "x"] } }, true],
    ["{ any: [{ field: Count, equals: 1 }, { field: Name, equals: Ann }] }", { Name: "Ann" }, true],
    ["{ not: { field: Name, equals: Ann } }", {}, true],
    ["{ all: [{ field: Count, equals: 1 }, { field: Name, equals: Ann }] }", { Count: 1 }, false],
    // A value of the wrong type leaves the answer open, and only where the answer depends on it.
    [
      "{ field: Count, equals: 1 }",
      { Count: "1" },
      'type integer on Count: filter: Count is "1", expected an integer within 64 bits',
    ],
    [
      "{ not: { field: Closed, equals: true } }",
      { Closed: "yes" },
      'type boolean on Closed: filter: Closed is "yes", expected true or false',
    ],
    [
      "{ any: [{ field: Count, equals: 1 }, { field: Name, equals: Ann }] }",
      { Count: "1", Name: "Ann" },
      true,
    ],
    [
      "{ all: [{ field: Count, equals: 1 }, { field: Name, equals: Ann }] }",
      { Count: "1", Name: "Bob" },
      false,
    ],
    [
      "{ all: [{ field: Count, equals: 1 }, { any: [{ field: Big, equals: 1 }, { field: Name, equals: Ann }] }] }",
      { Count: "1", Big: "2", Name: "Ann" },
      'type integer on Count: filter: Count is "1", expected an integer within 64 bits',
    ],
  ] as [string, Record<string, Value>, boolean | string][])(
    "%s of %j -> %s",
    (condition, record, expected) => {
      expect(decide(condition, record)).toBe(expected);
    },
  );
});

describe("validate", () => {
  const MAP = "map: [{ from: Amount, to: amount }, { from: Name, to: name }, { from: Count, to: count }]\n";
  const check = (rule: string, record: Record<string, Value>) => outcome(`${MAP}validate: [${rule}]`, record);
  const PASSES = expect.stringMatching(/^\{"amount"/);

  test.each([
    [
      "{ field: name, rule: notNull }",
      {},
      "deadLetter validate: notNull on name: name is null, expected a value",
    ],
    ["{ field: name, rule: notNull }", { Name: "" }, PASSES],
    [
      "{ field: amount, rule: notZero }",
      { Amount: exact("0.00") },
      "deadLetter validate: notZero on amount: amount is 0, expected a number other than 0",
    ],
    ["{ field: amount, rule: notZero }", {}, PASSES],
    [
      "{ field: amount, rule: notNegative, onFail: drop }",
      { Amount: -1 },
      "drop validate: notNegative on amount: amount is -1, expected 0 or more",
    ],
    [
      "{ field: amount, rule: notNegative }",
      { Amount: exact("-12345678901.123") },
      "deadLetter validate: notNegative on amount: amount is -12345678901.123, expected 0 or more",
    ],
    [
      "{ field: name, rule: numeric }",
      { Name: "12,5" },
      'deadLetter validate: numeric on name: name is "12,5", expected a number',
    ],
    ["{ field: name, rule: numeric }", { Name: "-12.5" }, PASSES],
    [
      "{ field: name, rule: in, values: [a, b] }",
      { Name: "c" },
      'deadLetter validate: in on name: name is "c", expected one of "a", "b"',
    ],
    ["{ field: count, rule: in, values: [1, 2] }", { Count: 2 }, PASSES],
    [
      "{ field: name, rule: matches, pattern: '^\\p{Lu}' }",
      { Name: "ann" },
      'deadLetter validate: matches on name: name is "ann", expected a match of ^\\p{Lu}',
    ],
    ["{ field: name, rule: matches, pattern: '^\\p{Lu}' }", { Name: "Änn" }, PASSES],
    [
      "{ field: name, rule: maxLength, length: 2 }",
      { Name: "a😀b" },
      'deadLetter validate: maxLength on name: name is "a😀b", expected at most 2 characters',
    ],
    ["{ field: name, rule: maxLength, length: 3 }", { Name: "a😀b" }, PASSES],
    [
      "{ field: amount, rule: notNull, onFail: failRun }",
      {},
      "failRun validate: notNull on amount: amount is null, expected a value",
    ],
  ] as [string, Record<string, Value>, unknown][])("%s of %j", (rule, record, expected) => {
    expect(check(rule, record)).toEqual(expected);
  });

  test("errors.onReject is what happens where a rule says nothing, and to values that do not fit", () => {
    expect(outcome(`${MAP}errors: { onReject: drop }`, { Count: "x" })).toMatch(
      /^drop map: type integer on Count/,
    );
  });

  test("the keys of an upsert must not be null", () => {
    const sinks = "sinks: [{ connection: warehouse, table: t, write: upsert, key: [name] }]\n";
    expect(outcome(MAP, { Count: 1 }, sinks)).toBe(
      "deadLetter validate: notNull on name: name is null, expected a value: it is a key of the sink",
    );
  });

  test("values of masked and hashed fields never appear in reasons", () => {
    const secret = "4111-1111";
    const middle = `filter: [{ field: Count, greaterThan: 1 }]
map:
  - { from: Name, mask: { first: 4 }, to: name }
  - { from: Name, to: plain, type: integer }
  - { from: Count, hash: { secret: "\${env:PEPPER}" }, to: count }
validate: [{ field: name, rule: maxLength, length: 3 }]
`;
    const made = plan(middle, FIELDS);
    const reason = (record: Record<string, Value>) => {
      const result = made.process(record);
      return result.kind === "rejected" ? result.rejection.reason : result.kind;
    };
    expect(reason({ Count: secret })).toBe(
      "filter: Count is a masked value, expected an integer within 64 bits",
    );
    expect(reason({ Count: 2, Name: secret })).toBe(
      "plain: a masked value cannot become an integer within 64 bits",
    );
    expect(reason({ Count: 2, Name: "12345678" })).toBe(
      "name is a masked value, expected at most 3 characters",
    );
  });
});

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
