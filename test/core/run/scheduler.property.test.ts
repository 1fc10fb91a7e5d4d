/**
 * Random schedules, kills and restarts: with `missed: all` every moment of the timetable begins exactly one run. A
 * failure prints fast-check's seed and path.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Cron } from "../../../core/flow/cron.js";
import { Killed, Life } from "./mortal.js";
import { NOON, SchedulerWorld } from "./scheduler-world.js";

/** A lease of a killed life runs out by itself: the process is this one. */
const LEASE_MS = 31_000;

interface Episode {
  /** How long the daemon lives, unless it is killed before. */
  readonly upMs: number;
  /** Durable steps until it is killed; undefined: it is stopped. */
  readonly steps: number | undefined;
  readonly answered: boolean;
  readonly downMs: number;
}

it("no start is lost and none is made twice", async () => {
  const second = fc.constantFrom("0", "*/30", "7,31");
  const minute = fc.constantFrom("*", "*/3", "0", "1,2,30");
  const hour = fc.constantFrom("*", "*", "14", "*/2");
  const cron = fc.tuple(second, minute, hour).map(([s, m, h]) => `${s} ${m} ${h} * * *`);
  const zone = fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kathmandu");
  const episode: fc.Arbitrary<Episode> = fc.record({
    upMs: fc.integer({ min: 0, max: 200_000 }),
    steps: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    answered: fc.boolean(),
    // Short enough that even if no life starts anything fewer than a hundred wait.
    downMs: fc.integer({ min: 0, max: 300_000 }),
  });
  const begin = fc.integer({ min: 0, max: 3_600_000 });
  const episodes = fc.array(episode, { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(cron, zone, begin, episodes, async (expression, timezone, later, lives) => {
      const world = new SchedulerWorld({ now: NOON + later });
      try {
        world.project({
          a: `{ type: schedule, cron: "${expression}", timezone: ${timezone}, missed: all, overlap: queue }`,
        });
        // A first, whole life: what is due is counted from it on.
        const since = world.clock.now();
        await world.up();
        await world.down();
        for (const life of lives) await live(world, life);
        await world.up();
        await world.clock.advance(LEASE_MS);
        await world.down();
        const expected: number[] = [];
        const moments = new Cron(expression, timezone);
        for (let due = moments.next(since - 1); due !== undefined && due <= world.clock.now(); ) {
          expected.push((due - NOON) / 1000);
          due = moments.next(due);
        }
        const begun = world.starts.flatMap(({ due }) => due ?? []);
        expect(begun).toEqual(expected);
      } finally {
        await world.close();
      }
    }),
    { numRuns: 50 },
  );
});

async function live(world: SchedulerWorld, { upMs, steps, answered, downMs }: Episode): Promise<void> {
  if (steps === undefined) {
    await world.up();
    await world.clock.advance(upMs);
    await world.down();
  } else {
    await world.up({ environment: new Life(steps, answered).of(world.environment) });
    await world.clock.advance(upMs);
    await world.down().catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
    world.clock.step(LEASE_MS);
  }
  world.clock.step(downMs);
}
