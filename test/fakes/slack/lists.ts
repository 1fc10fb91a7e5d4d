import { Refusal, type Result } from "./answer.js";
import type { Call } from "./call.js";
import type { Cursors } from "./cursors.js";
import type { Channel, Item, Workspace } from "./workspace.js";

/** Above so many users users.list must be given a limit. */
const USERS_WITHOUT_LIMIT = 500;
const LIST_MOST = 999;

/** The lists of a workspace: conversations, users, user groups, files, the team. */
export class Lists {
  private readonly workspace: Workspace;
  private readonly cursors: Cursors;
  /** Tokens of an organisation must say which workspace they mean. */
  private readonly isOrgToken: boolean;

  constructor(workspace: Workspace, cursors: Cursors, isOrgToken: boolean) {
    this.workspace = workspace;
    this.cursors = cursors;
    this.isOrgToken = isOrgToken;
  }

  team(): Result {
    return { body: { team: this.workspace.team } };
  }

  conversations(call: Call): Result {
    return this.channelPage(call, (channel) => channel.joined || channel.info.is_private !== true, true);
  }

  joined(call: Call): Result {
    return this.channelPage(call, (channel) => channel.joined, false);
  }

  users(call: Call): Result {
    this.needTeam(call);
    const users = [...this.workspace.users.values()];
    if (call.text("limit") === undefined && users.length > USERS_WITHOUT_LIMIT)
      throw new Refusal("limit_required");
    const page = this.page(call, "user", users, call.limit(Math.max(1, users.length), LIST_MOST));
    return {
      ...page,
      body: {
        members: page.items,
        cache_ts: Math.floor(this.workspace.clock.now() / 1000),
        ...page.metadata,
      },
    };
  }

  usergroups(call: Call): Result {
    this.needTeam(call);
    const groups = [...this.workspace.usergroups.values()]
      .filter((group) => call.flag("include_disabled") || !(Number(group.date_delete) > 0))
      .map((group) => {
        const { users, user_count, ...rest } = group;
        return {
          ...rest,
          ...(call.flag("include_users") ? { users } : {}),
          ...(call.flag("include_count") ? { user_count } : {}),
        };
      });
    return { body: { usergroups: groups } };
  }

  /** The old style: page numbers, newest first, bounds of whole seconds that both count. */
  files(call: Call): Result {
    this.needTeam(call);
    const from = call.whole("ts_from") ?? 0;
    const to = call.whole("ts_to") ?? Number.MAX_SAFE_INTEGER;
    const count = Math.min(1000, call.whole("count") ?? 100);
    const page = Math.max(1, call.whole("page") ?? 1);
    const found = [...this.workspace.files.values()]
      .filter(({ created }) => Number(created) >= from && Number(created) <= to)
      .sort((a, b) => Number(b.created) - Number(a.created) || (String(a.id) < String(b.id) ? -1 : 1));
    const pages = Math.max(1, Math.ceil(found.length / count));
    return {
      body: {
        files: found.slice((page - 1) * count, page * count),
        paging: { count, total: found.length, page, pages },
      },
    };
  }

  private channelPage(call: Call, isVisible: (channel: Channel) => boolean, isFull: boolean): Result {
    this.needTeam(call);
    const types = (call.text("types") ?? "public_channel").split(",");
    const unknown = types.find((type) => !["public_channel", "private_channel", "mpim", "im"].includes(type));
    if (unknown !== undefined) throw new Refusal("invalid_types");
    const items = [...this.workspace.channels.values()]
      .filter((channel) => isVisible(channel) && types.includes(typeOf(channel)))
      .filter(({ info }) => !(call.flag("exclude_archived") && info.is_archived === true))
      .map((channel) => {
        const { info, members, joined } = channel;
        // The shorter list has neither counts nor membership.
        return isFull ? { ...info, is_member: joined, num_members: members.length } : info;
      });
    const page = this.page(call, "team", items, call.limit(100, LIST_MOST));
    return { ...page, body: { channels: page.items, ...page.metadata } };
  }

  private page(call: Call, kind: string, items: readonly Item[], limit: number) {
    const place = this.cursors.read(kind, call.text("cursor"));
    const from = place === undefined ? 0 : items.findIndex(({ id }) => id === place);
    // What the cursor led to has gone meanwhile.
    if (from < 0) throw new Refusal("invalid_cursor");
    const next = items[from + limit]?.id;
    return {
      items: items.slice(from, from + limit),
      metadata: {
        response_metadata: { next_cursor: typeof next === "string" ? this.cursors.issue(kind, next) : "" },
      },
      self: this.cursors.issue(kind, String(items[from]?.id ?? "")),
    };
  }

  private needTeam(call: Call): void {
    if (this.isOrgToken && call.text("team_id") === undefined) throw new Refusal("missing_argument");
  }
}

function typeOf({ info }: Channel): string {
  if (info.is_im === true) return "im";
  if (info.is_mpim === true) return "mpim";
  return info.is_private === true ? "private_channel" : "public_channel";
}
