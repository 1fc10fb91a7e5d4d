import { describe, expect, it } from "vitest";
import type { SourceRecord, Value } from "../../../core/contracts/index.js";
import type { Workspace } from "../../fakes/slack/index.js";
import { seededRandom } from "../../seeded-random.js";
import { ago, type Connected, DAY, HOUR, MINUTE, NOON, requestFor, workspaceOf } from "./workspace.js";

/*
 * Random lives of a workspace, read by a reader that is killed at random. While it reads people post, answer, edit, react, delete, come
 * late; page chains are lost, channels refuse for a while. In the end everything handed out, the latest version of each key, must be
 * what the workspace shows, and no version may have been handed out twice in a row.
 */

const CHANNELS = ["C1", "C2", "C3"];

interface Life {
  readonly seed: number;
  readonly stream: "messages" | "thread_replies";
  readonly replies: "changed" | "all";
}

// SLUICE_LIVES=100 lives more of them.
const LIVES: readonly Life[] = Array.from({ length: Number(process.env.SLUICE_LIVES ?? 4) }, (_, n) => [
  { seed: n + 1, stream: "messages" as const, replies: "changed" as const },
  { seed: n + 10_001, stream: "thread_replies" as const, replies: "changed" as const },
  { seed: n + 20_001, stream: "thread_replies" as const, replies: "all" as const },
]).flat();

class Simulation {
  readonly #random: ReturnType<typeof seededRandom>;
  readonly #world: Connected;
  readonly #life: Life;
  /** Everything handed on, in order. */
  readonly handed: SourceRecord[] = [];
  #cursor: Value | undefined;
  #isFinished = true;
  #kills = 0;

  constructor(world: Connected, life: Life) {
    this.#world = world;
    this.#life = life;
    this.#random = seededRandom(life.seed);
  }

  get kills(): number {
    return this.#kills;
  }

  #below(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  /** One thing that people do, to what is younger than five days. */
  event(): void {
    const { workspace, clock } = this.#world;
    const id = CHANNELS[this.#below(CHANNELS.length)] ?? "C1";
    const channel = workspace.channel(id);
    const recent = channel.messages.filter(({ at }) => at > (NOON - 5 * DAY) * 1000);
    const message = recent[this.#below(recent.length)];
    const ts = String(message?.item.ts);
    const n = this.#below(1_000_000);
    // An edited reply shows only where every thread is read again.
    const isReply = typeof message?.item.thread_ts === "string";
    const showsEdits = this.#life.stream === "messages" || this.#life.replies === "all" || !isReply;
    switch (this.#below(7)) {
      case 0:
        workspace.post(id, { text: `new ${n}` });
        break;
      case 1:
        // Committed late, with a ts that was read past.
        workspace.insert(id, {
          ts: `${Math.floor(clock.now() / 1000) - 60 - this.#below(7200)}.${String(n).padStart(6, "0")}`,
          text: `late ${n}`,
          user: "U1",
        });
        break;
      case 2:
        if (message !== undefined && showsEdits && message.item.subtype !== "tombstone")
          workspace.edit(id, ts, `edited ${n}`);
        break;
      case 3:
        if (message !== undefined && showsEdits) workspace.react(id, ts, `r${n}`);
        break;
      case 4:
        if (message !== undefined) workspace.delete(id, ts);
        break;
      case 5:
        if (message !== undefined && typeof message.item.thread_ts !== "string")
          workspace.post(id, { text: `answer ${n}`, thread_ts: ts });
        break;
      default: {
        const threads = [...channel.threads.values()].filter((replies) => replies.length > 0);
        const thread = threads[this.#below(threads.length)];
        const reply = thread?.[this.#below(thread.length)];
        if (reply !== undefined) workspace.delete(id, String(reply.item.ts));
      }
    }
    clock.set(clock.now() + this.#below(MINUTE));
  }

  /** Reads; `calm`: nothing happens meanwhile and nobody is killed. */
  async read(calm: boolean): Promise<void> {
    const { connect, fake } = this.#world;
    const source = connect();
    const options = { pageSize: 3 + this.#below(5), replies: this.#life.replies };
    const request = await requestFor(source, this.#life.stream, options, {
      ...(this.#cursor === undefined ? {} : { cursor: this.#cursor }),
      ...(this.#isFinished ? {} : { resumes: true }),
    });
    const lost = CHANNELS[this.#below(3)] ?? "C1";
    fake.faults.set({
      seed: this.#below(1000),
      rules: calm
        ? []
        : [
            {
              path: "conversations.",
              on: { probability: 0.1 },
              fault: { kind: "refuse", error: "invalid_cursor" },
              times: 3,
            },
            {
              path: "conversations.history",
              channel: lost,
              on: { probability: 0.1 },
              fault: { kind: "refuse", error: "not_in_channel" },
            },
            { path: "conversations.", on: { probability: 0.05 }, fault: { kind: "resetAfter" } },
          ],
    });
    this.#isFinished = false;
    try {
      for await (const page of source.read(request)) {
        this.handed.push(...page.records);
        this.#cursor = JSON.parse(JSON.stringify(page.cursor));
        if (calm) continue;
        for (let n = this.#below(3); n > 0; n--) this.event();
        if (this.#random.next() < 0.15) {
          this.#kills++;
          return;
        }
      }
      this.#isFinished = true;
    } catch (error) {
      // A first page has no cursor to lose, and all channels may refuse: the next run goes on.
      const code = error instanceof Error && "code" in error ? error.code : error;
      expect(["SLACK_INVALID_CURSOR", "SLACK_NOT_IN_CHANNEL", "HTTP_RESET", "HTTP_LOST"]).toContain(code);
    } finally {
      await source.close();
    }
  }
}

/** What the workspace shows now, by key. */
function truth(workspace: Workspace, stream: Life["stream"]): Map<string, string> {
  const shown = new Map<string, string>();
  for (const channel of workspace.channels.values()) {
    const list = stream === "messages" ? channel.messages : [...channel.threads.values()].flat();
    for (const message of list) {
      const item = stream === "messages" ? workspace.shown(channel, message) : message.item;
      if (item.subtype === "tombstone") continue;
      shown.set(`${channel.id} ${item.ts}`, content(item));
    }
  }
  return shown;
}

const content = (item: Record<string, unknown>) =>
  JSON.stringify([
    item.text ?? null,
    item.reactions ?? null,
    item.reply_count ?? null,
    item.latest_reply ?? null,
  ]);

describe("a life of reading", () => {
  it.each(LIVES)("ends with what the workspace shows: %j", async (life) => {
    const world = await workspaceOf(
      (workspace) => {
        for (const [c, id] of CHANNELS.entries()) {
          for (let n = 1; n <= 16; n++) {
            const ts = ago(n * 8 * HOUR, n * 7 + c);
            workspace.insert(id, { ts, text: `m${n}`, user: "U1" });
            for (let r = 1; r <= (n * 7 + c) % 6; r++) {
              workspace.insert(id, {
                ts: ago(n * 8 * HOUR - r * MINUTE, r),
                text: `r${r}`,
                thread_ts: ts,
                user: "U2",
                ...(r === 4 ? { subtype: "thread_broadcast" } : {}),
              });
            }
          }
        }
      },
      {
        channels: CHANNELS,
        quirks: {
          tailPages: life.seed % 2 === 0,
          shortPages: life.seed % 3 === 0,
          repeatParent: life.seed % 5 === 0,
        },
      },
    );
    const simulation = new Simulation(world, life);
    for (let run = 0; run < 8; run++) {
      await simulation.read(false);
      for (let n = 0; n < 5; n++) simulation.event();
      world.clock.set(world.clock.now() + 2 * MINUTE);
    }
    for (let run = 0; run < 3; run++) {
      world.clock.set(world.clock.now() + 5 * MINUTE);
      await simulation.read(true);
    }
    const latest = new Map<string, string | undefined>();
    const twice: string[] = [];
    for (const record of simulation.handed) {
      const key = `${record.channel_id} ${record.ts}`;
      const isTombstone = record.subtype === "tombstone";
      const now = isTombstone
        ? `tombstone ${content(record)}`
        : record.deleted === true
          ? undefined
          : content(record);
      // A version like the one before was none.
      const before = latest.get(key);
      const wasGone = latest.has(key) && (before === undefined || before.startsWith("tombstone"));
      if ((latest.has(key) && before === now) || (wasGone && now === undefined)) twice.push(`${key} ${now}`);
      latest.set(key, now);
    }
    const visible = new Map(
      [...latest].filter((entry): entry is [string, string] => entry[1]?.startsWith("[") === true),
    );
    expect(visible).toEqual(truth(world.workspace, life.stream));
    expect(twice).toEqual([]);
    expect(simulation.handed.length).toBeGreaterThan(48);
  });
});
