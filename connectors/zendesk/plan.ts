import {
  AuthError,
  ConfigError,
  type Filter,
  type ReadPlan,
  type ReadRequest,
} from "../../core/contracts/index.js";
import type { State } from "./cursor.js";
import { cursorExportParameters } from "./cursor-export.js";
import { isItem } from "./item.js";
import { LIST_PAGE, listParameters } from "./list.js";
import { prepare, type ReadContext, startOf } from "./read.js";
import type { Reading } from "./reading.js";
import { isoOf } from "./stamp.js";
import { bucketOf } from "./streams.js";
import { timeExportParameters } from "./time-export.js";

/**
 * What a read will ask first, how many requests it takes about, and how long the limits make it last at least. One or no
 * request of the account's limit; the exports' ten a minute are not touched.
 */
export async function planStream(context: ReadContext, request: ReadRequest): Promise<ReadPlan> {
  const reading = await prepare(context, request);
  const notPushedDown = request.filter === undefined ? [] : conditionsOf(request.filter);
  const start = startOf(reading, request);
  const { from, to } = start.state.span;
  const described = {
    pushedDown: [],
    notPushedDown,
    window:
      reading.spec.cursor === undefined
        ? undefined
        : { from: from === null ? null : isoOf(from), to: isoOf(to) },
  };
  if (start.kind === "nothing") return { ...described, query: "", records: 0, apiCalls: 0, durationMs: 0 };
  const { records, exact } = await countOf(context, reading, start.state, request.signal);
  const apiCalls = records === null ? null : Math.max(1, Math.ceil(records / pageOf(reading)));
  return {
    ...described,
    query: `GET ${reading.api.url(reading.spec.path, parametersOf(reading, start.state))}`,
    records: exact ? records : null,
    apiCalls,
    ...(apiCalls === null ? {} : { calls: { [bucketOf(reading.spec)]: apiCalls } }),
    durationMs: apiCalls === null ? null : durationOf(reading, apiCalls),
  };
}

function pageOf({ spec, pageSize }: Reading): number {
  return spec.paging === "list" ? Math.min(LIST_PAGE, pageSize) : pageSize;
}

/** The first minute's requests go at once, and so many more in every minute that follows. */
function durationOf({ spec, api }: Reading, calls: number): number {
  const perMinute =
    bucketOf(spec) === "exports"
      ? api.budgets.exportsPerMinute
      : api.budgets.allowance(bucketOf(spec))?.total;
  return perMinute === undefined || perMinute < 1 ? 0 : (Math.ceil(calls / perMinute) - 1) * 60_000;
}

function parametersOf(reading: Reading, state: State) {
  switch (state.paging) {
    case "cursorExport":
      return cursorExportParameters(reading, state);
    case "timeExport":
      return timeExportParameters(reading, state.start);
    case "list":
      return listParameters(reading, state);
  }
}

/**
 * How many records a read from the beginning finds. The counts of Zendesk are estimates above 100,000 and leave deleted
 * records out, so those of exports only forecast; a list tells its count beside its first page. Behind a cursor, or within
 * a window, nobody can say.
 */
async function countOf(
  { api }: ReadContext,
  { spec }: Reading,
  state: State,
  signal: AbortSignal,
): Promise<{ readonly records: number | null; readonly exact: boolean }> {
  const unknown = { records: null, exact: false };
  const isFirst = state.span.from === null && (state.paging === "timeExport" || state.after === null);
  if (!isFirst || spec.window !== undefined) return unknown;
  const isList = spec.paging === "list";
  const path = isList ? spec.path : spec.count;
  if (path === undefined) return unknown;
  const parameters = isList
    ? ([["page", "1"], ["per_page", "1"], ...Object.entries(spec.query ?? {})] as const)
    : [];
  const answer = await api.get(path, parameters, "account", signal).catch((error: unknown) => {
    // A forecast that may not be made is no reason to refuse the plan; the read will say what is wrong.
    if (error instanceof ConfigError || error instanceof AuthError) return undefined;
    throw error;
  });
  const count = isItem(answer?.body) ? answer.body.count : undefined;
  const value = isItem(count) ? count.value : count;
  return typeof value === "number" ? { records: value, exact: isList } : unknown;
}

/** The conditions of a filter, as text: none of them can be asked of an export or a list. */
function conditionsOf(filter: Filter): string[] {
  if ("all" in filter) return filter.all.flatMap(conditionsOf);
  if ("any" in filter) return [`any of: ${filter.any.flatMap(conditionsOf).join("; ")}`];
  if ("not" in filter) return [`not: ${conditionsOf(filter.not).join("; ")}`];
  return [
    `${filter.field} ${filter.operator}${filter.value === undefined ? "" : ` ${JSON.stringify(filter.value)}`}`,
  ];
}
