import { describe, expect, test } from "vitest";
import type { Value } from "../../../core/contracts/index.js";
import { plan } from "./project.js";
import { exact, FIELDS, outcome } from "./steps.js";

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
