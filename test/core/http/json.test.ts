import fc from "fast-check";
import { parse as parseLossless } from "lossless-json";
import { describe, expect, it } from "vitest";
import { ExactNumber } from "../../../core/contracts/index.js";
import {
  decodeUtf8,
  holdsInexactNumber,
  InvalidUtf8,
  isExact,
  parseExactly,
  parseJson,
} from "../../../core/http/json.js";

const parse = (text: string) => parseJson(Buffer.from(text));

describe("numbers", () => {
  it.each([
    ["9007199254740993", new ExactNumber("9007199254740993")],
    ["-9223372036854775808", new ExactNumber("-9223372036854775808")],
    ["12345678901234.5678", new ExactNumber("12345678901234.5678")],
    ["0.1000000000000000055511151231257827", new ExactNumber("0.1000000000000000055511151231257827")],
    // A double gives these digits back: nothing is lost.
    ["9007199254740992", 9007199254740992],
    ["33.333333333333336", 33.333333333333336],
    ["1000000000000000000000", 1e21],
    ["0.00000000000000000001", 1e-20],
    ["1.0000000000000000", 1],
    ["-0.0000000000000000", -0],
    ["1", 1],
  ])("%s", (digits, value) => {
    expect(parse(digits)).toEqual(value);
    expect(parse(`{"n":${digits},"m":[${digits} , 1]}`)).toEqual({ n: value, m: [value, 1] });
  });

  it("are found wherever they stand", () => {
    for (let shift = 0; shift < 64; shift++) {
      const text = `{"${"k".repeat(shift)}":9007199254740993,"b":1}`;
      expect(parse(text)).toEqual({ ["k".repeat(shift)]: new ExactNumber("9007199254740993"), b: 1 });
    }
  });

  it("inside strings are text", () => {
    const record = { a: "9007199254740993", b: 'x ,9007199254740993, "9007199254740993" \\', c: "\\" };
    expect(parse(JSON.stringify(record))).toEqual(record);
    expect(parseExactly(JSON.stringify({ ...record, n: 1 }))).toEqual({ ...record, n: 1 });
  });

  it("that stand beside a text like our mark leave that text alone", () => {
    const text = '{"a":"\ue000x","b":"\\uE001x","n":9007199254740993}';
    expect(parse(text)).toEqual({ a: "\ue000x", b: "\ue001x", n: new ExactNumber("9007199254740993") });
  });

  it("keep their digits even where every mark is taken", () => {
    const taken = Array.from({ length: 0x100 }, (_, index) => String.fromCharCode(0xe000 + index)).join("");
    expect(
      parseExactly(JSON.stringify({ taken }).replace("}", ',"taken":"again","n":9007199254740993}')),
    ).toEqual({
      taken: "again",
      n: new ExactNumber("9007199254740993"),
    });
  });

  it("come out as a lossless parser gives them, for any JSON", () => {
    const number = fc.oneof(
      fc.bigInt({ min: -(10n ** 22n), max: 10n ** 22n }).map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
      fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 18n }), fc.nat(10 ** 9)).map(([a, b]) => `${a}.${b}`),
    );
    const value = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        number,
        fc.string({ unit: "binary" }).map((text) => JSON.stringify(text)),
        fc.constantFrom("true", "null"),
        fc.array(tie("json")).map((items) => `[${items.join(" ,")}]`),
        fc
          .array(fc.tuple(fc.string(), tie("json")))
          .map((pairs) => `{${pairs.map(([key, item]) => `${JSON.stringify(key)}: ${item}`).join(",")}}`),
      ),
    })).json;
    fc.assert(
      fc.property(value, (text) => {
        const oracle = parseLossless(String(text), null, {
          parseNumber: (digits) => (isExact(digits) ? Number(digits) : new ExactNumber(digits)),
          onDuplicateKey: ({ newValue }) => newValue,
        });
        expect(parse(String(text))).toEqual(oracle);
        expect(parseExactly(String(text))).toEqual(oracle);
      }),
      { numRuns: 300 },
    );
  });

  it("exactness agrees with BigInt", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (value) => {
        const back = String(Number(value)).includes("e") ? undefined : BigInt(String(Number(value)));
        if (back !== undefined) expect(isExact(String(value))).toBe(back === value);
      }),
    );
  });
});

describe("texts", () => {
  it("keep lone surrogates, and the last of duplicate keys wins", () => {
    expect(parse('{"a":"\\ud83d","a":"\\udc00x"}')).toEqual({ a: "\udc00x" });
    expect(parse('{"n":9007199254740993,"a":1,"a":"\\ud83d"}')).toEqual({
      n: new ExactNumber("9007199254740993"),
      a: "\ud83d",
    });
  });

  it("drop a byte order mark", () => {
    expect(parse('\ufeff{"a":"ü"}')).toEqual({ a: "ü" });
  });

  it("that are not UTF-8 are refused, never repaired", () => {
    expect(() => parseJson(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toThrow(InvalidUtf8);
  });

  it("that are half a JSON are refused on both paths", () => {
    expect(() => parse('{"a":[1,')).toThrow(SyntaxError);
    expect(() => parse('{"n":9007199254740993,"a":[1,')).toThrow(SyntaxError);
  });

  it("of a million digits are looked at once", () => {
    const body = Buffer.from(JSON.stringify({ digits: "7".repeat(1_000_000), n: 1 }));
    expect(holdsInexactNumber(body)).toBe(false);
  });
});

describe("decoding", () => {
  it("gives back any text, as Buffer's own decoder does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), (raw, nice) => {
        const bytes = Buffer.from(`${nice}${raw.toWellFormed()}`);
        expect(decodeUtf8(bytes)).toBe(bytes.toString("utf8").replace(/^\ufeff/, ""));
      }),
    );
    expect(decodeUtf8(Buffer.alloc(0))).toBe("");
  });

  it("refuses exactly what is not UTF-8", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const body = Buffer.from(bytes);
        const isValid = Buffer.from(body.toString("utf8")).equals(body);
        if (isValid) expect(decodeUtf8(body)).toBe(body.toString("utf8").replace(/^\ufeff/, ""));
        else expect(() => decodeUtf8(body)).toThrow(InvalidUtf8);
      }),
    );
  });
});
