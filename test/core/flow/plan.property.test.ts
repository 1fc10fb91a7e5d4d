/** What a plan emits, over random input. fast-check prints seed and path of a failure. */
import fc from "fast-check";
import { isSafeNumber, parse } from "lossless-json";
import { describe, expect, test } from "vitest";
import { ExactNumber, type Field, type SourceRecord, type Value } from "../../../core/contracts/index.js";
import { awkwardText as text } from "./awkward-text.js";
import { plan } from "./project.js";

const FIELDS: readonly Field[] = [
  { name: "s", type: "string" },
  { name: "i", type: "integer" },
  { name: "d", type: "decimal", precision: 20, scale: 4 },
  { name: "f", type: "double" },
  { name: "b", type: "boolean" },
  { name: "day", type: "date" },
  { name: "t", type: "timestamp" },
  { name: "j", type: "json" },
];

/** Any value a source could send, whatever the field. */
const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    text,
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map((value) => new ExactNumber(value.toString())),
    fc.constantFrom(
      new ExactNumber("1E+2"),
      new ExactNumber("0.12345678901234567890"),
      new ExactNumber("1e999999999"),
    ),
    fc.constantFrom(
      "2026-10-01",
      "2026-02-30",
      "2026-10-01T12:00:00.000+0000",
      "2026-10-01T12:00:00+02:00",
      "12.5",
    ),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.oneof(text, fc.constantFrom("__proto__", "text", "constructor")), tie("value"), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  ),
}));

const record = fc
  .record(Object.fromEntries(FIELDS.map((field) => [field.name, fc.option(anyValue, { nil: undefined })])), {
    noNullPrototype: true,
  })
  .map((row): SourceRecord => {
    const present: SourceRecord = {};
    for (const [name, value] of Object.entries(row)) if (value !== undefined) present[name] = value;
    return present;
  });

/** Numbers as written, everything else as JSON.parse gives it. */
const parseLine = (line: string): unknown =>
  parse(line, null, (digits) => (isSafeNumber(digits) ? Number(digits) : new ExactNumber(digits)));

/** Half a character in any text or key. */
function isBroken(value: Value): boolean {
  if (typeof value === "string") return !value.isWellFormed();
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) return false;
  return Object.entries(value).some(([key, item]) => !key.isWellFormed() || isBroken(item));
}

/** What the line must say for a value: digits kept. */
function written(value: Value): unknown {
  if (typeof value === "number")
    return isSafeNumber(String(value)) ? value + 0 : new ExactNumber(String(value));
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof ExactNumber) return isSafeNumber(value.text) ? Number(value.text) : value;
  if (Array.isArray(value)) return value.map(written);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, written(item)]));
}

const SHAPES: Readonly<Record<string, RegExp>> = {
  s: /^"/s,
  i: /^-?\d+$/,
  d: /^-?\d+(\.\d+)?$/,
  f: /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/,
  b: /^(true|false)$/,
  day: /^"\d{4}-\d\d-\d\d"$/,
  t: /^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z"$/,
  j: /^/,
};

describe("a plan", () => {
  test("never throws, and every value it emits fits its type", () => {
    const all = plan('map: ["*"]', FIELDS);
    const single = FIELDS.map((field) => ({
      field,
      made: plan(`map: [{ from: ${field.name}, to: x }]`, FIELDS),
    }));
    fc.assert(
      fc.property(record, (input) => {
        const outcome = all.process(input);
        if (outcome.kind === "mapped") {
          const line = all.stringify(outcome.record);
          if (typeof line !== "string") {
            expect(isBroken(outcome.record)).toBe(true);
            expect(line).toMatchObject({ stage: "map", action: "deadLetter" });
            expect(line.rule).toMatch(/^lone surrogate on [sj]$/);
            expect(line.reason.isWellFormed()).toBe(true);
            return;
          }
          expect(isBroken(outcome.record)).toBe(false);
          expect(line).not.toContain("\n");
          expect(line.isWellFormed()).toBe(true);
          expect(Object.keys(JSON.parse(line))).toEqual(FIELDS.map((field) => field.name));
        }
        for (const { field, made } of single) {
          const one = made.process(input);
          if (one.kind !== "mapped") continue;
          const line = made.stringify(one.record);
          if (typeof line !== "string") continue;
          const value = line.slice('{"x":'.length, -1);
          if (value === "null") expect(input[field.name] ?? null).toBeNull();
          else expect(value).toMatch(SHAPES[field.name] ?? /never/);
          if (field.type === "integer" && value !== "null") {
            expect(BigInt(value) <= 2n ** 63n - 1n && BigInt(value) >= -(2n ** 63n)).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("a json value is written as it was read", () => {
    const made = plan("map: [{ from: j, to: x }]", FIELDS);
    const noProto = anyValue.filter(
      (value) => !JSON.stringify(value).includes("__proto__") && !JSON.stringify(value).includes("999999999"),
    );
    fc.assert(
      fc.property(noProto, (value) => {
        const outcome = made.process({ j: value });
        expect(outcome.kind).toBe("mapped");
        if (outcome.kind !== "mapped") return;
        const line = made.stringify(outcome.record);
        expect(typeof line !== "string").toBe(isBroken(value));
        if (typeof line !== "string") return;
        expect(JSON.parse(line)).toEqual(
          JSON.parse(
            JSON.stringify({ x: written(value) }, (_, item) =>
              item instanceof ExactNumber ? Number(item.text) : item,
            ),
          ),
        );
        expect(parseLine(line)).toEqual({ x: written(value) });
      }),
      { numRuns: 500 },
    );
  });
});
