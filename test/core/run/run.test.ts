import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ConfigError,
  RecordError,
  type SourceRecord,
  TransientError,
} from "../../../core/contracts/index.js";
import { deadLettersOf, purgeQueue, redriveDeadLetters } from "../../../core/run/index.js";
import { page, stampOf, things } from "./connectors.js";
import { RunWorld, SIMPLE } from "./harness.js";

let world: RunWorld;
beforeEach(() => {
  world = new RunWorld();
});
afterEach(() => world.close());

const signal = new AbortController().signal;

describe("a run", () => {
  it("loads every record once and balances", async () => {
    world.source.reads = [[page(things(0, 50), { at: 50 }), page(things(50, 80), { at: 80 })]];
    const { state, exitCode } = await world.run(world.flow(SIMPLE));
    expect(exitCode).toBe(0);
    expect(state.status).toBe("succeeded");
    expect(state.records).toEqual({
      fetched: 80,
      filtered: 0,
      dropped: 0,
      deadLettered: 0,
      loaded: 80,
      queued: 0,
    });
    expect(world.sink.records.map(({ id }) => id)).toEqual(things(0, 80).map(({ id }) => id));
    expect(state.sinks[0]?.files.map(({ records }) => records)).toEqual([80]);
    expect(world.environment.store.checkpoint("things")).toMatchObject({
      cursor: { at: 80 },
      complete: true,
    });
    expect(world.sink.finished).toEqual([
      { run: state.run, generation: state.run, complete: true, records: 80 },
    ]);
  });

  it("that reads nothing succeeds with zero and moves no cursor backwards", async () => {
    const flow = world.flow(SIMPLE);
    world.source.reads = [[page(things(0, 3), { at: 3 })], []];
    await world.run(flow);
    const { state } = await world.run(flow);
    expect(state).toMatchObject({ status: "succeeded", records: { fetched: 0, loaded: 0 } });
    expect(world.source.requests[1]?.cursor).toEqual({ at: 3 });
    expect(world.environment.store.checkpoint("things")?.cursor).toEqual({ at: 3 });
  });

  it("skips what the overlap hands out again, but takes its newer version", async () => {
    const flow = world.flow(SIMPLE);
    const rememberFrom = stampOf(5);
    world.source.reads = [
      [page(things(0, 10), { at: 1 }, { rememberFrom })],
      [
        page(
          [
            ...things(5, 10, (n): SourceRecord => (n === 7 ? { stamp: stampOf(9), name: "newer" } : {})),
            ...things(20, 21),
          ],
          { at: 2 },
          { repeatsBelow: stampOf(10), rememberFrom: stampOf(15) },
        ),
      ],
    ];
    await world.run(flow);
    const { state } = await world.run(flow);
    expect(state.repeated).toBe(4);
    expect(state.records).toMatchObject({ fetched: 2, loaded: 2 });
    expect(world.sink.records.slice(10).map(({ id, name }) => [id, name])).toEqual([
      ["t7", "newer"],
      ["t20", "Thing 20"],
    ]);
  });

  it("resumes an unfinished read from its last page, in the same generation", async () => {
    const flow = world.flow(`${SIMPLE.replace("stream: things", "stream: things, mode: full")}`);
    world.source.reads = [
      [page(things(0, 5), { at: 5 }), page(things(5, 10), { at: 10 })],
      [page(things(5, 10), { at: 10 })],
      [page(things(0, 1), { at: 1 })],
    ];
    world.source.beforePage = (index) => {
      if (index === 1 && world.source.requests.length === 1)
        throw new TransientError("GONE", "the source is away");
    };
    const first = await world.run(flow);
    expect(first).toMatchObject({ exitCode: 1, state: { status: "failed", error: { code: "GONE" } } });
    expect(first.state.records).toMatchObject({ fetched: 5, loaded: 5 });
    const second = await world.run(flow);
    expect(world.source.requests[1]?.cursor).toEqual({ at: 5 });
    expect(second.state.generation).toBe(first.state.run);
    expect(world.sink.finished.map(({ complete }) => complete)).toEqual([false, true]);
    // A full read that is complete begins anew.
    await world.run(flow);
    expect(world.source.requests[2]?.cursor).toBeUndefined();
  });

  it("--full begins anew; --from reads a window without moving the checkpoint", async () => {
    const flow = world.flow(SIMPLE);
    world.source.reads = [[page(things(0, 3), { at: 3 })]];
    await world.run(flow);
    await world.run(flow, { from: 1_000, to: 2_000 });
    expect(world.source.requests[1]).toMatchObject({ from: 1_000, to: 2_000, cursor: undefined });
    expect(world.environment.store.checkpoint("things")?.cursor).toEqual({ at: 3 });
    await world.run(flow, { full: true });
    expect(world.source.requests[2]?.cursor).toBeUndefined();
    // Each of the three reads took the next three numbers.
    expect(world.environment.store.checkpoint("things")?.nextSequence).toBe(9);
  });

  it("stops cleanly when cancelled and goes on from there", async () => {
    const flow = world.flow(SIMPLE);
    const cancel = new AbortController();
    world.source.reads = [
      [page(things(0, 5), { at: 5 }), page(things(5, 9), { at: 9 })],
      [page(things(5, 9), { at: 9 })],
    ];
    world.source.beforePage = (index) => {
      if (index === 1 && world.source.requests.length === 1) cancel.abort();
    };
    const first = await world.run(flow, { signal: cancel.signal });
    expect(first).toMatchObject({
      exitCode: 130,
      state: { status: "cancelled", error: { code: "CANCELLED" } },
    });
    const second = await world.run(flow);
    expect(second.exitCode).toBe(0);
    expect(world.sink.records.map(({ id }) => id).sort()).toEqual(things(0, 9).map(({ id }) => id));
    const total = world.environment.store.runs({ flow: "things", limit: 10 });
    expect(total.reduce((sum, run) => sum + run.records.loaded, 0)).toBe(9);
  });

  it("refuses a second run of the flow while the first one lives", async () => {
    const flow = world.flow(SIMPLE);
    world.source.reads = [[page(things(0, 5), { at: 5 })]];
    world.source.beforePage = async () => {
      await expect(world.run(flow)).rejects.toMatchObject({ code: "FLOW_RUNNING" });
    };
    expect((await world.run(flow)).exitCode).toBe(0);
  });

  it("takes a record larger than a message by claim check, to every sink", async () => {
    const flow = world.flow(`${SIMPLE}  - { connection: second, name: b, write: upsert, key: [id] }\n`);
    const huge = "x".repeat(2_000_000);
    world.source.reads = [
      [
        page(
          things(0, 3, (n): SourceRecord => (n === 1 ? { name: huge } : {})),
          { at: 3 },
        ),
      ],
    ];
    const { state } = await world.run(flow);
    expect(state.records.loaded).toBe(3);
    expect(world.sink.records.map(({ name }) => String(name).length)).toEqual([7, 2_000_000, 7]);
    expect(world.other.records[1]).toMatchObject({ id: "t1", name: huge, _sluice_order: expect.any(String) });
  });
});

describe("rejected records", () => {
  const VALIDATED = `source: { connection: source, stream: things }
validate:
  - { field: amount, rule: notNegative, onFail: deadLetter }
errors: { maxRejected: 2 }
sinks:
  - { connection: first, name: a }
`;

  it("are dead-lettered with their reason, and the run goes on", async () => {
    const flow = world.flow(VALIDATED);
    world.source.reads = [
      [
        page(
          things(0, 10, (n): SourceRecord => (n === 4 ? { amount: -4 } : {})),
          { at: 10 },
        ),
      ],
    ];
    const { state, exitCode } = await world.run(flow);
    expect(exitCode).toBe(0);
    expect(state.records).toMatchObject({ fetched: 10, deadLettered: 1, loaded: 9 });
    const [letter] = [...deadLettersOf(world.environment, "things")];
    expect(letter).toMatchObject({ stage: "validate", run: state.run });
    expect(letter?.reason).toContain("-4");
    expect(JSON.parse(letter?.message.body().toString() ?? "")).toMatchObject({ id: "t4", amount: -4 });
  });

  it("beyond the allowance fail the run with exit code 4, after everything else is loaded", async () => {
    world.source.reads = [
      [
        page(
          things(0, 10, (n): SourceRecord => (n < 3 ? { amount: -1 } : {})),
          { at: 10 },
        ),
      ],
    ];
    const { state, exitCode } = await world.run(world.flow(VALIDATED));
    expect(exitCode).toBe(4);
    expect(state).toMatchObject({ status: "failed", records: { loaded: 7, deadLettered: 3 } });
  });

  it("with failRun nothing of their page is loaded", async () => {
    world.source.reads = [
      [
        page(things(0, 2), { at: 2 }),
        page(
          things(2, 4, (n): SourceRecord => (n === 3 ? { amount: -1 } : {})),
          { at: 4 },
        ),
      ],
    ];
    const { state, exitCode } = await world.run(
      world.flow(VALIDATED.replace("onFail: deadLetter", "onFail: failRun")),
    );
    expect(exitCode).toBe(1);
    expect(state).toMatchObject({
      status: "failed",
      error: { code: "RECORD_REJECTED" },
      records: { loaded: 2 },
    });
  });

  it("are redriven through the flow as it stands now, once", async () => {
    world.source.reads = [
      [
        page(
          things(0, 10, (n): SourceRecord => (n === 4 || n === 5 ? { amount: -n } : {})),
          { at: 10 },
        ),
      ],
      [],
    ];
    await world.run(world.flow(VALIDATED));
    const mended = world.flow(VALIDATED.replace("rule: notNegative", "rule: notNull"));
    const dry = await redriveDeadLetters(world.host(), mended, { dryRun: true, signal });
    expect(dry).toMatchObject({ examined: 2, redriven: 2, stillRejected: [] });
    expect(world.sink.records).toHaveLength(8);
    const report = await redriveDeadLetters(world.host(), mended, { dryRun: false, signal });
    expect(report.run?.state).toMatchObject({
      status: "succeeded",
      trigger: "redrive",
      records: { fetched: 2, loaded: 2 },
    });
    expect(world.sink.records.slice(8).map(({ id }) => id)).toEqual(["t4", "t5"]);
    expect([...deadLettersOf(world.environment, "things")]).toEqual([]);
    const again = await redriveDeadLetters(world.host(), mended, { dryRun: false, signal });
    expect(again).toEqual({ examined: 0, redriven: 0, filtered: 0, queues: {}, stillRejected: [] });
  });
});

describe("a sink", () => {
  it("that is away stalls nothing: the run fails, everything is queued, the next run delivers it first", async () => {
    const flow = world.flow(`${SIMPLE}  - { connection: second, name: b }\n`);
    world.source.reads = [[page(things(0, 40), { at: 40 })], [page(things(40, 50), { at: 50 })]];
    let away = true;
    world.sink.beforeWrite = () => {
      if (away) throw new TransientError("AWAY", "the sink is away");
    };
    const first = await world.run(flow);
    expect(first).toMatchObject({ exitCode: 1, state: { status: "failed", error: { code: "AWAY" } } });
    expect(first.state.records).toMatchObject({ fetched: 40, loaded: 0, queued: 40 });
    expect(world.other.records).toHaveLength(40);
    away = false;
    const second = await world.run(flow);
    expect(second).toMatchObject({ exitCode: 0, earlier: { runs: 1, records: 40 } });
    expect(second.state.records).toMatchObject({ fetched: 10, loaded: 10 });
    expect(world.sink.records.map(({ id }) => id)).toEqual(things(0, 50).map(({ id }) => id));
    expect(world.other.records).toHaveLength(50);
    const runs = world.environment.store.runs({ flow: "things", limit: 10 });
    expect(runs.map(({ records }) => [records.loaded, records.queued])).toEqual([
      [10, 0],
      [40, 0],
    ]);
  });

  it("is given an open load again with the same id and bytes when its answer was lost", async () => {
    const flow = world.flow(SIMPLE);
    world.source.reads = [[page(things(0, 20), { at: 20 })], []];
    let lose = true;
    world.sink.afterWrite = () => {
      if (lose) throw new ConfigError("BROKEN", "answer lost for good");
    };
    const first = await world.run(flow);
    expect(first.state.records).toMatchObject({ loaded: 0, queued: 20 });
    lose = false;
    await world.run(flow);
    expect(new Set(world.sink.attempts).size).toBe(1);
    expect(world.sink.records).toHaveLength(20);
  });

  it("that its owner must mend stops the run before anything is read", async () => {
    world.source.reads = [[page(things(0, 20), { at: 20 })]];
    world.sink.beforePrepare = () => {
      throw new ConfigError("NO_TABLE", "there is no such table");
    };
    const { state, exitCode } = await world.run(world.flow(SIMPLE));
    expect(exitCode).toBe(2);
    expect(state.records.fetched).toBe(0);
    expect(world.source.requests).toEqual([]);
  });

  it("that refuses records gets all others; the refused are dead-lettered with its reason", async () => {
    const flow = world.flow(`${SIMPLE}errors: { maxRejected: 10% }\n`, "{ messageSize: 1KiB }");
    world.source.reads = [[page(things(0, 100), { at: 100 })], []];
    const bad = new Set(["t13", "t14", "t77"]);
    world.sink.beforeWrite = (_load, lines) => {
      if (lines.some((line) => bad.has(JSON.parse(line).id)))
        throw new RecordError("TOO_WIDE", "value too wide");
    };
    const { state, exitCode } = await world.run(flow);
    expect(exitCode).toBe(0);
    expect(state.records).toEqual({
      fetched: 100,
      filtered: 0,
      dropped: 0,
      deadLettered: 3,
      loaded: 97,
      queued: 0,
    });
    const expected = things(0, 100).filter(({ id }) => !bad.has(String(id)));
    expect(world.sink.records.map(({ id }) => id).sort()).toEqual(expected.map(({ id }) => id).sort());
    const letters = [...deadLettersOf(world.environment, "things")];
    expect(letters.map(({ stage, sink, rule }) => [stage, sink, rule])).toEqual(
      letters.map(() => ["sink", "first", "TOO_WIDE"]),
    );
    bad.clear();
    const report = await redriveDeadLetters(world.host(), flow, { dryRun: false, signal });
    expect(report.redriven).toBe(3);
    expect(world.sink.records).toHaveLength(100);
  });

  it("keeps an honest account when its queue is purged", async () => {
    const flow = world.flow(SIMPLE);
    world.source.reads = [[page(things(0, 20), { at: 20 })], []];
    world.sink.beforeWrite = () => {
      throw new TransientError("AWAY", "the sink is away");
    };
    await world.run(flow);
    const [queue = ""] = world.environment.queues.listQueues("things--0");
    expect(await purgeQueue(world.host(), queue)).toBe(20);
    const [state] = world.environment.store.runs({ flow: "things", limit: 1 });
    expect(state?.records).toMatchObject({ fetched: 20, dropped: 20, loaded: 0, queued: 0 });
    expect((await world.run(flow)).exitCode).toBe(0);
  });
});
