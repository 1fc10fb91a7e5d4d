import { ConfigError, type Log, type SourceRecord, TransientError } from "../../core/contracts/index.js";
import { type Arguments, listOf, type SlackAnswer, type SlackApi } from "./api.js";
import type { SlackOptions } from "./config.js";
import { INVALID_CURSOR, repeatedPage, unexpected } from "./errors.js";
import { isId } from "./ledger.js";
import { type Micros, microsOfNumber } from "./moment.js";
import { matches, suggestion } from "./names.js";

/** Slack takes up to 999 and advises 200 at most for lists of people. */
export const LIST_PAGE = 200;
/** A chain of pages that was lost so often is not going to hold. */
const MOST_RESTARTS = 5;

/** A conversation to read. */
export interface Channel {
  readonly id: string;
  /** Null for direct messages. */
  readonly name: string | null;
  readonly isArchived: boolean;
  /** When it was last changed, archiving included. */
  readonly updated: Micros | undefined;
  readonly members: number | undefined;
}

/** One page of a list. */
export interface ListPage {
  readonly items: readonly SourceRecord[];
  readonly answer: SlackAnswer;
}

/**
 * The pages of a list with cursors, from its beginning. A chain that Slack has forgotten starts anew: callers know what they have
 * seen. Short and empty pages are legal; only a missing cursor is the end.
 */
export async function* listPages(
  api: SlackApi,
  method: string,
  list: string,
  args: Arguments,
  signal: AbortSignal,
): AsyncGenerator<ListPage> {
  let cursor: string | undefined;
  let seen = new Set<string>();
  let firstId: unknown;
  for (let restarts = 0; ; ) {
    let answer: SlackAnswer;
    try {
      answer = await api.call(method, { ...args, cursor }, signal);
    } catch (error) {
      const isLost = error instanceof TransientError && error.code === INVALID_CURSOR;
      if (!isLost || cursor === undefined || ++restarts > MOST_RESTARTS) throw error;
      cursor = undefined;
      seen = new Set();
      firstId = undefined;
      continue;
    }
    const { nextCursor } = answer;
    const items = listOf(answer, list);
    // A list that moved may show some items twice, but never begins twice with the same one.
    const first = items[0]?.id;
    if (first !== undefined && first === firstId) throw repeatedPage(answer.place);
    firstId = first ?? firstId;
    yield { items, answer };
    if (nextCursor === undefined) return;
    if (seen.has(nextCursor)) throw repeatedPage(answer.place);
    seen.add(nextCursor);
    cursor = nextCursor;
  }
}

/** The conversations a flow reads, in the order of their ids, which does not change while it is read and resumed. */
export async function chooseChannels(
  api: SlackApi,
  options: SlackOptions,
  teamId: string | undefined,
  known: ReadonlySet<string>,
  log: Log,
  signal: AbortSignal,
): Promise<readonly Channel[]> {
  const found = await listChannels(api, options, teamId, signal);
  const label = ({ id, name }: Channel) => (name === null ? [id] : [id, name]);
  const wanted = options.channels;
  for (const pattern of wanted ?? []) {
    if (pattern.includes("*") || found.some((channel) => matches(pattern, ...label(channel)))) continue;
    // It was read before: it has gone, or the app was removed from it, which must not stop the others.
    if (known.has(pattern)) {
      log.warn(`channel ${pattern} is not visible any more and is left out`, { channel: pattern });
      continue;
    }
    const names = found.flatMap(label);
    const whose =
      options.membership === "joined" ? "channels that the app is a member of" : "visible channels";
    throw new ConfigError(
      "SLACK_UNKNOWN_CHANNEL",
      `there is no ${pattern} among the ${found.length} ${whose}`,
      {
        place: "source.options.channels",
        fix: suggestion(
          pattern.replace(/^#/, ""),
          names,
          "Invite the app there: /invite @app. Check options.types as well.",
        ),
      },
    );
  }
  const chosen = found.filter(
    (channel) =>
      (wanted === undefined || wanted.some((pattern) => matches(pattern, ...label(channel)))) &&
      !options.exclude.some((pattern) => matches(pattern, ...label(channel))),
  );
  for (const id of known) {
    if (found.some((channel) => channel.id === id)) continue;
    log.warn(
      `channel ${id} was read before and is not visible any more: deleted, left out by the options, or the app was removed from it`,
      { channel: id },
    );
  }
  if (chosen.length > 0) return chosen;
  throw new ConfigError("SLACK_NO_CHANNELS", "there is no channel to read", {
    place: "source.options",
    fix:
      found.length > 0
        ? "Check options.channels and options.exclude."
        : "Invite the app to a channel (/invite @app), or set options.membership: any with a user token.",
  });
}

/** All conversations of the types and membership that the options name. */
async function listChannels(
  api: SlackApi,
  options: SlackOptions,
  teamId: string | undefined,
  signal: AbortSignal,
): Promise<Channel[]> {
  const method = options.membership === "joined" ? "users.conversations" : "conversations.list";
  const channels = new Map<string, Channel>();
  for await (const { items, answer } of listPages(
    api,
    method,
    "channels",
    channelArguments(options, teamId),
    signal,
  )) {
    for (const item of items) {
      if (!isId(item.id)) throw unexpected(answer.place, "holds a channel without id");
      channels.set(item.id, channelOf(item, item.id));
    }
  }
  return [...channels.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

export function channelArguments(options: SlackOptions, teamId: string | undefined): Arguments {
  return {
    types: options.types.join(","),
    exclude_archived: String(options.archived === "exclude"),
    limit: String(Math.min(LIST_PAGE, options.pageSize)),
    team_id: teamId,
  };
}

function channelOf(item: SourceRecord, id: string): Channel {
  return {
    id,
    name: typeof item.name === "string" && item.is_im !== true ? item.name : null,
    isArchived: item.is_archived === true,
    updated: microsOfNumber(item.updated),
    members: typeof item.num_members === "number" ? item.num_members : undefined,
  };
}
