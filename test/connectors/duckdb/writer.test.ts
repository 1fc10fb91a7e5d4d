import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { duckdb, duckdbPath } from "../../../connectors/duckdb/index.js";
import {
  type Field,
  ORDER_COLUMN,
  type Sink,
  type SinkWriter,
  type Value,
} from "../../../core/contracts/index.js";
import { loadOf } from "../../contracts/sample.js";
import { hostContext } from "./host.js";
import { sqlOn } from "./warehouse.js";

const signal = new AbortController().signal;
const RUN = "20260101T000000000Z-0001";
let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-duckdb-"));
  path = join(dir, "w.duckdb");
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const connect = (file = path): Sink => duckdb.connect({ path: file }, hostContext(dir));
const open = (entry: Record<string, unknown>, file = path): SinkWriter =>
  connect(file).open(duckdb.spec.targetSchema.parse({ table: "t", ...entry }), "accounts");
const prepare = (writer: SinkWriter, fields: readonly Field[], dryRun = false) =>
  writer.prepare({ flow: "accounts", run: RUN, generation: RUN, schema: { fields }, signal, dryRun });
const id: Field = { name: "id", type: "integer" };
const order: Field = { name: ORDER_COLUMN, type: "string" };
const describeTable = async (table = "t") =>
  Object.fromEntries(
    (await sqlOn(path, `SELECT column_name, column_type FROM (DESCRIBE ${table})`)) as [string, string][],
  );

describe("columns", () => {
  test("a dry run makes no file", async () => {
    expect(await prepare(open({}), [id], true)).toEqual([
      { kind: "createTable", text: "creates table t with 1 columns" },
    ]);
    expect(await readdir(dir)).toEqual([]);
  });

  test("evolve adds columns and widens numbers, and says so", async () => {
    await sqlOn(
      path,
      "CREATE TABLE t (ID INTEGER, amount DECIMAL(10,2), ratio FLOAT); INSERT INTO t VALUES (1, 2.50, 0.5)",
    );
    const fields: Field[] = [
      id,
      { name: "amount", type: "decimal", precision: 18, scale: 4 },
      { name: "ratio", type: "double" },
      { name: "tree", type: "json" },
    ];
    const writer = open({});
    const expected = [
      { kind: "widenColumn", column: "ID", text: "widens column ID from INTEGER to BIGINT" },
      {
        kind: "widenColumn",
        column: "amount",
        text: "widens column amount from DECIMAL(10,2) to DECIMAL(18,4)",
      },
      { kind: "widenColumn", column: "ratio", text: "widens column ratio from FLOAT to DOUBLE" },
      { kind: "addColumn", column: "tree", text: "adds column tree JSON" },
    ];
    expect(await prepare(writer, fields, true)).toEqual(expected);
    expect(await describeTable()).toMatchObject({ ID: "INTEGER" });
    expect(await prepare(writer, fields)).toEqual(expected);
    expect(await prepare(writer, fields)).toEqual([]);
    expect(await describeTable()).toEqual({
      ID: "BIGINT",
      amount: "DECIMAL(18,4)",
      ratio: "DOUBLE",
      tree: "JSON",
    });
    await writer.write(
      loadOf([{ id: 2, amount: 0.12345, ratio: 1, tree: {} }], { schema: { fields } }),
      signal,
    );
    expect(await sqlOn(path, "SELECT ID, amount, ratio, tree FROM t ORDER BY 1")).toEqual([
      ["1", "2.5000", 0.5, null],
      ["2", "0.1235", 1, "{}"],
    ]);
  });

  test("a decimal keeps both its wider whole part and its wider scale", async () => {
    await sqlOn(path, "CREATE TABLE t (a DECIMAL(20,0), b DECIMAL(38,0))");
    await prepare(open({}), [{ name: "a", type: "decimal", precision: 10, scale: 5 }]);
    expect(await describeTable()).toMatchObject({ a: "DECIMAL(25,5)" });
    await expect(
      prepare(open({}), [{ name: "b", type: "decimal", precision: 10, scale: 5 }]),
    ).rejects.toMatchObject({
      kind: "config",
      code: "DUCKDB_COLUMN_TYPE",
    });
  });

  test("types that clash name column, both types and the fix", async () => {
    await sqlOn(path, "CREATE TABLE t (id VARCHAR, n BIGINT, d DATE)");
    await prepare(open({}), [id]);
    for (const [field, type] of [
      ["n", "string"],
      ["n", "double"],
      ["n", "decimal"],
      ["d", "timestamp"],
      ["d", "json"],
    ] as const)
      await expect(prepare(open({}), [{ name: field, type }])).rejects.toMatchObject({
        kind: "config",
        code: "DUCKDB_COLUMN_TYPE",
        place: "t",
        message: expect.stringMatching(
          new RegExp(`column "${field}" is (BIGINT|DATE) .*${field} is ${type}`),
        ),
        fix: expect.stringContaining(`Map ${field} to a type`),
      });
  });

  test("a text column takes every type in the form of the files", async () => {
    const fields: Field[] = (
      ["string", "integer", "decimal", "double", "boolean", "date", "timestamp", "json"] as const
    ).map((type) => ({ name: type, type, ...(type === "decimal" ? { precision: 10, scale: 2 } : {}) }));
    await sqlOn(path, `CREATE TABLE t (${fields.map(({ name }) => `"${name}" VARCHAR`).join(", ")})`);
    const writer = open({});
    expect(await prepare(writer, fields)).toEqual([]);
    const record = { string: "s", integer: 7, decimal: 1.5, double: 0.1, boolean: true, date: "2026-01-02" };
    const load = loadOf([{ ...record, timestamp: "2026-01-02T03:04:05.678Z", json: { a: [1] } }], {
      schema: { fields },
    });
    await writer.write(load, signal);
    expect(await sqlOn(path, "FROM t")).toEqual([
      ["s", "7", "1.50", "0.1", "true", "2026-01-02", "2026-01-02T03:04:05.678000Z", '{"a":[1]}'],
    ]);
  });

  test("fail refuses every change, ignore leaves new columns out", async () => {
    await prepare(open({}), [id]);
    const more: Field[] = [id, { name: "extra", type: "string" }];
    await expect(prepare(open({ schemaChange: "fail" }), more)).rejects.toMatchObject({
      kind: "config",
      code: "DUCKDB_SCHEMA_CHANGE",
      message: expect.stringContaining('"extra"'),
    });
    const writer = open({ schemaChange: "ignore" });
    expect(await prepare(writer, more)).toEqual([]);
    const load = loadOf([{ id: 1, extra: "x" }], { schema: { fields: more } });
    expect(await writer.write(load, signal)).toMatchObject({ records: 1 });
    expect(await sqlOn(path, "FROM t")).toEqual([["1"]]);
  });

  test("names that differ only in case are refused; any other name works", async () => {
    await expect(
      prepare(open({}), [
        { name: "Id", type: "string" },
        { name: "ID", type: "string" },
      ]),
    ).rejects.toMatchObject({
      kind: "config",
      code: "DUCKDB_COLUMN_CASE",
      fix: expect.stringContaining('"ID"'),
    });
    const names = [
      "a b",
      'a"b',
      "select",
      "😀",
      "__proto__",
      "1",
      "it's",
      "É",
      "é",
      "a.b",
      "_sluice_position_",
    ];
    const fields: Field[] = names.map((name) => ({ name, type: "string" }));
    const writer = open({ table: 'sch "x".ta\'b;le', write: "append" });
    await prepare(writer, fields);
    const record = Object.fromEntries(names.map((name, n) => [name, `v${n}`]));
    await writer.write(loadOf([record], { schema: { fields } }), signal);
    expect(await sqlOn(path, `FROM "sch ""x"""."ta'b;le"`)).toEqual([names.map((_, n) => `v${n}`)]);
  });

  test("the schema of a replaced table follows the flow", async () => {
    const writer = open({ write: "replace" });
    const replace = async (generation: string, fields: Field[], record: Record<string, Value>) => {
      const load = loadOf([record], { run: generation, generation, schema: { fields } });
      await writer.prepare({ ...load, signal });
      await writer.write(load, signal);
      await writer.finish(
        { ...load, complete: true, loads: [load.id], files: [], startedAt: "", endedAt: "" },
        signal,
      );
    };
    await replace("g1", [id, { name: "n", type: "integer" }], { id: 1, n: 1 });
    await replace("g2", [id, { name: "n", type: "string" }], { id: 2, n: "two" });
    expect(await sqlOn(path, "FROM t")).toEqual([["2", "two"]]);
    expect(
      await sqlOn(path, "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '%sluice%' ORDER BY 1"),
    ).toEqual([["_sluice_generations"], ["_sluice_loads"]]);
    // A load of that generation which was dead-lettered and comes later goes to the table itself.
    const late = loadOf([{ id: 3, n: "late" }], {
      number: 9,
      run: "g2",
      generation: "g2",
      schema: { fields: [id, { name: "n", type: "string" }] },
    });
    await writer.prepare({ ...late, signal });
    await writer.write(late, signal);
    expect(await sqlOn(path, "FROM t ORDER BY id")).toEqual([
      ["2", "two"],
      ["3", "late"],
    ]);
  });
});

describe("upsert", () => {
  const fields: Field[] = [id, { name: "part", type: "string" }, { name: "value", type: "string" }, order];

  test("whatever order loads come in and however often, the greatest order of a key stays (random)", async () => {
    const version = fc.record({
      id: fc.integer({ min: 0, max: 4 }),
      part: fc.constantFrom("a", "b", ""),
      order: fc.integer({ min: 0, max: 9 }),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(version, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 2 }),
        async (loads, repeats) => {
          const table = `t${run++}`;
          const writer = open({ table, write: "upsert", key: ["id", "part"] });
          await prepare(writer, fields);
          const expected = new Map<string, string>();
          const all = loads.map((versions, number) =>
            loadOf(
              versions.map((v) => ({
                id: v.id,
                part: v.part,
                value: `o${v.order}`,
                [ORDER_COLUMN]: `${v.order}`,
              })),
              { number, schema: { fields } },
            ),
          );
          for (const load of [...all, ...repeats.flatMap((at) => all[at % all.length] ?? [])]) {
            const receipt = await writer.write(load, signal);
            expect(receipt.records).toBe(load.records);
          }
          for (const v of loads.flat()) {
            const key = JSON.stringify([`${v.id}`, v.part]);
            if ((expected.get(key) ?? "") < `o${v.order}`) expected.set(key, `o${v.order}`);
          }
          const rows = await sqlOn(path, `SELECT id, part, value FROM ${table}`);
          expect(Object.fromEntries(rows.map(([a, b, value]) => [JSON.stringify([a, b]), value]))).toEqual(
            Object.fromEntries(expected),
          );
          expect(rows).toHaveLength(expected.size);
        },
      ),
      { numRuns: 12, seed: 20261122 },
    );
  });

  test("a null in the key is a RecordError and nothing of the load is applied", async () => {
    const writer = open({ write: "upsert", key: ["id", "part"] });
    await prepare(writer, fields);
    const load = loadOf(
      [
        { id: 1, part: "a", value: "x", [ORDER_COLUMN]: "1" },
        { id: 2, part: null, value: "y", [ORDER_COLUMN]: "2" },
      ],
      { schema: { fields } },
    );
    await expect(writer.write(load, signal)).rejects.toMatchObject({
      kind: "record",
      code: "DUCKDB_KEY_NULL",
      message: expect.stringMatching(/^part: null in a key of t \(record 2 /),
    });
    expect(
      await sqlOn(path, "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM _sluice_loads)"),
    ).toEqual([["0", "0"]]);
  });

  test("rows that were there before, without an order, count as older", async () => {
    await sqlOn(
      path,
      "CREATE TABLE t (id BIGINT, part VARCHAR, value VARCHAR); INSERT INTO t VALUES (1, 'a', 'old'), (2, 'a', 'kept')",
    );
    const writer = open({ write: "upsert", key: ["id"] });
    expect(await prepare(writer, fields)).toMatchObject([{ kind: "addColumn", column: ORDER_COLUMN }]);
    await writer.write(
      loadOf([{ id: 1, part: "a", value: "new", [ORDER_COLUMN]: "1" }], { schema: { fields } }),
      signal,
    );
    expect(await sqlOn(path, "SELECT id, value FROM t ORDER BY id")).toEqual([
      ["1", "new"],
      ["2", "kept"],
    ]);
  });

  test("keys that are no fields or cannot be compared are refused", async () => {
    await expect(prepare(open({ write: "upsert", key: ["nope"] }), fields)).rejects.toMatchObject({
      code: "DUCKDB_KEY",
      fix: "Use one of id, part, value.",
    });
    await expect(
      prepare(open({ write: "upsert", key: ["j"] }), [{ name: "j", type: "json" }, order]),
    ).rejects.toMatchObject({ code: "DUCKDB_KEY" });
  });
});

describe("failures", () => {
  const load = loadOf([{ id: 1 }], { schema: { fields: [id] } });

  test("another process holds the file: DUCKDB_LOCKED with its process id; works once it is gone", async () => {
    const writer = open({});
    await prepare(writer, [id]);
    const script = `import { DuckDBInstance } from "@duckdb/node-api"; await DuckDBInstance.create(process.argv[1]); process.stdout.write("open"); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(holder.stdout, "data");
      await expect(writer.write(load, signal)).rejects.toMatchObject({
        kind: "transient",
        code: "DUCKDB_LOCKED",
        message: expect.stringContaining(`process ${holder.pid}`),
        fix: expect.stringContaining("only one process"),
      });
    } finally {
      holder.kill("SIGKILL");
      await once(holder, "exit");
    }
    expect(await writer.write(load, signal)).toMatchObject({ records: 1, repeated: false });
  });

  test("a file that is no database, a folder, a folder that cannot be made", async () => {
    const other = join(dir, "text.duckdb");
    await writeFile(other, "this is no database ".repeat(500));
    await expect(prepare(open({}, other), [id])).rejects.toMatchObject({
      kind: "config",
      code: "DUCKDB_FILE",
    });
    await mkdir(join(dir, "folder.duckdb"));
    await expect(prepare(open({}, join(dir, "folder.duckdb")), [id])).rejects.toMatchObject({
      kind: "config",
      code: "DUCKDB_FILE",
    });
    await expect(prepare(open({}, join(other, "x.duckdb")), [id])).rejects.toMatchObject({
      kind: "config",
      code: "FILE_NOT_WRITABLE",
      place: join(other, "x.duckdb"),
    });
  });

  test("a full disk: DISK_FULL for the file and for temporary files; the load can be written later", async () => {
    // /dev/full fails every write with ENOSPC.
    const writer = open({});
    await prepare(writer, [id]);
    const tmp = hostContext(dir).tmpDir;
    await mkdir(tmp, { recursive: true });
    await symlink("/dev/full", join(tmp, `${load.id}.lines`));
    await expect(writer.write(load, signal)).rejects.toMatchObject({ kind: "transient", code: "DISK_FULL" });
    await rm(join(tmp, `${load.id}.lines`), { force: true });
    expect(await writer.write(load, signal)).toMatchObject({ records: 1 });
    expect(await readdir(tmp)).toEqual([]);
  });

  test("a value that a column cannot hold is a RecordError naming the column", async () => {
    const fields: Field[] = [id, { name: "amount", type: "decimal", precision: 10, scale: 2 }];
    const writer = open({});
    await prepare(writer, fields);
    await expect(
      writer.write(loadOf([{ id: 1, amount: 123456789 }], { schema: { fields } }), signal),
    ).rejects.toMatchObject({
      kind: "record",
      code: "DECIMAL_RANGE",
      message: expect.stringMatching(/^amount: 123456789/),
    });
    await sqlOn(path, "CREATE TABLE strict (id BIGINT CHECK (id < 5))");
    const strict = open({ table: "strict" });
    await prepare(strict, [id]);
    await expect(
      strict.write(loadOf([{ id: 7 }], { schema: { fields: [id] } }), signal),
    ).rejects.toMatchObject({
      kind: "record",
      code: "DUCKDB_CONSTRAINT",
    });
  });

  test("a table that was dropped is a ConfigError, a view too", async () => {
    const writer = open({});
    await prepare(writer, [id]);
    await sqlOn(path, "DROP TABLE t");
    await expect(writer.write(load, signal)).rejects.toMatchObject({
      kind: "config",
      code: "DUCKDB_TABLE_MISSING",
    });
    await sqlOn(path, "CREATE VIEW t AS SELECT 1::BIGINT AS id");
    await expect(writer.write(load, signal)).rejects.toMatchObject({ kind: "config" });
  });

  test("two flows write to one file at the same time", async () => {
    const writers = ["a", "b", "c"].map((table) => open({ table }));
    await Promise.all(
      writers.map(async (writer, n) => {
        await prepare(writer, [id]);
        for (let number = 0; number < 4; number++)
          await writer.write(
            loadOf([{ id: number }], { flow: `flow${n}`, number, schema: { fields: [id] } }),
            signal,
          );
      }),
    );
    for (const table of ["a", "b", "c"])
      expect(await sqlOn(path, `SELECT count(*) FROM ${table}`)).toEqual([["4"]]);
  });
});

describe("configuration", () => {
  test("a path is relative to the project, and has a default", () => {
    expect(duckdbPath({ path: "x/y.duckdb" }, "/project")).toBe("/project/x/y.duckdb");
    expect(duckdb.spec.configSchema.parse({})).toMatchObject({
      path: ".sluice/warehouse.duckdb",
      threads: 1,
    });
  });

  test.each([
    { table: "a.b.c" },
    { table: "" },
    { table: "_sluice_loads" },
    { table: "main._sluice_x" },
    { table: "t__sluice_1" },
    { table: "t", write: "upsert" },
    { table: "t", key: ["id"] },
    { table: "t", write: "merge" },
    { table: "t", unknown: 1 },
  ])("refuses %j", (entry) => {
    expect(duckdb.spec.targetSchema.safeParse(entry).success).toBe(false);
  });

  test("check makes the file and says version, size and tables", async () => {
    const sink = connect(join(dir, "new", "w.duckdb"));
    expect(await sink.check(signal)).toMatchObject({
      identity: expect.stringContaining("w.duckdb"),
      details: { version: expect.stringMatching(/^DuckDB v\d/), tables: "0", created: "yes" },
      warnings: [],
    });
    expect((await sink.check(signal)).details.created).toBeUndefined();
  });
});
