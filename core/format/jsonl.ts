import { open, rm } from "node:fs/promises";
import { InvariantError, throwIfCancelled } from "../contracts/index.js";
import { duckdbError, fileError } from "./failure.js";
import { GzipFile } from "./gzip.js";
import { type Compression, DEFAULT_GZIP_LEVEL } from "./options.js";
import { fileSize } from "./segment.js";
import { quoteLiteral } from "./sql.js";

const NEWLINE = 10;

export interface JsonlRequest {
  /** The lines as they came; chunks end at line ends. */
  readonly chunks: AsyncIterable<Buffer>;
  readonly path: string;
  readonly compression: Compression;
  readonly gzipLevel?: number | undefined;
  readonly signal: AbortSignal;
}

export interface WrittenText {
  readonly records: number;
  readonly bytes: number;
}

/** Writes lines exactly as they came: no byte is parsed, nothing is reordered. */
export async function writeJsonl(request: JsonlRequest): Promise<WrittenText> {
  const { compression, path } = request;
  try {
    if (compression === "gzip") return await writeGzip(request);
    if (compression === "none") return await writePlain(request, path);
    const plain = `${path}.plain`;
    const { records, longestLine } = await writePlain(request, plain);
    return {
      records,
      bytes: await compressZstd({ from: plain, to: path, records, longestLine }, request.signal),
    };
  } catch (error) {
    throw fileError(error, path);
  }
}

async function writeGzip(request: JsonlRequest): Promise<WrittenText> {
  const gzip = await GzipFile.create(request.path, request.gzipLevel ?? DEFAULT_GZIP_LEVEL);
  try {
    let records = 0;
    for await (const chunk of request.chunks) {
      throwIfCancelled(request.signal);
      records += lineCount(chunk);
      await gzip.write(chunk);
    }
    return { records, bytes: await gzip.end() };
  } finally {
    await gzip.close();
  }
}

async function writePlain(
  request: JsonlRequest,
  path: string,
): Promise<WrittenText & { readonly longestLine: number }> {
  const file = await open(path, "w");
  try {
    let records = 0;
    let bytes = 0;
    let longestLine = 0;
    for await (const chunk of request.chunks) {
      throwIfCancelled(request.signal);
      records += lineCount(chunk);
      // An upper bound is enough: chunks are messages, of 256 KiB mostly, or one large record.
      longestLine = Math.max(longestLine, chunk.length);
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      bytes += chunk.length;
    }
    return { records, bytes, longestLine };
  } finally {
    await file.close();
  }
}

/** Line ends in a chunk; a chunk that ends inside a line is an InvariantError. */
export function lineCount(chunk: Buffer): number {
  let count = 0;
  let at = chunk.indexOf(NEWLINE);
  let last = -1;
  while (at >= 0) {
    count++;
    last = at;
    at = chunk.indexOf(NEWLINE, at + 1);
  }
  if (last !== chunk.length - 1)
    throw new InvariantError("FORMAT_CHUNK_END", "a chunk of a load does not end at a line end");
  return count;
}

/**
 * Node 20 has no zstd, DuckDB has: it copies the file line by line as text without quotes or escapes. A line holds no
 * bare NUL (JSON escapes it), so NUL can stand for the delimiter that never comes.
 */
async function compressZstd(
  { from, to, records, longestLine }: { from: string; to: string; records: number; longestLine: number },
  signal: AbortSignal,
): Promise<number> {
  const { sharedDuckdb } = await import("./duckdb.js");
  const duckdb = await sharedDuckdb();
  // Without a buffer size DuckDB reserves 16 times the longest line it is told to expect.
  const lines = `read_csv(${quoteLiteral(from)}, columns = {'line': 'VARCHAR'}, delim = '\\0', quote = '', escape = '', header = false, auto_detect = false, max_line_size = ${longestLine + 1}, buffer_size = ${Math.max(4 * 1024 * 1024, 2 * longestLine)}, parallel = false)`;
  const sql = `COPY (SELECT line FROM ${lines}) TO ${quoteLiteral(to)} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\\0', COMPRESSION zstd)`;
  try {
    const rows = await duckdb.exclusive(() => duckdb.query(sql, { signal }));
    const copied = Number(rows[0]?.Count);
    if (copied !== records)
      throw new InvariantError("FORMAT_ROW_COUNT", `${records} lines became ${copied} in ${to}`, {
        place: to,
      });
  } catch (error) {
    throw duckdbError(error, to);
  } finally {
    await rm(from, { force: true });
  }
  return fileSize(to);
}
