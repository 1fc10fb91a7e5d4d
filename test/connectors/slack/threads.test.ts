import { describe, expect, it } from "vitest";
import {
  ago,
  collect,
  DAY,
  lastCursor,
  lineOf,
  MINUTE,
  NOON,
  recordsOf,
  requestFor,
  workspaceOf,
} from "./workspace.js";

const HOUR = 3_600_000;

describe("thread replies", () => {
  it("come without their parents, in every form a thread pages in", async () => {
    for (const quirks of [{}, { repeatParent: true }, { tailPages: true, shortPages: true }]) {
      const { read, fake } = await workspaceOf(
        (workspace) => {
          workspace.insert("C1", { ts: ago(DAY), text: "no thread" });
          workspace.insert("C1", { ts: ago(DAY - HOUR), text: "parent" });
          for (let n = 1; n <= 23; n++) {
            workspace.insert("C1", {
              ts: ago(DAY - HOUR - n * 1000),
              text: `r${n}`,
              thread_ts: ago(DAY - HOUR),
            });
          }
          workspace.insert("C1", {
            ts: ago(DAY - 2 * HOUR),
            text: "sent to both",
            thread_ts: ago(DAY - HOUR),
            subtype: "thread_broadcast",
          });
        },
        { quirks },
      );
      const replies = recordsOf(await read("thread_replies", { pageSize: 5 }));
      expect(replies.map(({ text }) => text)).toEqual([
        ...Array.from({ length: 23 }, (_, n) => `r${n + 1}`),
        "sent to both",
      ]);
      expect(new Set(replies.map(({ thread_ts }) => thread_ts))).toEqual(new Set([ago(DAY - HOUR)]));
      // Only parents with replies are asked for: one thread.
      const asked = fake.requests.recent.filter((line) => line.includes("conversations.replies"));
      expect(new Set(asked.map((line) => new URL(line.slice(4), fake.url).searchParams.get("ts")))).toEqual(
        new Set([ago(DAY - HOUR)]),
      );
    }
  });

  it("late ones, deleted ones and threads that end are found by their parents, and nothing else is read again", async () => {
    const { read, workspace, clock, fake } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 6; n++) {
        workspace.insert("C1", { ts: ago(n * DAY), text: `p${n}` });
        for (let r = 1; r <= 3; r++)
          workspace.insert("C1", {
            ts: ago(n * DAY - r * HOUR),
            text: `p${n}r${r}`,
            thread_ts: ago(n * DAY),
          });
      }
      workspace.insert("C1", { ts: ago(HOUR), text: "nobody has answered" });
      workspace.insert("C1", { ts: ago(20 * DAY), text: "old" });
      workspace.insert("C1", { ts: ago(19 * DAY), text: "old reply", thread_ts: ago(20 * DAY) });
    });
    const first = await read("thread_replies");
    expect(recordsOf(first)).toHaveLength(19);
    clock.set(NOON + 10 * MINUTE);
    const late = workspace.post("C1", { text: "late", thread_ts: ago(2 * DAY) });
    const answer = workspace.post("C1", { text: "an answer at last", thread_ts: ago(HOUR) });
    workspace.delete("C1", ago(3 * DAY - HOUR));
    for (let r = 1; r <= 3; r++) workspace.delete("C1", ago(4 * DAY - r * HOUR));
    // A parent that vanished together with its replies.
    for (let r = 1; r <= 3; r++) workspace.delete("C1", ago(5 * DAY - r * HOUR));
    workspace.delete("C1", ago(5 * DAY));
    // The parent stays as a tombstone: the thread is as it was.
    workspace.delete("C1", ago(6 * DAY));
    fake.requests.reset();
    const second = await read("thread_replies", {}, { cursor: lastCursor(first) });
    expect(recordsOf(second).map(lineOf).sort()).toEqual(
      [
        `C1 ${late} late`,
        `C1 ${answer} an answer at last`,
        `C1 ${ago(3 * DAY - HOUR)} gone`,
        ...[1, 2, 3].map((r) => `C1 ${ago(4 * DAY - r * HOUR)} gone`),
        ...[1, 2, 3].map((r) => `C1 ${ago(5 * DAY - r * HOUR)} gone`),
      ].sort(),
    );
    expect(fake.requests.byPath["GET /api/conversations.replies"]).toBe(6);
    fake.requests.reset();
    clock.set(NOON + 20 * MINUTE);
    expect(recordsOf(await read("thread_replies", {}, { cursor: lastCursor(second) }))).toEqual([]);
    expect(fake.requests.byPath["GET /api/conversations.replies"]).toBeUndefined();
  });

  it("that were edited are found where every thread is read again", async () => {
    const { read, workspace, clock } = await workspaceOf((workspace) => {
      workspace.insert("C1", { ts: ago(DAY), text: "parent" });
      workspace.insert("C1", { ts: ago(HOUR), text: "reply", thread_ts: ago(DAY) });
    });
    const first = await read("thread_replies", { replies: "all" });
    clock.set(NOON + 10 * MINUTE);
    workspace.edit("C1", ago(HOUR), "reply, better");
    expect(recordsOf(await read("thread_replies", {}, { cursor: lastCursor(first) }))).toEqual([]);
    const second = await read("thread_replies", { replies: "all" }, { cursor: lastCursor(first) });
    expect(recordsOf(second)).toMatchObject([
      { text: "reply, better", changed_at: "2026-10-01T12:10:00.000000Z" },
    ]);
  });

  it("since a start are found below parents that are older", async () => {
    const { read } = await workspaceOf((workspace) => {
      workspace.insert("C1", { ts: ago(5 * DAY), text: "parent" });
      workspace.insert("C1", { ts: ago(4 * DAY), text: "before", thread_ts: ago(5 * DAY) });
      workspace.insert("C1", { ts: ago(2 * DAY), text: "since", thread_ts: ago(5 * DAY) });
    });
    const pages = await read("thread_replies", {}, { from: NOON - 3 * DAY });
    expect(recordsOf(pages).map(({ text }) => text)).toEqual(["since"]);
    const window = await read("thread_replies", {}, { from: NOON - 5 * DAY, to: NOON - 3 * DAY });
    expect(recordsOf(window).map(({ text }) => text)).toEqual(["before"]);
  });

  it("survive a kill after any page, in the middle of a thread as well", async () => {
    const { connect, workspace, clock } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 8; n++) {
        workspace.insert("C1", { ts: ago(n * 12 * HOUR), text: `p${n}` });
        for (let r = 1; r <= 11; r++)
          workspace.insert("C1", {
            ts: ago(n * 12 * HOUR - r * 1000),
            text: `p${n}r${r}`,
            thread_ts: ago(n * 12 * HOUR),
          });
      }
    });
    const options = { pageSize: 4 };
    const source = connect();
    const states: { readonly cursor: never; readonly lines: string[] }[] = [];
    const lines: string[] = [];
    for await (const page of source.read(await requestFor(source, "thread_replies", options))) {
      lines.push(...page.records.map(lineOf));
      states.push({ cursor: JSON.parse(JSON.stringify(page.cursor)) as never, lines: [...lines] });
    }
    expect(lines).toHaveLength(88);
    expect(states.length).toBeGreaterThan(20);
    clock.set(NOON + 10 * MINUTE);
    const late = workspace.post("C1", { text: "late", thread_ts: ago(12 * HOUR) });
    const gone = ago(2 * 12 * HOUR - 2000);
    workspace.delete("C1", gone);
    clock.set(NOON + 20 * MINUTE);
    for (const { cursor, lines: before } of states) {
      const again = connect();
      const request = await requestFor(again, "thread_replies", options, { cursor, resumes: true });
      const all = [...before, ...recordsOf(await collect(again.read(request))).map(lineOf)];
      expect(new Set(all).size).toBe(all.length);
      const latest = new Map(all.map((line) => [line.split(" ")[1], line]));
      expect(latest.get(late)).toBe(`C1 ${late} late`);
      expect(latest.get(gone) ?? `C1 ${gone} gone`).toBe(`C1 ${gone} gone`);
      expect(latest.size).toBeGreaterThanOrEqual(88);
    }
  });
});
