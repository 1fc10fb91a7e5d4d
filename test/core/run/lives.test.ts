import { afterEach, describe, expect, it } from "vitest";
import { type Load, RecordError, type SourceRecord, TransientError } from "../../../core/contracts/index.js";
import { deadLettersOf, redriveDeadLetters, runFlow } from "../../../core/run/index.js";
import { memoryEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { things } from "./connectors.js";
import { RunWorld } from "./harness.js";
import { Life, readerOf, TurnClock } from "./mortal.js";

/*
 * Many short lives: processes are killed at random steps, sinks are away or refuse records at random, the source grows,
 * letters are redriven, until one process lives on in a world that is whole. Then every record is at every sink once.
 */

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed + 1);
const LIVES = 8;
const signal = new AbortController().signal;
let world: RunWorld;
afterEach(() => world.close());

const MODES = {
  append: ["incremental", "append"],
  upsert: ["incremental", "upsert, key: [id]"],
  replace: ["full", "replace"],
} as const;

describe.each(["append", "upsert", "replace"] as const)("%s", (mode) => {
  it("survives any number of deaths", async () => {
    world = new RunWorld();
    const [read, write] = MODES[mode];
    const flow = world.flow(
      `source: { connection: source, stream: things, mode: ${read} }
validate: [{ field: amount, rule: notNegative, onFail: deadLetter }]
errors: { maxRejected: 100% }
sinks:
  - { connection: first, name: a, write: ${write} }
  - { connection: second, name: b }
`,
      "{ messageSize: 1KiB }",
    );
    const base = world.host();
    for (const seed of SEEDS) {
      const random = seededRandom(seed);
      try {
        await live(mode, random, { ...base, random }, flow);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
  });
});

async function live(
  mode: keyof typeof MODES,
  random: ReturnType<typeof seededRandom>,
  base: ReturnType<RunWorld["host"]>,
  flow: ReturnType<RunWorld["flow"]>,
): Promise<void> {
  const clock = new TurnClock();
  const environment = memoryEnvironment({ clock, random });
  const records: SourceRecord[] = [];
  const grow = () => records.push(...things(records.length, records.length + Math.floor(random.next() * 9)));
  let life = new Life(Number.MAX_SAFE_INTEGER, true);
  let isWhole = false;
  let cancel = new AbortController();
  /** The process dies, or its user loses patience. */
  const check = () => {
    life.check();
    if (!isWhole && random.next() < 0.02) cancel.abort();
  };
  const refused = new Set<string>();
  for (const sink of [world.sink, world.other]) {
    sink.loads.clear();
    sink.attempts.length = 0;
    sink.finished.length = 0;
    sink.manifests.clear();
    sink.loadBytes = 200 + Math.floor(random.next() * 3_000);
    sink.beforePrepare = check;
    sink.beforeFinish = () => {
      check();
      if (!isWhole && random.next() < 0.1) throw new TransientError("AWAY", "away at the end");
    };
    sink.beforeWrite = (_load: Load, lines: readonly string[]) => {
      check();
      if (isWhole) return;
      if (random.next() < 0.1) throw new TransientError("AWAY", "away");
      // A sink that refuses a record goes on refusing it until all is whole.
      const bad = lines.find((line) => {
        const { id } = JSON.parse(line);
        return refused.has(id) || (Number(id.slice(1)) % 11 === 7 && refused.add(id));
      });
      if (bad !== undefined) throw new RecordError("BAD", "refused");
    };
    sink.afterWrite = () => {
      if (!isWhole && random.next() < 0.1) throw new TransientError("LOST", "the answer was lost");
    };
  }
  world.source.reader = readerOf(
    () => records,
    3,
    () => {
      check();
      if (!isWhole && random.next() < 0.03) throw new TransientError("GONE", "the source is away");
    },
  );
  const host = () => ({ ...base, environment: life.of(environment), clock });
  const options = () => ({ trigger: "onDemand", full: mode === "replace" && random.next() < 0.1 });

  for (let n = 0; n < LIVES; n++) {
    clock.pass(60_000);
    grow();
    const mortal = new Life(Math.floor(random.next() * 80), random.next() < 0.5);
    life = mortal;
    cancel = new AbortController();
    const command =
      mode !== "replace" && random.next() < 0.2
        ? redriveDeadLetters(host(), flow, { dryRun: false, signal: cancel.signal })
        : runFlow(host(), flow, { ...options(), signal: cancel.signal });
    await command.catch((error: unknown) => {
      if (!mortal.over) throw error;
    });
  }
  isWhole = true;
  life = new Life(Number.MAX_SAFE_INTEGER, true);
  clock.pass(60_000);
  const last = await runFlow(host(), flow, { trigger: "onDemand", signal });
  expect(last.exitCode).toBe(0);
  if (mode === "replace") {
    clock.pass(60_000);
    await runFlow(host(), flow, { trigger: "onDemand", signal });
  } else {
    clock.pass(60_000);
    await redriveDeadLetters(host(), flow, { dryRun: false, signal });
    expect([...deadLettersOf(environment, "things")]).toEqual([]);
  }

  for (const { run, status, records: counts, sinks } of environment.store.runs({
    flow: "things",
    limit: 99,
  })) {
    expect(status, run).not.toBe("running");
    expect(counts.queued, run).toBe(0);
    for (const sink of sinks) {
      expect(sink.records + sink.deadLettered + sink.dropped, run).toBe(sink.sent);
      expect(sink.finished, run).toBe(true);
    }
  }
  expect(environment.store.openLoads("things")).toEqual([]);
  for (const sink of [world.sink, world.other]) {
    const named = [...sink.manifests.values()].flat();
    expect(named.sort()).toEqual([...sink.loads.keys()].map((load) => `/sink/${load}`).sort());
  }
  const expected = records.map(({ id }) => String(id)).sort();
  const idsIn = (sink: typeof world.sink, generation?: string) =>
    [...sink.loads.values()]
      .filter((load) => generation === undefined || load.generation === generation)
      .flatMap(({ lines }) => lines.map((line) => String(JSON.parse(line).id)))
      .sort();
  if (mode === "replace") {
    // Whatever was put in force on the way was one whole read, but for what was refused.
    for (const { complete, generation } of world.sink.finished) {
      if (!complete) continue;
      const own = idsIn(world.sink, generation);
      expect(new Set(own).size).toBe(own.length);
      const read: string[] = [];
      for (let n = 0; n < Math.max(0, ...own.map((id) => Number(id.slice(1)) + 1)); n++)
        if (!refused.has(`t${n}`)) read.push(`t${n}`);
      expect(own.filter((id) => !refused.has(id))).toEqual(read.sort());
    }
    const current = world.sink.finished.filter(({ complete }) => complete).at(-1)?.generation;
    expect(idsIn(world.sink, current)).toEqual(expected);
  } else {
    expect(idsIn(world.sink)).toEqual(expected);
    expect(idsIn(world.other)).toEqual(expected);
  }
  await environment.close();
}
