import {
  type Clock,
  ConfigError,
  type Log,
  type Page,
  type ReadPlan,
  type ReadRequest,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import type { SalesforceApi } from "./api.js";
import { leaveJobs, readJobs } from "./bulk.js";
import { type BulkReading, MOST_ROWS } from "./bulk-segment.js";
import {
  cursorValue,
  firstWindow,
  isBeforeDeletes,
  isoOf,
  nextWindow,
  parseIdCursor,
  parseWindowCursor,
  stampOf,
  type WindowCursor,
} from "./cursor.js";
import { readDeletes } from "./deleted.js";
import { type Describer, isCursor } from "./describe.js";
import { INVALID_FIELD } from "./errors.js";
import { filterFields } from "./filter.js";
import { IdKeyset, type Keyset, type Split, WindowKeyset } from "./keyset.js";
import { type Reading, readPages } from "./pages.js";
import { type Prepared, prepare } from "./prepare.js";
import { queryDigest } from "./soql.js";
import { windowEnd } from "./updated.js";
import { GROWTH_BYTES, WideRows } from "./wide.js";

/** What reading needs of its connection. */
export interface ReadContext {
  readonly api: SalesforceApi;
  readonly describer: Describer;
  readonly clock: Clock;
  readonly log: Log;
  /** Objects that Bulk has refused since the connection was opened. */
  readonly refusedByBulk: Set<string>;
}

/** From this many records on a job costs less than pages of 2,000. (Bulk API 2.0 Developer Guide) */
const MANY = 2_000;

/**
 * The pages of a read; see cursor.ts for where it stands between them. Where a field vanishes while it is read, the rest
 * is read without it, unless the filter needs it.
 */
export async function* readStream(context: ReadContext, request: ReadRequest): AsyncGenerator<Page> {
  let asked = request;
  for (;;) {
    try {
      for await (const page of readFrom(context, asked)) {
        asked = { ...asked, cursor: page.cursor, resumes: true };
        yield page;
      }
      return;
    } catch (error) {
      if (!(error instanceof ConfigError) || error.code !== INVALID_FIELD) throw error;
      const fields = await fieldsLeft(context, asked);
      const needed = new Set(filterFields(asked.filter));
      const gone = asked.fields.filter((name) => !fields.includes(name));
      if (gone.length === 0 || gone.some((name) => needed.has(name))) throw error;
      const lost = `${asked.stream} has lost ${gone.join(", ")} while it was read`;
      context.log.warn(`${lost}; the rest is read without`, { stream: asked.stream });
      asked = { ...asked, fields };
    }
  }
}

/** Of the fields asked for those that the object still has. */
async function fieldsLeft({ describer }: ReadContext, request: ReadRequest): Promise<readonly string[]> {
  const { stream, fields, signal } = request;
  describer.forget(stream);
  const object = await describer.object(stream, signal);
  return fields.filter((name) => name.includes(".") || object.fields.has(name));
}

async function* readFrom(context: ReadContext, request: ReadRequest): AsyncGenerator<Page> {
  throwIfCancelled(request.signal);
  const prepared = await prepare(context, request);
  if (request.cursorField === undefined) {
    yield* readWhole(context, request, prepared);
    return;
  }
  const start = await startOf(context, request, prepared, request.cursorField);
  if (start.kind === "nothing") {
    yield { records: [], cursor: cursorValue(start.cursor), bytes: 0 };
    return;
  }
  const finished = yield* readWindow(context, request, prepared, start.window);
  if (!start.resumed) return;
  // The frozen window of an earlier run is complete; what came since then follows.
  const end = await windowEnd(context, prepared.object, request, prepared.options.settle);
  if (end.to <= finished.window.to) return;
  yield* readWindow(context, request, prepared, nextWindow(finished, end, request.lookbackMs));
}

async function* readWhole(
  context: ReadContext,
  request: ReadRequest,
  prepared: Prepared,
): AsyncGenerator<Page> {
  const cursor = idCursor(request);
  if (cursor?.whole === true && cursor.done) {
    yield { records: [], cursor: cursorValue(cursor), bytes: 0 };
    return;
  }
  yield* readRows(context, request, prepared, new IdKeyset(cursor, splitOf(context, prepared)));
}

/** Rows, then hard deletes. Resolves to the finished window. */
async function* readWindow(
  context: ReadContext,
  request: ReadRequest,
  prepared: Prepared,
  window: WindowCursor,
): AsyncGenerator<Page, WindowCursor> {
  let cursor = window;
  if (window.deletes === undefined) {
    const keyset = new WindowKeyset(window, prepared.deleted);
    for await (const page of readRows(context, request, prepared, keyset)) {
      // The deletes that follow have a page in any case.
      if (page.records.length > 0 || !isBeforeDeletes(page.cursor)) yield page;
    }
    cursor = keyset.finished;
  }
  if (cursor.deletes === undefined) return cursor;
  const { api, clock, log } = context;
  const { pageSize } = prepared.options;
  const now = clock.now() - api.behindMs;
  const deletes = { api, object: prepared.object, log, now, pageSize, signal: request.signal };
  return yield* readDeletes(deletes, cursor);
}

/**
 * The rows of a keyset by the API that the options name. `auto` begins with a REST query: its answer says how many
 * records there are, and where the rest is many Bulk reads it. What Bulk refuses REST reads.
 */
async function* readRows(
  context: ReadContext,
  request: ReadRequest,
  prepared: Prepared,
  keyset: Keyset,
): AsyncGenerator<Page> {
  const { api, log, refusedByBulk } = context;
  const { options } = prepared;
  const reading = readingOf(context, prepared, request);
  const bulk: BulkReading = {
    clock: context.clock,
    log,
    columns: prepared.columns,
    soql: prepared.bulkSoql,
    countSoql: prepared.countSoql,
    pageSize: options.bulkPageSize,
    jobs: options.bulkJobs,
  };
  const mayBulk = options.api !== "rest" && !refusedByBulk.has(request.stream);
  const isUnderWay = keyset.progress.job !== undefined;
  const fits = fitsUrl(api, prepared, keyset);
  if (!mayBulk || (options.api === "auto" && fits && !isUnderWay)) {
    await leaveJobs(reading, log, keyset);
    const rest = inChunks(context, prepared, reading, keyset);
    if ((yield* readPages(rest, keyset, mayBulk ? MANY : undefined)) === "complete") return;
  }
  if ((yield* readJobs(reading, bulk, keyset)) === "complete") return;
  refusedByBulk.add(request.stream);
  if (options.api === "bulk") log.warn(`${reading.place} is read by REST: Bulk refuses it`);
  yield* readPages(inChunks(context, prepared, reading, keyset), keyset);
}

function readingOf(
  { api }: ReadContext,
  { soql, wholeSoql, options, deleted, parents }: Prepared,
  { stream, signal, ahead }: ReadRequest,
): Reading {
  return {
    place: `salesforce ${stream}`,
    api,
    soql,
    query: queryDigest(`${api.instanceUrl} ${api.version}`, deleted, wholeSoql),
    pageSize: options.pageSize,
    deleted,
    parents,
    ahead,
    signal,
  };
}

/** Whether the query fits into a URL, also when it has a place to go on from. */
function fitsUrl(api: SalesforceApi, prepared: Prepared, keyset: Keyset): boolean {
  return api.room(prepared.soql(keyset), prepared) >= GROWTH_BYTES;
}

/** By column chunks where it does not. */
function inChunks({ api, log }: ReadContext, prepared: Prepared, reading: Reading, keyset: Keyset): Reading {
  if (fitsUrl(api, prepared, keyset)) return reading;
  const wide = new WideRows({ ...reading, log }, prepared.wide, keyset);
  log.info(`${reading.place}: too many fields for a URL; read in ${wide.size} chunks of columns`);
  // Which columns a page has depends on the place it was asked for: it is of no use to another read.
  return { ...reading, soql: (at) => wide.soql(at), wide, ahead: undefined };
}

/**
 * The query of the first page and what it will find, for two calls of the org's day. The time is a guess: Salesforce says
 * nothing of it, so every call is taken to last as long as the one that counts, and the wait for Bulk jobs is left out.
 */
export async function planStream(context: ReadContext, request: ReadRequest): Promise<ReadPlan> {
  const prepared = await prepare(context, request);
  const { pushed, notPushed } = prepared.filter;
  const described = { pushedDown: pushed, notPushedDown: notPushed };
  const keyset = await planKeyset(context, request, prepared);
  if (keyset === undefined) {
    return { ...described, query: "", window: undefined, records: 0, apiCalls: 0 };
  }
  const { api } = context;
  const { options, deleted } = prepared;
  const count = prepared.countSoql(keyset);
  const { clock } = context;
  const askedAt = clock.monotonicMs();
  const { totalSize } = await api.query(count, { pageSize: options.pageSize, deleted }, request.signal);
  const callMs = Math.ceil(clock.monotonicMs() - askedAt);
  const window = { window: keyset.window, records: totalSize };
  const rest = prepared.soql(keyset);
  const isMany = totalSize > options.pageSize + MANY || !fitsUrl(api, prepared, keyset);
  // latestDateCovered.
  const forEnd = keyset.window === undefined ? 0 : 1;
  const isBulk = options.api === "bulk" || (options.api === "auto" && isMany);
  if (!isBulk || context.refusedByBulk.has(request.stream)) {
    const pages = Math.max(1, Math.ceil(totalSize / options.pageSize));
    // Of an empty page only the first chunk is asked for.
    const chunks = totalSize === 0 ? 1 : chunksOf(context, request, prepared, keyset);
    const apiCalls = pages * chunks + forEnd;
    return { ...described, ...window, query: rest, apiCalls, durationMs: apiCalls * callMs };
  }
  const jobs = keyset.fork().narrow() ? jobsFor(totalSize) : 1;
  const pages = Math.max(jobs, Math.ceil(totalSize / options.bulkPageSize));
  const apiCalls = pages + jobs * AROUND_JOB + forEnd;
  const calls = { daily: apiCalls, bulkJobs: jobs };
  const durationMs = apiCalls * callMs;
  return { ...described, ...window, query: prepared.bulkSoql(keyset), apiCalls, calls, durationMs };
}

/** Queries for one page. */
function chunksOf(context: ReadContext, request: ReadRequest, prepared: Prepared, keyset: Keyset): number {
  const reading = readingOf(context, prepared, request);
  return inChunks(context, prepared, reading, keyset).wide?.size ?? 1;
}

/** Counting, creating, deleting, and a few looks while the job runs. */
const AROUND_JOB = 8;

/** Segments come of halving. */
function jobsFor(rows: number): number {
  return rows <= MOST_ROWS ? 1 : 2 ** Math.ceil(Math.log2(rows / MOST_ROWS));
}

async function planKeyset(
  context: ReadContext,
  request: ReadRequest,
  prepared: Prepared,
): Promise<Keyset | undefined> {
  if (request.cursorField === undefined) {
    return new IdKeyset(idCursor(request), splitOf(context, prepared));
  }
  const start = await startOf(context, request, prepared, request.cursorField);
  return start.kind === "nothing" ? undefined : new WindowKeyset(start.window);
}

/** CreatedDate stands in nearly every object, in every record, and stays. */
function splitOf({ clock, api }: ReadContext, { object }: Prepared): Split | undefined {
  const created = object.fields.get("CreatedDate");
  const nowMs = clock.now() - api.behindMs;
  return created !== undefined && isCursor(created) ? { field: created.name, nowMs } : undefined;
}

function idCursor(request: ReadRequest): ReturnType<typeof parseIdCursor> | undefined {
  const cursor = request.cursor === undefined ? undefined : parseIdCursor(request.cursor);
  // A finished full read is followed by another one, unless the engine missed its end.
  const goesOn = cursor?.done === false || request.resumes === true;
  return goesOn ? cursor : undefined;
}

type Start =
  | { readonly kind: "window"; readonly window: WindowCursor; readonly resumed: boolean }
  /** `--to` ends before what was read already. */
  | { readonly kind: "nothing"; readonly cursor: WindowCursor };

async function startOf(
  context: ReadContext,
  request: ReadRequest,
  { object, options }: Prepared,
  field: string,
): Promise<Start> {
  const { from, lookbackMs } = request;
  const cursor = request.cursor === undefined ? undefined : parseWindowCursor(request.cursor, field);
  if (cursor?.done === false) return { kind: "window", window: cursor, resumed: true };
  if (cursor === undefined) {
    const to = request.to ?? context.clock.now() - context.api.behindMs - options.settle;
    if (from !== undefined && stampOf(from) >= stampOf(to)) {
      throw new ConfigError(
        "SALESFORCE_EMPTY_WINDOW",
        `the window from ${isoOf(stampOf(from))} to ${isoOf(stampOf(to))} is empty`,
        {
          fix: "Let start (or --from) lie before --to, and not in the future.",
        },
      );
    }
  } else if (request.to !== undefined && stampOf(request.to) <= cursor.window.to) {
    return { kind: "nothing", cursor };
  }
  const end = await windowEnd(context, object, request, options.settle);
  const window =
    cursor === undefined ? firstWindow(field, from, end, lookbackMs) : nextWindow(cursor, end, lookbackMs);
  return { kind: "window", window, resumed: false };
}
