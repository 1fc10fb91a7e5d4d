import { slack } from "../../../connectors/slack/index.js";
import { type SourceFault, type SourceFeatures, sourceContract } from "../../contracts/source.js";
import type { PatientClock } from "../../core/http/patient-clock.js";
import {
  type Channel,
  type Fault,
  type FaultRule,
  type GeneratedWorkspaceOptions,
  type SlackFake,
  startSlackFake,
} from "../../fakes/slack/index.js";

const FAULTS: Readonly<Record<SourceFault, Fault>> = {
  unauthorized: { kind: "expireToken" },
  forbidden: {
    kind: "refuse",
    error: "missing_scope",
    more: { needed: "channels:history", provided: "channels:read" },
  },
  dailyQuota: { kind: "rateLimit", retryAfterSeconds: 7_200 },
  tooManyRequests: { kind: "rateLimit", retryAfterSeconds: 3 },
  serverError: { kind: "refuse", error: "internal_error" },
  html: { kind: "htmlPage" },
  halfJson: { kind: "halfJson" },
  cutBody: { kind: "cutBody" },
  reset: { kind: "resetAfter" },
};

const SMALL: GeneratedWorkspaceOptions = {
  seed: 3,
  users: 40,
  channels: 3,
  messages: 60,
  threads: 0.1,
  oddities: 0,
  files: 10,
  usergroups: 40,
  days: 5,
};

interface Subject {
  readonly stream: string;
  readonly misspelt: string;
  /** What faults about pages are about. */
  readonly path: string;
  readonly workspace: GeneratedWorkspaceOptions;
  readonly options: object;
  readonly records: (fake: SlackFake) => Map<string, string>;
  readonly change: (fake: SlackFake, count: number, seed: number) => readonly string[];
  readonly settleMs?: number;
  /** Page numbers instead of cursors: the page after the nth is the first again. */
  readonly isNumbered?: boolean;
  readonly features?: SourceFeatures;
}

const iso = (ts: string) =>
  new Date(Number(ts.slice(0, 10)) * 1000).toISOString().replace(".000Z", `.${ts.slice(11)}Z`);
const ofSeconds = (seconds: unknown) =>
  new Date(Number(seconds) * 1000).toISOString().replace(".000Z", ".000000Z");
const ofMs = (ms: unknown) => new Date(Number(ms)).toISOString().replace("Z", "000Z");
const readable = (fake: SlackFake): Channel[] =>
  [...fake.workspace.channels.values()].filter(
    ({ joined, info }) => joined && info.is_im !== true && info.is_mpim !== true,
  );

const SUBJECTS: readonly Subject[] = [
  {
    stream: "messages",
    misspelt: "mesages",
    path: "conversations.history",
    workspace: { ...SMALL, messages: 600 },
    options: { pageSize: 100 },
    settleMs: 60_000,
    records: (fake) =>
      new Map(
        readable(fake).flatMap(({ id, messages }) =>
          messages.map(({ item }) => [`${id}/${item.ts}`, iso(String(item.ts))] as const),
        ),
      ),
    change: (fake, count, seed) =>
      fake.workspace.editSome("C00000001", count, seed).map((ts) => `C00000001/${ts}`),
  },
  {
    stream: "thread_replies",
    misspelt: "thread_reply",
    path: "conversations.history",
    workspace: { ...SMALL, messages: 90, threads: 0.5 },
    options: { pageSize: 15 },
    settleMs: 60_000,
    records: (fake) =>
      new Map(
        readable(fake).flatMap(({ id, threads }) =>
          [...threads.values()].flat().map(({ item }) => [`${id}/${item.ts}`, iso(String(item.ts))] as const),
        ),
      ),
    change: (fake, count, seed) =>
      fake.workspace.replySome("C00000001", count, seed).map((ts) => `C00000001/${ts}`),
  },
  {
    stream: "files",
    misspelt: "fils",
    path: "files.list",
    workspace: { ...SMALL, files: 200 },
    options: { pageSize: 30 },
    isNumbered: true,
    records: (fake) =>
      new Map([...fake.workspace.files.values()].map(({ id, created }) => [String(id), ofSeconds(created)])),
    change: (fake, count, seed) => fake.workspace.changeFiles(count, seed),
  },
  {
    stream: "users",
    misspelt: "user",
    path: "users.list",
    workspace: { ...SMALL, users: 300 },
    options: { pageSize: 50 },
    records: (fake) =>
      new Map([...fake.workspace.users.values()].map(({ id, updated }) => [String(id), ofSeconds(updated)])),
    change: (fake, count, seed) => fake.workspace.changeUsers(count, seed),
  },
  {
    stream: "channels",
    misspelt: "chanels",
    path: "conversations.list",
    workspace: { ...SMALL, channels: 120, messages: 10 },
    options: { pageSize: 20, types: ["public_channel", "private_channel", "mpim", "im"] },
    records: (fake) =>
      new Map([...fake.workspace.channels.values()].map(({ id, info }) => [id, ofMs(info.updated)])),
    change: (fake, count, seed) => fake.workspace.changeChannels(count, seed),
  },
  {
    stream: "channel_members",
    misspelt: "channel_member",
    path: "conversations.members",
    workspace: { ...SMALL, users: 200 },
    options: { pageSize: 50, types: ["public_channel", "private_channel", "mpim", "im"] },
    records: (fake) =>
      new Map(
        [...fake.workspace.channels.values()]
          .filter(({ joined }) => joined)
          .flatMap(({ id, members }) => members.map((user) => [`${id}/${user}`, ""] as const)),
      ),
    change: () => [],
    features: { fullOnly: "Slack does not tell when somebody joined or left" },
  },
  {
    stream: "usergroups",
    misspelt: "usergroup",
    path: "usergroups.list",
    workspace: SMALL,
    options: {},
    records: (fake) =>
      new Map(
        [...fake.workspace.usergroups.values()].map(({ id, date_update }) => [
          String(id),
          ofSeconds(date_update),
        ]),
      ),
    change: (fake, count, seed) => fake.workspace.changeUsergroups(count, seed),
    features: { onePage: "usergroups.list has no pages" },
  },
  {
    stream: "team",
    misspelt: "tean",
    path: "team.info",
    workspace: SMALL,
    options: {},
    records: (fake) => new Map([[String(fake.workspace.team.id), ""]]),
    change: () => [],
    features: { fullOnly: "one record without a time", onePage: "one record" },
  },
];

for (const subject of SUBJECTS) {
  sourceContract(`slack ${subject.stream}`, (clock) => start(subject, clock), subject.features);
}

async function start(subject: Subject, clock: PatientClock) {
  const fake = await startSlackFake({ clock, workspace: subject.workspace, quirks: { tailPages: true } });
  const only = (rule: FaultRule) => fake.faults.set({ rules: [rule] });
  const { path } = subject;
  let seed = 10;
  return {
    connector: slack,
    // Each connection takes the newest refresh token, as the store would have it.
    get config() {
      const { clientId, clientSecret, refreshToken } = fake.oauth;
      return { baseUrl: fake.url, auth: { type: "refreshToken", clientId, clientSecret, refreshToken } };
    },
    stream: subject.stream,
    options: subject.options,
    misspelt: subject.misspelt,
    ...(subject.settleMs === undefined ? {} : { settleMs: subject.settleMs }),
    get secrets() {
      return [fake.oauth.clientSecret, ...fake.oauth.issued];
    },
    records: () => subject.records(fake),
    change: (count: number) => subject.change(fake, count, ++seed),
    fail: (fault: SourceFault, { page, times }: { readonly page: number; readonly times?: number }) => {
      // Every page from this one on; the fake counts requests, and tries again count as well.
      const nth = times === undefined ? Array.from({ length: 2_000 }, (_, n) => n + page) : page;
      only({ path, on: { nth }, times: times ?? 2_000, fault: FAULTS[fault] });
    },
    repeatPage: (page: number) =>
      subject.isNumbered === true
        ? only({ path, on: { nth: page + 1 }, fault: { kind: "ignoreBounds" } })
        : only({ path, on: { nth: page }, fault: { kind: "repeatCursor" } }),
    delayPage: (page: number, delayMs: number) =>
      only({ path, on: { nth: page }, fault: { kind: "slow", delayMs } }),
    close: () => fake.close(),
  };
}
