import { afterEach, describe, expect, it } from "vitest";
import { type Environment, RecordError, type SourceRecord } from "../../../core/contracts/index.js";
import type { Flow } from "../../../core/flow/types.js";
import {
  deadLettersOf,
  editDeadLetter,
  purgeQueue,
  type RunHost,
  recordFrom,
  redriveDeadLetters,
  runFlow,
} from "../../../core/run/index.js";
import { memoryEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { type ScriptedSink, things } from "./connectors.js";
import { RunWorld, SIMPLE } from "./harness.js";
import { Life, readerOf, TurnClock } from "./mortal.js";

/*
 * A process is killed at its first durable step, at its second, and so on, each before the step is done and after it
 * is done but not answered, until it lives to its end. After every death the same command is given again.
 */

const FOR_EVER = Number.MAX_SAFE_INTEGER;
const signal = new AbortController().signal;
let world: RunWorld;
afterEach(() => world.close());

interface Scene {
  readonly yaml: string;
  readonly buffer?: string;
  readonly records: readonly SourceRecord[];
  /** What happens before the process that may be killed starts. */
  readonly before?: (host: RunHost, flow: Flow) => Promise<unknown>;
  /** Given again after a death. */
  readonly command: (host: RunHost, flow: Flow) => Promise<unknown>;
  /** Commands of the process after that, which lives. */
  readonly after?: (host: RunHost, flow: Flow) => Promise<unknown>;
  readonly check: (environment: Environment) => void;
}

const run = (host: RunHost, flow: Flow) => runFlow(host, flow, { trigger: "onDemand", signal });

/** Plays the scene with a death at every step; returns how many there were. */
async function playThrough(scene: Scene): Promise<number> {
  world = new RunWorld();
  const steps = [await playWith(scene, true), await playWith(scene, false)];
  return Math.min(...steps);
}

async function playWith(scene: Scene, answered: boolean): Promise<number> {
  const sinks = [world.sink, world.other];
  const flow = world.flow(scene.yaml, scene.buffer);
  const base = world.host();
  for (let last = 1; ; last++) {
    const clock = new TurnClock();
    const environment = memoryEnvironment({ clock, random: seededRandom(last) });
    for (const sink of sinks) reset(sink);
    let life = new Life(FOR_EVER, true);
    for (const sink of sinks) tie(sink, () => life.check());
    world.source.reader = readerOf(
      () => scene.records,
      4,
      () => life.check(),
    );
    const random = seededRandom(last);
    const host = () => ({ ...base, environment: life.of(environment), clock, random });
    await scene.before?.(host(), flow);
    life = new Life(last, answered);
    const first = life;
    await scene.command(host(), flow).catch((error: unknown) => {
      if (!first.over) throw error;
    });
    const died = first.over;
    clock.pass(60_000);
    life = new Life(FOR_EVER, true);
    await scene.command(host(), flow);
    await scene.after?.(host(), flow);
    try {
      checkAccounts(environment);
      scene.check(environment);
    } catch (error) {
      throw new Error(`killed at step ${last}, ${answered ? "before" : "after"} it was done: ${error}`);
    }
    await environment.close();
    if (!died) return last;
  }
}

function reset(sink: ScriptedSink): void {
  sink.loads.clear();
  sink.attempts.length = 0;
  sink.finished.length = 0;
  sink.manifests.clear();
}

/** A dead process writes nothing. */
function tie(sink: ScriptedSink, check: () => void): void {
  sink.beforePrepare = check;
  sink.beforeWrite = check;
  sink.beforeFinish = check;
}

function checkAccounts(environment: Environment): void {
  for (const { run: id, status, records, sinks } of environment.store.runs({ flow: "things", limit: 99 })) {
    expect(status, id).not.toBe("running");
    const { fetched, filtered, dropped, deadLettered, loaded, queued } = records;
    expect(fetched, id).toBe(filtered + dropped + deadLettered + loaded + queued);
    expect(queued, id).toBe(0);
    for (const sink of sinks) {
      expect(sink.sent, id).toBe(sink.records + sink.deadLettered + sink.dropped);
      expect(sink.finished, id).toBe(true);
    }
  }
  expect(environment.store.openLoads("things")).toEqual([]);
  for (const sink of [world.sink, world.other]) {
    const named = [...sink.manifests.values()].flat();
    expect(named.sort()).toEqual([...sink.loads.keys()].map((load) => `/sink/${load}`).sort());
  }
}

const idsOf = (records: readonly SourceRecord[]) => records.map(({ id }) => String(id)).sort();
const total = (environment: Environment, key: "fetched" | "loaded" | "deadLettered" | "dropped") =>
  environment.store.runs({ flow: "things", limit: 99 }).reduce((sum, { records }) => sum + records[key], 0);

/** Ids in the generation that the last swap put into force. */
function current(sink: ScriptedSink): string[] {
  const generation = sink.finished.filter(({ complete }) => complete).at(-1)?.generation;
  const lines = [...sink.loads.values()].filter((load) => load.generation === generation);
  return idsOf(lines.flatMap((load) => load.lines.map((line) => JSON.parse(line))));
}

describe("killed at any step and started again", () => {
  it("a run loads every record once, into each of its sinks", async () => {
    const records = things(0, 11, (n): SourceRecord => (n === 5 ? { amount: -1 } : {}));
    const steps = await playThrough({
      yaml: `${SIMPLE}  - { connection: second, name: b, write: upsert, key: [id] }
validate: [{ field: amount, rule: notNegative, onFail: deadLetter }]
errors: { maxRejected: 5 }
`,
      buffer: "{ messageSize: 1KiB }",
      records,
      command: run,
      check: (environment) => {
        const expected = idsOf(records.filter(({ id }) => id !== "t5"));
        expect(idsOf(world.sink.records)).toEqual(expected);
        expect(idsOf(world.other.records)).toEqual(expected);
        expect([...deadLettersOf(environment, "things")]).toHaveLength(1);
        expect(total(environment, "fetched")).toBe(11);
      },
    });
    expect(steps).toBeGreaterThan(20);
  });

  it("a load that is refused is split down to its bad records, each dead-lettered once", async () => {
    const records = things(0, 12);
    const bad = new Set(["t3", "t4", "t9"]);
    const steps = await playThrough({
      yaml: `${SIMPLE}errors: { maxRejected: 50% }\n`,
      buffer: "{ messageSize: 1KiB }",
      records,
      before: async () => {
        const { beforeWrite } = world.sink;
        world.sink.beforeWrite = async (load, lines) => {
          await beforeWrite(load, lines);
          if (lines.some((line) => bad.has(JSON.parse(line).id))) throw new RecordError("BAD", "refused");
        };
      },
      command: run,
      check: (environment) => {
        expect(idsOf(world.sink.records)).toEqual(idsOf(records.filter(({ id }) => !bad.has(String(id)))));
        const letters = [...deadLettersOf(environment, "things")];
        expect(letters.map(({ message }) => JSON.parse(message.body().toString()).id).sort()).toEqual(
          [...bad].sort(),
        );
        expect(total(environment, "deadLettered")).toBe(3);
      },
    });
    expect(steps).toBeGreaterThan(20);
  });

  it("a full read into a replaced target puts every record there once", async () => {
    const records = things(0, 10);
    const steps = await playThrough({
      yaml: `source: { connection: source, stream: things, mode: full }
sinks:
  - { connection: first, name: a, write: replace }
  - { connection: second, name: b }
`,
      records,
      command: run,
      check: () => {
        expect(current(world.sink)).toEqual(idsOf(records));
      },
    });
    expect(steps).toBeGreaterThan(15);
  });

  it.each([
    ["in one transaction", undefined, 10],
    ["in several", 5, 15],
  ])("a redrive sends every letter back once, %s", async (_, perSecond, least) => {
    const rate = perSecond === undefined ? {} : { perSecond };
    const records = things(0, 10, (n): SourceRecord => (n % 3 === 0 ? { amount: -1 } : {}));
    const strict = `${SIMPLE}validate: [{ field: amount, rule: notNegative, onFail: deadLetter }]
errors: { maxRejected: 50% }
`;
    let mended: Flow | undefined;
    const steps = await playThrough({
      yaml: strict,
      records,
      before: async (host, flow) => {
        await run(host, flow);
        mended ??= world.flow(SIMPLE);
      },
      command: (host, flow) => redriveDeadLetters(host, mended ?? flow, { dryRun: false, signal, ...rate }),
      after: (host) => run(host, mended!),
      check: (environment) => {
        expect(idsOf(world.sink.records)).toEqual(idsOf(records));
        expect([...deadLettersOf(environment, "things")]).toEqual([]);
        expect(total(environment, "loaded")).toBe(10);
      },
    });
    expect(steps).toBeGreaterThan(least);
  });

  it("an edited letter takes the place of the old one: it is there once, in one form", async () => {
    const records = things(
      0,
      6,
      (n): SourceRecord => (n === 2 ? { amount: -1, name: "x".repeat(300_000) } : {}),
    );
    const strict = `${SIMPLE}validate: [{ field: amount, rule: notNegative, onFail: deadLetter }]
errors: { maxRejected: 50% }
`;
    const steps = await playThrough({
      yaml: strict,
      records,
      before: run,
      command: async ({ environment, clock }) => {
        for (const letter of deadLettersOf(environment, "things")) {
          if (letter.editedAt !== undefined) continue;
          const record = recordFrom(letter.message.body(), "test");
          await editDeadLetter(environment, letter, { ...record, amount: 1 }, clock.now());
        }
      },
      after: (host, flow) => redriveDeadLetters(host, flow, { dryRun: false, signal }),
      check: (environment) => {
        expect(idsOf(world.sink.records)).toEqual(idsOf(records));
        expect([...deadLettersOf(environment, "things")]).toEqual([]);
        expect(total(environment, "deadLettered")).toBe(1);
      },
    });
    expect(steps).toBeGreaterThan(1);
  });

  it("a purge drops what is queued, and the flow goes on", async () => {
    const records = things(0, 10);
    let away = true;
    const steps = await playThrough({
      yaml: SIMPLE,
      buffer: "{ messageSize: 1KiB }",
      records,
      before: async (host, flow) => {
        away = true;
        const { beforeWrite } = world.sink;
        world.sink.beforeWrite = async (load, lines) => {
          await beforeWrite(load, lines);
          if (away) throw new Error("broken");
        };
        await run(host, flow);
      },
      command: (host) => purgeQueue(host, "things--0-first"),
      after: (host, flow) => {
        away = false;
        return run(host, flow);
      },
      check: (environment) => {
        expect(world.sink.records).toEqual([]);
        expect(total(environment, "dropped")).toBe(10);
      },
    });
    expect(steps).toBeGreaterThan(3);
  });
});
