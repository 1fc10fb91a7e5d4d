import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { duckdb } from "../../../connectors/duckdb/index.js";
import type { Field, SinkWriter, Value } from "../../../core/contracts/index.js";
import { loadOf } from "../../contracts/sample.js";
import { hostContext } from "./host.js";
import { sqlOn } from "./warehouse.js";

const signal = new AbortController().signal;
let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-duckdb-"));
  path = join(dir, "w.duckdb");
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const id: Field = { name: "id", type: "integer" };
const note: Field = { name: "note", type: "string" };
const open = (flow: string): SinkWriter =>
  duckdb
    .connect({ path }, hostContext(dir))
    .open(duckdb.spec.targetSchema.parse({ table: "t", write: "replace" }), flow);
const request = (flow: string, generation: string, fields = [id]) => ({
  flow,
  run: generation,
  generation,
  schema: { fields },
  signal,
});
const finished = (flow: string, generation: string) => ({
  run: generation,
  generation,
  complete: true,
  flow,
  loads: [],
  files: [],
  records: 0,
  startedAt: "2026-01-01T00:00:00.000Z",
  endedAt: "2026-01-01T00:00:00.000Z",
});
const put = (
  writer: SinkWriter,
  flow: string,
  generation: string,
  number: number,
  record: Record<string, Value>,
  fields = [id],
) =>
  writer.write(loadOf([record], { flow, run: generation, generation, number, schema: { fields } }), signal);

describe("generations", () => {
  test("a redriven record of the generation in force may have a column that was mapped since", async () => {
    const writer = open("a");
    await writer.prepare(request("a", "g1"));
    await put(writer, "a", "g1", 0, { id: 1 });
    await writer.finish(finished("a", "g1"), signal);
    await writer.prepare(request("a", "g1", [id, note]));
    await put(writer, "a", "g1", 1, { id: 2, note: "x" }, [id, note]);
    expect(await sqlOn(path, "SELECT count(*)::INT FROM t")).toEqual([[2]]);
  });

  test("what was gathered of a generation and then lost is not taken for a whole one", async () => {
    const writer = open("a");
    await writer.prepare(request("a", "g1"));
    await put(writer, "a", "g1", 0, { id: 1 });
    // Another flow that replaces the same table is finished meanwhile.
    const other = open("b");
    await other.prepare(request("b", "g2"));
    await put(other, "b", "g2", 0, { id: 9 });
    await other.finish(finished("b", "g2"), signal);
    // The killed run goes on with its second load.
    const again = open("a");
    await expect(again.prepare(request("a", "g1"))).rejects.toMatchObject({ code: "DUCKDB_GENERATION_LOST" });
    expect(await sqlOn(path, "SELECT id::INT FROM t")).toEqual([[9]]);
  });
});
