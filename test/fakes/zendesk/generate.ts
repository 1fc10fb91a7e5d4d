import { Prng } from "../salesforce/prng.js";
import { Account, type FakeClock, isoSeconds, type Json, type Row } from "./account.js";

export interface GeneratedAccountOptions {
  readonly seed?: number;
  readonly tickets?: number;
  readonly users?: number;
  readonly organizations?: number;
  readonly articles?: number;
  /** Records of each of the smaller kinds. */
  readonly others?: number;
  /** Records that share one second, at most. */
  readonly ties?: number;
}

/** Kinds without an address and the usual two times. */
const BARE = new Set(["ticket_events", "ticket_metric_events", "audit_logs"]);
const DAY = 86_400_000;
const WORDS = [
  "login",
  "invoice",
  "refund",
  "printer",
  "Grüße",
  "日本語",
  "crash 💥",
  "update",
  "naïve",
  "šťastný",
];

/** An account whose history ends a day ago: Unicode, nulls, ties, deleted tickets and users, custom fields of every type. */
export function generateAccount(options: GeneratedAccountOptions, clock: FakeClock): Account {
  const account = new Account(clock);
  const { seed = 1, tickets = 200, users = 60, organizations = 40, articles = 30, others = 12 } = options;
  const random = Prng.named(seed, "account");
  const stamps = (count: number) => stampsOf(account, random, count, options.ties ?? 4);
  const text = () => `${random.pick(WORDS)} ${random.pick(WORDS)} ${random.below(1000)}`;
  const maybe = <T extends Json>(value: T): T | null => (random.chance(0.3) ? null : value);
  const sender = (): Json => (random.chance(0.5) ? {} : { address: "a@b.example", name: "Björk" });
  const ids: Record<string, number[]> = {};
  const make = (
    name: string,
    count: number,
    row: (id: number, at: number, n: number) => Record<string, Json>,
  ) => {
    ids[name] = stamps(count).map((at, n) => {
      const id = account.newId();
      if (BARE.has(name)) {
        account.put(name, { id, ...row(id, at, n) });
        return id;
      }
      account.put(name, {
        id,
        url: `https://fake.zendesk.com/api/v2/${name}/${id}.json`,
        created_at: isoSeconds(at - random.below(90) * DAY),
        updated_at: isoSeconds(at),
        ...row(id, at, n),
      });
      return id;
    });
  };
  const one = (name: string): number => random.pick(ids[name] ?? [1]);

  makeFields(make, ids);
  make("organizations", organizations, (_id, _at, n) => ({
    name: `Organization ${n} ${random.pick(WORDS)}`,
    external_id: maybe(`ext-${n}`),
    domain_names: random.chance(0.5) ? [`org${n}.example`] : [],
    details: maybe(text()),
    notes: maybe(text()),
    shared_tickets: false,
    shared_comments: false,
    group_id: null,
    tags: random.chance(0.5) ? ["vip"] : [],
    organization_fields: { region: maybe(random.pick(["emea", "apac"])), seats: maybe(random.below(500)) },
    deleted_at: n % 17 === 16 ? isoSeconds(account.now() - 2 * DAY) : null,
  }));
  make("users", users, (_id, _at, n) => ({
    name: n === 0 ? "Ada Admin" : `User ${n} ${random.pick(WORDS)}`,
    email: maybe(`user${n}@example.com`),
    role: n === 0 ? "admin" : random.pick(["end-user", "agent"]),
    active: n % 13 !== 12,
    suspended: false,
    verified: random.chance(0.7),
    time_zone: "Berlin",
    locale: "de",
    phone: maybe("+49 30 1234567"),
    photo: random.chance(0.5)
      ? null
      : { id: account.newId(), content_url: "https://fake.zendesk.com/photo.png" },
    tags: [],
    organization_id: maybe(one("organizations")),
    user_fields: {
      tier: maybe(random.pick(["gold", "silver"])),
      since: maybe("2024-05-01"),
      opted_in: maybe(true),
    },
  }));
  make("groups", others, (_id, _at, n) => ({
    name: `Group ${n}`,
    deleted: n % 5 === 4,
    default: n === 0,
    is_public: true,
  }));
  make("brands", Math.min(5, others), (_id, _at, n) => ({
    name: `Brand ${n}`,
    subdomain: `brand${n}`,
    active: true,
    default: n === 0,
    is_deleted: n === 4,
    logo: null,
    ticket_form_ids: [],
    has_help_center: n === 0,
  }));
  make("ticket_forms", others, (_id, _at, n) => ({
    name: `Form ${n}`,
    display_name: `Form ${n}`,
    position: n,
    active: true,
    default: n === 0,
    end_user_visible: true,
    ticket_field_ids: ids.ticket_fields ?? [],
  }));
  make("tickets", tickets, (id, at, n) => {
    const custom = customValues(random, ids.ticket_fields ?? [], maybe);
    const deleted = n % 11 === 10;
    return {
      subject: deleted ? "SCRUBBED" : text(),
      raw_subject: deleted ? "SCRUBBED" : text(),
      description: maybe(`${text()}\nSecond line with "quotes", ${random.pick(WORDS)}`),
      status: deleted ? "deleted" : random.pick(["new", "open", "pending", "hold", "solved", "closed"]),
      priority: maybe(random.pick(["low", "normal", "high", "urgent"])),
      type: maybe(random.pick(["question", "incident", "problem", "task"])),
      via: { channel: "web", source: { from: sender(), to: {}, rel: null } },
      requester_id: one("users"),
      submitter_id: one("users"),
      assignee_id: maybe(one("users")),
      organization_id: maybe(one("organizations")),
      group_id: maybe(one("groups")),
      collaborator_ids: [],
      tags: random.chance(0.5) ? ["billing", "größe"] : [],
      is_public: true,
      has_incidents: false,
      due_at: null,
      ticket_form_id: maybe(one("ticket_forms")),
      brand_id: one("brands"),
      satisfaction_rating: { score: "unoffered" },
      custom_fields: custom,
      fields: custom,
      allow_channelback: false,
      generated_timestamp: Math.floor(at / 1000),
      // System changes move the generated stamp only.
      updated_at: isoSeconds(at - (n % 5 === 0 ? 3 * DAY : 0)),
      metric_set: deleted ? null : metricSet(account.newId(), id, at, random),
    };
  });
  makeEvents(account, make, ids, random, text, tickets);
  makeSettings(make, one, others, random, text);
  make("articles", articles, (_id, at, n) => ({
    title: `Article ${n} ${random.pick(WORDS)}`,
    name: `Article ${n}`,
    body: `<h1>${text()}</h1>`,
    locale: "en-us",
    source_locale: "en-us",
    author_id: one("users"),
    section_id: 4711,
    draft: false,
    promoted: n === 0,
    label_names: ["faq"],
    vote_sum: n,
    html_url: `https://fake.zendesk.com/hc/en-us/articles/${n}`,
    edited_at: isoSeconds(at),
  }));
  return account;
}

type Make = (
  name: string,
  count: number,
  row: (id: number, at: number, n: number) => Record<string, Json>,
) => void;

/** Ascending, in groups that share a second; the last one a day before now. */
function stampsOf(account: Account, random: Prng, count: number, ties: number): number[] {
  const end = Math.floor(account.now() / 1000) * 1000 - DAY;
  const stamps: number[] = [];
  let at = end;
  while (stamps.length < count) {
    for (let n = 1 + random.below(ties); n > 0 && stamps.length < count; n--) stamps.push(at);
    at -= 1000 * (1 + random.below(7200));
  }
  return stamps.reverse();
}

const TICKET_FIELDS: readonly (readonly [string, string])[] = [
  ["Subject", "subject"],
  ["Status", "status"],
  ["Colour", "tagger"],
  ["Quantity", "integer"],
  ["Price", "decimal"],
  ["Bought on", "date"],
  ["Gift", "checkbox"],
  ["Parts", "multiselect"],
  ["Serial", "regexp"],
  ["Asset", "lookup"],
  ["Remark", "textarea"],
];

function makeFields(make: Make, ids: Record<string, number[]>): void {
  make("ticket_fields", TICKET_FIELDS.length, (_id, _at, n) => {
    const [title = "", type = ""] = TICKET_FIELDS[n] ?? [];
    return { title, raw_title: title, type, active: true, required: false, position: n, removable: n > 1 };
  });
  const keyed = (list: readonly (readonly [string, string])[]) => (_id: number, _at: number, n: number) => {
    const [key = "", type = ""] = list[n] ?? [];
    return { key, type, title: key, active: true, system: false, position: n };
  };
  make(
    "user_fields",
    3,
    keyed([
      ["tier", "dropdown"],
      ["since", "date"],
      ["opted_in", "checkbox"],
    ]),
  );
  make(
    "organization_fields",
    2,
    keyed([
      ["region", "dropdown"],
      ["seats", "integer"],
    ]),
  );
  ids.custom = (ids.ticket_fields ?? []).slice(2);
}

/** Untyped, as Zendesk keeps them: an integer may be a text, a checkbox null. */
function customValues(
  random: Prng,
  fields: readonly number[],
  maybe: <T extends Json>(value: T) => T | null,
): Json[] {
  const values: Json[] = [
    maybe("colour_red"),
    maybe(random.chance(0.5) ? random.below(99) : String(random.below(99))),
    maybe(`${random.below(999)}.50`),
    maybe("2026-03-01"),
    maybe(random.chance(0.5)),
    maybe(["wheel", "größe"]),
    maybe("AB-12"),
    maybe(String(360_000_000_000_123 + random.below(9))),
    maybe("line one\nline two 💥"),
  ];
  return fields.slice(2).map((id, n) => ({ id, value: values[n] ?? null }));
}

function metricSet(id: number, ticketId: number, at: number, random: Prng): Json {
  const minutes = () => ({ calendar: random.below(5000), business: random.below(900) });
  return {
    id,
    ticket_id: ticketId,
    url: `https://fake.zendesk.com/api/v2/ticket_metrics/${id}.json`,
    created_at: isoSeconds(at - DAY),
    updated_at: isoSeconds(at),
    group_stations: 1,
    assignee_stations: random.below(4),
    reopens: random.below(3),
    replies: random.below(9),
    assignee_updated_at: null,
    solved_at: random.chance(0.5) ? isoSeconds(at) : null,
    reply_time_in_minutes: minutes(),
    full_resolution_time_in_minutes: minutes(),
  };
}

function makeEvents(
  account: Account,
  make: Make,
  ids: Record<string, number[]>,
  random: Prng,
  text: () => string,
  tickets: number,
): void {
  make("ticket_events", Math.ceil(tickets * 1.5), (_id, at, n) => {
    const children: Json[] = [
      {
        id: account.newId(),
        event_type: "Change",
        via: "Web form",
        field_name: "status",
        value: "open",
        previous_value: "new",
      },
    ];
    if (n % 3 !== 2) {
      children.push({
        id: account.newId(),
        event_type: "Comment",
        type: "Comment",
        via: { channel: "web", source: {} },
        author_id: random.pick(ids.users ?? [1]),
        public: random.chance(0.8),
        body: text(),
        html_body: `<p>${text()}</p>`,
        plain_body: text(),
        attachments: random.chance(0.9) ? [] : [{ id: account.newId(), file_name: "größe.png", size: 12 }],
      });
    }
    return {
      ticket_id: random.pick(ids.tickets ?? [1]),
      timestamp: Math.floor(at / 1000),
      created_at: isoSeconds(at),
      updater_id: random.pick(ids.users ?? [1]),
      via: "Web form",
      event_type: "Audit",
      system: { client: "Mozilla/5.0", location: "Köln" },
      child_events: children,
    };
  });
  make("ticket_metric_events", Math.ceil(tickets * 1.2), (_id, at, n) => ({
    ticket_id: random.pick(ids.tickets ?? [1]),
    metric: random.pick(["reply_time", "agent_work_time", "requester_wait_time"]),
    instance_id: n,
    type: random.pick(["activate", "fulfill", "pause", "update_status"]),
    time: isoSeconds(at),
    ...(n % 4 === 0 ? { status: { calendar: 3, business: 1 } } : {}),
    ...(n % 9 === 0 ? { deleted: true } : {}),
  }));
}

function makeSettings(
  make: Make,
  one: (name: string) => number,
  others: number,
  random: Prng,
  text: () => string,
): void {
  const rule = (noun: string) => (_id: number, _at: number, n: number) => ({
    title: `${noun} ${n}`,
    raw_title: `${noun} ${n}`,
    description: random.chance(0.5) ? null : text(),
    active: n % 4 !== 3,
    position: n,
    default: false,
  });
  make("group_memberships", others, () => ({
    user_id: one("users"),
    group_id: one("groups"),
    default: true,
  }));
  make("organization_memberships", others, () => ({
    user_id: one("users"),
    organization_id: one("organizations"),
    default: null,
    organization_name: "Größe GmbH",
    view_tickets: true,
  }));
  make("sla_policies", others, (_id, _at, n) => ({
    title: `SLA ${n}`,
    description: text(),
    position: n,
    filter: { all: [{ field: "type", operator: "is", value: "incident" }], any: [] },
    policy_metrics: [{ priority: "urgent", metric: "first_reply_time", target: 60, business_hours: false }],
  }));
  make("macros", others, (id, at, n) => ({
    ...rule("Macro")(id, at, n),
    actions: [{ field: "status", value: "solved" }],
    restriction: null,
  }));
  make("triggers", others, (id, at, n) => ({
    ...rule("Trigger")(id, at, n),
    conditions: { all: [], any: [] },
    actions: [],
    category_id: "26",
  }));
  make("views", others, (id, at, n) => ({
    ...rule("View")(id, at, n),
    conditions: { all: [], any: [] },
    execution: { columns: [] },
    restriction: null,
  }));
  make("satisfaction_ratings", others * 4, () => ({
    assignee_id: one("users"),
    group_id: one("groups"),
    requester_id: one("users"),
    ticket_id: one("tickets"),
    score: random.pick(["good", "bad", "offered"]),
    comment: random.chance(0.6) ? null : text(),
    reason: null,
    reason_id: random.chance(0.5) ? null : 1000,
  }));
  make("audit_logs", others * 4, (_id, at) => ({
    actor_id: one("users"),
    actor_name: "Ada Admin",
    source_id: one("tickets"),
    source_type: "ticket",
    source_label: text(),
    action: "update",
    action_label: "Updated",
    change_description: text(),
    ip_address: random.chance(0.3) ? null : "203.0.113.7",
    created_at: isoSeconds(at),
  }));
}

/** A record as the folder of an account may leave it: the id is all that must be there. */
export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "number";
}
