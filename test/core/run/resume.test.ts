import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ConfigError,
  type Environment,
  RecordError,
  type SourceRecord,
  TransientError,
} from "../../../core/contracts/index.js";
import type { Flow } from "../../../core/flow/types.js";
import {
  deadLettersOf,
  purgeQueue,
  type RunHost,
  type RunOptions,
  redriveDeadLetters,
  runFlow,
} from "../../../core/run/index.js";
import { memoryEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { page, stampOf, things } from "./connectors.js";
import { RunWorld, SIMPLE } from "./harness.js";
import { readerOf, TurnClock } from "./mortal.js";

/* What is left behind by a run, and what becomes of it when the next one finds the world changed. */

const signal = new AbortController().signal;
const REPLACING = `source: { connection: source, stream: things, mode: full }
sinks:
  - { connection: first, name: a, write: replace }
`;
let clock: TurnClock;
let environment: Environment;
let world: RunWorld;
beforeEach(() => {
  clock = new TurnClock();
  environment = memoryEnvironment({ clock, random: seededRandom(1) });
  world = new RunWorld(environment);
});
afterEach(() => world.close());

function host(): RunHost {
  return { ...world.host(), clock, random: seededRandom(clock.now()) };
}

/** Runs get ids by their start, so time passes between them. */
function run(flow: Flow, options: Partial<RunOptions> = {}) {
  clock.pass(1_000);
  return runFlow(host(), flow, { trigger: "onDemand", signal, ...options });
}

const ids = (records: readonly SourceRecord[]) => records.map(({ id }) => id);
const queuedIn = (queue: string) => environment.queues.depth(queue).records;

function away(): never {
  throw new TransientError("AWAY", "the sink is away");
}

describe("messages that show up again", () => {
  const VISIBLE_MS = 60_000;
  const buffer = `{ messageSize: 1KiB, visibilityTimeout: ${VISIBLE_MS / 1000}s }`;

  it("while a load is written for longer than they stay hidden are loaded once", async () => {
    const flow = world.flow(SIMPLE, buffer);
    world.sink.loadBytes = 3_000;
    world.source.reads = [[page(things(0, 200), { at: 200 })]];
    world.sink.beforeWrite = () => clock.pass(VISIBLE_MS + 1);
    const { state, exitCode } = await run(flow);
    expect(exitCode).toBe(0);
    expect(state.records.loaded).toBe(200);
    expect(ids(world.sink.records)).toEqual(ids(things(0, 200)));
  });

  it("since the process was stopped for a while are loaded once", async () => {
    const flow = world.flow(SIMPLE, buffer);
    world.source.reads = [[page(things(0, 50), { at: 50 }), page(things(50, 60), { at: 60 })]];
    world.source.beforePage = async (index) => {
      if (index !== 1) return;
      const hidden = () => environment.queues.depth("things--0-first").ApproximateNumberOfMessagesNotVisible;
      while (hidden() < 3) await clock.sleep(1);
      clock.pass(VISIBLE_MS + 1);
    };
    const { state } = await run(flow);
    expect(state.records.loaded).toBe(60);
    expect(ids(world.sink.records)).toEqual(ids(things(0, 60)));
  });
});

describe("--full", () => {
  it("also takes the records that the lookback remembers", async () => {
    const flow = world.flow(SIMPLE);
    const rememberFrom = stampOf(5);
    world.source.reads = [
      [page(things(0, 10), { at: 1 }, { rememberFrom })],
      [page(things(0, 12), { at: 2 }, { rememberFrom: stampOf(6), repeatsBelow: stampOf(12) })],
      [page(things(6, 14), { at: 3 }, { rememberFrom: stampOf(8), repeatsBelow: stampOf(12) })],
    ];
    await run(flow);
    const full = await run(flow, { full: true });
    expect(full.state).toMatchObject({ repeated: 0, records: { fetched: 12, loaded: 12 } });
    // What that read saw is what the next one knows.
    const next = await run(flow);
    expect(next.state).toMatchObject({ repeated: 6, records: { fetched: 2 } });
  });

  it("that dies before its first page leaves the lookback as it was", async () => {
    const flow = world.flow(SIMPLE);
    world.source.reads = [
      [page(things(0, 10), { at: 1 }, { rememberFrom: stampOf(5) })],
      [],
      [page(things(5, 11), { at: 2 }, { repeatsBelow: stampOf(10) })],
    ];
    await run(flow);
    world.source.beforePage = away;
    const { reads } = world.source;
    reads[1] = [page(things(0, 1), { at: 0 })];
    expect((await run(flow, { full: true })).exitCode).toBe(1);
    world.source.beforePage = () => undefined;
    const { state } = await run(flow);
    expect(state).toMatchObject({ repeated: 5, records: { fetched: 1 } });
  });

  it("that finds nothing is not followed by the rest of an older unfinished read", async () => {
    const flow = world.flow(REPLACING);
    world.source.reads = [
      [page(things(0, 5), { at: 5 }), page(things(5, 9), { at: 9 })],
      [],
      [page(things(0, 9), { at: 9 })],
    ];
    world.source.beforePage = (index) => {
      if (index === 1) away();
    };
    await run(flow);
    await run(flow, { full: true });
    await run(flow);
    expect(world.source.requests[2]?.cursor).toBeUndefined();
    const last = world.sink.finished.at(-1);
    expect(last).toMatchObject({ complete: true, records: 9 });
  });
});

describe("the order of versions", () => {
  it("grows from read to read, a backfill in between included", async () => {
    const flow = world.flow(`source: { connection: source, stream: things }
sinks:
  - { connection: first, name: a, write: upsert, key: [id] }
`);
    const version = (name: string) => [
      page(
        things(0, 3, () => ({ name })),
        { at: 3 },
      ),
    ];
    world.source.reads = [version("first"), version("backfill"), version("later")];
    await run(flow);
    await run(flow, { from: 1_000, to: 2_000 });
    await run(flow, { full: true });
    const orders = world.sink.records.map((record) => String(record._sluice_order));
    for (const n of [0, 1, 2]) {
      const own = orders.filter((_, at) => at % 3 === n);
      expect(own).toHaveLength(3);
      expect([...new Set(own)].sort()).toEqual(own);
    }
  });
});

describe("a replaced target", () => {
  it("is prepared for a read that found its sink away from beginning to end", async () => {
    const flow = world.flow(REPLACING);
    world.source.reads = [[page(things(0, 5), { at: 5 })], [page(things(0, 6), { at: 6 })]];
    const prepared = new Set<string>();
    let isAway = true;
    world.sink.beforePrepare = ({ generation }) => {
      if (isAway) away();
      prepared.add(generation);
    };
    world.sink.beforeWrite = ({ generation }) => {
      if (!prepared.has(generation)) throw new ConfigError("TABLE_MISSING", "no table for that generation");
    };
    const first = await run(flow);
    expect(first.state.records).toMatchObject({ fetched: 5, queued: 5 });
    isAway = false;
    const second = await run(flow);
    expect(second.exitCode).toBe(0);
    expect(world.sink.finished).toMatchObject([
      { run: first.state.run, complete: true, records: 5 },
      { run: second.state.run, complete: true, records: 6 },
    ]);
  });

  it("is not replaced by a read of which records were given up", async () => {
    const flow = world.flow(REPLACING);
    world.source.reads = [[page(things(0, 5), { at: 5 })], [page(things(0, 6), { at: 6 })]];
    world.sink.beforeWrite = away;
    await run(flow);
    expect(await purgeQueue(host(), "things--0-first")).toBe(5);
    world.sink.beforeWrite = () => undefined;
    await run(flow);
    expect(world.sink.finished.map(({ complete }) => complete)).toEqual([false, true]);
  });

  it("is not replaced by the second half of a read whose first half it was not part of", async () => {
    world.source.reads = [
      [page(things(0, 5), { at: 5 }), page(things(5, 9), { at: 9 })],
      [page(things(5, 9), { at: 9 })],
      [page(things(0, 9), { at: 9 })],
    ];
    world.source.beforePage = (index) => {
      if (index === 1) away();
    };
    await run(world.flow(REPLACING));
    const flow = world.flow(`${REPLACING}  - { connection: second, name: b, write: replace }\n`);
    await run(flow);
    expect(world.sink.finished.map(({ complete }) => complete)).toEqual([false, true]);
    expect(world.other.finished.map(({ complete }) => complete)).toEqual([false]);
    world.source.beforePage = () => undefined;
    await run(flow);
    expect(world.other.finished.at(-1)).toMatchObject({ complete: true, records: 9 });
  });

  it("is not replaced by what was sent to be appended before the flow replaced", async () => {
    world.source.reads = [[page(things(0, 5), { at: 5 })], [page(things(0, 9), { at: 9 })]];
    world.sink.beforeWrite = away;
    await run(world.flow(SIMPLE));
    world.sink.beforeWrite = () => undefined;
    await run(world.flow(REPLACING));
    expect(world.sink.finished.map(({ complete, records }) => [complete, records])).toEqual([
      [false, 5],
      [true, 9],
    ]);
  });

  it("is not replaced by the half of a read that came after it began to replace", async () => {
    world.source.reads = [
      [page(things(0, 5), { at: 5 }), page(things(5, 9), { at: 9 })],
      [page(things(5, 9), { at: 9 })],
    ];
    world.source.beforePage = (index) => {
      if (index === 1) away();
    };
    await run(world.flow(REPLACING.replace(", write: replace", "")));
    await run(world.flow(REPLACING));
    expect(world.sink.finished.map(({ complete }) => complete)).toEqual([false, false]);
  });

  it("is not replaced by a window of it", async () => {
    const { exitCode, state } = await run(world.flow(REPLACING), { from: 1_000 });
    expect([exitCode, state.error?.code]).toEqual([2, "FLOW_BACKFILL_FULL"]);
  });

  it("takes what is redriven into the read that is in force, and nothing of an older one", async () => {
    const strict = `${REPLACING}validate: [{ field: amount, rule: notNegative, onFail: deadLetter }]
errors: { maxRejected: 5 }
`;
    const bad =
      (which: number) =>
      (n: number): SourceRecord =>
        n === which ? { amount: -1 } : {};
    world.source.reads = [[page(things(0, 5, bad(1)), { at: 5 })], [page(things(0, 5, bad(2)), { at: 5 })]];
    await run(world.flow(strict));
    const { state } = await run(world.flow(strict));
    const mended = world.flow(REPLACING);
    clock.pass(1_000);
    const dry = await redriveDeadLetters(host(), mended, { dryRun: true, signal });
    const report = await redriveDeadLetters(host(), mended, { dryRun: false, signal });
    for (const { redriven, stillRejected } of [dry, report]) {
      expect(redriven).toBe(1);
      expect(stillRejected).toMatchObject([{ reason: expect.stringContaining("newer read") }]);
    }
    expect(report.run?.state.generation).toBe(state.run);
    expect(world.sink.finished.at(-1)).toMatchObject({ generation: state.run, complete: true, records: 1 });
    const inForce = [...world.sink.loads.values()].filter(({ generation }) => generation === state.run);
    const landed = inForce.flatMap(({ lines }) => lines.map((line) => JSON.parse(line)));
    expect(ids(landed).sort()).toEqual(ids(things(0, 5)));
  });
});

describe("a flow whose sinks were edited while records wait", () => {
  const sinksOf = (...sinks: string[]) => `source: { connection: source, stream: things }
sinks:
${sinks.map((sink) => `  - { ${sink} }\n`).join("")}`;
  const A = "connection: first, name: a";
  const B = "connection: first, name: b";
  const C = "connection: second, name: c";

  /** Leaves ten records queued at connection `first`. */
  async function leave(...sinks: string[]): Promise<void> {
    world.source.reads = [[page(things(0, 10), { at: 10 })], []];
    world.sink.beforeWrite = away;
    expect((await run(world.flow(sinksOf(...sinks)))).exitCode).toBe(1);
    world.sink.beforeWrite = () => undefined;
  }

  it.each([
    ["the order of two tables of one connection", [A, B], [B, A]],
    ["the position of a sink", [A, C], [C, A]],
    ["the sink before, whose queue the next one would take over", [A, B], [B]],
  ])("%s: it is refused, and nothing moves", async (_, before, after) => {
    await leave(...before);
    const { state, exitCode } = await run(world.flow(sinksOf(...after)));
    expect(exitCode).toBe(2);
    expect(state.error).toMatchObject({
      code: "SINKS_MOVED",
      fix: expect.stringContaining("things--0-first"),
    });
    expect(world.sink.records).toEqual([]);
    expect(queuedIn("things--0-first")).toBe(10);
    // As its fix says.
    expect((await run(world.flow(sinksOf(...before)))).exitCode).toBe(0);
    expect((await run(world.flow(sinksOf(...after)))).exitCode).toBe(0);
  });

  it("another table in its place: the records go there", async () => {
    await leave(A);
    const { exitCode, earlier } = await run(world.flow(sinksOf("connection: first, name: other")));
    expect([exitCode, earlier.records]).toEqual([0, 10]);
    expect(world.sink.records).toHaveLength(10);
  });

  it("no sink there any more: the records stay, and come when it is back", async () => {
    await leave(A);
    expect((await run(world.flow(sinksOf(C)))).exitCode).toBe(0);
    expect(queuedIn("things--0-first")).toBe(10);
    expect((await run(world.flow(sinksOf(A)))).earlier.records).toBe(10);
    expect(world.sink.records).toHaveLength(10);
  });

  it("two sinks that replace one target are refused", async () => {
    const twice = `${REPLACING}  - { connection: first, name: a, write: replace }\n`;
    const { exitCode, state } = await run(world.flow(twice));
    expect(exitCode).toBe(2);
    expect(state.error?.code).toBe("SINK_TWICE");
  });

  it("a refused record is redriven to its sink, wherever that stands now", async () => {
    world.source.reads = [[page(things(0, 1), { at: 1 })], []];
    let refusing = true;
    world.sink.beforeWrite = (load) => {
      // Of the two tables of this connection, the first one refuses.
      if (refusing && load.id.includes("-0-0")) throw new RecordError("BAD", "refused");
    };
    await run(world.flow(`${sinksOf(A, B)}errors: { maxRejected: 5 }\n`));
    expect([...deadLettersOf(environment, "things")]).toHaveLength(1);
    refusing = false;
    clock.pass(1_000);
    const report = await redriveDeadLetters(host(), world.flow(sinksOf(B, A)), { dryRun: false, signal });
    expect(report.redriven).toBe(1);
    expect([...world.sink.loads.keys()].at(-1)).toContain("-1-0");
  });
});

it("a load that another run began says so to its sink", async () => {
  const flow = world.flow(SIMPLE);
  world.source.reads = [[page(things(0, 3), { at: 3 })], [page(things(3, 5), { at: 5 })]];
  world.sink.beforeWrite = away;
  await run(flow);
  const begun: unknown[] = [];
  world.sink.beforeWrite = ({ records, resumed }) => {
    begun.push([records, resumed]);
  };
  await run(flow);
  expect(begun).toEqual([
    [3, true],
    [2, undefined],
  ]);
});

describe("messages that are gone", () => {
  it("are counted as dropped by the runs that sent them", async () => {
    const flow = world.flow(SIMPLE);
    world.source.reads = [[page(things(0, 3), { at: 3 })], [page(things(3, 8), { at: 8 })], []];
    world.sink.beforePrepare = away;
    await run(flow);
    await run(flow);
    // Another tool removes what the second run sent.
    const [, second] = environment.queues.peek("things--0-first", { limit: 10 });
    await environment.transaction(({ queues }) =>
      queues.deleteById("things--0-first", second === undefined ? [] : [second.messageId]),
    );
    world.sink.beforePrepare = () => undefined;
    expect((await run(flow)).exitCode).toBe(0);
    const states = environment.store.runs({ flow: "things", limit: 9 });
    expect(states.map(({ records }) => [records.loaded, records.dropped, records.queued])).toEqual([
      [0, 0, 0],
      [0, 5, 0],
      [3, 0, 0],
    ]);
  });

  it("with all of their open load let the flow go on", async () => {
    const flow = world.flow(SIMPLE, "{ retention: 1h }");
    world.source.reads = [[page(things(0, 3), { at: 3 })], [page(things(3, 8), { at: 8 })]];
    world.sink.beforeWrite = away;
    await run(flow);
    expect(environment.store.openLoads("things")).toHaveLength(1);
    world.sink.beforeWrite = () => undefined;
    clock.pass(2 * 3_600_000);
    const { state, exitCode } = await run(flow);
    expect([exitCode, state.records.loaded]).toEqual([0, 5]);
    expect(environment.store.openLoads("things")).toEqual([]);
    const [, first] = environment.store.runs({ flow: "things", limit: 9 });
    expect(first?.records).toMatchObject({ fetched: 3, dropped: 3 });
  });

  it("by a purge whose process died before it could account for them are accounted for by the next run", async () => {
    const flow = world.flow(SIMPLE);
    world.source.reads = [[page(things(0, 3), { at: 3 })], []];
    world.sink.beforeWrite = away;
    await run(flow);
    await environment.queues.purgeQueue("things--0-first");
    world.sink.beforeWrite = () => undefined;
    expect((await run(flow)).exitCode).toBe(0);
    const [, first] = environment.store.runs({ flow: "things", limit: 9 });
    expect(first?.records).toMatchObject({ fetched: 3, dropped: 3, queued: 0 });
  });
});

describe("the end of a run", () => {
  it("in which one sink cannot finish is still told to the others, and to it by the next run", async () => {
    const flow = world.flow(`${SIMPLE}  - { connection: second, name: b }\n`);
    world.source.reads = [[page(things(0, 3), { at: 3 })], []];
    let broken = true;
    world.sink.beforeFinish = () => {
      if (broken) throw new ConfigError("NO_MANIFEST", "the manifest cannot be written");
    };
    const first = await run(flow);
    expect(first).toMatchObject({ exitCode: 2, state: { records: { loaded: 3 } } });
    expect(world.other.finished).toHaveLength(1);
    broken = false;
    await run(flow);
    expect(world.sink.finished.map((finished) => finished.run)).toContain(first.state.run);
    expect(world.other.finished).toHaveLength(2);
  });

  it("is not taken for the end of the read when the source merely obeyed its signal", async () => {
    const flow = world.flow(REPLACING, "{ messageSize: 1KiB }");
    world.sink.loadBytes = 1;
    world.source.reader = async function* (request) {
      for (let at = 0; at < 50 && !request.signal.aborted; at++) {
        yield page(things(at, at + 1), { at });
        await clock.sleep(1);
      }
    };
    world.sink.beforeWrite = () => {
      throw new ConfigError("BROKEN", "the sink is broken");
    };
    const { state } = await run(flow);
    expect(state.records.fetched).toBeLessThan(50);
    expect(environment.store.checkpoint("things")).toMatchObject({ complete: false });
  });
});

describe("what is as large as a message may be", () => {
  it("leaves room for its attributes", async () => {
    const flow = world.flow(SIMPLE, "{ messageSize: 1MiB }");
    world.source.reader = readerOf(() => things(0, 30, () => ({ name: "x".repeat(104_780) })), 30);
    const { state, exitCode } = await run(flow);
    expect(state.error).toBeNull();
    expect([exitCode, state.records.loaded]).toEqual([0, 30]);
  });
});

it("a load closes when reading has paused for it", async () => {
  const flow = world.flow(SIMPLE, "{ highWater: 1MiB }");
  world.sink.loadBytes = 100_000_000;
  world.source.reader = readerOf(() => things(0, 60, () => ({ name: "x".repeat(100_000) })), 10);
  const started = clock.monotonicMs();
  expect((await run(flow)).exitCode).toBe(0);
  // Not when it has grown old.
  expect(clock.monotonicMs() - started).toBeLessThan(60_000);
  expect(world.sink.loads.size).toBeGreaterThan(1);
});

describe("a process that slept through its lease", () => {
  it("writes nothing more, and the one in its place loads every record once", async () => {
    const flow = world.flow(`${SIMPLE}  - { connection: second, name: b }\n`, "{ messageSize: 1KiB }");
    world.sink.loadBytes = 2_000;
    world.source.reader = readerOf(() => things(0, 40), 10);
    let successor: ReturnType<typeof run> | undefined;
    world.sink.beforeWrite = async () => {
      if (successor !== undefined) return;
      clock.pass(31_000);
      successor = run(flow);
      await successor;
    };
    await expect(run(flow)).rejects.toMatchObject({ code: "LEASE_LOST" });
    expect((await successor)?.exitCode).toBe(0);
    expect(ids(world.sink.records).sort()).toEqual(ids(things(0, 40)).sort());
    expect(ids(world.other.records).sort()).toEqual(ids(things(0, 40)).sort());
    for (const { status, records, error } of environment.store.runs({ flow: "things", limit: 9 })) {
      expect(records.fetched).toBe(records.loaded);
      expect([status, error?.code]).toContain(status === "failed" ? "RUN_INTERRUPTED" : "succeeded");
    }
  });
});

describe("answers that a source has fetched ahead", () => {
  const answer = { status: 200, headers: {}, body: Buffer.from("next page") };
  /** What the next read finds, after one that keeps an answer and then does `then`. */
  async function keptAfter(
    then: () => void | Promise<void>,
    next: Partial<RunOptions> = {},
    abort?: AbortSignal,
  ) {
    const flow = world.flow(SIMPLE);
    const found: boolean[] = [];
    world.source.reader = async function* ({ ahead, signal: ended }) {
      found.push(ahead?.has("key") === true);
      if (found.length > 1) return;
      expect(await ahead?.keep("key", answer)).toBe(true);
      yield page(things(0, 4), { at: 4 });
      await then();
      ended.throwIfAborted();
    };
    await run(flow, abort === undefined ? {} : { signal: abort });
    await run(flow, next);
    expect(found).toHaveLength(2);
    return found;
  }

  it("are there for the next run when this one was cancelled, unless that begins anew", async () => {
    for (const [next, kept] of [
      [{}, true],
      [{ full: true }, false],
    ] as const) {
      const abort = new AbortController();
      expect(await keptAfter(() => abort.abort(), next, abort.signal)).toEqual([false, kept]);
    }
  });

  it("are gone when it failed or came to its end", async () => {
    const failing = () => {
      throw new TransientError("AWAY", "the source is away");
    };
    expect(await keptAfter(failing)).toEqual([false, false]);
    world.sink.beforeWrite = () => {
      throw new ConfigError("REFUSED", "the sink cannot work");
    };
    expect(await keptAfter(() => undefined)).toEqual([false, false]);
    world.sink.beforeWrite = () => undefined;
    expect(await keptAfter(() => undefined)).toEqual([false, false]);
  });
});

it("records belong to the engine once they were handed over: it empties a page that is stored", async () => {
  const flow = world.flow(SIMPLE);
  const first = page(things(0, 4), { at: 4 });
  world.source.reader = async function* () {
    yield first;
    expect(first.records).toEqual([]);
    yield page(things(4, 6), { at: 6 });
  };
  const { state } = await run(flow);
  expect(state.records.loaded).toBe(6);
});
