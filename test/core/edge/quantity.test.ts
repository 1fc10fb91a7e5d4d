import { describe, expect, it } from "vitest";
import {
  agoText,
  bytesText,
  countText,
  durationText,
  plural,
  timeText,
} from "../../../core/edge/cli/quantity.js";

describe("quantities as people read them", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [1234567, "1,234,567"],
  ])("count %d", (count, text) => expect(countText(count)).toBe(text));

  it("plural", () => {
    expect([plural(0, "record"), plural(1, "record"), plural(2000, "record")]).toEqual([
      "0 records",
      "1 record",
      "2,000 records",
    ]);
  });

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [1_536_000, "1.5 MB"],
    [99_949, "99.9 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [5e15, "5000 TB"],
  ])("%d bytes", (bytes, text) => expect(bytesText(bytes)).toBe(text));

  it.each([
    [-5, "0 ms"],
    [340, "340 ms"],
    [12_400, "12.4 s"],
    [59_960, "1 min"],
    [200_000, "3 min 20 s"],
    [3_600_000, "1 h"],
    [18_120_000, "5 h 2 min"],
    [273_600_000, "3 d 4 h"],
    [86_400_000 + 30_000, "1 d"],
  ])("%d ms", (ms, text) => expect(durationText(ms)).toBe(text));

  it("moments", () => {
    const now = Date.UTC(2026, 10, 22, 8);
    expect(agoText(now - 200, now)).toBe("now");
    expect(agoText(now - 90_500, now)).toBe("1 min 30 s ago");
    expect(timeText(now)).toBe("2026-11-22 08:00:00");
    expect(timeText("2026-11-22T08:00:00.123Z")).toBe("2026-11-22 08:00:00");
    expect(timeText(null)).toBe("-");
  });
});
