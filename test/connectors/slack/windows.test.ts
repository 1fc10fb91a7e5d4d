import { describe, expect, it } from "vitest";
import { asTheyCome, inOrder } from "../../../connectors/slack/concurrently.js";
import { optionsSchema } from "../../../connectors/slack/config.js";
import { decodeIds, decodeTimes, encodeIds, encodeTimes } from "../../../connectors/slack/ledger.js";
import { isoOf, microsOf, microsOfNumber, tsOf } from "../../../connectors/slack/moment.js";
import type { Value } from "../../../core/contracts/index.js";
import { ago, DAY, HOUR, lastCursor, lineOf, MINUTE, NOON, recordsOf, workspaceOf } from "./workspace.js";

describe("windows", () => {
  it("end a minute behind now, frozen for all channels, and the next one sees what came since", async () => {
    const { read, workspace, clock } = await workspaceOf(() => undefined, { channels: ["C1", "C2"] });
    clock.set(NOON);
    workspace.post("C1", { text: "at noon" });
    expect(recordsOf(await read("messages"))).toEqual([]);
    const settled = await read("messages", { settle: "0s" });
    expect(settled.at(-1)?.window?.to).toBe("2026-10-01T12:00:00.000000Z");
    clock.set(NOON + 1);
    expect(
      recordsOf(await read("messages", { settle: "0s" }, { cursor: lastCursor(settled) })).map(lineOf),
    ).toEqual([`C1 ${ago(0)} at noon`]);
  });

  it("end with Slack's clock where ours is ahead", async () => {
    const { read, clock, workspace } = await workspaceOf(() => undefined, { behindMs: 10 * MINUTE });
    const first = await read("messages");
    expect(first.at(-1)?.window?.to).toBe("2026-10-01T11:49:00.000000Z");
    workspace.insert("C1", { ts: ago(5 * MINUTE), text: "in our past, in its present" });
    clock.set(NOON + 10 * MINUTE);
    expect(recordsOf(await read("messages", { rescan: "0s" }, { cursor: lastCursor(first) }))).toHaveLength(
      1,
    );
  });

  it("are bounded by from and to, both told apart from the time of change", async () => {
    const { read } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 10; n++) workspace.insert("C1", { ts: ago(n * DAY), text: `m${n}` });
      workspace.edit("C1", ago(5 * DAY), "m5 edited now");
    });
    const pages = await read("messages", {}, { from: NOON - 6 * DAY, to: NOON - 4 * DAY });
    expect(recordsOf(pages).map(({ text }) => text)).toEqual(["m5 edited now", "m6"]);
    await expect(read("messages", {}, { from: NOON + DAY })).rejects.toMatchObject({
      kind: "config",
      code: "SLACK_EMPTY_WINDOW",
    });
  });

  it("without a rescan still lose nothing and repeat nothing", async () => {
    const { read, workspace, clock } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 30; n++) workspace.insert("C1", { ts: ago(n * MINUTE), text: `m${n}` });
    });
    const seen: string[] = [];
    let cursor: Value | undefined;
    for (let run = 0; run < 5; run++) {
      const pages = await read(
        "messages",
        { rescan: "0s", pageSize: 3 },
        cursor === undefined ? {} : { cursor },
      );
      seen.push(...recordsOf(pages).map(lineOf));
      cursor = lastCursor(pages);
      workspace.post("C1", { text: `run ${run}` });
      clock.set(clock.now() + 5 * MINUTE);
    }
    expect(seen).toHaveLength(29 + 1 + 4);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("whose page chain Slack forgets go on below the place reached", async () => {
    const { read, fake } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 40; n++) workspace.insert("C1", { ts: ago(n * HOUR), text: `m${n}` });
      for (let n = 1; n <= 30; n++)
        workspace.insert("C1", { ts: ago(20 * HOUR - n * 1000), text: `r${n}`, thread_ts: ago(20 * HOUR) });
    });
    for (const [stream, count] of [
      ["messages", 40],
      ["thread_replies", 30],
    ] as const) {
      fake.faults.set({
        rules: ["conversations.history", "conversations.replies"].map((path) => ({
          path,
          on: { every: 3 },
          fault: { kind: "refuse", error: "invalid_cursor" },
        })),
      });
      const records = recordsOf(await read(stream, { pageSize: 4 }));
      expect(records).toHaveLength(count);
      expect(new Set(records.map(({ ts }) => ts)).size).toBe(count);
    }
    fake.faults.set({
      rules: [{ path: "conversations.history", fault: { kind: "refuse", error: "invalid_cursor" } }],
    });
    await expect(read("messages")).rejects.toMatchObject({ kind: "transient", code: "SLACK_INVALID_CURSOR" });
  });

  it("of other streams, modes or hands are not resumed", async () => {
    const { read, clock } = await workspaceOf(() => undefined);
    const messages = lastCursor(await read("messages"));
    for (const cursor of [
      "x",
      { to: 5 },
      { ...Object(messages), stream: "files" },
      { ...Object(messages), to: "yesterday" },
    ] as Value[]) {
      await expect(read("messages", {}, { cursor })).rejects.toMatchObject({
        kind: "config",
        code: "SLACK_CURSOR",
      });
    }
    clock.set(NOON + HOUR);
    const damaged = {
      ...Object(messages),
      channels: { C1: { to: "1700000000.000000", since: "1600000000.000000", known: "rubbish" } },
    } as Value;
    await expect(read("messages", {}, { cursor: damaged })).rejects.toMatchObject({ code: "SLACK_CURSOR" });
    await expect(read("files", {}, { cursor: messages })).rejects.toMatchObject({ code: "SLACK_CURSOR" });
    await expect(read("users", {}, { cursor: messages })).rejects.toMatchObject({ code: "SLACK_CURSOR" });
    await expect(read("channel_members", {}, { cursor: messages })).rejects.toMatchObject({
      code: "SLACK_CURSOR",
    });
  });
});

describe("pages", () => {
  /** Answers of conversations.history, one after the other; the requests they got. */
  async function scripted(bodies: readonly object[]) {
    const { read, fake, log } = await workspaceOf(() => undefined);
    fake.faults.set({
      rules: bodies.map((body, n) => ({
        path: "conversations.history",
        on: { nth: n + 1 },
        fault: { kind: "answer", status: 200, body: { ok: true, ...body } },
      })),
    });
    const records = recordsOf(await read("messages"));
    const asked = fake.requests.recent
      .filter((line) => line.includes("conversations.history"))
      .map((line) => new URL(line.slice(4), fake.url).searchParams);
    return { texts: records.map(({ text }) => text), asked, log };
  }
  const message = (n: number) => ({ type: "message", ts: ago(n * HOUR), text: `m${n}` });
  const cursor = (next: string) => ({ response_metadata: { next_cursor: next } });

  it("may be empty or short with a cursor, and end by a missing or an empty one", async () => {
    for (const end of [{}, cursor(""), { response_metadata: {} }]) {
      const { texts, asked } = await scripted([
        { messages: [message(1)], has_more: true, ...cursor("a") },
        { messages: [], has_more: true, ...cursor("b") },
        { messages: [message(2), message(3)], has_more: false, ...cursor("c") },
        { messages: [], has_more: false, ...end },
      ]);
      expect(texts).toEqual(["m1", "m2", "m3"]);
      expect(asked.map((query) => query.get("cursor"))).toEqual([null, "a", "b", "c"]);
      expect(new Set(asked.map((query) => query.get("latest")))).toEqual(new Set(["1790855940.000000"]));
    }
  });

  it("that have more and name no cursor are followed by their place", async () => {
    const { texts, asked } = await scripted([
      { messages: [message(1), message(2)], has_more: true },
      { messages: [message(3)], has_more: false },
    ]);
    expect(texts).toEqual(["m1", "m2", "m3"]);
    expect(asked.map((query) => query.get("latest"))).toEqual(["1790855940.000000", ago(2 * HOUR)]);
  });

  it("in another order are taken as they belong, and what Slack warns of is said once", async () => {
    const { texts, log } = await scripted([
      { messages: [message(2), message(1)], has_more: true, warning: "method_deprecated", ...cursor("a") },
      { messages: [message(3)], has_more: false, warning: "method_deprecated" },
    ]);
    expect(texts).toEqual(["m1", "m2", "m3"]);
    expect(log.lines.filter((line) => line.includes("method_deprecated"))).toHaveLength(1);
  });
});

describe("answers of another form", () => {
  it.each([
    ["messages that are no list", { ok: true, messages: "none" }],
    ["no messages", { ok: true, has_more: false }],
    ["a message that is no object", { ok: true, messages: [5] }],
    ["a message without ts", { ok: true, messages: [{ text: "x" }] }],
    ["a ts that is a number", { ok: true, messages: [{ ts: 1_790_000_000.0001 }] }],
  ])("are refused, and no bookmark moves: %s", async (_what, body) => {
    const { read, fake } = await workspaceOf(() => undefined);
    fake.faults.set({
      rules: [{ path: "conversations.history", fault: { kind: "answer", status: 200, body } }],
    });
    await expect(read("messages")).rejects.toMatchObject({
      kind: "transient",
      code: "SLACK_UNEXPECTED_ANSWER",
    });
  });

  it("with a key twice hand that record on as refused", async () => {
    const { read, fake } = await workspaceOf(() => undefined);
    const body = `{"ok":true,"messages":[{"type":"message","ts":"${ago(DAY)}","text":"one","text":"two"},{"type":"message","ts":"${ago(2 * DAY)}","text":":smile:"}],"has_more":false}`;
    const answer = {
      kind: "answer",
      status: 200,
      body,
      headers: { "content-type": "application/json" },
    } as const;
    fake.faults.set({ rules: [{ path: "conversations.history", fault: answer }] });
    const pages = await read("messages");
    expect(recordsOf(pages)).toHaveLength(2);
    const [record] = recordsOf(pages);
    const refused = pages.flatMap((page) => [...(page.refused ?? [])]);
    expect(refused).toEqual([[record, expect.objectContaining({ rule: "duplicate key on text" })]]);
  });
});

describe("ts", () => {
  it("is a text, and survives as one", () => {
    for (const ts of ["1512085950.000216", "1700000000.999999", "1700000001.000000", "9007199254.740991"]) {
      expect(tsOf(microsOf(ts) ?? 0)).toBe(ts);
    }
    expect(isoOf(microsOf("1512085950.000216") ?? 0)).toBe("2017-11-30T23:52:30.000216Z");
    for (const wrong of ["9999999999.999999", "1512085950", "1512085950.0002", "x", 1512085950.000216, null])
      expect(microsOf(wrong)).toBeUndefined();
  });

  it("of channels' updated is in milliseconds, of users' in seconds", () => {
    expect(microsOfNumber(1_678_229_664_302)).toBe(1_678_229_664_302_000);
    expect(microsOfNumber(1_678_229_664)).toBe(1_678_229_664_000_000);
    expect(microsOfNumber(0)).toBeUndefined();
  });
});

describe("ledgers", () => {
  it("come back as they were", () => {
    const times = new Map([
      ["1700000005.000001", 4_294_967_295],
      ["1700000005.000000", 0],
      ["1600000000.123456", 7],
    ]);
    expect(decodeTimes(encodeTimes(times))).toEqual(times);
    expect(decodeTimes("")).toEqual(new Map());
    const ids = new Map([
      ["U01", 5],
      ["0001512085/F0S43P1CZ", 4_294_967_295],
    ]);
    expect(decodeIds(encodeIds(ids))).toEqual(ids);
    for (const wrong of ["x", "1700000005.000001", "1700000005.000001:5,:7"])
      expect(() => decodeTimes(wrong)).toThrow(RangeError);
    for (const wrong of ["x", ":5", "U01:"]) expect(() => decodeIds(wrong)).toThrow(RangeError);
  });
});

describe.each([
  ["asTheyCome", asTheyCome],
  ["inOrder", (sources: AsyncGenerator<string>[], abort: AbortController) => inOrder(sources, 2, abort)],
] as const)("%s", (_, read) => {
  it("keeps one element of each source under way, and ends them when it is left", async () => {
    const made: Record<string, number> = { a: 0, b: 0 };
    const ended: string[] = [];
    async function* source(name: "a" | "b") {
      try {
        for (let n = 0; n < 10; n++) {
          made[name] = n;
          yield `${name}${n}`;
        }
      } finally {
        ended.push(name);
      }
    }
    const abort = new AbortController();
    const taken: Record<string, number> = { a: -1, b: -1 };
    for await (const text of read([source("a"), source("b")], abort)) {
      await new Promise((resolve) => setImmediate(resolve));
      const [name = ""] = text;
      taken[name] = Number(text.slice(1));
      for (const one of ["a", "b"]) expect(made[one]).toBe((taken[one] ?? 0) + 1);
      if (text === "a4") break;
    }
    expect([ended.sort(), abort.signal.aborted]).toEqual([["a", "b"], true]);
  });

  it("hands a failure to whoever comes for it, behind what came before", async () => {
    async function* source() {
      yield "1";
      throw new Error("then this");
    }
    const seen: string[] = [];
    const reading = (async () => {
      for await (const text of read([source()], new AbortController())) seen.push(text);
    })();
    await expect(reading).rejects.toThrow("then this");
    expect(seen).toEqual(["1"]);
  });
});

describe("sources that are read at the same time", () => {
  /** Hands its elements on when it is told to. */
  function gated(name: string, count: number) {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    async function* source() {
      await gate;
      for (let n = 0; n < count; n++) yield `${name}${n}`;
    }
    return { source: source(), open };
  }

  it("are not kept waiting by a slow one, where the order is free", async () => {
    const slow = gated("slow", 1);
    const fast = gated("fast", 3);
    fast.open();
    const seen: string[] = [];
    for await (const text of asTheyCome([slow.source, fast.source], new AbortController())) {
      seen.push(text);
      if (text === "fast2") slow.open();
    }
    expect(seen).toEqual(["fast0", "fast1", "fast2", "slow0"]);
  });

  it("come one after the other, where it is not", async () => {
    const begun: string[] = [];
    function* sources() {
      for (const name of ["a", "b", "c"]) {
        begun.push(name);
        const one = gated(name, 2);
        one.open();
        yield one.source;
      }
    }
    const seen: string[] = [];
    for await (const text of inOrder(sources(), 2, new AbortController())) {
      if (seen.length === 0) expect(begun).toEqual(["a", "b"]);
      seen.push(text);
    }
    expect(seen).toEqual(["a0", "a1", "b0", "b1", "c0", "c1"]);
  });
});

describe("options", () => {
  it.each([
    [{ rescan: "soon" }, "expected a duration"],
    [{ rescan: "91d" }, "at most 90d"],
    [{ types: ["public"] }, "public_channel"],
    [{ types: [] }, "at least one type"],
    [{ channels: [] }, "at least one channel"],
    [{ pageSize: 1000 }, "from 1 to 999"],
    [{ joinChannels: true }, "joinChannels"],
  ])("%j is refused", (options, problem) => {
    expect(optionsSchema.safeParse(options).error?.message).toContain(problem);
  });

  it("have defaults", () => {
    expect(optionsSchema.parse({})).toEqual({
      exclude: [],
      types: ["public_channel", "private_channel"],
      membership: "joined",
      archived: "include",
      bots: "include",
      rescan: 7 * DAY,
      replies: "changed",
      settle: MINUTE,
      pageSize: 999,
    });
  });
});
