import {
  type Filter,
  type ReadPlan,
  type ReadRequest,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import type { Book } from "./book.js";
import { type Channel, chooseChannels, LIST_PAGE } from "./channels.js";
import { readOptions, type SlackOptions } from "./config.js";
import type { ReadContext } from "./lists.js";
import { isoOf, microsOfMs } from "./moment.js";
import { SMALL_PAGE, SMALL_QUOTA_WARNING, smallQuotaMs } from "./quota.js";
import { seesSmallQuota } from "./quota-probe.js";
import { bookOf } from "./read.js";
import { STREAM_TABLE, streamOf } from "./streams.js";

/** Tier 3; Slack tolerates bursts. */
const HISTORY_PER_MINUTE = 50;
/** Bytes of a ledger's entry in a checkpoint, about. */
const ENTRY_BYTES = 14;

interface Forecast {
  readonly query: string;
  readonly records: number | null;
  readonly apiCalls: number | null;
  readonly window?: ReadPlan["window"];
  readonly durationMs?: number;
}

/**
 * What a read would ask. Slack counts nothing before it is read: the calls for messages and replies are the fewest there will be,
 * one per channel and those that looking back takes. Costs the listing of the channels and one page of history.
 */
export async function planStream(read: ReadContext, request: ReadRequest): Promise<ReadPlan> {
  throwIfCancelled(request.signal);
  const options = readOptions(request.options);
  const forecast = await forecastOf(read, request, options);
  const calls =
    forecast.apiCalls === null
      ? {}
      : { calls: { [STREAM_TABLE[streamOf(request.stream)].method]: forecast.apiCalls } };
  return {
    pushedDown: [],
    notPushedDown: conditions(request.filter),
    window: undefined,
    ...calls,
    ...forecast,
  };
}

async function forecastOf(read: ReadContext, request: ReadRequest, options: SlackOptions): Promise<Forecast> {
  const stream = streamOf(request.stream);
  const { from, to } = request;
  const window = {
    from: from === undefined ? null : isoOf(microsOfMs(from)),
    to: isoOf(microsOfMs(to ?? read.context.clock.now())),
  };
  switch (stream) {
    case "team":
      return { query: "team.info", records: 1, apiCalls: 1 };
    case "usergroups":
      return { query: "usergroups.list", records: null, apiCalls: 1, window };
    case "users":
      return {
        query: `users.list, all users in pages of ${LIST_PAGE}`,
        records: null,
        apiCalls: null,
        window,
      };
    case "channels":
      return {
        query: `conversations.list types=${options.types.join(",")} in pages of ${LIST_PAGE}`,
        records: null,
        apiCalls: null,
        window,
      };
    case "channel_members":
      return forecastMembers(read, request, options);
    case "files":
      return forecastFiles(read, request, options);
    default:
      return forecastConversations(read, request, options);
  }
}

async function channelsOf(
  read: ReadContext,
  request: ReadRequest,
  options: SlackOptions,
  known: ReadonlySet<string>,
) {
  const { api, config, context } = read;
  const before = api.calls;
  const channels = await chooseChannels(api, options, config.teamId, known, context.log, request.signal);
  return { channels, calls: Math.max(1, api.calls - before) };
}

async function forecastMembers(
  read: ReadContext,
  request: ReadRequest,
  options: SlackOptions,
): Promise<Forecast> {
  const { channels, calls } = await channelsOf(read, request, options, new Set());
  const pages = channels.reduce(
    (sum, { members = 1 }) => sum + Math.max(1, Math.ceil(members / options.pageSize)),
    0,
  );
  const counted = channels.every(({ members }) => members !== undefined);
  return {
    query: `conversations.members of ${channelText(channels)}`,
    records: counted ? channels.reduce((sum, { members = 0 }) => sum + members, 0) : null,
    apiCalls: calls + pages,
  };
}

async function forecastFiles(
  read: ReadContext,
  request: ReadRequest,
  options: SlackOptions,
): Promise<Forecast> {
  const book = bookOf(read, request, options);
  if (book.ends.length === 0) return { query: "", records: 0, apiCalls: 0 };
  const answer = await read.api.call(
    "files.list",
    {
      count: "1",
      ts_from: book.start === null ? undefined : String(Math.ceil(book.start / 1e6)),
      ts_to: String(Math.floor(book.to / 1e6)),
      team_id: read.config.teamId,
    },
    request.signal,
  );
  const paging: unknown = Reflect.get(answer.body, "paging");
  const total: unknown =
    typeof paging === "object" && paging !== null ? Reflect.get(paging, "total") : undefined;
  // How many of them were handed out before, the ledger says only for the latest ones.
  const isFirst = request.cursor === undefined;
  const records = isFirst && typeof total === "number" ? total : null;
  return {
    query: `files.list ${windowText(book)}`,
    records,
    apiCalls: records === null ? null : Math.max(1, Math.ceil(records / options.pageSize)),
    window: book.window,
  };
}

async function forecastConversations(
  read: ReadContext,
  request: ReadRequest,
  options: SlackOptions,
): Promise<Forecast> {
  const known = bookOf(read, request, options).channels;
  const { channels, calls } = await channelsOf(read, request, options, known);
  const book = bookOf(read, request, options);
  const end = book.ends.at(-1);
  if (end === undefined) return { query: "", records: 0, apiCalls: 0 };
  book.freeze(end);
  const isSmall = await seesSmallQuota(read.api, channels, request.signal);
  const perPage = isSmall ? Math.min(SMALL_PAGE, options.pageSize) : options.pageSize;
  let pages = 0;
  for (const channel of channels) {
    const window = book.windowOf(channel);
    if (window === undefined) continue;
    pages += Math.max(1, Math.ceil(window.known.length / ENTRY_BYTES / perPage));
  }
  const replies =
    request.stream === "thread_replies" ? ", and conversations.replies per thread that changed" : "";
  const small = isSmall ? ` ${SMALL_QUOTA_WARNING}` : "";
  return {
    query: `conversations.history ${windowText(book)} of ${channelText(channels)}, at least ${pages} pages of ${perPage}${replies}.${small}`,
    records: null,
    apiCalls: calls + pages,
    window: book.window,
    durationMs: isSmall ? smallQuotaMs(pages) : Math.floor((pages / HISTORY_PER_MINUTE) * 60_000),
  };
}

function windowText(book: Book): string {
  const { from, to } = book.window ?? { from: null, to: "" };
  return `from ${from ?? "the beginning"} to ${to}`;
}

function channelText(channels: readonly Channel[]): string {
  const names = channels.slice(0, 5).map(({ id, name }) => name ?? id);
  const rest = channels.length - names.length;
  return `${names.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** Every condition, one line each: Slack has no predicates, so a filter saves no call. */
function conditions(filter: Filter | undefined): string[] {
  if (filter === undefined) return [];
  if ("all" in filter) return filter.all.flatMap(conditions);
  return [conditionText(filter)];
}

function conditionText(filter: Filter): string {
  if ("all" in filter) return `(${filter.all.map(conditionText).join(" and ")})`;
  if ("any" in filter) return `(${filter.any.map(conditionText).join(" or ")})`;
  if ("not" in filter) return `not ${conditionText(filter.not)}`;
  const { field, operator, value } = filter;
  const shown = value === undefined ? "" : ` ${typeof value === "string" ? value : JSON.stringify(value)}`;
  return `${field} ${operator}${shown}`;
}
