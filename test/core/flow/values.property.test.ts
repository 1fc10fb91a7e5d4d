/** Texts, decimals and timestamps against naive models, over random input. fast-check prints seed and path of a failure. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExactNumber } from "../../../core/contracts/index.js";
import {
  add,
  compareNumbers,
  type Decimal,
  divide,
  formatDecimal,
  multiply,
  parseDecimal,
  subtract,
} from "../../../core/flow/decimal.js";
import { compareText, countCharacters, maskText, truncateText } from "../../../core/flow/text.js";
import { compareTimestamps, epochMs, normalizeTimestamp } from "../../../core/flow/timestamp.js";
import { awkwardText as text } from "./awkward-text.js";

describe("text", () => {
  // A string iterates by code points, lone surrogates one by one: the model.
  test("truncate keeps whole characters", () => {
    fc.assert(
      fc.property(text, fc.nat(15), (value, count) => {
        expect(truncateText(value, count)).toBe([...value].slice(0, count).join(""));
      }),
    );
  });

  test("mask replaces whole characters, one star each", () => {
    fc.assert(
      fc.property(text, fc.nat(15), (value, count) => {
        const units = [...value];
        const last = Math.max(0, units.length - count);
        expect(maskText(value, "all")).toBe("*".repeat(units.length));
        expect(maskText(value, { first: count })).toBe(
          units.map((unit, at) => (at < count ? "*" : unit)).join(""),
        );
        expect(maskText(value, { last: count })).toBe(
          units.map((unit, at) => (at < last ? unit : "*")).join(""),
        );
        expect(countCharacters(value)).toBe(units.length);
      }),
    );
  });

  test("texts are ordered as their UTF-8 bytes are", () => {
    const whole = fc
      .string({
        unit: fc.oneof(
          fc.constantFrom("a", "\uffff", "\ue000", "😀", "\ud7ff"),
          fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
        ),
        maxLength: 4,
      })
      .filter((value) => value.isWellFormed());
    fc.assert(
      fc.property(whole, whole, (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
    );
  });
});

describe("decimals", () => {
  const decimal = fc.record({
    units: fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
    scale: fc.nat(25),
  });
  const SCALE = 60;
  /** The value times 10^60, as an integer. */
  const scaled = ({ units, scale }: Decimal) => units * 10n ** BigInt(SCALE - scale);

  test("add, subtract and multiply are exact", () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        expect(scaled(add(a, b))).toBe(scaled(a) + scaled(b));
        expect(scaled(subtract(a, b))).toBe(scaled(a) - scaled(b));
        expect(scaled(multiply(a, b)) * 10n ** BigInt(SCALE)).toBe(scaled(a) * scaled(b));
      }),
    );
  });

  test("divide is within half a unit of the 38th digit", () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const quotient = divide(a, b);
        if (b.units === 0n) {
          expect(quotient).toBeUndefined();
          return;
        }
        const { units, scale } = quotient ?? { units: 0n, scale: 0 };
        const digits = formatDecimal({ units: units < 0n ? -units : units, scale: 0 }).replace(/0+$/, "");
        expect(digits.length).toBeLessThanOrEqual(38);
        // |a/b - q| <= ulp/2, multiplied out.
        const exactly = a.units * 10n ** BigInt(b.scale + scale);
        const reached = units * b.units * 10n ** BigInt(a.scale);
        const ulp = 10n ** BigInt(Math.max(0, units.toString().replace("-", "").length - 38));
        const gap = exactly > reached ? exactly - reached : reached - exactly;
        const size = (b.units < 0n ? -b.units : b.units) * 10n ** BigInt(a.scale);
        expect(2n * gap <= size * ulp).toBe(true);
      }),
    );
  });

  test("text to decimal to text keeps the value, and comparing follows it", () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const back = parseDecimal(formatDecimal(a));
        expect(back && scaled(back)).toBe(scaled(a));
        const order = compareNumbers(new ExactNumber(formatDecimal(a)), new ExactNumber(formatDecimal(b)));
        expect(Math.sign(order)).toBe(scaled(a) < scaled(b) ? -1 : scaled(a) > scaled(b) ? 1 : 0);
      }),
    );
  });

  test("a double means its shortest text", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const decimal = parseDecimal(String(value));
        expect(decimal && Number(formatDecimal(decimal))).toBe(value === 0 ? 0 : value);
      }),
    );
  });
});

describe("timestamps", () => {
  // A day is left at both ends for the offsets: 0001-01-02 to 9999-12-30.
  const instant = fc.integer({ min: -62_135_510_400_000, max: 253_402_214_400_000 });
  const pad = (value: number) => String(value).padStart(2, "0");

  test("every way to write an instant gives its UTC text", () => {
    fc.assert(
      fc.property(
        instant,
        fc.integer({ min: -14 * 60, max: 14 * 60 }),
        fc.boolean(),
        (ms, minutes, colon) => {
          const utc = new Date(ms).toISOString();
          const local = new Date(ms + minutes * 60_000).toISOString().slice(0, 23);
          const size = Math.abs(minutes);
          const zone = `${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}${colon ? ":" : ""}${pad(size % 60)}`;
          expect(normalizeTimestamp(utc)).toBe(utc);
          expect(normalizeTimestamp(`${utc.slice(0, 23)}+0000`)).toBe(utc);
          expect(normalizeTimestamp(local + zone)).toBe(utc);
          expect(epochMs(utc)).toBe(ms);
        },
      ),
    );
  });

  // A small t is ISO 8601 too, and read the long way.
  test("the shapes that are read quickly mean what they mean when they are read slowly", () => {
    const part = (max: number) => fc.nat(max).map(pad);
    const fraction = fc.oneof(
      fc.constant(""),
      fc.stringMatching(/^\.[0-9]{3}$/),
      fc.stringMatching(/^\.[0-9]{3}0{0,3}$/),
      fc.stringMatching(/^\.[0-9]{6}$/),
      fc.stringMatching(/^.[0-9 ]{3,6}$/),
    );
    const zone = fc.constantFrom("Z", "+0000", "", "z", "+0100");
    fc.assert(
      fc.property(part(13), part(32), part(25), part(61), part(61), fraction, zone, (...parts) => {
        const [month, day, hour, minute, second, digits, end] = parts;
        const time = `${hour}:${minute}:${second}${digits}${end}`;
        const date = `2024-${month}-${day}`;
        expect(normalizeTimestamp(`${date}T${time}`)).toBe(normalizeTimestamp(`${date}t${time}`));
      }),
      { numRuns: 2_000 },
    );
    expect(normalizeTimestamp("2026-10-01T12:00:00Z")).toBe("2026-10-01T12:00:00.000Z");
    expect(normalizeTimestamp("2026-10-01T12:00:00.123450Z")).toBe("2026-10-01T12:00:00.12345Z");
    expect(normalizeTimestamp("2026-10-01T12:00:00.000000Z")).toBe("2026-10-01T12:00:00.000Z");
  });

  test("the order of texts is the order of instants, fractions included", () => {
    const micros = fc.tuple(
      fc.integer({ min: 0, max: 2 }),
      fc.integer({ min: 0, max: 999_999 }),
      fc.boolean(),
    );
    const write = ([second, micro, short]: [number, number, boolean]) =>
      `2026-10-01T00:00:0${second}.${short ? String(micro).padStart(6, "0").slice(0, 3) : String(micro).padStart(6, "0")}Z`;
    const value = ([second, micro, short]: [number, number, boolean]) =>
      second * 1e6 + (short ? micro - (micro % 1000) : micro);
    fc.assert(
      fc.property(micros, micros, (a, b) => {
        const order = compareTimestamps(
          normalizeTimestamp(write(a)) ?? "",
          normalizeTimestamp(write(b)) ?? "",
        );
        expect(Math.sign(order)).toBe(Math.sign(value(a) - value(b)));
      }),
    );
  });

  test("days that do not exist are refused", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9999 }), fc.nat(13), fc.nat(32), (year, month, day) => {
        const written = `${String(year).padStart(4, "0")}-${pad(month)}-${pad(day)}T00:00:00.000Z`;
        const date = new Date(written);
        const exists = !Number.isNaN(date.getTime()) && date.toISOString() === written;
        expect(normalizeTimestamp(written) !== undefined).toBe(exists);
      }),
    );
  });
});
