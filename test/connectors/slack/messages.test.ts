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

describe("messages", () => {
  it("come with their channel, their instant and what Slack sent, unknown keys included and named", async () => {
    const { read, log } = await workspaceOf((workspace) => {
      workspace.insert("C1", {
        ts: ago(DAY, 216),
        user: "U1",
        text: "Grüße 🚀",
        blocks: [{ type: "divider" }],
        x_new: { a: 1 },
      });
    });
    const pages = await read("messages");
    expect(recordsOf(pages)).toEqual([
      {
        channel_id: "C1",
        ts: ago(DAY, 216),
        channel_name: "c1",
        posted_at: "2026-09-30T12:00:00.000216Z",
        changed_at: "2026-09-30T12:00:00.000216Z",
        deleted: false,
        type: "message",
        team: "T0000ACME",
        user: "U1",
        text: "Grüße 🚀",
        blocks: [{ type: "divider" }],
        extra: { x_new: { a: 1 } },
      },
    ]);
    expect(log.lines.filter((line) => line.startsWith("warn"))).toEqual([
      expect.stringContaining("messages has fields that are not columns: x_new; they are kept in extra"),
    ]);
    expect(pages.at(-1)?.window).toEqual({ from: null, to: "2026-10-01T11:59:00.000000Z" });
  });

  it("edited, reacted to, deleted or committed late within rescan are found by the next run, and nothing else is", async () => {
    const { read, workspace, clock } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 20; n++) workspace.insert("C1", { ts: ago(n * 3_600_000), text: `m${n}` });
      workspace.insert("C1", { ts: ago(20 * DAY), text: "old" });
    });
    const first = await read("messages");
    expect(recordsOf(first)).toHaveLength(21);
    clock.set(NOON + 10 * MINUTE);
    workspace.edit("C1", ago(3 * 3_600_000), "m3, better");
    workspace.react("C1", ago(5 * 3_600_000), "eyes");
    workspace.delete("C1", ago(7 * 3_600_000));
    workspace.edit("C1", ago(20 * DAY), "older than rescan");
    workspace.insert("C1", { ts: ago(9 * 3_600_000, 5), text: "late" });
    workspace.post("C1", { text: "within the newest minute: left for later" });
    clock.set(NOON + 20 * MINUTE);
    const now = workspace.post("C1", { text: "too new" });
    const second = await read("messages", {}, { cursor: lastCursor(first) });
    expect(recordsOf(second).map(lineOf).sort()).toEqual(
      [
        `C1 ${ago(3 * 3_600_000)} m3, better`,
        `C1 ${ago(5 * 3_600_000)} m5`,
        `C1 ${ago(7 * 3_600_000)} gone`,
        `C1 ${ago(9 * 3_600_000, 5)} late`,
        `C1 ${ago(-10 * MINUTE)} within the newest minute: left for later`,
      ].sort(),
    );
    for (const record of recordsOf(second))
      expect(record.changed_at).not.toBe(record.deleted ? record.posted_at : undefined);
    clock.set(NOON + 30 * MINUTE);
    const third = await read("messages", {}, { cursor: lastCursor(second) });
    expect(recordsOf(third).map(lineOf)).toEqual([`C1 ${now} too new`]);
    expect(await read("messages", {}, { cursor: lastCursor(third) })).toHaveLength(1);
  });

  it("of parents that were deleted stay as tombstones, marked deleted", async () => {
    const { read, workspace, clock } = await workspaceOf((workspace) => {
      workspace.insert("C1", { ts: ago(DAY), text: "parent" });
      workspace.insert("C1", { ts: ago(DAY - 1000), text: "reply", thread_ts: ago(DAY) });
    });
    const first = await read("messages");
    expect(recordsOf(first)[0]).toMatchObject({
      text: "parent",
      reply_count: 1,
      latest_reply: ago(DAY - 1000),
      deleted: false,
    });
    workspace.delete("C1", ago(DAY));
    clock.set(NOON + MINUTE);
    const second = await read("messages", {}, { cursor: lastCursor(first) });
    expect(recordsOf(second)).toMatchObject([{ ts: ago(DAY), subtype: "tombstone", deleted: true }]);
  });

  it("that a free plan begins to hide are not taken for deleted", async () => {
    const { read, clock, log } = await workspaceOf(
      (workspace) => {
        for (let n = 1; n <= 6; n++) workspace.insert("C1", { ts: ago(n * DAY + MINUTE), text: `m${n}` });
      },
      { quirks: { hiddenAfterDays: 5 } },
    );
    const first = await read("messages");
    expect(recordsOf(first)).toHaveLength(4);
    clock.set(NOON + 2 * DAY);
    const second = await read("messages", {}, { cursor: lastCursor(first) });
    expect(recordsOf(second)).toEqual([]);
    expect(log.lines.some((line) => line.includes("history of channel c1 is truncated"))).toBe(true);
  });
});

describe("a kill after any page", () => {
  it("loses nothing, repeats nothing, and the next window still finds what changed", async () => {
    const { connect, workspace, clock } = await workspaceOf(
      (workspace) => {
        for (const channel of ["C1", "C2", "C3"]) {
          for (let n = 1; n <= 25; n++)
            workspace.insert(channel, { ts: ago(n * 6 * 3_600_000, n), text: `m${n}` });
        }
      },
      { channels: ["C1", "C2", "C3"], quirks: { tailPages: true, shortPages: true } },
    );
    const options = { pageSize: 7 };
    const source = connect();
    const states: { readonly cursor: unknown; readonly lines: string[] }[] = [];
    const lines: string[] = [];
    for await (const page of source.read(await requestFor(source, "messages", options))) {
      lines.push(...page.records.map(lineOf));
      states.push({ cursor: JSON.parse(JSON.stringify(page.cursor)), lines: [...lines] });
    }
    expect(lines).toHaveLength(75);
    expect(states.length).toBeGreaterThan(8);
    // Channels are read at the same time: a kill finds several windows open.
    const openWindows = ({ cursor }: { readonly cursor: unknown }) =>
      JSON.stringify(cursor).split('"open":').length - 1;
    expect(Math.max(...states.map(openWindows))).toBeGreaterThan(1);
    // While we were dead something was said, changed and deleted.
    clock.set(NOON + 5 * MINUTE);
    workspace.edit("C1", ago(2 * 6 * 3_600_000, 2), "edited");
    workspace.delete("C2", ago(3 * 6 * 3_600_000, 3));
    workspace.post("C3", { text: "new" });
    clock.set(NOON + 10 * MINUTE);
    for (const state of states) {
      const again = connect();
      const request = await requestFor(again, "messages", options, {
        cursor: state.cursor as never,
        resumes: true,
      });
      const all = [...state.lines, ...recordsOf(await collect(again.read(request))).map(lineOf)];
      const latest = new Map(all.map((line) => [line.split(" ").slice(0, 2).join(" "), line]));
      expect(new Set(all).size).toBe(all.length);
      expect(latest.get(`C1 ${ago(2 * 6 * 3_600_000, 2)}`)).toContain("edited");
      const gone = `C2 ${ago(3 * 6 * 3_600_000, 3)}`;
      // Deleted before it was read: it never was there.
      expect(latest.get(gone) ?? `${gone} gone`).toBe(`${gone} gone`);
      expect(latest.size).toBeGreaterThanOrEqual(75);
      expect([...latest.values()].filter((line) => line.endsWith(" new"))).toHaveLength(1);
    }
  });
});
