import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Environment, systemClock, systemRandom } from "../../../core/contracts/index.js";
import { openEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { scratchDir } from "../store/scratch-dir.js";
import { type Turn, take } from "./turns.js";

/** What a process remembers of a queue between its works must not outlive what another one does to it. */
let folder: ReturnType<typeof scratchDir>;
let here: Environment;
let there: ChildProcess;

beforeEach(async () => {
  const child = join(process.cwd(), "dist", "test", "core", "queue", "turns-child.js");
  if (!existsSync(child)) throw new Error(`${child} is missing: run \`npm run build\` first (npm test does)`);
  folder = scratchDir();
  const options = { dataDir: folder.path, clock: systemClock, random: systemRandom, sync: "none" } as const;
  here = await openEnvironment(options);
  there = fork(child, [folder.path]);
  await once(there, "message");
});

afterEach(async () => {
  const gone = once(there, "exit");
  there.disconnect();
  await gone;
  await here.close();
  folder.remove();
});

async function elsewhere(turn: Turn): Promise<string[]> {
  const answer = once(there, "message");
  there.send(turn);
  const [bodies]: string[][] = await answer;
  return bodies ?? [];
}

it.each(["q", "q.fifo"])("two processes that take turns at %s see each other's every step", async (queue) => {
  await here.queues.createQueue(queue, queue.endsWith(".fifo") ? { FifoQueue: true } : {});
  const seed = Date.now() % 1_000_000;
  const random = seededRandom(seed);
  let waiting: string[] = [];
  let sent = 0;
  for (let step = 0; step < 400; step++) {
    const verb = (["send", "receive", "return"] as const)[Math.floor(random.next() * 3)] ?? "send";
    const count = verb === "send" ? 1 + Math.floor(random.next() * 10) : 0;
    const bodies = Array.from({ length: count }, () => `m${sent++}`);
    const turn = { queue, verb, bodies };
    const given = random.next() < 0.5 ? await take(here.queues, turn) : await elsewhere(turn);
    // Nobody else asks: a receive gives the oldest ten.
    const story = `seed ${seed}, step ${step}, ${verb}`;
    expect(given, story).toEqual(verb === "send" ? [] : waiting.slice(0, 10));
    if (verb === "send") waiting = [...waiting, ...bodies];
    if (verb === "receive") waiting = waiting.slice(10);
  }
  expect(here.queues.depth(queue).ApproximateNumberOfMessages).toBe(waiting.length);
});
