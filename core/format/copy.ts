import { type Field, InvariantError, RecordError } from "../contracts/index.js";
import type { Duckdb } from "./duckdb.js";
import { duckdbError } from "./failure.js";
import type { Compression } from "./options.js";
import { fileSize, type NdjsonSegment } from "./segment.js";
import { decimalShape, duckdbType, quoteIdentifier, quoteLiteral } from "./sql.js";

/** DuckDB rounds row groups to multiples of its vector size. */
const VECTOR_ROWS = 2048;
export const DEFAULT_ROW_GROUP_ROWS = 20_480;
/** A row group is held in memory until it is full. */
const ROW_GROUP_BYTES = 48 * 1024 * 1024;

export interface CopyRequest {
  readonly segment: NdjsonSegment;
  readonly path: string;
  readonly format: "parquet" | "csv";
  readonly compression: Compression;
  readonly rowGroupRows?: number | undefined;
  readonly signal: AbortSignal;
}

/** A segment as one Parquet or CSV file, in the order of its lines. Resolves to the file's bytes. */
export async function copySegment(duckdb: Duckdb, request: CopyRequest): Promise<number> {
  const { segment, path, format, signal } = request;
  const options = format === "parquet" ? parquetOptions(request) : csvOptions(request.compression);
  const select = segment.select({ textTimes: format === "csv" });
  try {
    const rows = await duckdb.exclusive(() =>
      duckdb.query(`COPY (${select}) TO ${quoteLiteral(path)} (${options})`, { signal }),
    );
    const written = Number(rows[0]?.Count);
    if (written !== segment.records)
      throw new InvariantError(
        "FORMAT_ROW_COUNT",
        `${segment.records} records became ${written} rows in ${path}`,
        {
          place: path,
        },
      );
    return await fileSize(path);
  } catch (error) {
    throw await segmentError(duckdb, segment, error, path);
  }
}

function parquetOptions({
  compression,
  rowGroupRows = DEFAULT_ROW_GROUP_ROWS,
  segment,
}: CopyRequest): string {
  const average = Math.max(1, segment.bytes / Math.max(1, segment.records));
  const rows = Math.min(rowGroupRows, ROW_GROUP_BYTES / average);
  const rounded = Math.max(1, Math.ceil(rows / VECTOR_ROWS)) * VECTOR_ROWS;
  const codec = compression === "none" ? "uncompressed" : compression;
  return `FORMAT parquet, COMPRESSION ${codec}, ROW_GROUP_SIZE ${rounded}`;
}

/**
 * Null is an empty field, the empty string is `""`: DuckDB quotes a text that equals its null text. Dates and
 * timestamps are copied as the text they came as.
 */
function csvOptions(compression: Compression): string {
  return `FORMAT csv, HEADER true, DELIMITER ',', QUOTE '"', ESCAPE '"', NULLSTR '', COMPRESSION ${compression}`;
}

/** DuckDB's error as ours; a value that its type cannot hold is looked up, so that the reason names column and value. */
export async function segmentError(
  duckdb: Duckdb,
  segment: NdjsonSegment,
  cause: unknown,
  place: string,
): Promise<Error> {
  const error = duckdbError(cause, place);
  if (!(error instanceof RecordError)) return error;
  for (const field of segment.schema.fields) {
    if (field.type !== "decimal") continue;
    const value = await firstMisfit(duckdb, segment, field).catch(() => undefined);
    if (value !== undefined)
      return new RecordError(
        "DECIMAL_RANGE",
        `${field.name}: ${value} does not fit ${duckdbType(field)}, which holds ${wholeDigits(field)} digits before the point`,
        { place, fix: `Map ${field.name} to type string, or to a decimal with more digits.`, cause },
      );
  }
  return error;
}

function wholeDigits(field: Field): number {
  const { precision, scale } = decimalShape(field);
  return precision - scale;
}

async function firstMisfit(
  duckdb: Duckdb,
  segment: NdjsonSegment,
  field: Field,
): Promise<string | undefined> {
  const name = quoteIdentifier(field.name);
  const rows = await duckdb.exclusive(() =>
    duckdb.query(
      `SELECT ${name} AS value FROM ${segment.source()} WHERE ${name} IS NOT NULL AND TRY_CAST(${name} AS ${duckdbType(field)}) IS NULL LIMIT 1`,
    ),
  );
  const value = rows[0]?.value;
  return typeof value === "string" ? value : undefined;
}
