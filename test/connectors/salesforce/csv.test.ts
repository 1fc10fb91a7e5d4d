import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BrokenCsv, CsvReader } from "../../../connectors/salesforce/csv.js";

function rows(text: string): string[][] {
  const reader = new CsvReader(text);
  const values: string[] = [];
  const all: string[][] = [];
  for (let count = reader.next(values); count > 0; count = reader.next(values)) {
    all.push(values.slice(0, count));
  }
  return all;
}

const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;

describe("the CSV of a Bulk result", () => {
  it.each([
    ["nothing", "", []],
    ["a header alone", '"Id"\n', [["Id"]]],
    ["quotes, commas and lines inside of values", '"a ""b"", c","d\r\ne"\n', [['a "b", c', "d\r\ne"]]],
    ["nothing but quotes", '""""\n""\n', [['"'], [""]]],
    ["empty values", '"","",""\n', [["", "", ""]]],
    [
      "values without quotes",
      "Id,Name\n1,\n,2\n",
      [
        ["Id", "Name"],
        ["1", ""],
        ["", "2"],
      ],
    ],
    [
      "CRLF",
      '"a","b"\r\n"c","d"\r\n',
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
    ["no line end behind the last row", '"a"\n"b"', [["a"], ["b"]]],
    ["words that others take for null", '"NA","None","NULL","#N/A"\n', [["NA", "None", "NULL", "#N/A"]]],
    [
      "what is hard to keep",
      '"\u0000","\u2028","👩🏽‍🚀","\ufeff"\n',
      [["\u0000", "\u2028", "👩🏽‍🚀", "\ufeff"]],
    ],
  ])("%s", (_what, text, expected) => {
    expect(rows(text)).toEqual(expected);
  });

  it.each([
    ["a value without end", '"a","b'],
    ["a value that ends in a quoted quote", '"a""'],
    ["text behind a value", '"a"b,"c"\n'],
    ["a quote within a bare value", 'a"b\n'],
    ["a bare value without a line end", '"a",b'],
    ["a lone carriage return", '"a"\r"b"\n'],
  ])("that is broken is refused: %s", (_what, text) => {
    expect(() => rows(text)).toThrow(BrokenCsv);
  });

  it("is read as csv-parse reads it, whatever the values", () => {
    const value = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom('"', ",", "\n", "\r", "a", " ", ";") }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 20 }), (table) => {
        const text = table.map((row) => `${row.map(quoted).join(",")}\n`).join("");
        expect(rows(text)).toEqual(table);
        expect(rows(text)).toEqual(parse(text, { record_delimiter: "\n" }));
      }),
    );
  });

  it("cut anywhere is refused, or has fewer rows or values", () => {
    const text = '"Id","Name"\n"1","a ""b"""\n"2","c\nd"\n';
    for (let length = 0; length < text.length - 1; length++) {
      let found: string[][] = [];
      try {
        found = rows(text.slice(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(BrokenCsv);
      }
      expect(found.filter((row) => row.length === 2).length < 3, `${length}`).toBe(true);
    }
  });

  it("costs little: the loop around it is never limited by it", () => {
    const line = `${Array.from({ length: 17 }, (_, n) => quoted(`value ${n} of some length, quoted`)).join(",")}\n`;
    const text = line.repeat(20_000);
    const best = Math.min(
      ...[1, 2, 3].map(() => {
        const started = performance.now();
        expect(rows(text)).toHaveLength(20_000);
        return performance.now() - started;
      }),
    );
    // 50,000 rows/s would already be twice what a run moves; it reads ten times as many.
    expect(best).toBeLessThan(400);
  });
});
