import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import type { Field, Load } from "../../../core/contracts/index.js";
import {
  type Compression,
  closeSharedDuckdb,
  type FileFormat,
  type FormatEngine,
  type FormatRequest,
  type FormattedFile,
  writeFiles,
} from "../../../core/format/index.js";
import { inFolder, loadOf, sql } from "./loads.js";

const signal = new AbortController().signal;

afterAll(() => closeSharedDuckdb());

const FIELDS: Field[] = [
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

/** Token of every field by line; absent: null. */
const ROWS: readonly Record<string, string>[] = [
  {},
  { text: '""', whole: "0", money: "0", exact: "0", ratio: "0", flag: "false", tree: "{}" },
  { text: '"a,b\\"c\\nd\\r\\u0000 é😀"', whole: "9223372036854775807", money: "12345678.90", flag: "true" },
  { text: '"\\ud83d\\ude00"', whole: "-9223372036854775808", money: "-1.005", exact: "-0.0000000005" },
  { whole: "9007199254740993", exact: "12345678901234567890123456789.123456789" },
  { exact: "100000000000000000000000000.000000001", money: "1.005" },
  { exact: "12345678901234567890123456789.1234567895", money: "9999999999999999.99" },
  { exact: "1e28", money: "1.25e-1", ratio: "1e308" },
  { ratio: "5e-324", day: '"0001-01-01"', at: '"0001-01-01T00:00:00.000Z"' },
  { ratio: "0.30000000000000004", day: '"9999-12-31"', at: '"9999-12-31T23:59:59.999999Z"' },
  { ratio: "-1.5", day: '"1969-12-31"', at: '"1969-12-31T23:59:59.123456Z"' },
  { day: '"2024-02-29"', at: '"2024-02-29T12:00:00.1234Z"', tree: "[1,2.5,null]" },
  { tree: '{"n":12345678901234567890123456789.5,"s":"x\\"y"}' },
  { tree: '"sluice-exact-json:1"' },
  { tree: '"text"', text: '"NULL"' },
  { tree: "true", text: '" lead"' },
];

function line(row: Record<string, string>): string {
  return `{${FIELDS.map(({ name }) => `${JSON.stringify(name)}:${row[name] ?? "null"}`).join(",")}}`;
}

/** What a reader must see, as text. */
const EXPECTED = {
  whole: [null, "0", "9223372036854775807", "-9223372036854775808", "9007199254740993"],
  money: [null, "0.00", "12345678.90", "-1.01", null, "1.01", "9999999999999999.99", "0.13"],
  exact: [
    null,
    "0.000000000",
    null,
    "-0.000000001",
    "12345678901234567890123456789.123456789",
    "100000000000000000000000000.000000001",
    "12345678901234567890123456789.123456790",
    "10000000000000000000000000000.000000000",
  ],
  day: ["0001-01-01", "9999-12-31", "1969-12-31", "2024-02-29"],
  at: [
    "0001-01-01T00:00:00.000000Z",
    "9999-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59.123456Z",
    "2024-02-29T12:00:00.123400Z",
  ],
};

function request(load: Load, dir: string, over: Partial<FormatRequest>): FormatRequest {
  return {
    load,
    format: "parquet",
    compression: "none",
    engine: "duckdb",
    partitionBy: [],
    dir,
    signal,
    ...over,
  };
}

async function single(load: Load, dir: string, over: Partial<FormatRequest>): Promise<FormattedFile> {
  const [file, ...others] = await writeFiles(request(load, dir, over));
  if (file === undefined || others.length > 0) throw new Error("expected one file");
  return file;
}

const PARQUET: [FormatEngine, Compression][] = [
  ["duckdb", "none"],
  ["duckdb", "snappy"],
  ["duckdb", "zstd"],
  ["duckdb", "gzip"],
  ["parquetjs", "none"],
  ["parquetjs", "snappy"],
  ["parquetjs", "gzip"],
];

describe.each(PARQUET)("parquet by %s, %s", (engine, compression) => {
  test("every type, its extremes and nulls come back exactly, in order", async () => {
    await inFolder(async (dir) => {
      const load = loadOf(FIELDS, ROWS.map(line));
      const file = await single(load, dir, { engine, compression });
      expect(file).toMatchObject({ records: ROWS.length, partition: [], extension: "parquet" });
      expect(file.bytes).toBe((await readFile(file.path)).length);
      expect(await readdir(dir), "temporary files are gone").toEqual([file.path.slice(dir.length + 1)]);
      const rows = await sql(
        `SELECT text, whole::VARCHAR AS whole, money::VARCHAR AS money, exact::VARCHAR AS exact, ratio, flag, day::VARCHAR AS day, strftime("at", '%Y-%m-%dT%H:%M:%S.%fZ') AS "at", tree::VARCHAR AS tree FROM '${file.path}'`,
      );
      expect(rows).toHaveLength(ROWS.length);
      expect(rows.map(({ text }) => text)).toEqual(
        ROWS.map(({ text }) => (text === undefined ? null : JSON.parse(text))),
      );
      expect(rows.slice(0, 5).map(({ whole }) => whole)).toEqual(EXPECTED.whole);
      expect(rows.slice(0, 8).map(({ money }) => money)).toEqual(EXPECTED.money);
      expect(rows.slice(0, 8).map(({ exact }) => exact)).toEqual(EXPECTED.exact);
      expect(rows.map(({ ratio }) => ratio)).toEqual(
        ROWS.map(({ ratio }) => (ratio === undefined ? null : Number(ratio))),
      );
      expect(rows.map(({ flag }) => flag)).toEqual(
        ROWS.map(({ flag }) => (flag === undefined ? null : flag === "true")),
      );
      expect(rows.slice(8, 12).map(({ day }) => day)).toEqual(EXPECTED.day);
      expect(rows.slice(8, 12).map(({ at }) => at)).toEqual(EXPECTED.at);
      expect(rows.map(({ tree }) => tree)).toEqual(ROWS.map(({ tree }) => tree ?? null));
    });
  });

  test("other readers find the types: UTC timestamps, decimals, JSON, all columns optional", async () => {
    await inFolder(async (dir) => {
      const file = await single(loadOf(FIELDS, ROWS.map(line)), dir, { engine, compression });
      const columns = await sql(
        `SELECT name, converted_type, logical_type::VARCHAR AS logical, repetition_type AS repetition FROM parquet_schema('${file.path}') WHERE num_children IS NULL`,
      );
      expect(columns.map(({ name }) => name)).toEqual(FIELDS.map(({ name }) => name));
      expect(new Set(columns.map(({ repetition }) => repetition))).toEqual(new Set(["OPTIONAL"]));
      const logical = Object.fromEntries(columns.map((column) => [column.name, String(column.logical)]));
      expect(logical.at).toMatch(/TimestampType\(isAdjustedToUTC=1.*MICROS=MicroSeconds/);
      expect(logical.money).toMatch(/DecimalType\(scale=2, precision=18\)/);
      expect(logical.exact).toMatch(/DecimalType\(scale=9, precision=38\)/);
      const types = await sql(`SELECT typeof(COLUMNS(*)) FROM '${file.path}' LIMIT 1`);
      expect(Object.values(types[0] ?? {})).toEqual([
        "VARCHAR",
        "BIGINT",
        "DECIMAL(18,2)",
        "DECIMAL(38,9)",
        "DOUBLE",
        "BOOLEAN",
        "DATE",
        "TIMESTAMP WITH TIME ZONE",
        "JSON",
      ]);
      const [codec] = await sql(`SELECT DISTINCT compression FROM parquet_metadata('${file.path}')`);
      expect(codec?.compression).toBe(compression === "none" ? "UNCOMPRESSED" : compression.toUpperCase());
    });
  });

  test("the same load gives the same bytes", async () => {
    const hashes = new Set<string>();
    for (let i = 0; i < 3; i++) {
      await inFolder(async (dir) => {
        const lines = Array.from({ length: 5000 }, (_, n) =>
          line({ text: `"t${n}"`, whole: `${n}`, money: `${n}.5` }),
        );
        const file = await single(loadOf(FIELDS, lines, 100 + i), dir, { engine, compression });
        hashes.add(
          createHash("sha256")
            .update(await readFile(file.path))
            .digest("hex"),
        );
      });
    }
    expect(hashes.size).toBe(1);
  });
});

describe.each<FormatEngine>(["duckdb", "parquetjs"])("csv by %s", (engine) => {
  test.each<Compression>(["none", "gzip"])(
    "%s: header, quotes, null apart from the empty string, exact numbers",
    async (compression) => {
      await inFolder(async (dir) => {
        const file = await single(loadOf(FIELDS, ROWS.map(line)), dir, {
          format: "csv",
          engine,
          compression,
        });
        expect(file).toMatchObject({
          records: ROWS.length,
          extension: compression === "gzip" ? "csv.gz" : "csv",
        });
        const bytes = await readFile(file.path);
        const text = (compression === "gzip" ? gunzipSync(bytes) : bytes).toString("utf8");
        const lines = text.split("\n");
        expect(lines[0]).toBe("text,whole,money,exact,ratio,flag,day,at,tree");
        expect(lines[1]).toBe(",,,,,,,,");
        expect(lines[2]).toMatch(/^"",0,0\.00,0\.000000000,0(\.0)?,false,,,\{\}$/);
        expect(text).toContain('"a,b""c\nd\r\u0000 é😀",9223372036854775807,12345678.90,,,true,,,\n');
        expect(text).toContain(",,9999999999999999.99,12345678901234567890123456789.123456790,");
        expect(text).toContain(",0001-01-01,0001-01-01T00:00:00.000Z,\n");
        expect(text).toContain(",1969-12-31,1969-12-31T23:59:59.123456Z,\n");
        expect(text).toContain(',"{""n"":12345678901234567890123456789.5,""s"":""x\\""y""}"\n');
        expect(text).toContain('NULL,,,,,,,,"""text"""\n');
      });
    },
  );

  test("a column alone: null is an empty line and the empty string is quoted", async () => {
    await inFolder(async (dir) => {
      const only: Field[] = [{ name: "a", type: "string" }];
      const file = await single(loadOf(only, ['{"a":null}', '{"a":""}', '{"a":"x"}']), dir, {
        format: "csv",
        engine,
      });
      expect(await readFile(file.path, "utf8")).toBe('a\n\n""\nx\n');
    });
  });
});

test("csv.zst reads back", async () => {
  await inFolder(async (dir) => {
    const file = await single(loadOf(FIELDS, ROWS.map(line)), dir, { format: "csv", compression: "zstd" });
    expect(file.extension).toBe("csv.zst");
    expect(await sql(`SELECT count(*)::INT AS n FROM read_csv('${file.path}', header = true)`)).toEqual([
      { n: ROWS.length },
    ]);
  });
});

describe("jsonl", () => {
  const lines = ROWS.map(line).concat('{"text" : "spaces kept" , "money":1.10}');

  test.each<[Compression, FormatEngine]>([
    ["none", "duckdb"],
    ["none", "parquetjs"],
    ["gzip", "duckdb"],
    ["gzip", "parquetjs"],
  ])("%s by %s: the bytes that came", async (compression, engine) => {
    await inFolder(async (dir) => {
      const file = await single(loadOf(FIELDS, lines), dir, { format: "jsonl", compression, engine });
      const bytes = await readFile(file.path);
      const plain = compression === "gzip" ? gunzipSync(bytes) : bytes;
      expect(plain.toString("utf8")).toBe(lines.map((text) => `${text}\n`).join(""));
      expect(file).toMatchObject({ records: lines.length, bytes: bytes.length });
    });
  });

  test("zstd: lines of many megabytes", async () => {
    const long = [
      `{"text":"${"x".repeat(20_000_000)}"}`,
      ...Array.from({ length: 9000 }, (_, n) => line({ whole: `${n}` })),
    ];
    await inFolder(async (dir) => {
      const file = await single(loadOf(FIELDS, long, 500), dir, { format: "jsonl", compression: "zstd" });
      expect(file.records).toBe(9001);
      const [row] = await sql(
        `SELECT sum(length(line))::INT AS n FROM read_csv('${file.path}', columns = {'line': 'VARCHAR'}, delim = '\\0', quote = '', escape = '', header = false, auto_detect = false, max_line_size = 30000000, buffer_size = 60000000)`,
      );
      expect(row).toEqual({ n: long.reduce((sum, text) => sum + text.length, 0) });
    });
  });

  test("zstd: the bytes that came", async () => {
    await inFolder(async (dir) => {
      const file = await single(loadOf(FIELDS, lines), dir, { format: "jsonl", compression: "zstd" });
      expect(file.extension).toBe("jsonl.zst");
      const read = await sql(
        `SELECT line FROM read_csv('${file.path}', columns = {'line': 'VARCHAR'}, delim = '\\0', quote = '', escape = '', header = false, auto_detect = false)`,
      );
      expect(read.map((row) => row.line)).toEqual(lines);
      expect((await readFile(file.path)).readUInt32LE(0)).toBe(0xfd2fb528);
      expect(await readdir(dir)).toEqual([file.path.slice(dir.length + 1)]);
    });
  });

  test("gzip of several blocks: one member, the same for any chunk size and from call to call", async () => {
    const many = Array.from({ length: 4000 }, (_, n) => line({ text: JSON.stringify(`${n} `.repeat(100)) }));
    const hashes = new Set<string>();
    for (const perChunk of [7, 400, 4000]) {
      await inFolder(async (dir) => {
        const file = await single(loadOf(FIELDS, many, perChunk), dir, {
          format: "jsonl",
          compression: "gzip",
        });
        const bytes = await readFile(file.path);
        hashes.add(createHash("sha256").update(bytes).digest("hex"));
        expect(gunzipSync(bytes).toString("utf8")).toBe(many.map((text) => `${text}\n`).join(""));
        // The trailer's length is the whole content's: no second member follows.
        expect(bytes.readUInt32LE(bytes.length - 4)).toBe(
          many.reduce((sum, text) => sum + text.length + 1, 0),
        );
      });
    }
    expect(hashes.size).toBe(1);
  });
});

const ALL: [FileFormat, FormatEngine][] = [
  ["parquet", "duckdb"],
  ["parquet", "parquetjs"],
  ["csv", "duckdb"],
  ["csv", "parquetjs"],
];

describe.each(ALL)("%s by %s", (format, engine) => {
  test("hostile column names keep their order and values", async () => {
    const names = [
      "1",
      "0",
      "__proto__",
      "constructor",
      'a"b',
      "sp ace",
      "a,b",
      "select",
      "😀",
      "it's",
      "a.b",
      "\\",
      "x\ty",
    ];
    const fields: Field[] = names.map((name) => ({ name, type: "string" }));
    const row = `{${names.map((name, i) => `${JSON.stringify(name)}:"v${i}"`).join(",")}}`;
    await inFolder(async (dir) => {
      const file = await single(loadOf(fields, [row]), dir, { format, engine });
      const read = await sql(
        format === "csv"
          ? `FROM read_csv('${file.path}', header = true, all_varchar = true)`
          : `FROM '${file.path}'`,
      );
      expect(Object.entries(read[0] ?? {}).length).toBeGreaterThanOrEqual(names.length - 1);
      const columns = await sql(
        `DESCRIBE ${format === "csv" ? `FROM read_csv('${file.path}', header = true, all_varchar = true)` : `FROM '${file.path}'`}`,
      );
      expect(columns.map((column) => column.column_name)).toEqual(names);
    });
  });

  test("a decimal out of range is a RecordError that names column and value", async () => {
    const fields: Field[] = [
      { name: "id", type: "string" },
      { name: "amount", type: "decimal", precision: 10, scale: 2 },
    ];
    for (const bad of ["123456789", "99999999.995", "1e20", "12345678901234567890.1"]) {
      await inFolder(async (dir) => {
        const load = loadOf(fields, ['{"id":"1","amount":99999999.994}', `{"id":"2","amount":${bad}}`]);
        await expect(writeFiles(request(load, dir, { format, engine }))).rejects.toMatchObject({
          kind: "record",
          message: expect.stringMatching(
            /^amount: .*(123456789|99999999\.995|1e\+?20|12345678901234567890\.1).*decimal\(10,2\)/i,
          ),
        });
      });
    }
  });

  test("columns that differ only in case are a ConfigError", async () => {
    const fields: Field[] = [
      { name: "Id", type: "string" },
      { name: "ID", type: "string" },
    ];
    await inFolder(async (dir) => {
      await expect(
        writeFiles(request(loadOf(fields, ['{"Id":"a","ID":"b"}']), dir, { format, engine })),
      ).rejects.toMatchObject({ kind: "config", code: "FORMAT_COLUMN_CASE" });
    });
  });

  test("lines of megabytes among short ones", async () => {
    const fields: Field[] = [
      { name: "id", type: "integer" },
      { name: "body", type: "string" },
    ];
    const lines = Array.from(
      { length: 300 },
      (_, n) => `{"id":${n},"body":"${n % 100 === 50 ? "x".repeat(3_000_000) : "y"}"}`,
    );
    await inFolder(async (dir) => {
      const file = await single(loadOf(fields, lines, 100), dir, { format, engine });
      const source =
        format === "csv"
          ? `read_csv('${file.path}', header = true, max_line_size = 10000000)`
          : `'${file.path}'`;
      expect(
        await sql(`SELECT count(*)::INT AS n, sum(length(body))::INT AS characters FROM ${source}`),
      ).toEqual([{ n: 300, characters: 9_000_297 }]);
    });
  });
});

describe("what is refused", () => {
  test("fewer or more lines than announced", async () => {
    for (const [format, engine] of [...ALL, ["jsonl", "duckdb"]] as [FileFormat, FormatEngine][]) {
      for (const records of [1, 3]) {
        await inFolder(async (dir) => {
          const load = { ...loadOf([{ name: "a", type: "string" }], ['{"a":"1"}', '{"a":"2"}']), records };
          await expect(writeFiles(request(load, dir, { format, engine }))).rejects.toMatchObject({
            kind: "invariant",
            code: "FORMAT_ROW_COUNT",
          });
        });
      }
    }
  });

  test("a chunk that ends inside a line", async () => {
    await inFolder(async (dir) => {
      const load: Load = {
        ...loadOf([{ name: "a", type: "string" }], ['{"a":"1"}']),
        async *chunks() {
          yield Buffer.from('{"a":');
          yield Buffer.from('"1"}\n');
        },
      };
      for (const format of ["jsonl", "parquet"] as const)
        await expect(writeFiles(request(load, dir, { format }))).rejects.toMatchObject({
          code: "FORMAT_CHUNK_END",
        });
    });
  });

  test("an aborted signal ends it", async () => {
    for (const [format, engine] of [...ALL, ["jsonl", "duckdb"]] as [FileFormat, FormatEngine][]) {
      await inFolder(async (dir) => {
        const load = loadOf([{ name: "a", type: "string" }], ['{"a":"1"}']);
        await expect(
          writeFiles(request(load, dir, { format, engine, signal: AbortSignal.abort() })),
        ).rejects.toMatchObject({ kind: "cancelled" });
      });
    }
  });

  test("zstd by parquetjs", async () => {
    await inFolder(async (dir) => {
      const load = loadOf([{ name: "a", type: "string" }], ['{"a":"1"}']);
      await expect(
        writeFiles(request(load, dir, { engine: "parquetjs", compression: "zstd" })),
      ).rejects.toMatchObject({ kind: "config", code: "FORMAT_ENGINE" });
    });
  });

  test("a folder that does not exist, a full disk", async () => {
    const load = loadOf([{ name: "a", type: "string" }], ['{"a":"1"}']);
    for (const [format, engine] of [...ALL, ["jsonl", "duckdb"]] as [FileFormat, FormatEngine][])
      await expect(writeFiles(request(load, "/nowhere/at/all", { format, engine }))).rejects.toMatchObject({
        kind: "transient",
      });
  });
});
