import { describe, expect, test } from "vitest";
import type { Value } from "../../../core/contracts/index.js";
import { exact, FIELDS, mapped } from "./steps.js";

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
      { text: exact("9007199254740993"), "\u{1f600}": ["\u{1f600}"] },
      '{"text":9007199254740993,"\u{1f600}":["\u{1f600}"]}',
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
