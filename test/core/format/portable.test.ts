import { readFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { type FileFormat, type FormatRequest, sharedDuckdb, writeFiles } from "../../../core/format/index.js";
import { inFolder, loadOf } from "./loads.js";

// A platform for which DuckDB ships no native build.
vi.mock("@duckdb/node-api", () => {
  throw new Error("Error loading duckdb native binding: unsupported arch 'riscv64' for platform 'linux'");
});

const load = loadOf([{ name: "a", type: "string" }], ['{"a":"1"}']);
const request = (dir: string, over: Partial<FormatRequest>): FormatRequest => ({
  load,
  format: "parquet",
  compression: "none",
  engine: "duckdb",
  partitionBy: [],
  dir,
  signal: new AbortController().signal,
  ...over,
});

test("without DuckDB its engine is a ConfigError that names the other", async () => {
  for (const over of [
    {},
    { format: "csv" },
    { format: "jsonl", compression: "zstd" },
  ] as Partial<FormatRequest>[]) {
    await inFolder(async (dir) => {
      await expect(writeFiles(request(dir, over))).rejects.toMatchObject({
        kind: "config",
        code: "DUCKDB_MISSING",
        fix: expect.stringContaining("engine: parquetjs"),
      });
    });
  }
  await expect(sharedDuckdb()).rejects.toMatchObject({ code: "DUCKDB_MISSING" });
});

test("engine parquetjs, and jsonl by either engine, need no DuckDB", async () => {
  for (const format of ["parquet", "csv", "jsonl"] as FileFormat[]) {
    await inFolder(async (dir) => {
      const [file] = await writeFiles(request(dir, { format, engine: "parquetjs" }));
      expect((await readFile(file!.path)).length).toBeGreaterThan(0);
    });
  }
  await inFolder(async (dir) => {
    expect(await writeFiles(request(dir, { format: "jsonl", compression: "gzip" }))).toHaveLength(1);
  });
});
