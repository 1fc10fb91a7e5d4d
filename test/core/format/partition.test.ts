import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import type { Field, Schema } from "../../../core/contracts/index.js";
import {
  checkPartitionTerms,
  closeSharedDuckdb,
  type FileFormat,
  type FormatEngine,
  HIVE_NULL,
  parsePartitionTerm,
  partitionFolder,
  writeFiles,
} from "../../../core/format/index.js";
import { inFolder, loadOf, sql } from "./loads.js";

const signal = new AbortController().signal;
afterAll(() => closeSharedDuckdb());

const FIELDS: Field[] = [
  { name: "id", type: "integer" },
  { name: "stage", type: "string" },
  { name: "at", type: "timestamp" },
  { name: "close date", type: "date" },
  { name: "flag", type: "boolean" },
  { name: "amount", type: "decimal" },
  { name: "tree", type: "json" },
];
const schema: Schema = { fields: FIELDS };

describe("terms", () => {
  test.each([
    ["stage", { field: "stage", name: "stage" }],
    ["day(at)", { field: "at", unit: "day", name: "at_day" }],
    [" year( close date ) ", { field: "close date", unit: "year", name: "close date_year" }],
    ["hour(at)", { field: "at", unit: "hour", name: "at_hour" }],
    ["monthly", { field: "monthly", name: "monthly" }],
  ])("%s", (text, term) => expect(parsePartitionTerm(text)).toEqual(term));

  test.each(["", "week(at)", "day()", "minute(at)"])("refuses %j and names the units", (text) => {
    expect(() => parsePartitionTerm(text)).toThrowError(
      expect.objectContaining({
        kind: "config",
        code: "PARTITION_TERM",
        fix: expect.stringContaining("day(field)"),
      }),
    );
  });

  test.each([
    ["nope", /no mapped field/],
    ["day(stage)", /needs a date or timestamp/],
    ["hour(close date)", /has no hour/],
    ["at", /of type timestamp/],
    ["amount", /of type decimal/],
    ["tree", /of type json/],
  ])("refuses %s", (text, message) => {
    expect(() => checkPartitionTerms([parsePartitionTerm(text)], schema)).toThrowError(
      expect.objectContaining({
        kind: "config",
        code: "PARTITION_FIELD",
        message: expect.stringMatching(message),
      }),
    );
  });

  test("refuses two folders of one name, and one that is a column", () => {
    const [a, b] = ["year(at)", "year(at)"].map(parsePartitionTerm);
    expect(() => checkPartitionTerms([a!, b!], schema)).toThrowError(/two partitions are called "at_year"/);
    const clash: Schema = { fields: [...FIELDS, { name: "AT_DAY", type: "string" }] };
    expect(() => checkPartitionTerms([parsePartitionTerm("day(at)")], clash)).toThrowError(
      /also a mapped field/,
    );
  });
});

const row = (id: number, stage: string, at: string | null, amount = "1"): string =>
  `{"id":${id},"stage":${stage},"at":${at === null ? "null" : `"${at}"`},"close date":null,"flag":true,"amount":${amount},"tree":null}`;

const ROWS = [
  row(1, '"Closed Won"', "2026-10-01T23:59:59.999Z"),
  row(2, '"a/b=c%&?#:\\"\\\\"', "2026-10-02T00:00:00.000Z"),
  row(3, "null", null),
  row(4, '"Closed Won"', "2026-10-01T00:00:00.000Z", "12345678901234567890.123456789"),
  row(5, '""', "0001-01-01T00:00:00.000Z"),
  row(6, `"${HIVE_NULL}"`, "9999-12-31T23:59:59.999999Z"),
  row(7, '"\\u00fcn\\u00ef \\ud83d\\ude00"', "1969-12-31T23:00:00.000Z"),
  row(8, '"ünï 😀"', "1969-12-31T23:59:00.000Z"),
];

const ALL: [FileFormat, FormatEngine][] = [
  ["parquet", "duckdb"],
  ["parquet", "parquetjs"],
  ["csv", "duckdb"],
  ["csv", "parquetjs"],
  ["jsonl", "duckdb"],
  ["jsonl", "parquetjs"],
];

describe.each(ALL)("%s by %s", (format, engine) => {
  const write = (dir: string, terms: string[], lines = ROWS, perChunk = 3) =>
    writeFiles({
      load: loadOf(FIELDS, lines, perChunk),
      format,
      compression: "none",
      engine,
      partitionBy: terms.map(parsePartitionTerm),
      dir,
      signal,
    });

  test("one file per partition, in one order, with all columns; escapes do not make two of one value", async () => {
    await inFolder(async (dir) => {
      const files = await write(dir, ["stage", "day(at)"]);
      expect(
        files.map(({ partition, records }) => [...partition.map(({ value }) => value), records]),
      ).toEqual([
        ["", "0001-01-01", 1],
        ["Closed Won", "2026-10-01", 2],
        [HIVE_NULL, "9999-12-31", 1],
        ['a/b=c%&?#:"\\', "2026-10-02", 1],
        ["ünï 😀", "1969-12-31", 2],
        [null, null, 1],
      ]);
      expect(files[0]?.partition.map(({ name }) => name)).toEqual(["stage", "at_day"]);
      expect((await readdir(dir)).sort(), "nothing else is left").toEqual(
        files.map(({ path }) => path.slice(dir.length + 1)),
      );
      const won = files[1]!;
      if (format === "jsonl") expect(await readFile(won.path, "utf8")).toBe(`${ROWS[0]}\n${ROWS[3]}\n`);
      else {
        const source =
          format === "csv" ? `read_csv('${won.path}', header = true, all_varchar = true)` : `'${won.path}'`;
        expect(
          await sql(`SELECT id::VARCHAR AS id, stage, amount::VARCHAR AS amount FROM ${source}`),
        ).toEqual([
          { id: "1", stage: "Closed Won", amount: "1.000000000" },
          { id: "4", stage: "Closed Won", amount: "12345678901234567890.123456789" },
        ]);
      }
    });
  });

  test("years, months and hours in UTC", async () => {
    await inFolder(async (dir) => {
      const files = await write(dir, ["year(at)", "month(at)", "hour(at)", "flag"], ROWS.slice(0, 2));
      expect(files.map(({ partition }) => partition.map(({ value }) => value))).toEqual([
        ["2026", "2026-10", "2026-10-01T23", "true"],
        ["2026", "2026-10", "2026-10-02T00", "true"],
      ]);
    });
  });

  test("thousands of lines over many partitions keep their order within each", async () => {
    const lines = Array.from({ length: 3000 }, (_, n) =>
      row(n, `"s${(n * 7919) % 97}"`, "2026-01-01T00:00:00.000Z"),
    );
    await inFolder(async (dir) => {
      const files = await write(dir, ["stage"], lines, 250);
      expect(files).toHaveLength(97);
      for (const file of files.slice(0, 5)) {
        const stage = file.partition[0]?.value;
        const expected = lines.flatMap((line, n) => (line.includes(`"${stage}"`) ? [n] : []));
        const source =
          format === "csv"
            ? `read_csv('${file.path}', header = true)`
            : format === "jsonl"
              ? `read_json('${file.path}', format = 'newline_delimited')`
              : `'${file.path}'`;
        expect((await sql(`SELECT id::INT AS id FROM ${source}`)).map(({ id }) => id)).toEqual(expected);
      }
    });
  });
});

test("DuckDB reads the folders back as the values they came from, null as null", async () => {
  await inFolder(async (dir) => {
    const files = await writeFiles({
      load: loadOf(FIELDS, ROWS),
      format: "parquet",
      compression: "snappy",
      engine: "duckdb",
      partitionBy: ["stage", "day(at)"].map(parsePartitionTerm),
      dir,
      signal,
    });
    const lake = join(dir, "lake");
    for (const { path, partition } of files) {
      const folder = join(lake, partitionFolder(partition));
      await mkdir(folder, { recursive: true });
      await rename(path, join(folder, "part.parquet"));
    }
    const rows = await sql(
      `SELECT id::INT AS id, stage, at_day::VARCHAR AS day FROM read_parquet('${lake}/**/*.parquet', hive_partitioning = true, hive_types_autocast = false) ORDER BY id`,
    );
    expect(rows).toEqual([
      { id: 1, stage: "Closed Won", day: "2026-10-01" },
      { id: 2, stage: 'a/b=c%&?#:"\\', day: "2026-10-02" },
      { id: 3, stage: null, day: null },
      { id: 4, stage: "Closed Won", day: "2026-10-01" },
      { id: 5, stage: "", day: "0001-01-01" },
      { id: 6, stage: HIVE_NULL, day: "9999-12-31" },
      { id: 7, stage: "ünï 😀", day: "1969-12-31" },
      { id: 8, stage: "ünï 😀", day: "1969-12-31" },
    ]);
    const plain = await sql(
      `SELECT stage FROM read_parquet('${lake}/**/*.parquet', hive_partitioning = false) ORDER BY id`,
    );
    expect(plain.map(({ stage }) => stage)).toEqual(rows.map(({ stage }) => stage));
  });
});

describe("what is refused", () => {
  const write = (dir: string, lines: string[], term: string) =>
    writeFiles({
      load: loadOf(FIELDS, lines, 500),
      format: "jsonl",
      compression: "gzip",
      engine: "duckdb",
      partitionBy: [parsePartitionTerm(term)],
      dir,
      signal,
    });

  test("a value too long for a folder is a RecordError naming the field", async () => {
    await inFolder(async (dir) => {
      await expect(write(dir, [row(1, `"${"ü".repeat(40)}"`, null)], "stage")).rejects.toMatchObject({
        kind: "record",
        code: "PARTITION_TOO_LONG",
        message: expect.stringMatching(/^stage: /),
      });
    });
  });

  test("more than 10,000 partitions of one load", async () => {
    await inFolder(async (dir) => {
      const lines = Array.from({ length: 10_001 }, (_, n) => row(n, '"s"', null));
      await expect(write(dir, lines, "id")).rejects.toMatchObject({
        kind: "config",
        code: "PARTITION_COUNT",
      });
    });
  });
});

test("gzip of a partition holds its lines as they came", async () => {
  await inFolder(async (dir) => {
    const [file] = await writeFiles({
      load: loadOf(FIELDS, [ROWS[0]!, ROWS[3]!]),
      format: "jsonl",
      compression: "gzip",
      engine: "parquetjs",
      partitionBy: [parsePartitionTerm("stage")],
      dir,
      signal,
    });
    expect(gunzipSync(await readFile(file!.path)).toString()).toBe(`${ROWS[0]}\n${ROWS[3]}\n`);
  });
});
