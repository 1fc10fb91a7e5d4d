import { duckdb } from "../../../connectors/duckdb/index.js";
import { ORDER_COLUMN, type Schema, type SinkWriter } from "../../../core/contracts/index.js";
import { loadOf } from "../../contracts/sample.js";
import { hostContext } from "./host.js";

/*
 * Writes LOADS loads to an append and an upsert table, from the first on, as an engine does that does not know which of
 * them were applied. Its parent kills it at some instant and starts it again. Prints `done` at the end.
 */

export const LOADS = 12;
export const RECORDS = 400;
export const KEYS = 50;

const APPEND: Schema = {
  fields: [
    { name: "id", type: "integer" },
    { name: "text", type: "string" },
  ],
};
const UPSERT: Schema = { fields: [...APPEND.fields, { name: ORDER_COLUMN, type: "string" }] };

/** Record `at` of load `number` in the upsert table; later loads hold older versions of some keys. */
export function upsertRecord(number: number, at: number): { id: number; text: string; order: string } {
  const order = String((number * 7 + at * 3) % 997).padStart(6, "0");
  return {
    id: (at * 13 + number) % KEYS,
    text: `v${order}`,
    order: `${order}-${String(number).padStart(3, "0")}`,
  };
}

async function main(dir: string): Promise<void> {
  const { signal } = new AbortController();
  const sink = duckdb.connect({ path: `${dir}/w.duckdb` }, hostContext(dir));
  const open = (entry: Record<string, unknown>): SinkWriter =>
    sink.open(duckdb.spec.targetSchema.parse(entry), "crash");
  const append = open({ table: "appended" });
  const upsert = open({ table: "upserted", write: "upsert", key: ["id"] });
  const run = { flow: "crash", run: "r", generation: "r", signal };
  await append.prepare({ ...run, schema: APPEND });
  await upsert.prepare({ ...run, schema: UPSERT });
  const numbers = Array.from({ length: RECORDS }, (_, at) => at);
  for (let number = 0; number < LOADS; number++) {
    const rows = numbers.map((at) => ({ id: number * RECORDS + at, text: "x".repeat(200) }));
    const versions = numbers.map((at) => {
      const { id, text, order } = upsertRecord(number, at);
      return { id, text, [ORDER_COLUMN]: order };
    });
    await append.write(loadOf(rows, { flow: "crash", number, schema: APPEND, chunkLines: 100 }), signal);
    await upsert.write(loadOf(versions, { flow: "crash", number, schema: UPSERT, chunkLines: 100 }), signal);
    process.stdout.write(`${number}\n`);
  }
  process.stdout.write("done\n");
}

const [, script = "", dir] = process.argv;
if (dir !== undefined && script.includes("crash-child")) await main(dir);
