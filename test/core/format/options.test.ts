import { expect, test } from "vitest";
import { compressionOf, FORMATS, fileExtension, fileFormatSchema } from "../../../core/format/index.js";

test("defaults: Parquet with snappy by DuckDB, one file per 128 MB", () => {
  const options = fileFormatSchema.parse({});
  expect(options).toMatchObject({
    format: "parquet",
    engine: "duckdb",
    partitionBy: [],
    fileSize: 128_000_000,
  });
  expect(compressionOf(options)).toBe("snappy");
  expect(
    FORMATS.map((format) => fileExtension(format, compressionOf(fileFormatSchema.parse({ format })))),
  ).toEqual(["parquet", "jsonl.gz", "csv.gz"]);
  expect(fileExtension("jsonl", "zstd")).toBe("jsonl.zst");
  expect(fileExtension("csv", "none")).toBe("csv");
});

test.each([
  [{ format: "jsonl", compression: "snappy" }, "expected one of gzip, zstd, none for format jsonl"],
  [
    { engine: "parquetjs", compression: "zstd" },
    "expected one of snappy, gzip, none, since engine parquetjs cannot write zstd",
  ],
  [{ format: "json" }, "expected one of parquet, jsonl, csv"],
  [{ fileSize: "1KB" }, "expected a size of at least 64KB and of at most 2GB"],
  [{ gzipLevel: 0 }, "expected an integer from 1 to 9"],
  [{ engine: "arrow" }, "expected one of duckdb, parquetjs"],
])("%j: %s", (entry, message) => {
  const result = fileFormatSchema.safeParse(entry);
  expect(result.error?.issues.map((issue) => issue.message)).toEqual([message]);
});
