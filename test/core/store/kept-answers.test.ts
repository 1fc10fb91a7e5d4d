import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KeptAnswers } from "../../../core/store/index.js";
import { VirtualClock } from "../../virtual-clock.js";
import { LogSpy } from "../http/log-spy.js";
import { scratchDir } from "./scratch-dir.js";

let dir: ReturnType<typeof scratchDir>;
let clock: VirtualClock;
let log: LogSpy;
beforeEach(() => {
  dir = scratchDir();
  clock = new VirtualClock();
  log = new LogSpy();
});
afterEach(() => dir.remove());

const open = (owner = "flow") => new KeptAnswers(dir.path, owner, { clock, log });
const files = () => readdirSync(join(dir.path, "ahead")).map((name) => join(dir.path, "ahead", name));
const answer = (text: string) => ({
  status: 200,
  headers: { "content-type": "text/csv", "sforce-locator": "x\ny" },
  body: Buffer.from(text),
});

describe("kept answers", () => {
  it("are there, to the byte, for the next process until they are dropped", async () => {
    const killed = open();
    const body = Buffer.from([0, 10, 13, 255, 123, 10]);
    expect(await killed.keep("a", { ...answer(""), body })).toBe(true);
    expect(await killed.keep("b", answer(""))).toBe(true);

    const next = open();
    expect(next.has("a")).toBe(true);
    expect(await next.get("a")).toEqual({ ...answer(""), body });
    expect(await next.get("b")).toEqual(answer(""));
    await next.drop("a");
    expect(next.has("a")).toBe(false);
    expect(await open().get("a")).toBeUndefined();
    next.clear();
    expect(files()).toEqual([]);
  });

  it("are those of one owner, and the last one kept under a key counts", async () => {
    await open("one").keep("key", answer("one"));
    const two = open("two");
    expect(two.has("key")).toBe(false);
    await two.keep("key", answer("two"));
    await clock.advance(1_000);
    await two.keep("key", answer("newer"));
    two.clear();
    expect((await open("one").get("key"))?.body.toString()).toBe("one");
    expect(files()).toHaveLength(1);
  });

  it("are not used when they were not written whole, or changed since", async () => {
    const damages: ((path: string) => void)[] = [
      (path) => truncateSync(path, readFileSync(path).length - 1),
      (path) => truncateSync(path, 5),
      (path) => truncateSync(path, 0),
      (path) => writeFileSync(path, readFileSync(path).fill(0, 120)),
      (path) => writeFileSync(path, readFileSync(path).fill("{", 0, 20)),
    ];
    for (const damage of damages) {
      await open().keep("key", answer("a body of some length"));
      for (const path of files()) damage(path);
      const next = open();
      expect(await next.get("key")).toBeUndefined();
      expect(next.has("key")).toBe(false);
      expect(files()).toEqual([]);
    }
  });

  it("of an earlier process are not used when they are old, and go when anybody opens the directory then", async () => {
    const kept = open();
    await kept.keep("key", answer("text"));
    await clock.advance(14 * 60_000);
    const next = open();
    expect(await next.get("key")).toBeDefined();
    await clock.advance(2 * 60_000);
    expect(next.has("key")).toBe(false);
    expect(await next.get("key")).toBeUndefined();
    // Who keeps it has just not come to it.
    expect(await kept.get("key")).toBeDefined();
    open("other");
    expect(files()).toEqual([]);
    expect(await kept.get("key")).toBeUndefined();
  });

  it("have an end: nothing more is kept, and whoever waits for room goes on when something is dropped", async () => {
    const kept = open();
    const signal = new AbortController();
    const large = { ...answer(""), body: Buffer.alloc(100 * 1024 * 1024) };
    for (const key of ["a", "b", "c", "d"]) {
      expect(kept.hasRoom()).toBe(true);
      expect(await kept.keep(key, large)).toBe(true);
    }
    expect(kept.hasRoom()).toBe(false);
    expect(await kept.keep("e", large)).toBe(true);
    expect(await kept.keep("f", large)).toBe(false);
    expect(kept.has("f")).toBe(false);
    const room = kept.room(signal.signal);
    await kept.drop("a");
    await room;
    await kept.drop("b");
    expect(kept.hasRoom()).toBe(true);
    const aborted = kept.room(signal.signal);
    signal.abort();
    await aborted;
    kept.clear();
  });

  it("are none where the folder cannot be used, which is said once and fails nothing", async () => {
    const kept = open();
    await kept.keep("a", answer("x"));
    const path = join(dir.path, "ahead");
    rmSync(path, { recursive: true });
    writeFileSync(path, "a file");
    expect(await kept.get("a")).toBeUndefined();
    expect(await kept.keep("a", answer("x"))).toBe(false);
    expect(await kept.keep("b", answer("x"))).toBe(false);
    await kept.drop("a");
    kept.hasRoom();
    kept.clear();
    const next = open();
    expect(next.has("a")).toBe(false);
    next.clear();
    const lines = log.lines.filter((line) => line.includes("are not kept"));
    expect(lines).toHaveLength(2);
  });

  it("that somebody has cleared away are missing without a word", async () => {
    const kept = open();
    await kept.keep("a", answer("x"));
    rmSync(join(dir.path, "ahead"), { recursive: true });
    expect(await kept.get("a")).toBeUndefined();
    kept.clear();
    expect(await kept.keep("a", answer("x"))).toBe(true);
    expect(log.lines).toEqual([]);
  });

  it("are none after the read has ended", async () => {
    const kept = open();
    await kept.keep("a", answer("x"));
    kept.close();
    expect(await kept.keep("b", answer("x"))).toBe(false);
    expect((await open().get("a"))?.body.toString()).toBe("x");
    expect(files()).toHaveLength(1);
  });
});
