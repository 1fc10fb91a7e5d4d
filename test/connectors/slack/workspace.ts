import { afterEach } from "vitest";
import { optionsSchema } from "../../../connectors/slack/config.js";
import { slack } from "../../../connectors/slack/index.js";
import type {
  ConnectorContext,
  Page,
  ReadRequest,
  Source,
  SourceRecord,
  Value,
} from "../../../core/contracts/index.js";
import { LogSpy } from "../../core/http/log-spy.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import {
  type SlackFake,
  type SlackFakeOptions,
  startSlackFake,
  tsText,
  Workspace,
} from "../../fakes/slack/index.js";
import { seededRandom } from "../../seeded-random.js";

/** Closes what a test has opened, last first. */
export const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

export const never = () => new AbortController().signal;
/** Now, of these tests. */
export const NOON = Date.UTC(2026, 9, 1, 12);
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;

/** A workspace with nothing in it but one user and the channels named, the token a member of each. */
export function emptyWorkspace(clock: PatientClock, channels: readonly string[] = ["C1"]): Workspace {
  const workspace = new Workspace(clock);
  workspace.users.set("U00000001", { id: "U00000001", name: "ann", updated: 1_700_000_000, profile: {} });
  for (const id of channels) {
    workspace.addChannel({
      id,
      name: id.toLowerCase(),
      is_channel: true,
      is_private: false,
      is_archived: false,
      created: 1,
      updated: 2,
    });
  }
  return workspace;
}

/** `ts` of so long before the noon of these tests. */
export const ago = (ms: number, micros = 0) => tsText((NOON - ms) * 1000 + micros);

export interface Connected {
  readonly fake: SlackFake;
  readonly workspace: Workspace;
  readonly source: Source;
  readonly clock: PatientClock;
  readonly log: LogSpy;
  readonly waits: string[];
  /** Another connection of the same kind, as after a restart. */
  connect(more?: Partial<ConnectorContext>): Source;
  read(stream: string, options?: object, extra?: Partial<ReadRequest>): Promise<Page[]>;
}

/** A fake workspace and a connection to it, on one clock. */
export async function workspaceOf(
  fill: (workspace: Workspace) => void,
  options: Omit<SlackFakeOptions, "workspace"> & {
    readonly channels?: readonly string[];
    readonly config?: object;
  } = {},
): Promise<Connected> {
  const { channels, config, ...fakeOptions } = options;
  const clock = new PatientClock(NOON);
  const workspace = emptyWorkspace(clock, channels);
  fill(workspace);
  const fake = await startSlackFake({ clock, workspace, ...fakeOptions });
  const log = new LogSpy();
  const waits: string[] = [];
  const connect = (more: Partial<ConnectorContext> = {}) => {
    const source = slack.connect(
      slack.spec.configSchema.parse({
        baseUrl: fake.url,
        auth: { type: "token", token: fake.oauth.token },
        ...config,
      }),
      {
        connection: "chat",
        clock,
        random: seededRandom(3),
        log,
        tmpDir: "/nowhere",
        onWait: ({ reason }) => waits.push(reason),
        ...more,
      },
    );
    closers.push(() => source.close());
    return source;
  };
  closers.push(() => fake.close());
  const source = connect();
  const read = async (stream: string, more: object = {}, extra: Partial<ReadRequest> = {}) =>
    collect(source.read(await requestFor(source, stream, more, extra)));
  return { fake, workspace, source, clock, log, waits, connect, read };
}

/** An incremental request where the stream has a cursor, otherwise a full one. */
export async function requestFor(
  source: Source,
  stream: string,
  options: object = {},
  extra: Partial<ReadRequest> = {},
): Promise<ReadRequest> {
  const schema = await source.describe(stream, never());
  return {
    stream,
    schema,
    mode: schema.cursors.length > 0 ? "incremental" : "full",
    cursorField: schema.cursors[0],
    cursor: undefined,
    lookbackMs: schema.defaultLookbackMs,
    fields: schema.fields.map(({ name }) => name),
    filter: undefined,
    options: optionsSchema.parse(options),
    signal: never(),
    ...extra,
  };
}

export async function collect(pages: AsyncIterable<Page>): Promise<Page[]> {
  const all: Page[] = [];
  for await (const page of pages) all.push(page);
  return all;
}

export const recordsOf = (pages: readonly Page[]): SourceRecord[] =>
  pages.flatMap((page) => [...page.records]);

/** The cursor of the last page, through JSON as the store would have it. */
export const lastCursor = (pages: readonly Page[]): Value => JSON.parse(JSON.stringify(pages.at(-1)?.cursor));

/** `channel ts text`, or `channel ts gone`. */
export const lineOf = (record: SourceRecord): string =>
  `${record.channel_id} ${record.ts} ${record.deleted === true ? "gone" : record.text}`;
