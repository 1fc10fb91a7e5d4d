import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { columnChunks, columnsOf } from "../../../connectors/salesforce/column-chunks.js";

describe("column chunks", () => {
  it("hold every column once, in order, within the room, and no more of them than half-full ones would be", () => {
    const name = fc.stringMatching(/^[A-Z][a-z]{0,12}(\.[A-Z][a-z]{0,5})?$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { maxLength: 80 }),
        fc.integer({ min: 60, max: 300 }),
        (paths, room) => {
          const columns = columnsOf(paths);
          const chunks = columnChunks(columns, room);
          if (typeof chunks === "string") {
            expect((columns.get(chunks) ?? []).join(",").length + 1).toBeGreaterThan(room);
            return;
          }
          expect(chunks.flat()).toEqual([...columns.values()].flat());
          expect([...chunks.flat()].sort()).toEqual([...paths].sort());
          for (const chunk of chunks) expect(`${chunk.join(",")},`.length).toBeLessThanOrEqual(room);
          const all = chunks.flat().join(",").length + 1;
          const longest = Math.max(0, ...[...columns.values()].map((paths) => paths.join(",").length + 1));
          if (longest * 4 < room) expect(chunks.length).toBeLessThanOrEqual(1 + (all * 2) / room);
        },
      ),
    );
  });

  it("keep the fields of a parent together, and say which parent is too large", () => {
    const columns = columnsOf(["A__c", "Owner.Name", "B__c", "Owner.Manager.Name", "C__c"]);
    expect([...columns.keys()]).toEqual(["A__c", "Owner", "B__c", "C__c"]);
    expect(columnChunks(columns, 31)).toEqual([
      ["A__c"],
      ["Owner.Name", "Owner.Manager.Name"],
      ["B__c", "C__c"],
    ]);
    expect(columnChunks(columns, 29)).toBe("Owner");
    expect(columnChunks(columnsOf([]), 10)).toEqual([]);
  });
});
