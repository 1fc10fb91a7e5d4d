import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Environment } from "../../../core/contracts/index.js";
import { type EnvironmentOptions, openEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";
import { scratchDir } from "./scratch-dir.js";

describe("the data directory", () => {
  const folder = { path: "", remove: () => {} };
  const opened: Environment[] = [];
  const clock = new VirtualClock();
  const random = seededRandom(7);
  beforeEach(() => {
    Object.assign(folder, scratchDir());
  });
  afterEach(async () => {
    for (const environment of opened.splice(0)) await environment.close();
    folder.remove();
  });

  const data = () => join(folder.path, "buffer", "data.mdb");
  const blobs = () => readdirSync(join(folder.path, "blobs"));
  async function openHere(options: Partial<EnvironmentOptions> = {}): Promise<Environment> {
    const environment = await openEnvironment({
      dataDir: folder.path,
      clock,
      random,
      sync: "none",
      ...options,
    });
    opened.push(environment);
    return environment;
  }
  async function filled(): Promise<Environment> {
    const environment = await openHere();
    await environment.queues.createQueue("q");
    for (let i = 0; i < 5; i++) await environment.queues.send("q", [{ body: Buffer.alloc(200_000, "x") }]);
    return environment;
  }

  it("creates what is missing", async () => {
    await openHere({ dataDir: join(folder.path, "a", "b") });
    expect(existsSync(join(folder.path, "a", "b", "buffer", "data.mdb"))).toBe(true);
  });

  it("says so when it is a file, or lies below one", async () => {
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    for (const dataDir of [file, join(file, "below")])
      await expect(openHere({ dataDir })).rejects.toMatchObject({
        kind: "config",
        code: "DATA_DIR_NOT_A_FOLDER",
        fix: expect.stringContaining("dataDir"),
      });
  });

  it("does not crash on a file cut short, but says that it is damaged", async () => {
    await (await filled()).close();
    const { size } = statSync(data());
    for (const bytes of [size - 4096, Math.floor(size / 2), 4096, 1, 0]) {
      truncateSync(data(), bytes);
      const refusal = { kind: "config", code: "DATA_DIR_DAMAGED", place: data() };
      await expect(openHere(), `${bytes} of ${size} bytes`).rejects.toMatchObject(refusal);
      await expect(openHere({ readOnly: true })).rejects.toMatchObject(refusal);
    }
    unlinkSync(data());
    await expect(openHere()).rejects.toMatchObject({ code: "DATA_DIR_DAMAGED" });
  });

  it("recognises a file that is not LMDB's", async () => {
    await (await filled()).close();
    const file = openSync(data(), "r+");
    writeSync(file, Buffer.alloc(8192, "not a database"), 0, 8192, 0);
    closeSync(file);
    await expect(openHere()).rejects.toMatchObject({ kind: "config", code: "DATA_DIR_DAMAGED" });
  });

  it("opens a file that was created and never written, as a process killed at that instant leaves it", async () => {
    await (await openHere()).close();
    rmSync(join(folder.path, "buffer", "extent"), { force: true });
    truncateSync(data(), 0);
    const environment = await openHere();
    await environment.queues.createQueue("q");
    expect(environment.queues.listQueues()).toEqual(["q"]);
  });

  it("refuses a format it does not know", async () => {
    await (await openHere()).close();
    const root = open({
      path: join(folder.path, "buffer"),
      noSubdir: false,
      maxDbs: 64,
      overlappingSync: false,
    });
    const format = root.openDB({ name: "format", encoding: "json", keyEncoding: "binary" });
    await format.put(Buffer.from("format"), 9);
    await root.close();
    await expect(openHere()).rejects.toMatchObject({
      kind: "config",
      code: "DATA_DIR_VERSION",
      message: expect.stringContaining("format 9"),
    });
  });

  it("opens for reading only: sees all, writes nothing", async () => {
    await expect(openHere({ readOnly: true })).rejects.toMatchObject({ code: "DATA_DIR_MISSING" });
    await (await filled()).close();
    const reader = await openHere({ readOnly: true });
    expect(reader.queues.depth("q").ApproximateNumberOfMessages).toBe(5);
    expect(reader.queues.peek("q", { limit: 1 })[0]?.body()).toHaveLength(200_000);
    await expect(reader.queues.send("q", [{ body: "x" }])).rejects.toMatchObject({
      kind: "config",
      code: "DATA_DIR_READ_ONLY",
    });
  });

  it("may be opened twice by one process; each closes for itself", async () => {
    const first = await filled();
    for (let round = 0; round < 10; round++) {
      // Opening while transactions of the first are under way: LMDB's write lock is theirs.
      const sent = Array.from({ length: 20 }, () => first.queues.send("q", [{ body: "first" }]));
      if (round % 2 === 1) await sent[0];
      const second = await openHere();
      sent.push(...Array.from({ length: 20 }, () => second.queues.send("q", [{ body: "second" }])));
      await Promise.all(sent);
      expect(second.queues.depth("q")).toEqual(first.queues.depth("q"));
      await second.close();
      await expect(second.queues.send("q", [{ body: "late" }])).rejects.toMatchObject({
        code: "ENVIRONMENT_CLOSED",
      });
    }
    expect(first.queues.depth("q").ApproximateNumberOfMessages).toBe(405);
    await expect(openHere({ sync: "commit" })).rejects.toMatchObject({ code: "DATA_DIR_OPEN_OTHERWISE" });
  });

  it("reuses the room of deleted messages", async () => {
    const environment = await openHere();
    const { queues } = environment;
    await queues.createQueue("q");
    const body = Buffer.alloc(250_000, "x");
    const sizes: number[] = [];
    for (let round = 0; round < 60; round++) {
      await environment.transaction((tx) =>
        tx.queues.send(
          "q",
          Array.from({ length: 4 }, () => ({ body })),
        ),
      );
      if (round < 4) continue; // a backlog of 16 messages
      const received = await queues.receive("q", { maxNumberOfMessages: 4 });
      await queues.delete(
        "q",
        received.map((message) => message.receiptHandle),
      );
      sizes.push(statSync(data()).size);
    }
    expect(queues.depth("q").ApproximateNumberOfMessages).toBe(16);
    // 60 MB went through a backlog of 4 MB.
    expect(Math.max(...sizes)).toBeLessThan(12_000_000);
  });

  describe("claim checks on disk", () => {
    const large = "z".repeat(300_000);

    it("are there while a message has them and not longer", async () => {
      const { queues } = await openHere();
      await queues.createQueue("q");
      await queues.send("q", [{ body: await queues.stage(large) }, { body: await queues.stage(large) }]);
      expect(blobs()).toHaveLength(2);
      const [first] = await queues.receive("q", { maxNumberOfMessages: 1 });
      await queues.delete("q", [first?.receiptHandle ?? ""]);
      expect(blobs()).toHaveLength(1);
      await queues.discard(await queues.stage(large));
      expect(blobs()).toHaveLength(1);
    });

    it("are swept at open when their writer died before the send; others' are left alone", async () => {
      const environment = await openHere();
      await environment.queues.createQueue("q");
      await environment.queues.send("q", [{ body: await environment.queues.stage(large) }]);
      const [kept = ""] = blobs();
      const [host = ""] = kept.split("-");
      const uuid = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;
      // No process has this pid: Linux gives none above 4194304.
      const dead = `${host}-99999999-aaaaaaaa-${uuid("1")}`;
      const earlierLife = `${host}-${process.pid}-aaaaaaaa-${uuid("2")}`;
      const alive = `${host}-${process.ppid}-aaaaaaaa-${uuid("3")}`;
      const elsewhere = `00000000-99999999-aaaaaaaa-${uuid("4")}`;
      const foreign = "README";
      for (const name of [dead, earlierLife, alive, elsewhere, foreign])
        writeFileSync(join(folder.path, "blobs", name), "");
      const staged = await environment.queues.stage(large);
      await openHere();
      const stagedName = "blob" in staged.content ? staged.content.blob : "";
      expect(blobs().sort(), hostname()).toEqual([kept, alive, elsewhere, foreign, stagedName].sort());
      await environment.queues.send("q", [{ body: staged }]);
    });

    it("say so when their file is missing", async () => {
      const { queues } = await openHere();
      await queues.createQueue("q");
      await queues.send("q", [{ body: await queues.stage(large) }]);
      for (const name of blobs()) unlinkSync(join(folder.path, "blobs", name));
      expect(() => queues.peek("q", { limit: 1 })[0]?.body()).toThrow(
        expect.objectContaining({ kind: "config", code: "DATA_DIR_DAMAGED" }),
      );
    });
  });

  it.runIf(process.platform === "linux")(
    "on a full disk refuses with DISK_FULL, keeps what is there, and goes on once there is room",
    () => {
      const child = join(process.cwd(), "dist", "test", "core", "store", "full-disk-child.js");
      if (!existsSync(child))
        throw new Error(`${child} is missing: run \`npm run build\` first (npm test does)`);
      // A limit on file size stands in for the full disk: 20,000 blocks of 1,024 bytes; ignored, its signal becomes EFBIG.
      const script = `trap '' XFSZ; ulimit -f 20000; exec "$0" "$1" "$2"`;
      const { stdout } = spawnSync("bash", ["-c", script, process.execPath, child, folder.path], {
        encoding: "utf8",
      });
      const full = { kind: "transient", code: "DISK_FULL", fix: expect.stringContaining("Free space") };
      const report = JSON.parse(stdout);
      expect(report).toMatchObject({
        refused: full,
        again: full,
        staged: full,
        deleted: null,
        afterwards: null,
      });
      expect(report.sent).toBeGreaterThan(50);
      expect(report.depth).toBe(report.sent);
      expect(report.counted).toBe(report.sent);
      expect(report.left).toBe(report.sent - report.received + 1);
      expect(blobs()).toEqual([]);
    },
  );
});
