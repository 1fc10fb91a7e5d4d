import { type Channel, type SlackFake, startSlackFake } from "../fakes/slack/index.js";
import { folderRelation, sinkRows, tableRelation } from "./sink-rows.js";
import { fromEnv, writeSourceCrashProject } from "./source-project.js";
import { SourceWorld } from "./source-world.js";
import { compareVersions, type Version } from "./versions.js";

const MESSAGES = "messages";
const REPLIES = "replies";
const PAGE_SIZE = 40;
const LATENCY_MS = 10;
/** All of it lies within the rescan of seven days: what is older may change without being found. */
const DAYS = 4;
const OPTIONS = { settle: "0s", pageSize: PAGE_SIZE };
const KEY = ["channel_id", "ts"];
const FIELDS = [...KEY, "changed_at", "deleted", "text", "thread_ts", "reply_count"];

/** Kills while channels are read, messages and threads, with edits, deletes and late replies between the rounds. */
export class SlackWorld extends SourceWorld {
  protected readonly flows = [MESSAGES, REPLIES];
  /** A run that goes on ends its window and then looks over the whole rescan again; and a page may hold several calls. */
  protected readonly pagesAhead = undefined;
  protected readonly env: Readonly<Record<string, string>>;
  readonly #slack: SlackFake;

  private constructor(dir: string, slack: SlackFake, seed: number) {
    super(dir, seed);
    this.#slack = slack;
    this.env = slack.environment();
  }

  static async create(seed: number, records: number): Promise<SlackWorld> {
    const dir = SourceWorld.folder();
    writeSourceCrashProject(
      dir,
      "slack",
      { baseUrl: fromEnv("SLACK_API_URL"), auth: { type: "token", token: fromEnv("SLACK_TOKEN") } },
      [
        { name: MESSAGES, stream: "messages", options: OPTIONS, key: KEY, fields: FIELDS },
        { name: REPLIES, stream: "thread_replies", options: OPTIONS, key: KEY, fields: FIELDS },
      ],
    );
    const slack = await startSlackFake({
      workspace: { seed, users: 20, channels: 4, messages: records, threads: 0.03, days: DAYS },
      latencyMs: LATENCY_MS,
    });
    return new SlackWorld(dir, slack, seed);
  }

  #channels(): readonly Channel[] {
    return [...this.#slack.workspace.channels.values()].filter(
      ({ joined, info }) => joined && info.is_im !== true && info.is_mpim !== true,
    );
  }

  protected change(round: number): void {
    const { workspace } = this.#slack;
    for (const { id, messages, threads } of this.#channels()) {
      workspace.editSome(id, Math.ceil(messages.length / 10), round);
      workspace.replySome(id, Math.ceil(threads.size / 4), round);
      for (let n = 0; n < 5 + messages.length / 20; n++) {
        const ts = workspace.post(id, { text: `round ${round}, ${n}` });
        if (this.random() < 0.2) workspace.post(id, { text: `reply of round ${round}`, thread_ts: ts });
      }
      const gone = messages.filter(({ item }) => item.subtype === undefined && this.random() < 0.01);
      for (const { item } of [...gone]) workspace.delete(id, String(item.ts));
    }
  }

  protected pagesServed(): number {
    const { byPath } = this.#slack.requests;
    return Object.entries(byPath)
      .filter(([path]) => /conversations\.(history|replies)$/.test(path))
      .reduce((sum, [, count]) => sum + count, 0);
  }

  protected async compare(flow: string): Promise<void> {
    const wanted = flow === MESSAGES ? this.#messages() : this.#replies();
    const current = await this.#landed(`SELECT * FROM ${tableRelation(flow)} WHERE NOT deleted`);
    const table = compareVersions(wanted, current, "current only");
    this.count(`slack ${flow} duckdb upsert`, wanted.length, table.lost, table.extra);
    const all = await this.#landed(`SELECT * FROM ${folderRelation(this.dir, flow)}`);
    const folder = compareVersions(wanted, all, "every version");
    this.count(`slack ${flow} folder`, wanted.length, folder.lost, folder.extra);
  }

  async #landed(from: string): Promise<readonly Version[]> {
    const rows = await sinkRows(
      this.dir,
      `SELECT channel_id, ts, deleted, text, reply_count::DOUBLE FROM (${from})`,
    );
    return rows.map(([channel, ts, deleted, text, replies]) => ({
      key: `${channel} ${ts}`,
      version: JSON.stringify([deleted, text, replies]),
    }));
  }

  #messages(): readonly Version[] {
    return this.#channels().flatMap((channel) =>
      channel.messages
        .filter(({ item }) => item.subtype !== "tombstone")
        .map((message) => {
          const shown = this.#slack.workspace.shown(channel, message);
          return {
            key: `${channel.id} ${shown.ts}`,
            version: JSON.stringify([false, shown.text ?? null, shown.reply_count ?? null]),
          };
        }),
    );
  }

  #replies(): readonly Version[] {
    return this.#channels().flatMap(({ id, threads }) =>
      [...threads.values()].flat().map(({ item }) => ({
        key: `${id} ${item.ts}`,
        version: JSON.stringify([false, item.text ?? null, null]),
      })),
    );
  }

  protected async stop(): Promise<void> {
    await this.#slack.close();
  }
}
