import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FieldType, SourceField, SourceRecord } from "../../../core/contracts/index.js";
import { type RunOptions, runFlow } from "../../../core/run/index.js";
import { LogSpy } from "../http/log-spy.js";
import { page, things } from "./connectors.js";
import { RunWorld, SIMPLE } from "./harness.js";

/* A stream that is not what it was: each difference is named once, and no run fails of it. */

const MAPPED = `source: { connection: source, stream: things }
map: [{ from: id, to: id }, { from: name, to: label }]
sinks:
  - { connection: first, name: a }
`;
let world: RunWorld;
beforeEach(() => {
  world = new RunWorld();
});
afterEach(() => world.close());

const field = (name: string, type: FieldType): SourceField => ({ name, type, filterable: true });

/** Reads one page of these records; what was warned of. */
async function warnings(yaml: string, records: SourceRecord[], options: Partial<RunOptions> = {}) {
  const log = new LogSpy();
  const at = world.source.requests.length;
  world.source.reads[at] = [page(records, { at: (at + 1) * 10_000 })];
  const signal = new AbortController().signal;
  const flow = world.flow(yaml);
  const { state } = await runFlow({ ...world.host(), log }, flow, {
    trigger: "onDemand",
    signal,
    ...options,
  });
  expect(state).toMatchObject({ status: "succeeded", records: { fetched: records.length } });
  return log.lines.filter((line) => line.startsWith("warn"));
}

describe("what the source declares", () => {
  it("is named where it is new, gone or of another type, once", async () => {
    expect(await warnings(SIMPLE, things(0, 5))).toEqual([]);
    expect(await warnings(SIMPLE, things(5, 10))).toEqual([]);
    world.source.fields = [field("id", "string"), field("name", "string"), field("amount", "double")];
    world.source.fields = [...world.source.fields, field("stamp", "timestamp"), field("colour", "string")];
    const changed = await warnings(SIMPLE, things(10, 15));
    expect(changed.map((line) => line.split(" {")[0])).toEqual([
      "warn things has new fields: colour (string)",
      "warn fields of things have another type: amount (decimal before, double now)",
      "warn fields are read from now on, and records loaded before lack them: colour",
    ]);
    expect(changed[2]).toContain("--full");
    expect(await warnings(SIMPLE, things(15, 20))).toEqual([]);
    world.source.fields = world.source.fields.filter(({ name }) => name !== "amount");
    const gone = await warnings(SIMPLE, things(20, 25));
    expect(gone.map((line) => line.split(" {")[0])).toEqual([
      "warn things has lost fields: amount (its column gets no more values)",
    ]);
  });

  it("is told apart from what the flow reads of it", async () => {
    expect(await warnings(MAPPED, things(0, 5))).toEqual([]);
    world.source.fields = [...world.source.fields, field("colour", "string")];
    const added = await warnings(MAPPED, things(5, 10));
    expect(added.map((line) => line.split(" {")[0])).toEqual([
      "warn things has new fields: colour (string, not in the flow's map)",
    ]);
    const wider = MAPPED.replace("label }", "label }, { from: colour, to: colour }");
    const begun = await warnings(wider, things(10, 15));
    expect(begun.map((line) => line.split(" {")[0])).toEqual([
      "warn fields are read from now on, and records loaded before lack them: colour",
    ]);
    // Read anew, nothing lacks anything.
    const widest = wider.replace("label }", "label }, { from: amount, to: amount }");
    expect(await warnings(widest, things(0, 15), { full: true })).toEqual([]);
  });
});

describe("what the records hold", () => {
  it("is named where a field that was common does not occur any more", async () => {
    const without = (records: SourceRecord[]) => records.map(({ amount: _, ...rest }) => rest);
    const mostly = (records: SourceRecord[]) => [...records, ...without(things(1_000, 1100))];
    expect(await warnings(SIMPLE, mostly(things(0, 100)))).toEqual([]);
    // Too few to tell.
    expect(await warnings(SIMPLE, without(things(100, 150)))).toEqual([]);
    const missing = await warnings(SIMPLE, without(things(200, 400)));
    expect(missing.map((line) => line.split(" {")[0])).toEqual([
      "warn of 200 records of things none has fields that used to be there: amount (in 100 of 250 looked at before)",
    ]);
    expect(await warnings(SIMPLE, without(things(400, 600)))).toEqual([]);
  });

  it("is named where a text is something else, and loaded as its text", async () => {
    const changed = things(0, 3).map((record, n) => (n === 0 ? record : { ...record, name: { first: n } }));
    const lines = await warnings(SIMPLE, changed);
    expect(lines.map((line) => line.split(" {")[0])).toEqual([
      "warn name of things holds a mapping of keys where text is expected: it is loaded as text",
    ]);
    expect(world.sink.records.map(({ name }) => name)).toContain('{"first":1}');
  });
});
