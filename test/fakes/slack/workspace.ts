import { Prng } from "../salesforce/prng.js";
import { type Micros, parseTs, tsText } from "./ts.js";

export interface FakeClock {
  /** Epoch milliseconds. */
  now(): number;
}

/** A plain JSON object as Slack would send it. */
export type Item = Record<string, unknown>;

/** A message as it is kept; what a parent tells of its thread is worked out when it is sent. */
export interface Message {
  readonly at: Micros;
  item: Item;
}

export interface Channel {
  readonly id: string;
  info: Item;
  /** What the history shows, oldest first: parents, messages without a thread, replies sent to the channel as well. */
  readonly messages: Message[];
  /** Replies by their parent's ts, oldest first. */
  readonly threads: Map<string, Message[]>;
  readonly members: string[];
  /** Our token's user or bot is a member. */
  joined: boolean;
}

/** The state of one workspace, and everything that can happen in it. */
export class Workspace {
  readonly clock: FakeClock;
  readonly team: Item;
  readonly users = new Map<string, Item>();
  readonly usergroups = new Map<string, Item>();
  readonly channels = new Map<string, Channel>();
  readonly files = new Map<string, Item>();
  private lastAt: Micros = 0;

  constructor(
    clock: FakeClock,
    team: Item = { id: "T0000ACME", name: "Acme", domain: "acme", email_domain: "acme.example" },
  ) {
    this.clock = clock;
    this.team = team;
  }

  channel(id: string): Channel {
    const channel = this.channels.get(id);
    if (channel === undefined) throw new Error(`there is no channel ${id}`);
    return channel;
  }

  addChannel(info: Item & { readonly id: string }, members: readonly string[] = [], joined = true): Channel {
    const channel: Channel = {
      id: info.id,
      info,
      messages: [],
      threads: new Map(),
      members: [...members],
      joined,
    };
    this.channels.set(info.id, channel);
    return channel;
  }

  /** Puts a message where its ts belongs: also an old one, which then was committed late. */
  insert(channelId: string, item: Item & { readonly ts: string }): Message {
    const channel = this.channel(channelId);
    const at = parseTs(item.ts);
    if (at === undefined) throw new Error(`${item.ts} is no ts`);
    const message: Message = { at, item: { type: "message", team: this.team.id, ...item } };
    const thread =
      typeof item.thread_ts === "string" && item.thread_ts !== item.ts ? item.thread_ts : undefined;
    if (thread !== undefined) place(threadOf(channel, thread), message);
    if (thread === undefined || item.subtype === "thread_broadcast") place(channel.messages, message);
    return message;
  }

  /** Says something now. */
  post(channelId: string, item: Item): string {
    const now = Math.round(this.clock.now() * 1000);
    this.lastAt = Math.max(now, this.lastAt + 1);
    const ts = tsText(this.lastAt);
    this.insert(channelId, { user: "U00000001", ...item, ts });
    return ts;
  }

  edit(channelId: string, ts: string, text: string): void {
    const message = this.find(channelId, ts);
    const edited = {
      user: message.item.user ?? "U00000001",
      ts: tsText(Math.round(this.clock.now() * 1000)),
    };
    message.item = { ...message.item, text, edited };
  }

  react(channelId: string, ts: string, name: string, user = "U00000001"): void {
    const message = this.find(channelId, ts);
    message.item = { ...message.item, reactions: [{ name, users: [user], count: 1 }] };
  }

  /** A parent with replies stays as a tombstone until its last reply goes. */
  delete(channelId: string, ts: string): void {
    const channel = this.channel(channelId);
    if ((channel.threads.get(ts) ?? []).length > 0) {
      const message = this.find(channelId, ts);
      message.item = {
        type: "message",
        team: this.team.id,
        subtype: "tombstone",
        user: "USLACKBOT",
        hidden: true,
        text: "This message was deleted.",
        ts,
      };
      return;
    }
    channel.threads.delete(ts);
    remove(channel.messages, ts);
    for (const [parent, replies] of channel.threads) {
      if (!remove(replies, ts) || replies.length > 0) continue;
      channel.threads.delete(parent);
      if (channel.messages.find((one) => one.item.ts === parent)?.item.subtype === "tombstone")
        remove(channel.messages, parent);
    }
  }

  /** Where our token is thrown out. */
  leave(channelId: string): void {
    this.channel(channelId).joined = false;
  }

  find(channelId: string, ts: string): Message {
    const channel = this.channel(channelId);
    const message = [channel.messages, ...channel.threads.values()].flatMap((list) =>
      list.filter((one) => one.item.ts === ts),
    )[0];
    if (message === undefined) throw new Error(`there is no message ${ts} in ${channelId}`);
    return message;
  }

  /** A message as the API sends it. */
  shown(channel: Channel, message: Message): Item {
    const ts = tsText(message.at);
    const replies = channel.threads.get(ts);
    if (replies === undefined || replies.length === 0) return message.item;
    const users = [...new Set(replies.map(({ item }) => String(item.user ?? item.bot_id)))];
    return {
      ...message.item,
      thread_ts: ts,
      reply_count: replies.length,
      reply_users_count: users.length,
      latest_reply: replies.at(-1)?.item.ts,
      reply_users: users.slice(0, 5),
      is_locked: false,
    };
  }

  /** Edits `count` messages of a channel, chosen by seed among those since `from`; their ts. */
  editSome(channelId: string, count: number, seed: number, from: Micros = 0): string[] {
    const candidates = this.channel(channelId).messages.filter(
      ({ at, item }) => at >= from && item.subtype === undefined,
    );
    return pickSome(candidates, count, seed).map(({ item }) => {
      const ts = String(item.ts);
      this.edit(channelId, ts, `${String(item.text)} (edited ${seed})`);
      return ts;
    });
  }

  /** A late reply to each of `count` threads, chosen by seed; their ts. */
  replySome(channelId: string, count: number, seed: number): string[] {
    const channel = this.channel(channelId);
    const parents = pickSome([...channel.threads.keys()], count, seed);
    return parents.map((parent) => this.post(channelId, { text: `late reply ${seed}`, thread_ts: parent }));
  }

  /** Moves `updated` of users and changes their titles. */
  changeUsers(count: number, seed: number): string[] {
    return pickSome([...this.users.values()], count, seed).map((user) => {
      const profile = { ...(user.profile as Item), title: `Title ${seed}` };
      const id = String(user.id);
      this.users.set(id, { ...user, profile, updated: Math.floor(this.clock.now() / 1000) });
      return id;
    });
  }

  changeUsergroups(count: number, seed: number): string[] {
    return pickSome([...this.usergroups.values()], count, seed).map((group) => {
      const id = String(group.id);
      this.usergroups.set(id, {
        ...group,
        description: `Changed ${seed}`,
        date_update: Math.floor(this.clock.now() / 1000),
      });
      return id;
    });
  }

  changeChannels(count: number, seed: number): string[] {
    return pickSome([...this.channels.values()], count, seed).map((channel) => {
      channel.info = {
        ...channel.info,
        topic: { value: `Topic ${seed}`, creator: "U00000001", last_set: 0 },
        updated: this.clock.now(),
      };
      return channel.id;
    });
  }

  /** Renames files; nothing in Slack tells when. */
  changeFiles(count: number, seed: number, fromSeconds = 0): string[] {
    const recent = [...this.files.values()].filter((file) => Number(file.created) >= fromSeconds);
    return pickSome(recent, count, seed).map((file) => {
      const id = String(file.id);
      this.files.set(id, { ...file, title: `Title ${seed}` });
      return id;
    });
  }
}

/** `count` different ones, the same for the same seed. */
export function pickSome<T>(from: readonly T[], count: number, seed: number): T[] {
  const random = Prng.named(seed, "pick");
  const left = [...from];
  const picked: T[] = [];
  while (picked.length < count && left.length > 0) picked.push(...left.splice(random.below(left.length), 1));
  return picked;
}

function threadOf(channel: Channel, parent: string): Message[] {
  let thread = channel.threads.get(parent);
  if (thread === undefined) {
    thread = [];
    channel.threads.set(parent, thread);
  }
  return thread;
}

function place(list: Message[], message: Message): void {
  const last = list.at(-1);
  if (last === undefined || last.at < message.at) {
    list.push(message);
    return;
  }
  list.splice(lowerBound(list, message.at), 0, message);
}

/** The first position whose message is not before `at`. */
export function lowerBound(list: readonly Message[], at: Micros): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.at ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function remove(list: Message[], ts: string): boolean {
  const at = list.findIndex(({ item }) => item.ts === ts);
  if (at < 0) return false;
  list.splice(at, 1);
  return true;
}
