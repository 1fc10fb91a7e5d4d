import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExactNumber, Secret } from "../../../core/contracts/index.js";
import { toJson } from "../../../core/edge/cli/json.js";

describe("JSON of results", () => {
  it("keeps every digit", () => {
    expect(toJson({ id: new ExactNumber("12345678901234567890.10"), big: 2n ** 63n }, 0)).toBe(
      '{"id":12345678901234567890.10,"big":9223372036854775808}',
    );
  });

  it("shows no secret and leaves out what is undefined", () => {
    expect(toJson({ password: new Secret("hunter22"), gone: undefined, at: new Date(0) }, 0)).toBe(
      '{"password":"[redacted]","at":"1970-01-01T00:00:00.000Z"}',
    );
  });

  it("is JSON.stringify for plain values", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        expect(toJson(value, indent)).toBe(JSON.stringify(value, null, indent));
      }),
    );
  });
});
