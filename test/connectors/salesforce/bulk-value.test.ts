import { describe, expect, it } from "vitest";
import { converterOf } from "../../../connectors/salesforce/bulk-value.js";
import { ExactNumber } from "../../../core/contracts/index.js";
import { parseJson } from "../../../core/http/index.js";

describe("a value of a Bulk CSV", () => {
  it.each([
    // A whole number may come with a point.
    ["int", "0.0", 0],
    ["int", "-12", -12],
    ["double", "15000.0", 15_000],
    ["currency", "0.1", 0.1],
    ["double", "1.0E10", 1e10],
    ["double", "1234567890123456.78", new ExactNumber("1234567890123456.78")],
    ["long", "9007199254740993", new ExactNumber("9007199254740993")],
    ["percent", "33.333333333333336", 33.333333333333336],
    ["boolean", "true", true],
    ["boolean", "false", false],
    ["date", "0999-12-31", "0999-12-31"],
    ["datetime", "2026-10-01T12:00:00.000Z", "2026-10-01T12:00:00.000+0000"],
    ["datetime", "2026-10-01T12:00:00.000+0000", "2026-10-01T12:00:00.000+0000"],
    ["time", "14:30:00.000Z", "14:30:00.000Z"],
    ["id", "001xx0000000001AAA", "001xx0000000001AAA"],
    ["string", "0012", "0012"],
    ["multipicklist", "a;b", "a;b"],
    ["somethingNew", "12", "12"],
    // What has not the form of its type stays what it is.
    ["double", "NaN", "NaN"],
    ["double", "Infinity", "Infinity"],
    ["double", "1,5", "1,5"],
    ["int", "0012", "0012"],
    ["double", "0x10", "0x10"],
    ["boolean", "1", "1"],
  ])("of type %s: %s", (type, text, value) => {
    expect(converterOf(type)(text)).toEqual(value);
  });

  it("that is a number is the one that JSON makes of the same digits", () => {
    const texts = [
      "0",
      "-0.0",
      "1e-7",
      "123456789012345",
      "1234567890123456",
      "0.1234567890123456789",
      "1E400",
    ];
    for (const text of texts) expect(converterOf("double")(text)).toEqual(parseJson(Buffer.from(text)));
  });
});
