import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Field } from "../../../core/contracts/index.js";
import { DigitGuard } from "../../../core/format/index.js";
import { decimalText, unscaledOf } from "../../../core/format/scalar.js";
import { hasLongNumber, TokenScanner } from "../../../core/format/token.js";

const SEED = 20261122;

/** Text full of what ends or escapes a string, also beyond the length that is looked at byte by byte. */
const nasty = fc
  .array(
    fc.constantFrom(
      '"',
      "\\",
      "{",
      "}",
      "[",
      ",",
      ":",
      "é",
      "😀",
      "a",
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
      "\n",
    ),
  )
  .map((parts) => parts.join(""));
const value = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    nasty,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("json"), { maxLength: 3 }),
    fc.dictionary(nasty, tie("json"), { maxKeys: 3 }),
  ),
})).json;

test("every field of any object is found, whatever stands before it (random)", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(nasty, value), { maxLength: 8 }), fc.boolean(), (pairs, spaced) => {
      const record = new Map(pairs);
      const parts = [...record].map(([key, item]) => {
        const text = JSON.stringify(item);
        return spaced ? ` ${JSON.stringify(key)} : ${text} ` : `${JSON.stringify(key)}:${text}`;
      });
      const line = Buffer.from(`xx{${parts.join(",")}}\n`);
      const names = [...record.keys(), "missing field"].reverse();
      const scanner = new TokenScanner(names);
      scanner.scan(line, 2, line.length - 1);
      for (const [index, name] of names.entries()) {
        const start = scanner.starts[index] ?? -1;
        if (!record.has(name)) expect(start).toBe(-1);
        else expect(line.toString("utf8", start, scanner.ends[index])).toBe(JSON.stringify(record.get(name)));
      }
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test("keys written with other escapes are the same names", () => {
  const scanner = new TokenScanner(["é", "a"]);
  const line = Buffer.from('{"\\u00e9":1,"\\u0061":22}');
  scanner.scan(line, 0, line.length);
  expect([...scanner.starts].map((start, i) => line.toString("utf8", start, scanner.ends[i]))).toEqual([
    "1",
    "22",
  ]);
});

describe("long numbers", () => {
  test("are found wherever they stand, and shorter ones are not (random)", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            nasty,
            fc.integer({ min: 0, max: 99 }).map((n) => `${n}-`),
            fc.constantFrom(".", "e", "-"),
          ),
        ),
        fc.nat(400),
        fc.bigInt({ min: 10n ** 15n, max: 10n ** 40n }),
        fc.nat(20),
        (parts, at, number, point) => {
          const text = parts.map((part) => part.replace(/\d{3,}/g, "9")).join("x");
          expect(hasLongNumber(Buffer.from(text))).toBe(false);
          const digits = String(number);
          const decimal =
            point > 0 && point < digits.length ? `${digits.slice(0, point)}.${digits.slice(point)}` : digits;
          const cut = Math.min(at, text.length);
          expect(hasLongNumber(Buffer.from(`${text.slice(0, cut)} ${decimal} ${text.slice(cut)}`))).toBe(
            true,
          );
        },
      ),
      { seed: SEED, numRuns: 500 },
    );
  });

  test("fifteen digits are none, sixteen are, points among them do not count", () => {
    expect(hasLongNumber(Buffer.from("999999999999999"))).toBe(false);
    expect(hasLongNumber(Buffer.from("9999999999999999"))).toBe(true);
    expect(hasLongNumber(Buffer.from("99999999.9999999"))).toBe(false);
    expect(hasLongNumber(Buffer.from("99999999.99999999"))).toBe(true);
    expect(hasLongNumber(Buffer.from(".".repeat(100_000)))).toBe(false);
  });
});

describe("the digit guard", () => {
  const fields: Field[] = [
    { name: "d", type: "decimal" },
    { name: "j", type: "json" },
    { name: "s", type: "string" },
    { name: "n", type: "double" },
  ];
  const protect = (text: string) => {
    const guard = new DigitGuard({ fields });
    const chunk = Buffer.from(text);
    return { text: guard.protect(chunk).toString("utf8"), wrapped: guard.wrapped };
  };

  test("quotes long decimals, wraps json that holds one, and changes nothing else", () => {
    const calm = '{"d":1.5,"j":{"a":1},"s":"x","n":0.30000000000000004}\n';
    expect(protect(calm)).toEqual({ text: calm, wrapped: false });
    const text = '{"s":"1234567890123456789","n":0.30000000000000004,"d":null,"j":[1]}\n';
    expect(protect(text)).toEqual({ text, wrapped: false });
    expect(protect(`${calm}{"d":1234567890.12345678901,"j":null,"s":"é","n":1}\n${calm}`)).toEqual({
      text: `${calm}{"d":"1234567890.12345678901","j":null,"s":"é","n":1}\n${calm}`,
      wrapped: false,
    });
    expect(protect('{"j":{"q":"\\"","n":12345678901234567.25},"d":12345678901234567}\n')).toEqual({
      text: '{"j":"sluice-exact-json:{\\"q\\":\\"\\\\\\"\\",\\"n\\":12345678901234567.25}","d":"12345678901234567"}\n',
      wrapped: true,
    });
  });
});

test("decimals round half away from zero at any scale, exactly (random)", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
      fc.nat(12),
      fc.nat(9),
      fc.integer({ min: -5, max: 5 }),
      (digits, written, scale, exponent) => {
        const field: Field = { name: "d", type: "decimal", precision: 38, scale };
        const token = `${decimalText(digits, written)}${exponent === 0 ? "" : `e${exponent}`}`;
        const shift = scale - written + exponent;
        const positive = digits < 0n ? -digits : digits;
        const factor = 10n ** BigInt(Math.abs(shift));
        const expected = shift >= 0 ? positive * factor : (positive * 2n + factor) / (factor * 2n);
        expect(unscaledOf(field, token)).toBe(digits < 0n ? -expected : expected);
      },
    ),
    { seed: SEED, numRuns: 1000 },
  );
});
