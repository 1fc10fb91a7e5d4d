import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IdSet, idPiece } from "../../../connectors/salesforce/id-set.js";
import { JobProgress } from "../../../connectors/salesforce/job-progress.js";
import { recordId } from "../../fakes/salesforce/index.js";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const anyId = fc
  .tuple(
    fc.constantFrom("0015g00", "a0B5g00", "003xx00"),
    fc.string({ unit: fc.constantFrom(...BASE62), minLength: 8, maxLength: 8 }),
  )
  .map(([head, tail]) => `${head}${tail}AAA`);

describe("the ids that were handed out", () => {
  it("are all in the set, and no others", () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyId, { maxLength: 60 }), fc.integer({ min: 0, max: 60 }), (ids, cut) => {
        const [inside, outside] = [ids.slice(0, cut), ids.slice(cut)];
        const pieces = [inside.slice(0, cut / 2), inside.slice(cut / 2)].map(
          (part) => idPiece(part) ?? "none",
        );
        const set = new IdSet(pieces);
        expect(inside.every((id) => set.has(id))).toBe(true);
        expect(outside.some((id) => set.has(id))).toBe(false);
      }),
    );
  });

  it("take a few bytes each", () => {
    const ids = Array.from({ length: 10_000 }, (_, n) => recordId("001", n * 37));
    expect(idPiece(ids)?.length).toBeLessThan(20_000);
    const set = new IdSet([idPiece(ids) ?? ""]);
    expect(ids.every((id) => set.has(id))).toBe(true);
    expect(set.has(recordId("001", 1))).toBe(false);
    expect(set.has("")).toBe(false);
  });

  it("are not listed where one is no id, nor where they are too many; then a lost job is told", () => {
    expect(idPiece(["0015g00000000AAAAA", "x"])).toBeUndefined();
    expect(idPiece(["0015g000-0000AAAAA"])).toBeUndefined();
    const progress = new JobProgress({});
    progress.begin("query", "7505g0000000001AAA");
    progress.add([{ Id: "no id" }]);
    expect(progress.delivered).toBeNull();
    // The same job may still be read to its end.
    progress.add([{ Id: recordId("001", 1) }]);
    expect(() => progress.leaveJob("salesforce Account")).toThrow(
      expect.objectContaining({
        kind: "config",
        code: "SALESFORCE_JOB_LOST",
        fix: expect.stringContaining("--full"),
      }),
    );
  });
});
