import { Prng } from "../salesforce/prng.js";
import { tsText } from "./ts.js";
import { type FakeClock, type Item, pickSome, Workspace } from "./workspace.js";

export interface GeneratedWorkspaceOptions {
  readonly seed?: number;
  /** Default 300. */
  readonly users?: number;
  /** Public channels beside the first; default 8. A private, an archived, an unjoined one and direct messages come on top. */
  readonly channels?: number;
  /** Messages of the first channel, by far the largest; the others share a tenth of it. Default 5000. */
  readonly messages?: number;
  /** Share of messages that have a thread; default 0.05. */
  readonly threads?: number;
  /** Share of messages that were edited, deleted into a tombstone, posted by bots; default 0.03, each. */
  readonly oddities?: number;
  /** Default 200. */
  readonly files?: number;
  /** Default 12. */
  readonly usergroups?: number;
  /** Days that all of it spreads over, up to an hour before now; default 30. */
  readonly days?: number;
}

const GREETINGS = [
  "Deploy is done",
  "Grüße aus Köln, läuft alles?",
  "進捗どうですか",
  "Напоминаю про встречу",
  "مرحبا بالجميع",
  "Zażółć gęślą jaźń",
  "🚀🎉 shipped! 👩‍👩‍👧‍👦",
  "see <https://example.com/a?b=c|the plan> & tell <@U00000002>",
  'He said "no",\n\tthen left',
  "café vs. cafe\u0301",
] as const;
const EMOJI = ["eyes", "thumbsup", "tada", "heavy_check_mark"] as const;

/** A workspace with a bit of everything; the same for the same seed and clock. */
export function generateWorkspace(options: GeneratedWorkspaceOptions, clock: FakeClock): Workspace {
  const seed = options.seed ?? 1;
  const workspace = new Workspace(clock);
  const days = options.days ?? 30;
  const end = Math.floor(clock.now() / 1000) - 3600;
  const start = end - days * 86_400;
  addUsers(workspace, options.users ?? 300, Prng.named(seed, "users"), start);
  const users = [...workspace.users.keys()];
  for (const [n, channel] of channelPlan(options.channels ?? 8, users[1] ?? "U00000002").entries()) {
    const { joined = true, ...info } = channel;
    const random = Prng.named(seed, String(info.id));
    const members = pickSome(
      users,
      info.is_im === true ? 2 : Math.max(2, Math.floor(users.length * random.next())),
      seed + users.length,
    );
    workspace.addChannel(
      {
        ...info,
        created: start - 86_400,
        creator: users[0],
        updated: (start - 86_400 + n * 60) * 1000 + 123,
        context_team_id: workspace.team.id,
      },
      members,
      joined,
    );
  }
  const total = options.messages ?? 5000;
  const ids = [...workspace.channels.keys()];
  ids.forEach((id, n) => {
    const count = n === 0 ? total : Math.ceil(total / 10 / Math.max(1, ids.length - 1));
    addMessages(workspace, id, count, Prng.named(seed, `messages of ${id}`), { start, end, ...options });
  });
  addUsergroups(workspace, options.usergroups ?? 12, Prng.named(seed, "usergroups"), start);
  addFiles(workspace, options.files ?? 200, Prng.named(seed, "files"), { start, end });
  return workspace;
}

function channelPlan(
  count: number,
  partner: string,
): (Item & { readonly id: string; readonly joined?: boolean })[] {
  const open = (n: number, name: string) => ({
    id: `C${String(n).padStart(8, "0")}`,
    name,
    name_normalized: name,
    is_channel: true,
    is_group: false,
    is_im: false,
    is_mpim: false,
    is_private: false,
    is_archived: false,
    is_general: n === 1,
    is_shared: false,
    is_ext_shared: false,
    is_org_shared: false,
    unlinked: 0,
    topic: { value: "", creator: "", last_set: 0 },
    purpose: { value: `About ${name}`, creator: "U00000001", last_set: 1_600_000_000 },
    previous_names: [],
  });
  return [
    ...Array.from({ length: count + 1 }, (_, n) => open(n + 1, n === 0 ? "general" : `proj-${n}`)),
    { ...open(count + 2, "büro-köln") },
    { ...open(count + 3, "leads"), is_private: true, is_group: true, is_channel: false },
    { ...open(count + 4, "old-stuff"), is_archived: true },
    { ...open(count + 5, "not-invited"), joined: false },
    {
      id: "D00000001",
      is_im: true,
      is_private: true,
      is_archived: false,
      user: partner,
      is_user_deleted: false,
      priority: 0,
    },
    {
      ...open(count + 6, "mpdm-a--b--c-1"),
      id: "G00000001",
      is_mpim: true,
      is_private: true,
      is_group: true,
      is_channel: false,
    },
  ];
}

function addUsers(workspace: Workspace, count: number, random: Prng, start: number): void {
  for (let n = 1; n <= count; n++) {
    const id = `U${String(n).padStart(8, "0")}`;
    const name = `user${n}`;
    workspace.users.set(id, {
      id,
      team_id: workspace.team.id,
      name,
      deleted: random.chance(0.05),
      color: "9f69e7",
      real_name: n % 9 === 0 ? `山田 ${n}` : `Ann Ng ${n}`,
      tz: "Europe/Madrid",
      tz_label: "Central European Time",
      tz_offset: 3600,
      profile: {
        title: "",
        email: `${name}@acme.example`,
        display_name: name,
        status_emoji: ":coffee:",
        fields: {},
      },
      is_admin: n === 1,
      is_owner: n === 1,
      is_primary_owner: n === 1,
      is_restricted: false,
      is_ultra_restricted: false,
      is_bot: n % 50 === 0,
      is_app_user: false,
      is_email_confirmed: true,
      updated: start + n,
      // Slack adds keys without notice.
      ...(n % 10 === 0 ? { x_experimental: { cohort: n % 3 } } : {}),
    });
  }
  workspace.users.set("USLACKBOT", {
    id: "USLACKBOT",
    team_id: workspace.team.id,
    name: "slackbot",
    deleted: false,
    is_bot: false,
    profile: {},
    updated: 0,
  });
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function addMessages(
  workspace: Workspace,
  channel: string,
  count: number,
  random: Prng,
  options: Span & GeneratedWorkspaceOptions,
): void {
  const users = [...workspace.users.keys()];
  const threads = options.threads ?? 0.05;
  const oddities = options.oddities ?? 0.03;
  const step = ((options.end - options.start) * 1_000_000) / Math.max(1, count);
  for (let n = 0; n < count; n++) {
    const at = Math.round(options.start * 1_000_000 + n * step + random.next() * step * 0.9);
    const ts = tsText(at);
    const user = random.pick(users);
    const text = `${random.pick(GREETINGS)} #${n}`;
    const item: Item & { ts: string } = {
      user,
      text,
      ts,
      client_msg_id: `${channel}-${n}`,
      blocks: [
        {
          type: "rich_text",
          block_id: `b${n}`,
          elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }],
        },
      ],
      ...(random.chance(0.1)
        ? { reactions: [{ name: random.pick(EMOJI), users: [random.pick(users)], count: 1 }] }
        : {}),
    };
    if (random.chance(oddities)) Object.assign(item, { edited: { user, ts: tsText(at + 30_000_000) } });
    if (random.chance(oddities))
      Object.assign(item, {
        subtype: "bot_message",
        bot_id: "B00000001",
        username: "deploybot",
        user: undefined,
      });
    if (random.chance(oddities))
      Object.assign(item, { files: [{ id: "F00000001", name: "plan.pdf", mimetype: "application/pdf" }] });
    workspace.insert(channel, JSON.parse(JSON.stringify(item)));
    if (!random.chance(threads)) continue;
    const replies = 1 + random.below(random.chance(0.1) ? 30 : 5);
    for (let r = 1; r <= replies; r++) {
      const isBroadcast = random.chance(0.05);
      workspace.insert(channel, {
        user: random.pick(users),
        text: `re: ${r} ${random.pick(GREETINGS)}`,
        ts: tsText(at + r * 7_000_001),
        thread_ts: ts,
        ...(isBroadcast ? { subtype: "thread_broadcast" } : {}),
      });
    }
    if (random.chance(oddities)) workspace.delete(channel, ts);
  }
}

function addUsergroups(workspace: Workspace, count: number, random: Prng, start: number): void {
  const users = [...workspace.users.keys()];
  for (let n = 1; n <= count; n++) {
    const id = `S${String(n).padStart(8, "0")}`;
    const members = pickSome(users, 3, n);
    workspace.usergroups.set(id, {
      id,
      team_id: workspace.team.id,
      is_usergroup: true,
      is_subteam: true,
      name: `Team ${n}`,
      description: "",
      handle: `team-${n}`,
      is_external: false,
      date_create: start,
      date_update: start + n,
      date_delete: random.chance(0.1) ? start + n : 0,
      auto_type: null,
      created_by: "U00000001",
      updated_by: "U00000001",
      deleted_by: null,
      prefs: { channels: [], groups: [] },
      users: members,
      user_count: members.length,
    });
  }
}

function addFiles(workspace: Workspace, count: number, random: Prng, { start, end }: Span): void {
  for (let n = 1; n <= count; n++) {
    const id = `F${String(n).padStart(8, "0")}`;
    // Several share a second, as files of one message do.
    const created = Math.floor(start + ((end - start) * Math.floor(n / 3) * 3) / count);
    workspace.files.set(id, {
      id,
      created,
      timestamp: created,
      name: `bericht-${n}.pdf`,
      title: n % 5 === 0 ? `Übersicht ${n} 📄` : `Report ${n}`,
      mimetype: "application/pdf",
      filetype: "pdf",
      pretty_type: "PDF",
      user: "U00000001",
      editable: false,
      size: 1000 + random.below(1_000_000),
      mode: "hosted",
      is_external: false,
      external_type: "",
      is_public: true,
      public_url_shared: false,
      display_as_bot: false,
      username: "",
      url_private: `https://files.example/${id}`,
      permalink: `https://acme.slack.example/files/${id}`,
      channels: ["C00000001"],
      groups: [],
      ims: [],
      comments_count: 0,
    });
  }
}
