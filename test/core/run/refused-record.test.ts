import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Page, RefusedRecord, SourceRecord } from "../../../core/contracts/index.js";
import { parseJson } from "../../../core/http/json.js";
import { deadLettersOf, previewFlow, redriveDeadLetters } from "../../../core/run/index.js";
import { page, stampOf, things } from "./connectors.js";
import { RunWorld, SIMPLE } from "./harness.js";

let world: RunWorld;
beforeEach(() => {
  world = new RunWorld();
});
afterEach(() => world.close());

const signal = new AbortController().signal;
const letters = () => [...deadLettersOf(world.environment, "things")];
const bodies = () => letters().map(({ message }) => message.body().toString());
const ids = () => world.sink.records.map(({ id }) => id);

/** A page whose records at these positions hold `key` twice. */
function doubtful(
  records: SourceRecord[],
  positions: readonly number[],
  key = "name",
  more: Partial<Page> = {},
): Page {
  const refused = new Map<SourceRecord, RefusedRecord>();
  for (const position of positions) {
    const record = records[position] ?? {};
    const text = `${JSON.stringify(record).slice(0, -1)},"${key}":"again"}`;
    refused.set(record, {
      rule: `duplicate key on ${key}`,
      reason: `the key ${key} occurs twice`,
      text,
      doubtful: [key],
    });
  }
  return page(records, { at: records.length }, { refused, ...more });
}

const UPSERT = `source: { connection: source, stream: things }
sinks:
  - { connection: first, name: a }
  - { connection: second, name: b, write: upsert, key: [id] }
`;

describe("a record that was refused as it was read", () => {
  it("is dead-lettered as it was written, before filter and map, and the others go through", async () => {
    world.source.reads = [[doubtful(things(0, 5), [1, 3])]];
    // A filter that would leave it out must not decide: it may look at the very field in doubt.
    const { state, exitCode } = await world.run(
      world.flow(`filter: [{ field: id, notEquals: t3 }]\n${UPSERT}`),
    );
    expect(exitCode).toBe(0);
    expect(state.records).toEqual({
      fetched: 5,
      filtered: 0,
      dropped: 0,
      deadLettered: 2,
      loaded: 3,
      queued: 0,
    });
    expect(ids()).toEqual(["t0", "t2", "t4"]);
    expect(letters()).toMatchObject([
      { stage: "source", rule: "duplicate key on name", reason: "the key name occurs twice", run: state.run },
      { stage: "source" },
    ]);
    expect(bodies()[0]).toBe(
      `{"id":"t1","name":"Thing 1","amount":1,"stamp":"${stampOf(1)}","name":"again"}\n`,
    );
  });

  it("is dropped, or fails the run, where the flow says so", async () => {
    world.source.reads = [[doubtful(things(0, 3), [1])]];
    const dropped = await world.run(world.flow(`errors: { onReject: drop }\n${SIMPLE}`));
    expect(dropped.state.records).toMatchObject({ fetched: 3, dropped: 1, deadLettered: 0, loaded: 2 });
    const failed = await world.run(world.flow(`errors: { onReject: failRun }\n${SIMPLE}`), { full: true });
    expect(failed.state).toMatchObject({
      status: "failed",
      error: { code: "RECORD_REJECTED", message: "duplicate key on name: the key name occurs twice" },
    });
    expect(letters()).toEqual([]);
  });

  it("counts towards the allowance", async () => {
    world.source.reads = [[doubtful(things(0, 3), [0, 1])]];
    const { exitCode, state } = await world.run(world.flow(`errors: { maxRejected: 1 }\n${SIMPLE}`));
    expect(exitCode).toBe(4);
    expect(state.records).toMatchObject({ deadLettered: 2, loaded: 1 });
  });

  it("may be larger than a message and go over several lines", async () => {
    const records = things(0, 2, () => ({ name: "x".repeat(300_000) }));
    const refused = new Map([
      [records[0] ?? {}, { rule: "r", reason: "r", text: JSON.stringify(records[0], null, 2), doubtful: [] }],
    ]);
    world.source.reads = [[page(records, { at: 2 }, { refused })]];
    await world.run(world.flow(SIMPLE));
    const [body = ""] = bodies();
    expect(body.trimEnd()).not.toContain("\n");
    expect(JSON.parse(body)).toEqual(records[0]);
  });

  it("is refused once although the overlap hands it out again, unless its key is in doubt", async () => {
    const flow = world.flow(SIMPLE);
    const overlap = { rememberFrom: stampOf(0), repeatsBelow: stampOf(10) };
    for (const [key, count] of [
      ["name", 1],
      // One that cannot be told from others: rather twice than never.
      ["id", 2],
    ] as const) {
      world.source.reads = [[doubtful(things(0, 4), [2], key, overlap)]];
      const first = await world.run(flow, { full: true });
      expect(first.state.records).toMatchObject({ fetched: 4, deadLettered: 1, loaded: 3 });
      world.source.reads = [[doubtful(things(0, 4), [2], key, overlap)]];
      const second = await world.run(flow);
      expect(second.state.repeated).toBe(5 - count);
      expect(letters().filter(({ rule }) => rule.endsWith(key))).toHaveLength(count);
    }
  });

  it("stays refused when it is redriven", async () => {
    world.source.reads = [[doubtful(things(0, 2), [1])]];
    const flow = world.flow(SIMPLE);
    await world.run(flow);
    for (const dryRun of [true, false]) {
      const report = await redriveDeadLetters(world.host(), flow, { dryRun, signal });
      expect(report).toMatchObject({
        redriven: 0,
        stillRejected: [
          { reason: expect.stringMatching(/^the key name occurs twice in this record, and only /) },
        ],
      });
    }
    expect(letters()).toHaveLength(1);
    expect(ids()).toEqual(["t0"]);
  });
});

describe("half a character", () => {
  const broken = (n: number): SourceRecord => (n === 1 ? { name: "broken \ud83d emoji" } : {});
  const SURROGATE = {
    stage: "map",
    rule: "lone surrogate on name",
    reason:
      'name holds half a character (the lone surrogate \\ud83d in "broken \ufffd emoji"), which UTF-8 cannot hold: ' +
      "correct it at the source, or leave the field out of map",
  };

  it("in a mapped field makes a dead letter that holds the very record", async () => {
    world.source.reads = [[page(things(0, 3, broken), { at: 3 })]];
    const { state } = await world.run(world.flow(UPSERT));
    expect(state.records).toEqual({
      fetched: 3,
      filtered: 0,
      dropped: 0,
      deadLettered: 1,
      loaded: 2,
      queued: 0,
    });
    expect(letters()).toMatchObject([SURROGATE]);
    expect(bodies()[0]).toContain('"broken \\ud83d emoji"');
    expect(parseJson(Buffer.from(bodies()[0] ?? ""))).toEqual(things(0, 3, broken)[1]);
    expect(ids()).toEqual(["t0", "t2"]);
  });

  it("is dropped or fails the run where the flow says so", async () => {
    world.source.reads = [[page(things(0, 3, broken), { at: 3 })]];
    const dropped = await world.run(world.flow(`errors: { onReject: drop }\n${SIMPLE}`));
    expect(dropped.state.records).toMatchObject({ fetched: 3, dropped: 1, loaded: 2 });
    const failed = await world.run(world.flow(`errors: { onReject: failRun }\n${SIMPLE}`), { full: true });
    expect(failed.state).toMatchObject({ status: "failed", error: { code: "RECORD_REJECTED" } });
  });

  it("is refused again with the same reason until the flow leaves the field out", async () => {
    world.source.reads = [[page(things(0, 3, broken), { at: 3 })], []];
    const flow = world.flow(UPSERT);
    await world.run(flow);
    for (const dryRun of [true, false]) {
      const report = await redriveDeadLetters(world.host(), flow, { dryRun, signal });
      expect(report).toMatchObject({ redriven: 0, stillRejected: [{ reason: SURROGATE.reason }] });
    }
    const narrower = world.flow(`map: [{ from: id, to: id }, { from: amount, to: amount }]\n${UPSERT}`);
    const report = await redriveDeadLetters(world.host(), narrower, { dryRun: false, signal });
    expect(report).toMatchObject({ redriven: 1, stillRejected: [], run: { state: { status: "succeeded" } } });
    expect(ids()).toEqual(["t0", "t2", "t1"]);
    expect(letters()).toEqual([]);
  });
});

it("a preview says of each record what a run would do", async () => {
  const records = things(0, 4, (n): SourceRecord => (n === 1 ? { name: "\ud83d" } : {}));
  world.source.reads = [[doubtful(records, [2])]];
  const flow = world.flow(SIMPLE);
  const rows = await previewFlow(world.host(), flow, { limit: 10, signal });
  expect(rows.map(({ outcome }) => outcome)).toEqual(["mapped", "rejected", "rejected", "mapped"]);
  expect(rows[1]?.reason).toMatch(
    /^map lone surrogate on name: name holds half a character .*\(deadLetter\)$/,
  );
  expect(rows[2]?.reason).toBe("source duplicate key on name: the key name occurs twice (deadLetter)");
});
