import { expect, it } from "vitest";
import { CrashWorld } from "./world.js";

/** `npm run crash` does the same with hundreds of kills. Another seed every day, printed when something is found. */
it("loses nothing and doubles nothing when real runs are killed", { timeout: 180_000 }, async () => {
  const seed = Math.floor(Date.now() / 86_400_000);
  const world = await CrashWorld.create(seed, 4_000);
  try {
    await world.round(6);
    await world.round(4);
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
  // A run that ends before its instant comes is not killed.
  expect(kills).toBeGreaterThanOrEqual(3);
});
