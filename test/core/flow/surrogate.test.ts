import { describe, expect, test } from "vitest";
import type { SourceRecord, Value } from "../../../core/contracts/index.js";
import { recordJson, recordLine } from "../../../core/flow/index.js";
import { parseJson } from "../../../core/http/json.js";
import { exact, outcome } from "./steps.js";

describe("half a character", () => {
  const HINT = "which UTF-8 cannot hold: correct it at the source, or leave the field out of map";

  test.each([
    [
      "in a text",
      "{ from: Name, to: name }",
      { Name: "broken \ud83d emoji" },
      'name: name holds half a character (the lone surrogate \\ud83d in "broken \ufffd emoji")',
    ],
    [
      "that is the second one",
      "{ from: Name, to: Name }",
      { Name: "\u{1f600}\ude00" },
      'Name: Name holds half a character (the lone surrogate \\ude00 in "\u{1f600}\ufffd")',
    ],
    [
      "inside json",
      "{ from: Address, to: a }",
      { Address: { lines: ["x", { city: "\ud83d" }] } },
      'a: a.lines.1.city holds half a character (the lone surrogate \\ud83d in "\ufffd")',
    ],
    [
      "in a key",
      "{ from: Address, to: a }",
      { Address: { b: { "\udc00": 1 } } },
      'a: a key of a.b holds half a character (the lone surrogate \\udc00 in "\ufffd")',
    ],
    [
      "below a broken key",
      "{ from: Address, to: a }",
      { Address: { n: exact("9007199254740993"), k: ["\ud83d"] } },
      'a: a.k.0 holds half a character (the lone surrogate \\ud83d in "\ufffd")',
    ],
    [
      "joined",
      '{ from: [Name, Email], join: "", to: x }',
      { Name: "a\ud83d", Email: "b" },
      'x: x holds half a character (the lone surrogate \\ud83d in "a\ufffdb")',
    ],
    [
      "left by truncate",
      "{ from: Name, truncate: 2, to: x }",
      { Name: "a\ud83dbc" },
      'x: x holds half a character (the lone surrogate \\ud83d in "a\ufffd")',
    ],
    [
      "beside a mask",
      "{ from: Name, mask: { last: 1 }, to: x }",
      { Name: "a\ud83db" },
      "x: x holds half a character (a lone surrogate)",
    ],
    [
      "behind a long text",
      "{ from: Name, to: x }",
      { Name: `${"a".repeat(80)}\ud83d` },
      `x: x holds half a character (the lone surrogate \\ud83d in "${"a".repeat(60)}...")`,
    ],
  ] as [string, string, Record<string, Value>, string][])(
    "%s is rejected by name",
    (_, entry, record, words) => {
      const count = "{ from: Big, to: big }";
      for (const Big of [7, exact("9007199254740993")])
        expect(outcome(`map: [${entry}, ${count}]`, { Big, ...record })).toBe(
          `deadLetter map: lone surrogate on ${words}, ${HINT}`,
        );
    },
  );

  test("is rejected as the flow says", () => {
    expect(outcome("map: [{ from: Name, to: x }]\nerrors: { onReject: drop }", { Name: "\ud83d" })).toMatch(
      /^drop map: lone surrogate on x: /,
    );
  });

  test.each([
    ["of a field that is not mapped", { Name: "a", Email: "\ud83d" }, '{"x":"a"}'],
    ["joined to a whole one", { Name: "\ud83d\ude00" }, '{"x":"\u{1f600}"}'],
    ["spelt out", { Name: "\\ud83d" }, '{"x":"\\\\ud83d"}'],
  ])("%s does not matter", (_, record, line) => {
    expect(outcome("map: [{ from: Name, to: x }]", record)).toBe(line);
  });

  test("made whole by join, hidden by a mask, cut by truncate is none", () => {
    expect(
      outcome('map: [{ from: [Name, Email], join: "", to: x }]', { Name: "\ud83d", Email: "\ude00" }),
    ).toBe('{"x":"\u{1f600}"}');
    expect(outcome("map: [{ from: Name, mask: all, to: x }]", { Name: "a\ud83d" })).toBe('{"x":"**"}');
  });
});

describe("the line of a dead letter", () => {
  test("is what a message can hold, and parses back to the very record", () => {
    const record: SourceRecord = {
      lone: "broken \ud83d emoji",
      "\udc00": ["\uffff\ufffe", "\u0000", exact("9007199254740993")],
    };
    const line = recordJson(record);
    expect(line).toBe(
      '{"lone":"broken \\ud83d emoji","\\udc00":["\\uffff\\ufffe","\\u0000",9007199254740993]}',
    );
    expect(parseJson(Buffer.from(line))).toEqual(record);
  });

  test("keeps the source's text, in one line", () => {
    const text = '{\n\t"a": "\uffff x",\r\n  "a": 1.50\n}';
    expect(recordLine(text)).toBe('{ "a": "\\uffff x",   "a": 1.50 }');
  });
});
