import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { QueueCrashWorld } from "../../crash/queue/world.js";

/** `npm run crash:queue` does the same with hundreds of kills. Another seed every day, printed when something is found. */
it("the endpoint loses, doubles and disorders nothing when it is killed under load", {
  timeout: 90_000,
}, async () => {
  const main = join(process.cwd(), "dist", "core", "edge", "cli", "main.js");
  if (!existsSync(main)) throw new Error(`${main} is missing: run \`npm run build\` first (npm test does)`);
  const seed = Math.floor(Date.now() / 86_400_000);
  const world = new QueueCrashWorld(seed);
  await world.run(12);
  const { findings, kills, sent, delivered, deleted } = world.report();
  expect(findings, `seed ${seed}, kept: ${world.close()}`).toEqual([]);
  expect(kills).toBe(12);
  // It was under load: most of what was sent came and went.
  expect(sent).toBeGreaterThan(100);
  expect(delivered).toBeGreaterThanOrEqual(sent);
  expect(deleted).toBeGreaterThan(sent / 2);
});
