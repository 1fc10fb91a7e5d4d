import { join } from "node:path";
import { ConfigError, InvariantError, type Schema } from "../contracts/index.js";
import { DigitGuard } from "./digits.js";
import { gzipFile } from "./gzip.js";
import { writeJsonl } from "./jsonl.js";
import { FORMAT_FACTS, fileExtension } from "./options.js";
import { checkPartitionTerms, type PartitionValue } from "./partition.js";
import type { FormatRequest, FormattedFile } from "./request.js";
import { assertRecords, NdjsonSegment } from "./segment.js";
import { type PartitionLines, partitionChunks, splitByPartition } from "./split.js";

/**
 * Writes a load as files: one, or one per partition. All of them are complete when this resolves; on a throw what
 * stands in `dir` is worthless.
 *
 * jsonl keeps the lines byte for byte. csv has a header line, RFC 4180 quotes, null as an empty field and the empty
 * string as `""`, json as text, times as ISO text in UTC. Parquet has timestamps in microseconds, adjusted to UTC.
 * Decimals with more digits after the point than their scale are rounded half away from zero in csv and Parquet.
 *
 * RecordError: a value does not fit (a decimal out of range). ConfigError: this engine cannot write this schema.
 * TransientError: the disk is full. InvariantError: rows were lost.
 */
export async function writeFiles(request: FormatRequest): Promise<FormattedFile[]> {
  checkRequest(request);
  const { load, partitionBy } = request;
  checkPartitionTerms(partitionBy, load.schema);
  const files = partitionBy.length === 0 ? [await writeWhole(request)] : await writePartitions(request);
  assertRecords(
    files.reduce((sum, file) => sum + file.records, 0),
    load,
  );
  return files;
}

function checkRequest({ format, compression, engine, load }: FormatRequest): void {
  if (!FORMAT_FACTS[format].compressions.includes(compression))
    throw new ConfigError("FORMAT_COMPRESSION", `format ${format} has no compression ${compression}`, {
      place: "compression",
      fix: `Use one of ${FORMAT_FACTS[format].compressions.join(", ")}.`,
    });
  if (engine === "parquetjs" && compression === "zstd")
    throw new ConfigError("FORMAT_ENGINE", "engine parquetjs cannot write zstd", {
      place: "compression",
      fix: "Use another compression, or engine duckdb.",
    });
  if (load.schema.fields.length === 0)
    throw new ConfigError("FORMAT_NO_COLUMNS", `load ${load.id} has no columns`, {
      place: load.flow,
      fix: "Map at least one field.",
    });
  if (format === "jsonl") return;
  // DuckDB folds the case of column names, and so do most readers of Parquet.
  const seen = new Map<string, string>();
  for (const { name } of load.schema.fields) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined)
      throw new ConfigError(
        "FORMAT_COLUMN_CASE",
        `the columns "${other}" and "${name}" differ only in case`,
        {
          place: load.flow,
          fix: `Map one of them to another name; ${format} files cannot hold both.`,
        },
      );
    seen.set(name.toLowerCase(), name);
  }
}

async function writeWhole(request: FormatRequest): Promise<FormattedFile> {
  const { load, format, engine, dir, signal } = request;
  const target = fileOf(request, 0, []);
  if (format !== "jsonl" && engine === "duckdb") {
    const segment = await NdjsonSegment.write(load, join(dir, "load.lines"), signal);
    try {
      return await copy(request, segment, target);
    } finally {
      await segment.remove();
    }
  }
  return await stream(request, load.chunks(), target);
}

async function writePartitions(request: FormatRequest): Promise<FormattedFile[]> {
  const { load, format, engine, dir, signal, partitionBy: terms } = request;
  const byDuckdb = format !== "jsonl" && engine === "duckdb";
  const guard = byDuckdb ? new DigitGuard(load.schema) : undefined;
  const chunks = guard === undefined ? load.chunks() : protectedChunks(load.chunks(), guard);
  const partitions = await splitByPartition({ chunks, terms, dir, signal });
  const files: FormattedFile[] = [];
  for (const [index, lines] of partitions.entries()) {
    const target = fileOf(request, index, lines.partition);
    if (guard === undefined) {
      files.push(await stream(request, partitionChunks(lines), target));
      continue;
    }
    const segment = segmentOf(lines, load.schema, guard.wrapped);
    try {
      files.push(await copy(request, segment, target));
    } finally {
      await segment.remove();
    }
  }
  return files;
}

async function* protectedChunks(chunks: AsyncIterable<Buffer>, guard: DigitGuard): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield guard.protect(chunk);
}

function segmentOf(lines: PartitionLines, schema: Schema, wrapped: boolean): NdjsonSegment {
  const { path, records, bytes, longestLine } = lines;
  return new NdjsonSegment(path, schema, { records, bytes, longestLine, wrapped });
}

interface Target {
  readonly path: string;
  readonly partition: readonly PartitionValue[];
  readonly extension: string;
}

function fileOf(request: FormatRequest, index: number, partition: readonly PartitionValue[]): Target {
  const extension = fileExtension(request.format, request.compression);
  return {
    path: join(request.dir, `part-${String(index).padStart(5, "0")}.${extension}`),
    partition,
    extension,
  };
}

async function copy(request: FormatRequest, segment: NdjsonSegment, target: Target): Promise<FormattedFile> {
  const { format, compression, rowGroupRows, gzipLevel, signal } = request;
  if (format === "jsonl") throw new InvariantError("FORMAT_ROUTE", "jsonl is not copied");
  const { sharedDuckdb } = await import("./duckdb.js");
  const { copySegment } = await import("./copy.js");
  const { records } = segment;
  const { path } = target;
  const duckdb = await sharedDuckdb();
  if (format === "parquet" || compression !== "gzip")
    return {
      ...target,
      records,
      bytes: await copySegment(duckdb, { segment, path, format, compression, rowGroupRows, signal }),
    };
  // DuckDB's own gzip took 46 s of CPU time for a million rows, ours takes 6.
  const plain = `${path}.plain`;
  await copySegment(duckdb, { segment, path: plain, format, compression: "none", signal });
  return { ...target, records, bytes: await gzipFile(plain, path, gzipLevel, signal) };
}

/** The ways that need no DuckDB: jsonl, and the portable writers. */
async function stream(
  request: FormatRequest,
  chunks: AsyncIterable<Buffer>,
  target: Target,
): Promise<FormattedFile> {
  const { format, compression, gzipLevel, signal, load, rowGroupRows } = request;
  const { path } = target;
  if (format === "jsonl")
    return { ...target, ...(await writeJsonl({ chunks, path, compression, gzipLevel, signal })) };
  const { schema } = load;
  if (format === "csv") {
    const { writePortableCsv } = await import("./portable-csv.js");
    return {
      ...target,
      ...(await writePortableCsv({ chunks, path, schema, compression, gzipLevel, signal })),
    };
  }
  const { writePortableParquet } = await import("./portable-parquet.js");
  return {
    ...target,
    ...(await writePortableParquet({ chunks, path, schema, compression, rowGroupRows, signal })),
  };
}
