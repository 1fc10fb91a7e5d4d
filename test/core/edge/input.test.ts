import { describe, expect, it } from "vitest";
import { assertWindow, count, moment } from "../../../core/edge/cli/input.js";

const NOW = Date.UTC(2026, 10, 22, 12);
const at = (typed: string) => moment.parse(typed)?.at(NOW);

describe("moments", () => {
  it.each([
    ["2026-10-01", Date.UTC(2026, 9, 1)],
    ["2026-10-01T12:30", Date.UTC(2026, 9, 1, 12, 30)],
    ["2026-10-01 12:30:05", Date.UTC(2026, 9, 1, 12, 30, 5)],
    ["2026-10-01T12:30:05.250Z", Date.UTC(2026, 9, 1, 12, 30, 5, 250)],
    ["2026-10-01T12:30:00+02:00", Date.UTC(2026, 9, 1, 10, 30)],
    ["2026-10-01T12:30:00-0130", Date.UTC(2026, 9, 1, 14)],
    ["90m", NOW - 90 * 60_000],
    ["24h", NOW - 24 * 3_600_000],
    ["7d", NOW - 7 * 86_400_000],
    ["2w", NOW - 14 * 86_400_000],
  ])("%s", (typed, expected) => expect(at(typed)).toBe(expected));

  it.each([
    "yesterday",
    "2026-02-31",
    "2026-13-01",
    "2026-10-01T25:00",
    "10",
    "",
    "2026-10-01T12:30:00+99:00",
  ])("refuses %j", (typed) => expect(moment.safeParse(typed).success).toBe(false));

  it("refuses an empty window", () => {
    expect(() => assertWindow(2, 2)).toThrow("the window is empty");
    expect(() => assertWindow(1, 2)).not.toThrow();
    expect(() => assertWindow(undefined, 2)).not.toThrow();
  });
});

describe("counts", () => {
  it("takes digits and nothing else", () => {
    expect(count(20).parse(undefined)).toBe(20);
    expect(count(20).parse("7")).toBe(7);
    for (const typed of ["-1", "1.5", "ten", "", "1e3", "99999999999"]) {
      expect(count(20).safeParse(typed).success).toBe(false);
    }
  });
});
