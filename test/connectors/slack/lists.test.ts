import { describe, expect, it } from "vitest";
import type { Workspace } from "../../fakes/slack/index.js";
import {
  ago,
  DAY,
  HOUR,
  lastCursor,
  MINUTE,
  NOON,
  never,
  recordsOf,
  requestFor,
  workspaceOf,
} from "./workspace.js";

function addUsers(workspace: Workspace, count: number): void {
  for (let n = 2; n <= count; n++) {
    const id = `U${String(n).padStart(8, "0")}`;
    workspace.users.set(id, {
      id,
      name: `user${n}`,
      deleted: false,
      updated: 1_700_000_000 + n,
      profile: { email: `${n}@acme.example` },
    });
  }
}

describe("users, user groups and channels", () => {
  it("are handed out when they are new, changed or gone, whatever `updated` says", async () => {
    const { read, workspace, clock, fake } = await workspaceOf((workspace) => addUsers(workspace, 20));
    const first = await read("users");
    expect(recordsOf(first)).toHaveLength(20);
    expect(recordsOf(first)[5]).toMatchObject({
      id: "U00000006",
      email: "6@acme.example",
      updated_at: "2023-11-14T22:13:26.000000Z",
      deleted: false,
    });
    clock.set(NOON + HOUR);
    const silent = workspace.users.get("U00000003");
    workspace.users.set("U00000003", { ...silent, tz: "Asia/Tokyo" });
    workspace.users.delete("U00000004");
    const left = workspace.users.get("U00000005");
    workspace.users.set("U00000005", { ...left, deleted: true, updated: Math.floor(clock.now() / 1000) });
    addUsers(workspace, 21);
    workspace.users.set("U00000003", { ...silent, tz: "Asia/Tokyo" });
    workspace.users.set("U00000005", { ...left, deleted: true, updated: Math.floor(clock.now() / 1000) });
    workspace.users.delete("U00000004");
    const second = await read("users", {}, { cursor: lastCursor(first) });
    expect(recordsOf(second).map(({ id, deleted, tz }) => [id, deleted, tz ?? null])).toEqual([
      ["U00000003", false, "Asia/Tokyo"],
      ["U00000005", true, null],
      ["U00000021", false, null],
      ["U00000004", true, null],
    ]);
    expect(recordsOf(second).at(-1)).toEqual({
      id: "U00000004",
      updated_at: "2026-10-01T13:00:00.000000Z",
      deleted: true,
    });
    expect(
      fake.requests.recent
        .filter((line) => line.includes("users.list"))
        .every((line) => line.includes("limit=200")),
    ).toBe(true);
  });

  it("that were listed in part when the list was lost are not handed out twice", async () => {
    const { read, fake } = await workspaceOf((workspace) => addUsers(workspace, 50));
    fake.faults.set({
      rules: [{ path: "users.list", on: { nth: 3 }, fault: { kind: "refuse", error: "invalid_cursor" } }],
    });
    const ids = recordsOf(await read("users", { pageSize: 10 })).map(({ id }) => id);
    expect(ids).toHaveLength(50);
    expect(new Set(ids).size).toBe(50);
  });

  it("of channels keep archived ones, know milliseconds, and mark what is no longer visible", async () => {
    const { read, workspace, clock } = await workspaceOf(
      (workspace) => {
        workspace.channel("C1").info = {
          ...workspace.channel("C1").info,
          created: 1_449_252_889,
          updated: 1_678_229_664_302,
        };
      },
      { channels: ["C1", "C2"] },
    );
    const first = await read("channels");
    expect(recordsOf(first)[0]).toMatchObject({
      id: "C1",
      created_at: "2015-12-04T18:14:49.000000Z",
      updated_at: "2023-03-07T22:54:24.302000Z",
      num_members: 0,
      is_member: true,
      deleted: false,
    });
    workspace.channels.delete("C2");
    workspace.channel("C1").info = { ...workspace.channel("C1").info, is_archived: true };
    clock.set(NOON + HOUR);
    const second = await read("channels", {}, { cursor: lastCursor(first) });
    expect(
      recordsOf(second).map(({ id, is_archived, deleted }) => [id, is_archived ?? null, deleted]),
    ).toEqual([
      ["C1", true, false],
      ["C2", null, true],
    ]);
  });

  it("of user groups tell disabled ones by their date", async () => {
    const { read } = await workspaceOf((workspace) => {
      workspace.usergroups.set("S1", {
        id: "S1",
        handle: "on",
        date_create: 1_600_000_000,
        date_update: 1_700_000_000,
        date_delete: 0,
        users: ["U1"],
        user_count: "1",
      });
      workspace.usergroups.set("S2", {
        id: "S2",
        handle: "off",
        date_create: 1_600_000_000,
        date_update: 1_700_000_001,
        date_delete: 1_700_000_001,
        users: [],
        user_count: 0,
      });
    });
    expect(
      recordsOf(await read("usergroups")).map(({ handle, deleted, user_count, users }) => [
        handle,
        deleted,
        user_count,
        users,
      ]),
    ).toEqual([
      ["on", false, 1, ["U1"]],
      ["off", true, 0, []],
    ]);
  });
});

describe("files", () => {
  const file = (n: number, created: number, more: object = {}) => ({
    id: `F${n}`,
    created,
    timestamp: created,
    name: `f${n}`,
    title: `T${n}`,
    mode: "hosted",
    size: n,
    ...more,
  });
  const at = (ms: number) => Math.floor((NOON - ms) / 1000);

  it("that share a second are all read, even where they fill more than a page", async () => {
    const { read } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 17; n++) workspace.files.set(`F${n}`, file(n, at(DAY)));
      for (let n = 18; n <= 30; n++) workspace.files.set(`F${n}`, file(n, at(DAY + n * 1000)));
    });
    for (const pageSize of [1, 3, 5, 17, 100]) {
      const ids = recordsOf(await read("files", { pageSize })).map(({ id }) => id);
      expect(ids).toHaveLength(30);
      expect(new Set(ids).size).toBe(30);
    }
  });

  it("that vanish between pages take no other with them", async () => {
    const { source, workspace } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 30; n++) workspace.files.set(`F${n}`, file(n, at(n * HOUR)));
    });
    const seen: unknown[] = [];
    let pages = 0;
    for await (const page of source.read(await requestFor(source, "files", { pageSize: 5 }))) {
      seen.push(...page.records.map(({ id }) => id));
      // With page numbers each of these would push one file out of sight.
      if (++pages <= 4) workspace.files.delete(`F${pages}`);
    }
    expect(new Set(seen).size).toBe(30);
    expect(seen).toHaveLength(30);
  });

  it("renamed or deleted within rescan are found", async () => {
    const { read, workspace, clock } = await workspaceOf((workspace) => {
      for (let n = 1; n <= 10; n++) workspace.files.set(`F${n}`, file(n, at(n * DAY)));
    });
    const first = await read("files");
    workspace.files.set("F2", file(2, at(2 * DAY), { title: "better" }));
    workspace.files.delete("F3");
    workspace.files.set("F4", file(4, at(4 * DAY), { mode: "tombstone" }));
    workspace.files.delete("F9");
    clock.set(NOON + HOUR);
    workspace.files.set("F11", file(11, at(-MINUTE)));
    const second = await read("files", {}, { cursor: lastCursor(first) });
    expect(recordsOf(second).map(({ id, deleted, title }) => [id, deleted, title ?? null])).toEqual([
      ["F11", false, "T11"],
      ["F2", false, "better"],
      ["F4", true, "T4"],
      ["F3", true, null],
    ]);
  });

  it("in another order than newest first are refused rather than half read", async () => {
    const { read, fake } = await workspaceOf(() => undefined);
    const body = {
      ok: true,
      files: [file(1, at(2 * DAY)), file(2, at(DAY))],
      paging: { count: 2, total: 4, page: 1, pages: 2 },
    };
    fake.faults.set({ rules: [{ path: "files.list", fault: { kind: "answer", status: 200, body } }] });
    await expect(read("files")).rejects.toMatchObject({
      kind: "transient",
      code: "SLACK_UNEXPECTED_ANSWER",
      message: expect.stringContaining("newest first"),
    });
  });
});

describe("members", () => {
  it("are read in full, a channel that refuses is left out", async () => {
    const { read, workspace, fake, log } = await workspaceOf(() => undefined, {
      channels: ["C1", "C2", "C3"],
    });
    for (const [n, id] of ["C1", "C2", "C3"].entries())
      workspace.channel(id).members.push(...Array.from({ length: 5 + n }, (_, m) => `U${m}`));
    expect(recordsOf(await read("channel_members", { pageSize: 2 }))).toHaveLength(18);
    fake.faults.set({
      rules: [
        {
          path: "conversations.members",
          channel: "C2",
          fault: { kind: "refuse", error: "channel_not_found" },
        },
      ],
    });
    const pages = await read("channel_members", { pageSize: 2 });
    expect(new Set(recordsOf(pages).map((record) => record.channel_id))).toEqual(new Set(["C1", "C3"]));
    expect(log.lines.some((line) => line.includes("c2 is left out"))).toBe(true);
  });
});

describe("plan", () => {
  it("counts what can be counted, and says that a filter saves no call", async () => {
    const { source, workspace } = await workspaceOf(
      (workspace) => {
        for (let n = 2; n <= 40; n++) workspace.insert("C1", { ts: ago(n * HOUR), text: "x" });
        for (let n = 1; n <= 25; n++)
          workspace.files.set(`F${n}`, { id: `F${n}`, created: 1_700_000_000 + n });
      },
      { channels: ["C1", "C2"] },
    );
    const filter = { all: [{ field: "user", operator: "equals" as const, value: "U1" }] };
    expect(
      await source.plan(await requestFor(source, "messages", {}, { filter, from: NOON - 30 * DAY })),
    ).toEqual({
      query:
        "conversations.history from 2026-09-01T12:00:00.000000Z to 2026-10-01T11:59:00.000000Z of c1, c2, at least 2 pages of 999.",
      pushedDown: [],
      notPushedDown: ["user equals U1"],
      window: { from: "2026-09-01T12:00:00.000000Z", to: "2026-10-01T11:59:00.000000Z" },
      records: null,
      apiCalls: 3,
      calls: { "conversations.history": 3 },
      durationMs: 2_400,
    });
    expect(await source.plan(await requestFor(source, "files", { pageSize: 10 }))).toMatchObject({
      records: 25,
      apiCalls: 3,
    });
    expect(await source.plan(await requestFor(source, "team"))).toMatchObject({
      query: "team.info",
      records: 1,
      apiCalls: 1,
    });
    workspace.channel("C1").members.push("U1", "U2");
    expect(await source.plan(await requestFor(source, "channel_members"))).toMatchObject({ apiCalls: 3 });
    await expect(source.describe("mesages", never())).rejects.toMatchObject({
      code: "SLACK_UNKNOWN_STREAM",
      fix: "Did you mean messages?",
    });
  });
});
