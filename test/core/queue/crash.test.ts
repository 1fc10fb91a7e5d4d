import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Environment, systemClock, systemRandom } from "../../../core/contracts/index.js";
import { openEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";
import { scratchDir } from "../store/scratch-dir.js";

const CHILD = join(process.cwd(), "dist", "test", "core", "queue", "crash-child.js");
const KILLS = Number(process.env.SLUICE_KILLS ?? 15);
const seed = Number(process.env.SLUICE_SEED ?? Date.now() % 1_000_000);

/** What the children said, over all their lives. */
class Account {
  readonly sending = new Set<string>();
  readonly sent = new Set<string>();
  readonly deleting = new Set<string>();
  readonly deleted = new Set<string>();

  hear(line: string): void {
    const [verb, ...names] = line.split(" ");
    const heard = { sending: this.sending, sent: this.sent, deleting: this.deleting, deleted: this.deleted };
    for (const [known, set] of Object.entries(heard))
      if (verb === known) for (const name of names) set.add(name);
  }
}

describe("processes on one data directory", () => {
  const folder = { path: "", remove: () => {} };
  const children = new Set<ChildProcess>();
  beforeEach(() => {
    if (!existsSync(CHILD))
      throw new Error(`${CHILD} is missing: run \`npm run build\` first (npm test does)`);
    Object.assign(folder, scratchDir());
  });
  afterEach(() => {
    for (const child of children) child.kill("SIGKILL");
    folder.remove();
  });

  function start(name: string, childSeed: number, steps: number, account: Account) {
    const args = [CHILD, folder.path, name, String(childSeed), String(steps)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    children.add(child);
    let onFirst = () => {};
    const acknowledged = new Promise<void>((resolve) => {
      onFirst = resolve;
    });
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      account.hear(line);
      if (line.startsWith("sent ")) onFirst();
    });
    const ended = Promise.all([
      new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code))),
      new Promise<void>((resolve) => lines.once("close", resolve)),
    ]).then(([code]) => {
      children.delete(child);
      onFirst();
      return code;
    });
    return { child, acknowledged, ended };
  }

  /** Opens the directory as it was left and compares all there is with what was acknowledged. */
  async function audit(account: Account): Promise<void> {
    // A clock that stands still: the recount and the counters speak of the same instant.
    const clock = new VirtualClock(systemClock.now());
    const environment = await openEnvironment({ dataDir: folder.path, clock, random: systemRandom });
    try {
      const { present, blobs, recount } = readAll(environment);
      expect(
        [...account.deleted].filter((name) => present.has(name)),
        "acknowledged deletes",
      ).toEqual([]);
      const wanted = [...account.sent].filter((name) => !account.deleting.has(name));
      expect(
        wanted.filter((name) => !present.has(name)),
        "acknowledged sends",
      ).toEqual([]);
      expect(
        [...present].filter((name) => !account.sending.has(name)),
        "never sent",
      ).toEqual([]);
      expect(environment.queues.depth("q")).toEqual(recount);
      const { store } = environment;
      const balance = Number(store.get("sent")) - Number(store.get("deleted") ?? 0);
      expect(balance, "queue and store agree").toBe(present.size);
      expect(readdirSync(join(folder.path, "blobs")).length, "blobs").toBe(blobs);
    } finally {
      await environment.close();
    }
  }

  function readAll(environment: Environment) {
    const messages = environment.queues.peek("q", { limit: 1_000_000 });
    const names = messages.map((message) => {
      const text = message.body().toString();
      const [name = "", size = ""] = text.split(" ", 2);
      expect(name).toBe(message.attributes.name);
      expect(text === `${name} ${size} `.padEnd(Number(size), name), `body of ${name}`).toBe(true);
      return name;
    });
    const count = (state: string) => messages.filter((message) => message.state === state).length;
    const present = new Set(names);
    expect(present.size, "each once").toBe(names.length);
    return {
      present,
      blobs: messages.filter((message) => message.bytes > 262_144).length,
      recount: {
        ApproximateNumberOfMessages: count("visible"),
        ApproximateNumberOfMessagesNotVisible: count("inFlight"),
        ApproximateNumberOfMessagesDelayed: count("delayed"),
        bytes: messages.reduce((sum, { bytes }) => sum + bytes, 0),
        records: messages.reduce((sum, { records }) => sum + records, 0),
        oldestSentAt: messages[0]?.sentAt,
      },
    };
  }

  it(
    `loses and repeats nothing over ${KILLS} kills at random instants (SLUICE_SEED=${seed})`,
    async () => {
      const random = seededRandom(seed);
      const account = new Account();
      for (let life = 0; life < KILLS; life++) {
        const { child, acknowledged, ended } = start(`life${life}`, seed + life, 1_000_000, account);
        await acknowledged;
        await systemClock.sleep(Math.floor(random.next() * 150));
        child.kill("SIGKILL");
        await ended;
        await audit(account);
      }
      expect(account.deleted.size).toBeGreaterThan(KILLS);
    },
    20_000 + KILLS * 5_000,
  );

  it("lets two processes write at once, and a third look on", async () => {
    const account = new Account();
    const first = start("a", seed, 60, account);
    await first.acknowledged;
    const second = start("b", seed + 1, 60, account);
    const onlooker = await openEnvironment({
      dataDir: folder.path,
      clock: systemClock,
      random: systemRandom,
      readOnly: true,
    });
    const seen = new Set<unknown>();
    let running = true;
    const ended = Promise.all([first.ended, second.ended]).finally(() => {
      running = false;
    });
    while (running) {
      seen.add(onlooker.store.get("sent"));
      await systemClock.sleep(5);
    }
    await onlooker.close();
    expect(await ended).toEqual([0, 0]);
    expect(seen.size, "commits of the others, seen as they happen").toBeGreaterThan(3);
    await audit(account);
  }, 60_000);

  it("wakes a long poll for what another process sent", async () => {
    const environment = await openEnvironment({
      dataDir: folder.path,
      clock: systemClock,
      random: systemRandom,
    });
    await environment.queues.createQueue("q");
    const waiting = environment.queues.receive("q", { maxNumberOfMessages: 1, waitTimeMs: 20_000 });
    const { child, ended } = start("other", seed, 1_000_000, new Account());
    expect(await waiting).toHaveLength(1);
    child.kill("SIGKILL");
    await ended;
    await environment.close();
  }, 60_000);
});
