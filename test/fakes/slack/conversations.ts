import { Refusal, type Result } from "./answer.js";
import type { Call } from "./call.js";
import type { Cursors } from "./cursors.js";
import type { Limits } from "./limits.js";
import { type Micros, parseTs, tsText } from "./ts.js";
import { type Channel, type Item, lowerBound, type Message, type Workspace } from "./workspace.js";

/** How pages of this fake differ from the plainest ones, all within what Slack documents or was seen to do. */
export interface PagingQuirks {
  /** The last page of messages names a further one, which is empty. */
  readonly tailPages?: boolean;
  /** Later pages of a thread begin with its parent again. */
  readonly repeatParent?: boolean;
  /** Every third page is shorter than asked. */
  readonly shortPages?: boolean;
  /** Messages older than this many days are hidden, as on a free plan. */
  readonly hiddenAfterDays?: number;
}

const HISTORY_MOST = 999;
const REPLIES_MOST = 1000;
const MEMBERS_MOST = 999;
const AFTER_ALL: Micros = Number.MAX_SAFE_INTEGER;

/** conversations.history, .replies and .members. */
export class Conversations {
  private readonly workspace: Workspace;
  private readonly cursors: Cursors;
  private readonly limits: Limits;
  private readonly quirks: PagingQuirks;
  private pages = 0;

  constructor(workspace: Workspace, cursors: Cursors, limits: Limits, quirks: PagingQuirks) {
    this.workspace = workspace;
    this.cursors = cursors;
    this.limits = limits;
    this.quirks = quirks;
  }

  /** Newest first; `oldest` and `latest` are exclusive unless `inclusive`. */
  history(call: Call): Result {
    const channel = this.readable(call);
    const limit = this.size(call, call.limit(100, HISTORY_MOST));
    const bounds = this.bounds(call);
    const place = this.cursors.read("next_ts", call.text("cursor"));
    const list = channel.messages;
    let low = lowerBound(list, bounds.from);
    let high = lowerBound(list, bounds.to);
    if (place !== undefined) high = Math.min(high, lowerBound(list, Number(place) + 1));
    const hidden = this.hiddenBelow();
    const horizon = lowerBound(list, hidden);
    const isLimited = horizon > low;
    low = Math.max(low, horizon);
    high = Math.max(low, high);
    const start = Math.max(low, high - limit);
    const messages = list
      .slice(start, high)
      .reverse()
      .map((message) => this.workspace.shown(channel, message));
    const next = list[start - 1];
    const hasMore = start > low;
    const cursor =
      hasMore && next !== undefined ? this.cursors.issue("next_ts", next.at) : this.tail(messages.length, 0);
    const first = list[high - 1];
    return {
      body: {
        messages,
        has_more: hasMore,
        pin_count: 0,
        channel_actions_ts: null,
        channel_actions_count: 0,
        ...(isLimited ? { is_limited: true } : {}),
        ...metadata(cursor),
      },
      ...(first === undefined ? {} : { self: this.cursors.issue("next_ts", first.at) }),
    };
  }

  /** Oldest first, the parent before all. */
  replies(call: Call): Result {
    const channel = this.readable(call);
    call.required("ts");
    const ts = tsText(call.ts("ts") ?? 0);
    const limit = this.size(call, call.limit(REPLIES_MOST, REPLIES_MOST));
    const bounds = this.bounds(call);
    const { parent, replies } = this.thread(channel, ts);
    const place = this.cursors.read("next_ts", call.text("cursor"));
    const low = Math.max(
      lowerBound(replies, bounds.from),
      place === undefined ? 0 : lowerBound(replies, Number(place)),
    );
    const high = lowerBound(replies, bounds.to);
    const withParent = place === undefined || this.quirks.repeatParent === true;
    const end = Math.min(high, low + Math.max(1, limit - (withParent ? 1 : 0)));
    const page = replies.slice(low, end).map(({ item }) => ({ parent_user_id: parent.user, ...item }));
    const next = replies[end];
    const hasMore = end < high;
    const cursor =
      hasMore && next !== undefined
        ? this.cursors.issue("next_ts", next.at)
        : this.tail(page.length, AFTER_ALL);
    const self = this.cursors.issue("next_ts", replies[low]?.at ?? 0);
    return {
      body: { messages: withParent ? [parent, ...page] : page, has_more: hasMore, ...metadata(cursor) },
      self,
    };
  }

  members(call: Call): Result {
    const channel = this.known(call);
    if (!channel.joined && channel.info.is_private === true) throw new Refusal("channel_not_found");
    const limit = call.limit(100, MEMBERS_MOST);
    const from = Math.max(0, channel.members.indexOf(this.cursors.read("member", call.text("cursor")) ?? ""));
    const next = channel.members[from + limit];
    const cursor = next === undefined ? "" : this.cursors.issue("member", next);
    return {
      body: {
        members: channel.members.slice(from, from + limit),
        response_metadata: { next_cursor: cursor },
      },
      self: this.cursors.issue("member", channel.members[from] ?? ""),
    };
  }

  private thread(
    channel: Channel,
    ts: string,
  ): { readonly parent: Item; readonly replies: readonly Message[] } {
    const replies = channel.threads.get(ts) ?? [];
    const parent = channel.messages.find(({ item }) => item.ts === ts);
    if (parent !== undefined) return { parent: this.workspace.shown(channel, parent), replies };
    // Of a reply its own thread is not shown, but the reply alone.
    for (const list of channel.threads.values()) {
      const reply = list.find(({ item }) => item.ts === ts);
      if (reply !== undefined) return { parent: reply.item, replies: [] };
    }
    throw new Refusal("thread_not_found");
  }

  private known(call: Call): Channel {
    const channel = this.workspace.channels.get(call.required("channel"));
    if (channel === undefined) throw new Refusal("channel_not_found");
    return channel;
  }

  private readable(call: Call): Channel {
    const channel = this.known(call);
    if (channel.joined) return channel;
    throw new Refusal(channel.info.is_private === true ? "channel_not_found" : "not_in_channel");
  }

  /** `from` inclusive, `to` exclusive, of what is wanted. */
  private bounds(call: Call): { readonly from: Micros; readonly to: Micros } {
    const shift = call.flag("inclusive") ? 1 : 0;
    const oldest = call.ts("oldest");
    const latest = call.ts("latest");
    return {
      from: oldest === undefined ? 0 : oldest + 1 - shift,
      to: latest === undefined ? Number.MAX_SAFE_INTEGER : latest + shift,
    };
  }

  private size(call: Call, asked: number): number {
    this.pages++;
    const size = this.limits.pageSize(call.method, asked);
    return this.quirks.shortPages === true && this.pages % 3 === 0 ? Math.max(1, Math.floor(size / 3)) : size;
  }

  private hiddenBelow(): Micros {
    const { hiddenAfterDays } = this.quirks;
    if (hiddenAfterDays === undefined) return 0;
    return parseTs(String(Math.floor(this.workspace.clock.now() / 1000) - hiddenAfterDays * 86_400)) ?? 0;
  }

  private tail(got: number, place: Micros): string | undefined {
    return this.quirks.tailPages === true && got > 0 ? this.cursors.issue("next_ts", place) : undefined;
  }
}

/** At the end of messages there is no response_metadata at all. */
function metadata(cursor: string | undefined): Record<string, unknown> {
  return cursor === undefined ? {} : { response_metadata: { next_cursor: cursor } };
}
