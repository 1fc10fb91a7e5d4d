import { afterAll, expect, test } from "vitest";
import type { Field } from "../../../core/contracts/index.js";
import { closeSharedDuckdb, type FormatEngine, writeFiles } from "../../../core/format/index.js";
import { seededRandom } from "../../seeded-random.js";
import { inFolder, loadOf, sql } from "./loads.js";

afterAll(() => closeSharedDuckdb());

const SEED = 20261122;

const FIELDS: Field[] = [
  { name: "n", type: "integer" },
  { name: "text", type: "string" },
  { name: "whole", type: "integer" },
  { name: "money", type: "decimal", precision: 18, scale: 2 },
  { name: "exact", type: "decimal" },
  { name: "ratio", type: "double" },
  { name: "flag", type: "boolean" },
  { name: "day", type: "date" },
  { name: "at", type: "timestamp" },
  { name: "tree", type: "json" },
];

/** Runs of nulls and values of all lengths: what run-length encodings get wrong. */
function randomLines(count: number): string[] {
  const random = seededRandom(SEED);
  const below = (limit: number) => Math.floor(random.next() * limit);
  const digits = (most: number) =>
    `${1 + below(9)}${Array.from({ length: below(most) }, () => below(10)).join("")}`;
  const values: Record<string, () => string> = {
    text: () => JSON.stringify('aé😀\n"'.repeat(below(4))),
    whole: () => String(BigInt.asIntN(64, BigInt(digits(20)) * (random.next() < 0.5 ? -1n : 1n))),
    money: () => `${random.next() < 0.5 ? "-" : ""}${digits(14)}.${digits(6)}`,
    exact: () => `${random.next() < 0.5 ? "-" : ""}${digits(28)}.${digits(12)}`,
    ratio: () => JSON.stringify((random.next() - 0.5) * 10 ** (below(600) - 300)),
    flag: () => (random.next() < 0.5 ? "true" : "false"),
    day: () => `"${new Date(-6e13 + random.next() * 3e14).toISOString().slice(0, 10)}"`,
    at: () =>
      `"${new Date(-6e13 + random.next() * 3e14).toISOString().slice(0, 23)}${String(below(1000)).padStart(3, "0")}Z"`,
    tree: () => `{"a":[${digits(30)},${JSON.stringify("x".repeat(below(5)))}]}`,
  };
  const left: Record<string, { count: number; isNull: boolean }> = {};
  return Array.from({ length: count }, (_, n) => {
    const parts = Object.entries(values).map(([name, make]) => {
      const run = left[name];
      if (run === undefined || run.count === 0)
        left[name] = { count: 1 + below(random.next() < 0.1 ? 3000 : 12), isNull: random.next() < 0.5 };
      const now = left[name];
      if (now !== undefined) now.count--;
      return `"${name}":${now?.isNull ? "null" : make()}`;
    });
    return `{"n":${n},${parts.join(",")}}`;
  });
}

test(`both engines write the same values: 9,000 random rows (seed ${SEED})`, async () => {
  const lines = randomLines(9000);
  await inFolder(async (a) =>
    inFolder(async (b) => {
      const write = (engine: FormatEngine, dir: string) =>
        writeFiles({
          load: loadOf(FIELDS, lines, 500),
          format: "parquet",
          compression: "snappy",
          engine,
          partitionBy: [],
          dir,
          signal: new AbortController().signal,
          rowGroupRows: 2048,
        });
      const [native] = await write("duckdb", a);
      const [portable] = await write("parquetjs", b);
      const columns = FIELDS.map(({ name, type }) =>
        type === "json" ? `"${name}"::VARCHAR` : `"${name}"`,
      ).join(", ");
      const [one, two] = [native, portable].map((file) => `(SELECT ${columns} FROM '${file?.path}')`);
      expect(
        await sql(
          `(FROM ${one} EXCEPT ALL FROM ${two}) UNION ALL (FROM ${two} EXCEPT ALL FROM ${one}) LIMIT 3`,
        ),
      ).toEqual([]);
      expect(await sql(`SELECT count(*)::INT AS n, count(DISTINCT n)::INT AS ids FROM ${two}`)).toEqual([
        { n: 9000, ids: 9000 },
      ]);
      const exact = new Map(
        lines.map((line) => [/"n":(\d+)/.exec(line)?.[1], /"whole":(-?\d+|null)/.exec(line)?.[1]]),
      );
      const read = await sql(`SELECT n::VARCHAR AS n, whole::VARCHAR AS whole FROM ${one}`);
      for (const row of read) expect(String(row.whole)).toBe(exact.get(String(row.n)));
      const [groups] = await sql(
        `SELECT count(DISTINCT row_group_id)::INT AS n FROM parquet_metadata('${native?.path}')`,
      );
      expect(groups).toEqual({ n: 5 });
    }),
  );
});
