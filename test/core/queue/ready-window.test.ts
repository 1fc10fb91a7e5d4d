import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBefore, type Place, placeKey, placeOf } from "../../../core/queue/keys.js";
import { ReadyWindow } from "../../../core/queue/ready-window.js";
import { MemoryTables } from "../../../core/store/memory-tables.js";

const LANE = 7;

interface Step {
  readonly verb: "put" | "remove" | "look";
  readonly place: Place;
  /** Puts and removals: so many neighbours. Looks: the limit. */
  readonly count: number;
}

const place: fc.Arbitrary<Place> = fc.record({ order: fc.nat(40), sequence: fc.nat(4_000) });
const step: fc.Arbitrary<Step> = fc.record({
  verb: fc.constantFrom("put", "put", "remove", "look", "look"),
  place,
  // Now and then more than a window holds.
  count: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 1, max: 12 }) }, fc.constant(1_300)),
});

describe("the ready packs that a lane knows", () => {
  it("are those that stand in the table, wherever one looks from", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(place, { maxLength: 120 }), fc.array(step, { maxLength: 60 }), run),
      { numRuns: 150 },
    );
  });

  async function run(before: readonly Place[], steps: readonly Step[]): Promise<void> {
    const tables = new MemoryTables();
    const table = tables.bytes("ready");
    const other = { order: 1, sequence: 1 };
    await tables.transaction(() => {
      for (const one of before) table.put(placeKey(LANE, one), Buffer.from([1]));
      table.put(placeKey(LANE - 1, other), Buffer.from([1]));
      table.put(placeKey(LANE + 1, other), Buffer.from([1]));
      const window = new ReadyWindow(table, LANE);
      for (const { verb, place: at, count } of steps) {
        if (verb === "look") expect(window.from(at, count)).toEqual(standing(at, count));
        else
          for (let n = 0; n < count; n++) {
            const neighbour = { order: at.order, sequence: at.sequence + n };
            if (verb === "put") window.put(neighbour);
            else window.remove(neighbour);
          }
      }
      expect(window.from({ order: 0, sequence: 0 }, 10_000)).toEqual(
        standing({ order: 0, sequence: 0 }, 10_000),
      );
    });

    function standing(from: Place, limit: number): Place[] {
      const all = table
        .keys({
          from: placeKey(LANE, { order: 0, sequence: 0 }),
          to: placeKey(LANE + 1, { order: 0, sequence: 0 }),
          limit: 1e6,
        })
        .map(placeOf);
      return all.filter((one) => !isBefore(one, from)).slice(0, limit);
    }
  }
});
