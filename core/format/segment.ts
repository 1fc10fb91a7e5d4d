import { open, rm, stat } from "node:fs/promises";
import { InvariantError, type Load, type Schema, throwIfCancelled } from "../contracts/index.js";
import { DigitGuard } from "./digits.js";
import { fileError } from "./failure.js";
import { duckdbColumns, quoteLiteral, selectList } from "./sql.js";

const NEWLINE = 10;
/** read_json's buffers are twice this; its own default of 16 MiB would make them 32 MiB. */
const SMALLEST_OBJECT_SIZE = 1024 * 1024;

/** A load as a local NDJSON file that DuckDB reads without losing a digit (see DigitGuard). */
export class NdjsonSegment {
  readonly path: string;
  readonly schema: Schema;
  readonly records: number;
  readonly bytes: number;
  /** Bytes of the longest line, its end included. */
  readonly longestLine: number;
  /** Some json value was wrapped. */
  readonly wrapped: boolean;

  /** `counts`: of the file that stands at `path`, whose lines went through a DigitGuard. */
  constructor(path: string, schema: Schema, counts: SegmentCounts) {
    this.path = path;
    this.schema = schema;
    this.records = counts.records;
    this.bytes = counts.bytes;
    this.longestLine = counts.longestLine;
    this.wrapped = counts.wrapped;
  }

  /** Writes the load to `path`. InvariantError when its lines are not `load.records`. */
  static async write(load: Load, path: string, signal: AbortSignal): Promise<NdjsonSegment> {
    const segment = await NdjsonSegment.from(load.chunks(), load.schema, path, signal);
    assertRecords(segment.records, load);
    return segment;
  }

  /** The same from any chunks that end at line ends. */
  static async from(
    chunks: AsyncIterable<Buffer>,
    schema: Schema,
    path: string,
    signal: AbortSignal,
  ): Promise<NdjsonSegment> {
    const guard = new DigitGuard(schema);
    const counts: Mutable<SegmentCounts> = { records: 0, bytes: 0, longestLine: 0, wrapped: false };
    try {
      const file = await open(path, "w");
      try {
        for await (const chunk of chunks) {
          throwIfCancelled(signal);
          const safe = guard.protect(chunk);
          countLines(safe, counts);
          counts.bytes += safe.length;
          await writeAll(file, safe);
        }
      } finally {
        await file.close();
      }
    } catch (error) {
      throw fileError(error, path);
    }
    counts.wrapped = guard.wrapped;
    return new NdjsonSegment(path, schema, counts);
  }

  /** `SELECT ... FROM read_json(...)` with every column in its SQL type, in the order of the lines. */
  select(options: { readonly textTimes?: boolean } = {}): string {
    return `SELECT ${selectList(this.schema, this.wrapped)} FROM ${this.source(options)}`;
  }

  /** `read_json(...)` alone: decimals are text there. */
  source(options: { readonly textTimes?: boolean } = {}): string {
    const size = Math.max(this.longestLine + 1, SMALLEST_OBJECT_SIZE);
    return `read_json(${quoteLiteral(this.path)}, format = 'newline_delimited', auto_detect = false, maximum_object_size = ${size}, columns = ${duckdbColumns(this.schema, options.textTimes)})`;
  }

  /** Deletes the file; one that is gone already is fine. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

export interface SegmentCounts {
  readonly records: number;
  readonly bytes: number;
  /** Bytes of the longest line, its end included. */
  readonly longestLine: number;
  /** Some json value was wrapped by the guard. */
  readonly wrapped: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Both sides of the boundary count: the lines that came must be the records that were announced. */
export function assertRecords(records: number, load: Load): void {
  if (records === load.records) return;
  throw new InvariantError(
    "FORMAT_ROW_COUNT",
    `load ${load.id} announces ${load.records} records and ${records} came`,
    { place: load.flow },
  );
}

/** Lines of a chunk into `counts`. InvariantError when the chunk does not end at a line end. */
function countLines(chunk: Buffer, counts: Mutable<SegmentCounts>): void {
  let from = 0;
  while (from < chunk.length) {
    const end = chunk.indexOf(NEWLINE, from);
    if (end < 0) throw new InvariantError("FORMAT_CHUNK_END", "a chunk of a load does not end at a line end");
    if (end + 1 - from > counts.longestLine) counts.longestLine = end + 1 - from;
    counts.records++;
    from = end + 1;
  }
}

/** FileHandle.write may write less than asked. */
async function writeAll(
  file: { write(buffer: Buffer, offset: number): Promise<{ bytesWritten: number }> },
  bytes: Buffer,
): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += (await file.write(bytes, written)).bytesWritten;
}

/** Size of a file in bytes. */
export async function fileSize(path: string): Promise<number> {
  return (await stat(path)).size;
}
