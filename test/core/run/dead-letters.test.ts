import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Clock,
  type Environment,
  ORDER_COLUMN,
  RecordError,
  type SourceRecord,
  TransientError,
  textAttributes,
} from "../../../core/contracts/index.js";
import {
  countRefusals,
  type DeadLetter,
  type DeadLetterFilter,
  deadLettersOf,
  dropDeadLetters,
  editDeadLetter,
  type Progress,
  recordFrom,
  redriveDeadLetters,
} from "../../../core/run/index.js";
import { Pace } from "../../../core/run/pace.js";
import { VirtualClock } from "../../virtual-clock.js";
import { page, things } from "./connectors.js";
import { RunWorld, SIMPLE } from "./harness.js";

const STRICT = `${SIMPLE}validate: [{ field: amount, rule: notNegative, onFail: deadLetter }]
errors: { maxRejected: 100% }
`;
const NOW = Date.UTC(2027, 0, 1);
const signal = new AbortController().signal;
let world: RunWorld;
beforeEach(() => {
  world = new RunWorld();
});
afterEach(() => world.close());

const letters = (filter?: DeadLetterFilter) => [...deadLettersOf(world.environment, "things", filter)];
const recordOf = ({ message }: DeadLetter) => recordFrom(message.body(), "test");
const idsOf = (records: readonly SourceRecord[]) => records.map(({ id }) => String(id)).sort();
const runs = () => world.environment.store.runs({ flow: "things", limit: 99 });

/** Runs a flow over these records; those with a negative amount are refused by validate, those in `bad` by the sink. */
async function refuse(records: SourceRecord[], bad: readonly string[] = [], yaml = STRICT): Promise<void> {
  world.source.reads = [[page(records, { at: records.length })], []];
  world.sink.beforeWrite = (_, lines) => {
    if (lines.some((line) => bad.includes(JSON.parse(line).id))) throw new RecordError("BAD", "not welcome");
  };
  const { exitCode } = await world.run(world.flow(yaml));
  expect(exitCode).toBe(0);
  world.sink.beforeWrite = () => undefined;
}

const negative = (from: number, to: number) => things(from, to, (n) => ({ amount: -n - 1 }));

/** An environment whose transactions a test sees. */
class Watched implements Environment {
  readonly #inner: Environment;
  readonly #before: () => unknown;
  readonly #after: () => unknown;

  constructor(inner: Environment, before: () => unknown, after: () => unknown = () => undefined) {
    this.#inner = inner;
    this.#before = before;
    this.#after = after;
  }

  get queues() {
    return this.#inner.queues;
  }

  get store() {
    return this.#inner.store;
  }

  async transaction<T>(work: (tx: Tx) => T): Promise<T> {
    await this.#before();
    const result = await this.#inner.transaction<T>(work);
    this.#after();
    return result;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

type Tx = Parameters<Parameters<Environment["transaction"]>[0]>[0];

describe("dead letters are chosen", () => {
  it("by rule, stage, sink, run, time and fields, all of them at once", async () => {
    await refuse([...things(0, 5), ...negative(5, 8)], ["t1"]);
    const [run] = runs();
    const count = (filter: DeadLetterFilter) => letters(filter).length;
    expect(count({})).toBe(4);
    expect(count({ rule: "NOTNEG" })).toBe(3);
    expect(count({ rule: "-7" })).toBe(0);
    expect(count({ reason: "-7" })).toBe(1);
    expect(count({ stage: "sink" })).toBe(1);
    expect(count({ stage: "validate", sink: "first" })).toBe(0);
    expect(count({ sink: "first" })).toBe(1);
    expect(count({ run: run?.run ?? "" })).toBe(4);
    expect(count({ run: "another" })).toBe(0);
    expect(count({ fields: [{ path: "id", value: "t6" }] })).toBe(1);
    expect(count({ rule: "notNegative", fields: [{ path: "amount", value: "-7" }] })).toBe(1);
    const time = letters()[0]?.rejectedAt ?? 0;
    expect(count({ since: time, until: time })).toBe(0);
    expect(count({ since: time })).toBe(4);
    expect(count({ until: time })).toBe(0);
    const [first, second] = letters();
    const ids = [second?.messageId ?? "", first?.messageId ?? "", "unknown"];
    expect(letters({ messageIds: ids }).map(({ messageId }) => messageId)).toEqual([ids[1], ids[0]]);
  });

  it("and counted by what they have in common, not by the values they name", async () => {
    await refuse([...things(0, 5), ...negative(5, 8)], ["t1", "t3"]);
    expect(countRefusals(letters())).toMatchObject([
      { flow: "things", stage: "validate", rule: "notNegative on amount", count: 3 },
      { flow: "things", stage: "sink", sink: "first", rule: "BAD", reason: "not welcome", count: 2 },
    ]);
  });

  it("and dropped, these and no others", async () => {
    await refuse([...things(0, 5), ...negative(5, 8)], ["t1"]);
    expect(await dropDeadLetters(world.environment, "things", { rule: "notNegative" })).toBe(3);
    expect(letters().map(({ rule }) => rule)).toEqual(["BAD"]);
  });
});

describe("an edited dead letter", () => {
  it("takes the place of the old one in one step and keeps all that is known of the refusal", async () => {
    await refuse([...things(0, 3), ...negative(3, 4)]);
    const [before] = letters();
    if (before === undefined) throw new Error("no letter");
    const accounts = runs();
    const after = await editDeadLetter(world.environment, before, { ...recordOf(before), amount: 3 }, NOW);
    expect(letters()).toHaveLength(1);
    expect(after).toMatchObject({
      ...before,
      messageId: after.messageId,
      editedAt: NOW,
      attributes: {
        ...before.attributes,
        edited: new Date(NOW).toISOString(),
        rejectedAt: new Date(before.rejectedAt).toISOString(),
      },
      message: expect.anything(),
    });
    expect(after.messageId).not.toBe(before.messageId);
    // The run that refused it goes on counting it, once.
    expect(runs()).toEqual(accounts);
    expect(runs()[0]?.records).toMatchObject({ fetched: 4, loaded: 3, deadLettered: 1 });
    const report = await redriveDeadLetters(world.host(), world.flow(STRICT), { dryRun: false, signal });
    expect(report).toMatchObject({ redriven: 1, run: { state: { records: { fetched: 1, loaded: 1 } } } });
    expect(idsOf(world.sink.records)).toEqual(["t0", "t1", "t2", "t3"]);
    expect(runs()[1]?.records).toMatchObject({ fetched: 4, loaded: 3, deadLettered: 1 });
  });

  it("has at most the ten attributes of an SQS message, also when a sink refused it and it was edited twice", async () => {
    await refuse(things(0, 3), ["t1"], `${STRICT.replace("name: a", "name: a, write: upsert, key: [id]")}`);
    let [letter] = letters();
    const rejectedAt = letter?.rejectedAt;
    for (const time of [NOW, NOW + 5]) {
      if (letter === undefined) throw new Error("no letter");
      letter = await editDeadLetter(world.environment, letter, { ...recordOf(letter), name: "mended" }, time);
    }
    expect(letter).toMatchObject({ rejectedAt, editedAt: NOW + 5, sink: "first", rule: "BAD" });
    expect(Object.keys(letter?.message.attributes ?? {}).length).toBeLessThanOrEqual(10);
    await redriveDeadLetters(world.host(), world.flow(STRICT), { dryRun: false, signal });
    const landed = world.sink.records.filter(({ id }) => id === "t1");
    expect(landed).toEqual([expect.objectContaining({ name: "mended" })]);
  });

  it("of a sink must fit the sink's columns, and its order stays the engine's", async () => {
    await refuse(things(0, 3), ["t1"], STRICT.replace("name: a", "name: a, write: upsert, key: [id]"));
    const [letter] = letters();
    if (letter === undefined) throw new Error("no letter");
    const { [ORDER_COLUMN]: order, ...record } = recordOf(letter);
    const edit = (change: SourceRecord) =>
      editDeadLetter(world.environment, letter, { ...record, ...change }, NOW);
    await expect(edit({ amount: "many" })).rejects.toThrow('amount is "many", expected a decimal(18,2)');
    await expect(edit({ nmae: "x" })).rejects.toMatchObject({
      code: "FIELD_UNKNOWN",
      fix: "Its fields are: id, name, amount, stamp.",
    });
    await expect(edit({ [ORDER_COLUMN]: "zzz" })).rejects.toThrow(
      "is not a field of the record but its order",
    );
    await expect(edit({ name: "\ud83d" })).rejects.toThrow("half a character");
    expect(letters()).toHaveLength(1);
    const edited = await editDeadLetter(
      world.environment,
      letter,
      { id: "t1", name: "\\ud800 is text" },
      NOW,
    );
    expect(recordOf(edited)).toEqual({
      id: "t1",
      name: "\\ud800 is text",
      amount: null,
      stamp: null,
      [ORDER_COLUMN]: order,
    });
    expect(order).toBeTypeOf("string");
  });

  it("keeps every digit", async () => {
    await refuse(negative(0, 1));
    const [letter] = letters();
    if (letter === undefined) throw new Error("no letter");
    const body = Buffer.from('{"id":"t0","amount":1234567890123456.78,"more":[12345678901234567890]}');
    const edited = await editDeadLetter(world.environment, letter, recordFrom(body, "test"), NOW);
    expect(edited.message.body().toString()).toBe(`${body.toString()}\n`);
  });

  it.each([
    "[]",
    "1",
    '"a"',
    "",
    "{",
    '{"a":1}{"b":2}',
    '{"a":1}\n{"b":2}\n',
    "null",
    "12345678901234567890",
  ])("is one JSON object, not %j", (text) => {
    expect(() => recordFrom(Buffer.from(text), "here")).toThrow("expected exactly one JSON object");
  });

  it("nests no deeper than a record may", () => {
    const deep = `{"a":${"[".repeat(300)}${"]".repeat(300)}}`;
    expect(() => recordFrom(Buffer.from(deep), "here")).toThrow("nests deeper than 200 levels");
  });

  it("that another tool took in the meantime comes back in no form", async () => {
    await refuse(negative(0, 2));
    const [first, second] = letters();
    if (first === undefined || second === undefined) throw new Error("no letter");
    await dropDeadLetters(world.environment, "things", { messageIds: [first.messageId] });
    await expect(editDeadLetter(world.environment, first, { id: "t0" }, NOW)).rejects.toMatchObject({
      code: "DEAD_LETTER_GONE",
    });
    const large = { id: "t1", name: "x".repeat(400_000) };
    const edits = await Promise.allSettled([
      editDeadLetter(world.environment, second, large, NOW),
      editDeadLetter(world.environment, second, { id: "t1", name: "y" }, NOW),
    ]);
    expect(edits.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(letters()).toHaveLength(1);
  });
});

describe("a redrive", () => {
  const mended = () => world.flow(SIMPLE);
  const redrive = (options: Partial<Parameters<typeof redriveDeadLetters>[2]> = {}) =>
    redriveDeadLetters(world.host(), mended(), { dryRun: false, signal, ...options });

  it("takes what the filter chooses and says beforehand where it would go", async () => {
    await refuse([...things(0, 5), ...negative(5, 8)], ["t1"]);
    const yaml = `${SIMPLE}  - { connection: second, name: b }\nfilter: [{ field: id, notEquals: t6 }]\n`;
    const dry = await redriveDeadLetters(world.host(), world.flow(yaml), { dryRun: true, signal });
    expect(dry).toEqual({
      examined: 4,
      redriven: 4,
      filtered: 1,
      queues: { "things--0-first": 3, "things--1-second": 2 },
      stillRejected: [],
    });
    expect(letters()).toHaveLength(4);
    const { run, ...report } = await redriveDeadLetters(world.host(), world.flow(yaml), {
      dryRun: false,
      signal,
    });
    expect(report).toEqual(dry);
    expect(run?.state.records).toMatchObject({ fetched: 4, filtered: 1, loaded: 3 });
    expect(idsOf(world.sink.records)).toEqual(["t0", "t1", "t2", "t3", "t4", "t5", "t7"]);
    expect(idsOf(world.other.records)).toEqual(["t5", "t7"]);
  });

  it("of many letters shares transactions and messages", async () => {
    await refuse(negative(0, 1_200));
    let transactions = 0;
    const counting = new Watched(world.environment, () => transactions++);
    const report = await redriveDeadLetters({ ...world.host(), environment: counting }, mended(), {
      dryRun: false,
      signal,
    });
    expect(report).toMatchObject({ examined: 1_200, redriven: 1_200, run: { exitCode: 0 } });
    expect(transactions).toBeLessThan(40);
    expect(idsOf(world.sink.records)).toEqual(idsOf(negative(0, 1_200)));
    expect(letters()).toEqual([]);
  });

  it("takes letters larger than a message by claim check, in their order", async () => {
    await refuse(
      negative(0, 4).map((record, n) => (n % 2 === 0 ? { ...record, name: "x".repeat(9_000) } : record)),
    );
    world.flow(SIMPLE, "{ messageSize: 4KiB }");
    const report = await redrive();
    expect(report).toMatchObject({ redriven: 4, run: { exitCode: 0 } });
    expect(world.sink.records.map(({ id }) => id)).toEqual(["t0", "t1", "t2", "t3"]);
  });

  it("leaves a letter alone that is no record, whatever its bytes", async () => {
    await refuse(negative(0, 1));
    for (const body of [Buffer.from("not json"), Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])]) {
      await world.environment.queues.send("things--dead-letters", [{ body }]).catch(() => undefined);
    }
    const count = letters().length;
    const report = await redrive();
    expect(report.redriven).toBe(1);
    expect(report.stillRejected).toHaveLength(count - 1);
    expect(new Set(report.stillRejected.map(({ reason }) => reason))).toEqual(
      new Set(["the body is not one JSON object"]),
    );
  });

  it("that another tool overtakes sends nothing twice", async () => {
    await refuse(negative(0, 6));
    const taken = letters()[2]?.messageId ?? "";
    let prepared = false;
    let meddled = false;
    const environment = new Watched(world.environment, async () => {
      // Between the beginning of the run and the transaction that moves the letters.
      if (meddled || !prepared) return;
      meddled = true;
      await dropDeadLetters(world.environment, "things", { messageIds: [taken] });
    });
    world.sink.beforePrepare = () => {
      prepared = true;
    };
    const report = await redriveDeadLetters({ ...world.host(), environment }, mended(), {
      dryRun: false,
      signal,
    });
    expect(meddled).toBe(true);
    expect(report.redriven).toBe(5);
    expect(report.run?.state.records).toMatchObject({ fetched: 5, loaded: 5 });
    expect(world.sink.records).toHaveLength(5);
  });

  it("twice at once is one redrive and one that says the flow is being run", async () => {
    await refuse(negative(0, 30));
    const both = await Promise.allSettled([redrive({ perSecond: 10 }), redrive({ perSecond: 10 })]);
    const refused = both.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    expect(refused).toEqual([expect.objectContaining({ code: "FLOW_RUNNING" })]);
    expect(refused[0]).toBeInstanceOf(TransientError);
    await redrive();
    expect(idsOf(world.sink.records)).toEqual(idsOf(negative(0, 30)));
    expect(letters()).toEqual([]);
  });

  it("at a rate sends no more than so many a second, and says that it waits", async () => {
    await refuse(negative(0, 20));
    const tasks: (() => void)[] = [];
    const waits = new Set<string>();
    let now = 0;
    const clock: Clock = {
      now: () => NOW,
      monotonicMs: () => now,
      every: (_, task) => {
        tasks.push(task);
        return () => undefined;
      },
      sleep: async (ms) => {
        now += ms / 2;
        for (const task of tasks) task();
        now += ms / 2;
      },
    };
    const dead = () => world.environment.queues.depth("things--dead-letters").records;
    const sentAt: number[] = [];
    let left = dead();
    const environment = new Watched(
      world.environment,
      () => undefined,
      () => {
        for (; left > dead(); left--) sentAt.push(now);
      },
    );
    const onProgress = ({ wait }: Progress) => wait !== undefined && waits.add(wait.reason);
    await redriveDeadLetters({ ...world.host(), environment, clock, onProgress }, mended(), {
      dryRun: false,
      signal,
      perSecond: 10,
    });
    // Two at once, five times a second.
    expect(sentAt).toEqual(Array.from({ length: 20 }, (_, n) => Math.floor(n / 2) * 200));
    expect([...waits]).toEqual(["at most 10 records a second"]);
  });
});

describe("a pace", () => {
  it("spreads units evenly and does not make up for idleness", async () => {
    const clock = new VirtualClock();
    const pace = new Pace(clock, 50);
    expect(pace.take(10)).toBe(0);
    expect(pace.take(10)).toBe(200);
    await clock.advance(150);
    expect(pace.take(1)).toBe(250);
    await clock.advance(10_000);
    expect(pace.take(5)).toBe(0);
    expect(pace.take(5)).toBe(100);
  });
});

it("letters of an SQS consumer that received too often say where they come from", async () => {
  await refuse(negative(0, 1));
  const { queues } = world.environment;
  const dead = "things--dead-letters";
  await queues.createQueue("other", {
    VisibilityTimeout: 0,
    RedrivePolicy: { deadLetterTargetQueue: dead, maxReceiveCount: 1 },
  });
  await queues.send("other", [{ body: '{"id":"t9"}' }]);
  for (let n = 0; n < 3; n++) await queues.receive("other", { maxNumberOfMessages: 1, waitTimeMs: 0 });
  const moved = letters().find(({ message }) => textAttributes(message.attributes).reason === undefined);
  expect(moved).toMatchObject({ rule: "maxReceiveCount", reason: expect.stringContaining("from other") });
});
