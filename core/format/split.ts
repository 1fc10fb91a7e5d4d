import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, RecordError, throwIfCancelled } from "../contracts/index.js";
import { fileError } from "./failure.js";
import { encodeSegment, type PartitionTerm, type PartitionValue, partitionText } from "./partition.js";
import { TokenScanner } from "./token.js";

/*
 * One load's lines, sorted into a file of lines per partition. The partition is read from the bytes of the line, and
 * the lines themselves are copied, so no value changes on the way, every engine and format sees the same partitions,
 * and a partition's lines keep their order. (DuckDB's own PARTITION_BY promises no order and closes and reopens files
 * beyond a hundred, so that one load may have several files of one partition.)
 */

const NEWLINE = 10;
const QUOTE = 34;
/** Lines held back in memory, over all partitions, before they are appended to their files. */
const HELD_BYTES = 8 * 1024 * 1024;
/** A load that falls into more folders than this is partitioned by mistake. */
export const MAX_PARTITIONS = 10_000;
/** File systems allow 255 bytes in a name; the folder is `name=value`. */
const MAX_SEGMENT_LENGTH = 200;
const READ_BYTES = 256 * 1024;

/** The lines of one partition. */
export interface PartitionLines {
  readonly partition: readonly PartitionValue[];
  readonly path: string;
  readonly records: number;
  readonly bytes: number;
  readonly longestLine: number;
}

class Pile {
  readonly partition: readonly PartitionValue[];
  readonly path: string;
  records = 0;
  bytes = 0;
  longestLine = 0;
  held: Buffer[] = [];

  constructor(partition: readonly PartitionValue[], path: string) {
    this.partition = partition;
    this.path = path;
  }

  async flush(): Promise<void> {
    if (this.held.length === 0) return;
    const lines = Buffer.concat(this.held);
    this.held = [];
    try {
      // Opened for the append only: there may be more partitions than open files allowed.
      const file = await open(this.path, "a");
      try {
        for (let at = 0; at < lines.length; ) at += (await file.write(lines, at)).bytesWritten;
      } finally {
        await file.close();
      }
    } catch (error) {
      throw fileError(error, this.path);
    }
  }
}

export interface SplitRequest {
  /** Chunks that end at line ends. */
  readonly chunks: AsyncIterable<Buffer>;
  readonly terms: readonly PartitionTerm[];
  readonly dir: string;
  readonly signal: AbortSignal;
}

/** The partitions in the order of their values; nulls last. Their files are the caller's to delete. */
export async function splitByPartition(request: SplitRequest): Promise<PartitionLines[]> {
  const { terms, dir, signal } = request;
  const fields = [...new Set(terms.map(({ field }) => field))];
  const scanner = new TokenScanner(fields);
  const tokenOf = terms.map(({ field }) => fields.indexOf(field));
  const piles = new Map<string, Pile>();
  let held = 0;
  const pileOf = (chunk: Buffer): Pile => {
    const values = terms.map((term, index) =>
      partitionValue(
        term,
        chunk,
        scanner.starts[tokenOf[index] ?? -1] ?? -1,
        scanner.ends[tokenOf[index] ?? -1] ?? -1,
      ),
    );
    const key = JSON.stringify(values);
    let pile = piles.get(key);
    if (pile === undefined) {
      if (piles.size === MAX_PARTITIONS)
        throw new ConfigError(
          "PARTITION_COUNT",
          `one load falls into more than ${MAX_PARTITIONS} partitions`,
          {
            place: `partitionBy ${terms.map(({ name }) => name).join(", ")}`,
            fix: "Partition by something coarser, such as month() instead of day().",
          },
        );
      const partition = terms.map((term, index) => ({
        name: term.name,
        value: checked(term, values[index] ?? null),
      }));
      pile = new Pile(partition, join(dir, `partition-${piles.size}.lines`));
      piles.set(key, pile);
    }
    return pile;
  };
  for await (const chunk of request.chunks) {
    throwIfCancelled(signal);
    // Neighbours mostly share their partition: a run of lines is copied as one.
    let run: Pile | undefined;
    let runStart = 0;
    const endRun = (at: number) => {
      if (run !== undefined && at > runStart) run.held.push(Buffer.from(chunk.subarray(runStart, at)));
      runStart = at;
    };
    for (let from = 0; from < chunk.length; ) {
      const newline = chunk.indexOf(NEWLINE, from);
      const end = newline < 0 ? chunk.length : newline;
      scanner.scan(chunk, from, end);
      const pile = pileOf(chunk);
      if (pile !== run) {
        endRun(from);
        run = pile;
      }
      const length = end + 1 - from;
      pile.records++;
      pile.bytes += length;
      if (length > pile.longestLine) pile.longestLine = length;
      held += length;
      from = end + 1;
    }
    endRun(chunk.length);
    if (held >= HELD_BYTES) {
      for (const pile of piles.values()) await pile.flush();
      held = 0;
    }
  }
  for (const pile of piles.values()) await pile.flush();
  return [...piles.values()].sort((a, b) => comparePartitions(a.partition, b.partition));
}

/** The folder text of the token between `start` and `end`; null for null and for a field the line lacks. */
function partitionValue(term: PartitionTerm, line: Buffer, start: number, end: number): string | null {
  if (start < 0) return null;
  if (line[start] !== QUOTE) {
    const bare = line.toString("latin1", start, end);
    return bare === "null" ? null : bare;
  }
  const inside = line.toString("utf8", start + 1, end - 1);
  const text = inside.includes("\\") ? String(JSON.parse(`"${inside}"`)) : inside;
  return partitionText(term, text);
}

function checked(term: PartitionTerm, value: string | null): string | null {
  if (value !== null && encodeSegment(term.name).length + encodeSegment(value).length > MAX_SEGMENT_LENGTH)
    throw new RecordError(
      "PARTITION_TOO_LONG",
      `${term.field}: "${value.slice(0, 40)}..." is too long for the name of a folder`,
      { place: `partitionBy ${term.name}`, fix: `Truncate ${term.field}, or partition by another field.` },
    );
  return value;
}

function comparePartitions(a: readonly PartitionValue[], b: readonly PartitionValue[]): number {
  for (let i = 0; i < a.length; i++) {
    const left = a[i]?.value ?? null;
    const right = b[i]?.value ?? null;
    if (left === right) continue;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -1 : 1;
  }
  return 0;
}

/** The file of one partition again as chunks that end at line ends; deletes it when read to the end or left. */
export async function* partitionChunks(lines: PartitionLines): AsyncGenerator<Buffer> {
  try {
    let rest: Buffer | undefined;
    for await (const piece of createReadStream(lines.path, { highWaterMark: READ_BYTES })) {
      const bytes: Buffer = rest === undefined ? piece : Buffer.concat([rest, piece]);
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (end > 0) yield bytes.subarray(0, end);
      rest = end === bytes.length ? undefined : bytes.subarray(end);
    }
    if (rest !== undefined) yield rest;
  } finally {
    await rm(lines.path, { force: true });
  }
}
