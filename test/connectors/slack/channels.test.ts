import { describe, expect, it } from "vitest";
import { ago, DAY, HOUR, lastCursor, lineOf, MINUTE, NOON, recordsOf, workspaceOf } from "./workspace.js";

const THREE = { channels: ["C1", "C2", "C3"] };

describe("a channel", () => {
  it("that refuses is left out and reported, its bookmark stays, and the others are read", async () => {
    const { read, fake, log, workspace, clock } = await workspaceOf((workspace) => {
      for (const id of ["C1", "C2", "C3"])
        for (let n = 1; n <= 12; n++) workspace.insert(id, { ts: ago(n * HOUR, n), text: `${id}-${n}` });
    }, THREE);
    const first = await read("messages");
    clock.set(NOON + 10 * MINUTE);
    for (const id of ["C1", "C2", "C3"]) workspace.post(id, { text: "said while we were away" });
    clock.set(NOON + 20 * MINUTE);
    for (const error of [
      "not_in_channel",
      "channel_not_found",
      "channel_is_limited_access",
      "is_archived",
      "method_not_supported_for_channel_type",
    ]) {
      fake.faults.set({
        rules: [{ path: "conversations.history", channel: "C2", fault: { kind: "refuse", error } }],
      });
      const second = await read("messages", {}, { cursor: lastCursor(first) });
      expect(new Set(recordsOf(second).map((record) => record.channel_id))).toEqual(new Set(["C1", "C3"]));
      expect(recordsOf(second)).toHaveLength(2);
      expect(
        log.lines.filter(
          (line) => line.startsWith("warn") && line.includes("c2 is left out") && line.includes(error),
        ),
      ).toHaveLength(1);
      expect(Reflect.get(Object(Reflect.get(Object(lastCursor(second)), "channels")), "C2")).toEqual(
        Reflect.get(Object(Reflect.get(Object(lastCursor(first)), "channels")), "C2"),
      );
      fake.faults.clear();
      const third = await read("messages", {}, { cursor: lastCursor(second) });
      expect(recordsOf(third)).toEqual([]);
      clock.set(clock.now() + MINUTE);
      const fourth = await read("messages", {}, { cursor: lastCursor(second) });
      expect(recordsOf(fourth).map((record) => record.channel_id)).toEqual(["C2"]);
    }
  });

  it("that refuses in the middle of its window goes on there when it is back", async () => {
    const { read, fake, clock } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 20; n++) workspace.insert("C1", { ts: ago(n * HOUR), text: `m${n}` });
      workspace.insert("C2", { ts: ago(HOUR), text: "other" });
    }, THREE);
    fake.faults.set({
      rules: [
        {
          path: "conversations.history",
          channel: "C1",
          on: { nth: [3, 4, 5] },
          fault: { kind: "refuse", error: "not_in_channel" },
        },
      ],
    });
    const first = await read("messages", { pageSize: 5 });
    expect(recordsOf(first)).toHaveLength(11);
    fake.faults.clear();
    clock.set(NOON + 10 * MINUTE);
    const second = await read("messages", { pageSize: 5 }, { cursor: lastCursor(first) });
    expect(recordsOf(second).map(lineOf).sort()).toEqual(
      Array.from({ length: 10 }, (_, n) => `C1 ${ago((n + 11) * HOUR)} m${n + 11}`).sort(),
    );
  });

  it("is not silently empty where every one refuses, or there is none", async () => {
    const { read, fake, workspace } = await workspaceOf((workspace) => {
      workspace.insert("C1", { ts: ago(DAY), text: "x" });
    }, THREE);
    fake.faults.set({
      rules: [{ path: "conversations.history", fault: { kind: "refuse", error: "not_in_channel" } }],
    });
    await expect(read("messages")).rejects.toMatchObject({
      kind: "config",
      code: "SLACK_NOT_IN_CHANNEL",
      fix: expect.stringContaining("/invite"),
    });
    fake.faults.clear();
    for (const id of ["C1", "C2", "C3"]) workspace.leave(id);
    await expect(read("messages")).rejects.toMatchObject({
      kind: "config",
      code: "SLACK_NO_CHANNELS",
      fix: expect.stringContaining("Invite"),
    });
  });

  it("that appears is read from the start of the flow, one that vanishes is reported", async () => {
    const { read, workspace, log, clock } = await workspaceOf(
      (workspace) => {
        for (const id of ["C1", "C2"]) workspace.insert(id, { ts: ago(2 * DAY), text: `of ${id}` });
      },
      { channels: ["C1", "C2"] },
    );
    const first = await read("messages");
    expect(recordsOf(first)).toHaveLength(2);
    workspace.addChannel({ id: "C0", name: "c0", is_private: false, is_archived: false });
    for (const days of [1, 3, 30]) workspace.insert("C0", { ts: ago(days * DAY), text: `${days} days` });
    workspace.channels.delete("C2");
    clock.set(NOON + HOUR);
    const second = await read("messages", {}, { cursor: lastCursor(first), from: NOON - 7 * DAY });
    expect(recordsOf(second).map(lineOf)).toEqual([`C0 ${ago(DAY)} 1 days`, `C0 ${ago(3 * DAY)} 3 days`]);
    expect(
      log.lines.filter((line) => line.includes("C2 was read before and is not visible any more")),
    ).toHaveLength(1);
    workspace.channels.delete("C1");
    clock.set(NOON + 2 * HOUR);
    await expect(
      read("messages", { channels: ["C1", "C0"] }, { cursor: lastCursor(second) }),
    ).resolves.toHaveLength(1);
  });

  it("is chosen by name, id or pattern, type and archive; a name that does not exist is refused with the nearest", async () => {
    const { read, workspace, fake } = await workspaceOf((workspace) => {
      workspace.addChannel({ id: "C9", name: "proj-alpha", is_archived: true, is_private: false });
      workspace.addChannel({ id: "G1", name: "secret", is_private: true, is_archived: false });
      workspace.addChannel({ id: "D1", is_im: true, user: "U00000001" });
      for (const id of workspace.channels.keys()) workspace.insert(id, { ts: ago(DAY), text: "x" });
    }, THREE);
    const channelsOf = async (options: object) =>
      recordsOf(await read("messages", options))
        .map((record) => record.channel_id)
        .sort();
    expect(await channelsOf({})).toEqual(["C1", "C2", "C3", "C9", "G1"]);
    expect(await channelsOf({ channels: ["#c2", "proj-*", "C3"] })).toEqual(["C2", "C3", "C9"]);
    expect(await channelsOf({ exclude: ["c*", "secret"] })).toEqual(["C9"]);
    expect(await channelsOf({ archived: "exclude", types: ["public_channel"] })).toEqual(["C1", "C2", "C3"]);
    expect(await channelsOf({ types: ["im"] })).toEqual(["D1"]);
    await expect(read("messages", { channels: ["secert"] })).rejects.toMatchObject({
      kind: "config",
      code: "SLACK_UNKNOWN_CHANNEL",
      place: "source.options.channels",
      fix: "Did you mean secret?",
    });
    // Nothing is written to Slack, whatever is asked.
    expect(fake.requests.recent.every((line) => line.startsWith("GET "))).toBe(true);
    expect(workspace.channels.size).toBe(6);
  });

  it("that is archived and was read to its end costs no more calls", async () => {
    const { read, fake, clock, workspace } = await workspaceOf((workspace) => {
      workspace.addChannel({
        id: "C2",
        name: "old",
        is_archived: true,
        is_private: false,
        updated: NOON - 30 * DAY,
      });
      for (const id of ["C1", "C2"]) workspace.insert(id, { ts: ago(40 * DAY), text: "x" });
    });
    const first = await read("messages");
    expect(recordsOf(first)).toHaveLength(2);
    fake.requests.reset();
    clock.set(NOON + HOUR);
    const second = await read("messages", {}, { cursor: lastCursor(first) });
    expect(fake.requests.byPath["GET /api/conversations.history"]).toBe(1);
    const old = workspace.channel("C2");
    old.info = { ...old.info, is_archived: false, updated: NOON + HOUR };
    workspace.post("C2", { text: "alive again" });
    clock.set(NOON + 2 * HOUR);
    expect(recordsOf(await read("messages", {}, { cursor: lastCursor(second) })).map(lineOf)).toEqual([
      expect.stringContaining("alive again"),
    ]);
  });

  it("keeps bots' messages out where the options say so, and their deletion too", async () => {
    const { read, workspace, clock } = await workspaceOf((workspace) => {
      workspace.insert("C1", { ts: ago(DAY), text: "human" });
      workspace.insert("C1", { ts: ago(DAY, 1), text: "bot", subtype: "bot_message", bot_id: "B1" });
      workspace.insert("C1", { ts: ago(DAY, 2), text: "app", bot_id: "B1" });
    });
    const first = await read("messages", { bots: "exclude" });
    expect(recordsOf(first).map(({ text }) => text)).toEqual(["human"]);
    workspace.delete("C1", ago(DAY, 1));
    clock.set(NOON + HOUR);
    expect(recordsOf(await read("messages", { bots: "exclude" }, { cursor: lastCursor(first) }))).toEqual([]);
    expect(recordsOf(await read("messages"))).toHaveLength(2);
  });
});

describe("a checkpoint", () => {
  it("does not grow without bound: the newest of a channel are compared, and nothing is doubled", async () => {
    // A thousand channels share the room, so that each has the least.
    const channels = Array.from({ length: 1_000 }, (_, n) => `C${1_000 + n}`);
    const { read, workspace, clock, log } = await workspaceOf(
      (workspace) => {
        for (let n = 1; n <= 230; n++) {
          const ts = ago(n * 20 * MINUTE);
          workspace.insert("C1000", { ts, text: `m${n}` });
          workspace.insert("C1000", { ts: ago(n * 20 * MINUTE - 1000), text: `r${n}`, thread_ts: ts });
        }
      },
      { channels },
    );
    for (const [stream, there, near, far] of [
      ["messages", 230, 150, 220],
      ["thread_replies", 232, 50, 180],
    ] as const) {
      const first = await read(stream);
      expect(recordsOf(first)).toHaveLength(there);
      expect(
        log.lines.filter((line) => line.startsWith("warn") && line.includes("only: it has more")),
      ).toHaveLength(1);
      log.lines.splice(0);
      clock.set(clock.now() + 10 * MINUTE);
      for (const n of [near, far])
        workspace.post("C1000", { text: `late ${n}`, thread_ts: ago(n * 20 * MINUTE) });
      clock.set(clock.now() + 10 * MINUTE);
      const second = await read(stream, {}, { cursor: lastCursor(first) });
      expect(recordsOf(second).map(({ text }) => text)).toEqual([
        stream === "messages" ? `m${near}` : `late ${near}`,
      ]);
      log.lines.splice(0);
    }
  });
});
