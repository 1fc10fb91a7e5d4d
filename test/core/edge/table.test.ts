import { describe, expect, it } from "vitest";
import { cut, displayWidth, printable, table } from "../../../core/edge/cli/table.js";

describe("table", () => {
  it("aligns columns, numbers to the right", () => {
    const text = table(
      [
        { name: "a", count: 5 },
        { name: "long name", count: 1234 },
      ],
      [
        { title: "name", value: (row) => row.name },
        { title: "n", value: (row) => row.count, align: "right" },
      ],
    );
    expect(text).toBe("name          n\na             5\nlong name  1234");
  });

  it("shows the titles alone without rows, and a dash for what is not there", () => {
    const columns = [{ title: "name", value: (row: { name: string | null }) => row.name }];
    expect(table([], columns)).toBe("name");
    expect(table([{ name: null }], columns)).toBe("name\n-");
  });

  it("counts wide characters as two columns and combining ones as none", () => {
    expect(displayWidth("abc")).toBe(3);
    expect(displayWidth("日本")).toBe(4);
    expect(displayWidth("e\u0301")).toBe(1);
    expect(displayWidth("👩‍👩‍👧")).toBe(2);
    const text = table(
      [{ name: "日本" }, { name: "ab" }],
      [
        { title: "n", value: (row) => row.name },
        { title: "x", value: () => "|" },
      ],
    );
    expect(text.split("\n").map((line) => displayWidth(line))).toEqual([7, 7, 7]);
  });

  it("keeps records from breaking the table or driving the terminal", () => {
    expect(printable("a\nb\u001b[2J\u202ec")).toBe("a\\nb\\u001b[2J\\u202ec");
    expect(table([{ name: "a\nb" }], [{ title: "n", value: (row) => row.name }])).toBe("n\na\\nb");
  });

  it("cuts between graphemes", () => {
    expect(cut("abcdef", 6)).toBe("abcdef");
    expect(cut("abcdefg", 6)).toBe("abcde…");
    expect(cut("日本語", 5)).toBe("日本…");
    expect(displayWidth(cut("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 4))).toBeLessThanOrEqual(4);
  });
});
