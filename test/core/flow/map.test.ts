import { describe, expect, test } from "vitest";
import type { Value } from "../../../core/contracts/index.js";
import { plan } from "./project.js";
import { exact, FIELDS, mapped, outcome } from "./steps.js";

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
    // Half a character that the map takes away, or that stands as an escape in JSON text, hurts nobody.
    ["{ from: Name, truncate: 4, to: x }", { Name: "lone\ud800" }, '"lone"'],
    ["{ from: Address, type: string, to: x }", { Address: ["\ud800"] }, '"[\\"\\\\ud800\\"]"'],
    ["{ from: Name, mask: { first: 1 }, to: x }", { Name: "\ud800b" }, '"*b"'],
    [
      `{ from: Email, hash: { secret: "\${env:PEPPER}" }, to: x }`,
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
