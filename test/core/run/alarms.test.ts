import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AlarmState, type Log, TransientError } from "../../../core/contracts/index.js";
import { type AlarmReport, evaluateAlarms, measureAlarms, noteAlarms } from "../../../core/run/index.js";
import { matchesPattern } from "../../../core/run/queue-pattern.js";
import { page, things } from "./connectors.js";
import { RunWorld, SIMPLE } from "./harness.js";

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const HOUR = 3_600_000;
let world: RunWorld;
beforeEach(() => {
  world = new RunWorld();
});
afterEach(() => world.close());

/** The project with these alarms, and 8 records waiting for a sink that is away. */
async function queued(alarms: string): Promise<void> {
  const flow = world.flow(SIMPLE, `{ alarms: ${alarms} }`);
  world.source.reads = [[page(things(0, 8), { at: 8 })], []];
  world.sink.beforeWrite = () => {
    throw new TransientError("AWAY", "the sink is away");
  };
  await world.run(flow);
}

const measure = (now = Date.now()) => measureAlarms(world.environment, world.host().project, now);
const evaluate = (now = Date.now(), log = silent) =>
  evaluateAlarms(world.environment, world.host().project, now, log);
const states = ({ alarms }: AlarmReport) =>
  alarms.map(({ queue, metric, state }) => `${queue} ${metric} ${state}`);

describe("alarms", () => {
  it("measure messages, records, bytes and age of the queues that their pattern names", async () => {
    await queued(
      '[{ queue: "things--0*", messages: 1, records: 9, bytes: 100B, oldest: 1h }, { queue: "*", records: 8 }]',
    );
    const report = measure();
    expect(states(report)).toEqual([
      "things--0-first messages firing",
      "things--0-first records ok",
      "things--0-first bytes firing",
      "things--0-first oldest ok",
      "things--0-first records firing",
    ]);
    expect(report.alarms.map(({ value }) => value).slice(0, 2)).toEqual([1, 8]);
    const { oldestSentAt = 0 } = world.environment.queues.depth("things--0-first");
    const oldest = (age: number) => measure(oldestSentAt + age).alarms[3];
    expect(oldest(HOUR - 1)).toMatchObject({ state: "ok", value: HOUR - 1, threshold: HOUR });
    expect(oldest(HOUR)).toMatchObject({ state: "firing", value: HOUR, place: "sluice.yaml:5" });
  });

  it("watch dead letters where they are asked to, and not with everything else", async () => {
    await queued('[{ queue: "*", messages: 1, deadLetters: 1 }, { queue: "*--dead-letters", oldest: 1h }]');
    await world.environment.queues.send("things--dead-letters", [{ body: "{}" }]);
    const report = measure(Date.now() + 2 * HOUR);
    expect(states(report)).toEqual([
      "things--0-first messages firing",
      "things--dead-letters deadLetters firing",
      "things--dead-letters oldest firing",
    ]);
    expect(report.idle).toEqual([]);
  });

  it("take a queue for a dead-letter queue that another one names as its own", async () => {
    const { queues } = world.environment;
    await queues.createQueue("graveyard");
    await queues.createQueue("inbox", {
      RedrivePolicy: { deadLetterTargetQueue: "graveyard", maxReceiveCount: 3 },
    });
    world.flow(
      SIMPLE,
      '{ alarms: [{ queue: "*", deadLetters: 1 }, { queue: "g*", messages: 1 }, { queue: graveyard, messages: 2 }] }',
    );
    const report = measure();
    expect(states(report)).toEqual(["graveyard deadLetters ok", "graveyard messages ok"]);
    expect(report.idle).toEqual([{ pattern: "g*", place: "sluice.yaml:5", metric: "messages" }]);
  });

  it("that watch nothing are named, unless a flow of the project will make the queue", () => {
    world.flow(
      SIMPLE,
      '{ alarms: [{ queue: "things--*", messages: 1 }, { queue: "thing--*", messages: 1, deadLetters: 1 }] }',
    );
    for (const environment of [undefined, world.environment]) {
      const report = measureAlarms(environment, world.host().project, 0);
      expect(report.alarms).toEqual([]);
      expect(report.idle.map(({ pattern, metric }) => [pattern, metric])).toEqual([
        ["thing--*", "messages"],
        ["thing--*", "deadLetters"],
      ]);
    }
  });

  it("are evaluated at the end of a run, with one line for each that begins to fire", async () => {
    const lines: unknown[] = [];
    await queued('[{ queue: "*", records: 8, messages: 1 }]');
    expect(world.environment.store.alarms().map(({ id }) => id)).toEqual([
      "things--0-first messages 1",
      "things--0-first records 8",
    ]);
    const log = { ...silent, warn: (...line: unknown[]) => void lines.push(line) };
    expect((await evaluate(Date.now(), log)).moves).toEqual([]);
    world.sink.beforeWrite = () => undefined;
    await world.run(world.flow(SIMPLE, '{ alarms: [{ queue: "*", records: 8, messages: 1 }] }'));
    expect(world.environment.store.alarms().map(({ changes }) => changes.at(-1)?.state)).toEqual([
      "ok",
      "ok",
    ]);
    const { queues } = world.environment;
    await queues.send("things--0-first", [{ body: "{}" }]);
    await evaluate(Date.now(), log);
    await evaluate(Date.now(), log);
    expect(lines).toEqual([
      ["an alarm fires", { queue: "things--0-first", metric: "messages", value: 1, threshold: 1 }],
    ]);
  });

  it("keep when they began and ended, each move once, whoever measures", async () => {
    await queued('[{ queue: "*", oldest: 1h }]');
    const { oldestSentAt = 0 } = world.environment.queues.depth("things--0-first");
    const at = (age: number) => oldestSentAt + age;
    const iso = (age: number) => new Date(at(age)).toISOString();
    expect((await evaluate(at(10))).moves).toEqual([]);
    expect(world.environment.store.alarms()).toEqual([]);
    // Two that measure before either writes.
    const [one, two] = [measure(at(HOUR)), measure(at(HOUR + 5))];
    const noted = [
      await noteAlarms(world.environment, one, at(HOUR)),
      await noteAlarms(world.environment, two, at(HOUR + 5)),
    ];
    expect(noted.map(({ length }) => length)).toEqual([1, 0]);
    const firing = measure(at(2 * HOUR));
    expect(firing.alarms[0]).toMatchObject({ state: "firing", since: iso(HOUR), value: 2 * HOUR });
    await world.environment.queues.purgeQueue("things--0-first");
    await evaluate(at(3 * HOUR));
    const [state] = world.environment.store.alarms();
    expect(state).toEqual({
      id: `things--0-first oldest ${HOUR}`,
      queue: "things--0-first",
      metric: "oldest",
      threshold: HOUR,
      changes: [
        { state: "firing", at: iso(HOUR), value: HOUR },
        { state: "ok", at: iso(3 * HOUR), value: 0 },
      ],
    } satisfies AlarmState);
    expect(measure(at(3 * HOUR)).alarms[0]).toMatchObject({ state: "ok", since: iso(3 * HOUR) });
  });

  it("end when their rule or their queue is gone, and are forgotten two weeks later", async () => {
    await queued('[{ queue: "*", messages: 1 }]');
    const now = Date.now();
    await evaluate(now);
    world.flow(SIMPLE, '{ alarms: [{ queue: "*", messages: 2 }] }');
    expect(measure(now).alarms).toMatchObject([{ threshold: 2, state: "ok", since: null }]);
    await evaluate(now + 1);
    const [gone] = world.environment.store.alarms();
    expect(gone?.changes.at(-1)).toEqual({ state: "ok", at: new Date(now + 1).toISOString(), value: null });
    expect((await evaluate(now + 2)).moves).toEqual([]);
    await world.environment.queues.send("things--0-first", [{ body: "{}" }]);
    await evaluate(now + 15 * 24 * HOUR);
    expect(world.environment.store.alarms().map(({ id }) => id)).toEqual(["things--0-first messages 2"]);
  });

  it("keep a bounded history", async () => {
    await queued('[{ queue: "*", oldest: 1h }]');
    const { oldestSentAt = 0 } = world.environment.queues.depth("things--0-first");
    for (let n = 0; n < 60; n++) await evaluate(oldestSentAt + (n % 2 === 0 ? HOUR : 0) + n);
    const [state] = world.environment.store.alarms();
    expect(state?.changes).toHaveLength(50);
    expect(state?.changes.at(-1)).toMatchObject({
      state: "ok",
      at: new Date(oldestSentAt + 59).toISOString(),
    });
  });

  it("stay as they are while sluice.yaml cannot be read", async () => {
    await queued('[{ queue: "*", messages: 1 }]');
    await evaluate();
    const { project } = world.host();
    const unread = { ...project, buffer: { ...project.buffer, alarms: undefined } };
    expect(await evaluateAlarms(world.environment, unread, Date.now(), silent)).toEqual({
      alarms: [],
      idle: [],
      moves: [],
    });
    expect(world.environment.store.alarms()[0]?.changes).toHaveLength(1);
  });
});

describe("a pattern of queue names", () => {
  it.each([
    ["*", "", true],
    ["*", "orders--0-lake", true],
    ["orders--*", "orders--0-lake", true],
    ["orders--*", "my-orders--0-lake", false],
    ["*--dead-letters", "orders--dead-letters", true],
    ["*--dead-letters", "orders--dead-letters-old", false],
    ["orders--?-lake", "orders--1-lake", true],
    ["orders--?-lake", "orders--10-lake", false],
    ["a.fifo", "aXfifo", false],
    ["**a**", "bab", true],
    ["", "", true],
    ["", "a", false],
    ["ab", "a", false],
  ])("%j and %j: %j", (pattern, name, expected) => expect(matchesPattern(pattern, name)).toBe(expected));

  it("matches what a regular expression of the same meaning does", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "-"), maxLength: 12 });
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", "-", "*", "?"), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (glob, name) => {
        const regex = new RegExp(`^${glob.replaceAll("*", ".*").replaceAll("?", ".")}$`);
        expect(matchesPattern(glob, name)).toBe(regex.test(name));
      }),
      { numRuns: 2_000 },
    );
  });

  it("takes no time for one that goes back and forth", () => {
    expect(matchesPattern("*a".repeat(40), `${"a".repeat(79)}b`)).toBe(false);
  });
});
