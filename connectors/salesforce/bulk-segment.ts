import { type Clock, type Log, TransientError } from "../../core/contracts/index.js";
import type { BulkColumns } from "./bulk-columns.js";
import { QUERY_TIMEOUT } from "./errors.js";
import type { Keyset } from "./keyset.js";
import type { Reading } from "./pages.js";
import { queryDigest } from "./soql.js";

/** What reading by Bulk needs beside what REST needs. */
export interface BulkReading {
  readonly clock: Clock;
  readonly log: Log;
  readonly columns: BulkColumns;
  /** The query for the keyset's present segment, without an order. */
  readonly soql: (keyset: Keyset) => string;
  /** `SELECT COUNT()` of the same. */
  readonly countSoql: (keyset: Keyset) => string;
  /** Rows per page of the result. */
  readonly pageSize: number;
  /** Jobs that may be open at a time. */
  readonly jobs: number;
}

/** Rows of a job at most, where the window can be cut: what one job hands out is listed in the cursor. */
export const MOST_ROWS = 500_000;
/** From all time down to a second takes thirty halvings; a segment is found long before. */
export const MOST_CUTS = 40;
/** Each costs two minutes; then the job may try its luck with what is left. */
const MOST_TIMEOUTS = 3;

/** How large jobs may be, as far as their failures have taught. */
export interface Size {
  /** Rows of one job. */
  most: number;
  /** In a row. */
  failures: number;
}

/**
 * Makes the keyset's segment small enough for one job. Resolves to its rows by COUNT(), or to undefined where they could not
 * be counted. `longestWaitMs` as in HttpRequest.
 */
export async function fitSegment(
  reading: Reading,
  bulk: BulkReading,
  keyset: Keyset,
  { most }: Size,
  longestWaitMs?: number,
): Promise<number | undefined> {
  for (let timeouts = 0; ; ) {
    const count = await rowsOf(reading, bulk, keyset, most, longestWaitMs);
    if (count === undefined) timeouts++;
    if (timeouts > MOST_TIMEOUTS || (count ?? Number.POSITIVE_INFINITY) <= most) return count;
    if (!keyset.narrow(MOST_CUTS)) return count;
  }
}

/** Whether a segment of so many rows may be followed by one of twice its length. */
export function isFew(rows: number | undefined, { most }: Size): boolean {
  return rows !== undefined && rows * 2 <= most;
}

/** Undefined where even counting takes too long. */
async function rowsOf(
  { api, pageSize, deleted, signal }: Reading,
  bulk: BulkReading,
  keyset: Keyset,
  most: number,
  longestWaitMs: number | undefined,
): Promise<number | undefined> {
  const soql = bulk.countSoql(keyset);
  if (!api.fits(soql, { deleted })) return most;
  try {
    const options = { pageSize, deleted, ...(longestWaitMs === undefined ? {} : { longestWaitMs }) };
    return (await api.query(soql, options, signal)).totalSize;
  } catch (error) {
    if (error instanceof TransientError && error.code === QUERY_TIMEOUT) return undefined;
    throw error;
  }
}

/** Of what a job is asked: the job of another query is of no use. */
export function digestOf({ api, deleted }: Reading, bulk: BulkReading, keyset: Keyset): string {
  return queryDigest(api.version, deleted, bulk.soql(keyset));
}
