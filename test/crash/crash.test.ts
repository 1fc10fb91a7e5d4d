import { expect, it } from "vitest";
import type { World } from "./killed-world.js";
import { createWorld } from "./worlds.js";

/* `npm run crash` does the same with hundreds of kills. Another seed every day, printed when something is found. */

const seed = Math.floor(Date.now() / 86_400_000);

it("loses nothing and doubles nothing when real runs are killed", { timeout: 180_000 }, async () => {
  // A run that ends before its instant comes is not killed.
  await judge(await createWorld("rest", seed, 3_000), [3, 3], 2);
});

it.concurrent.each(["bulk", "slack", "zendesk"] as const)(
  "loses nothing and doubles nothing while %s is read",
  { timeout: 180_000 },
  async (source) => {
    await judge(await createWorld(source, seed, 3_000), [2, 1], 1);
  },
);

async function judge(world: World, rounds: readonly number[], fewest: number): Promise<void> {
  try {
    for (const kills of rounds) await world.round(kills);
  } finally {
    await world.close();
  }
  const { kills, lost, duplicated, unbalanced, findings } = world.report();
  expect({ lost, duplicated, unbalanced, findings }, `seed ${seed}`).toEqual({
    lost: 0,
    duplicated: 0,
    unbalanced: 0,
    findings: [],
  });
  expect(kills).toBeGreaterThanOrEqual(fewest);
}
