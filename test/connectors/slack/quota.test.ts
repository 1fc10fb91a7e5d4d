import { describe, expect, it } from "vitest";
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

describe("the small quota of unlisted apps", () => {
  it("is found out while reading, kept to, and read through", async () => {
    const { read, clock, log, waits, fake } = await workspaceOf(
      (workspace) => {
        for (let n = 1; n <= 100; n++) workspace.insert("C1", { ts: ago(n * HOUR), text: `m${n}` });
      },
      { rateLimits: "unlisted" },
    );
    const pages = await read("messages");
    expect(recordsOf(pages)).toHaveLength(100);
    expect(new Set(recordsOf(pages).map(({ ts }) => ts)).size).toBe(100);
    expect(
      log.lines.filter((line) => line.startsWith("warn") && line.includes("10,000 messages take 11 hours")),
    ).toHaveLength(1);
    // Seven pages, a minute between them; what came is handed on while the next minute passes.
    expect(clock.now() - NOON).toBeGreaterThanOrEqual(6 * MINUTE);
    expect(pages.length).toBeGreaterThanOrEqual(6);
    expect(waits.some((reason) => reason.includes("rate limit of conversations.history"))).toBe(true);
    // Once it is known nothing is asked for that would be refused, and no more than is given.
    expect(fake.requests.byStatus["429"] ?? 0).toBeLessThanOrEqual(1);
    expect(fake.requests.recent.at(-1)).toContain("limit=15");
  });

  it("makes several channels stand in one line", async () => {
    const channels = ["C1", "C2", "C3", "C4", "C5"];
    const { read, clock, fake } = await workspaceOf(
      (workspace) => {
        for (const id of channels) {
          for (let n = 1; n <= 40; n++) workspace.insert(id, { ts: ago(n * HOUR), text: `m${n}` });
        }
      },
      { rateLimits: "unlisted", channels },
    );
    const records = recordsOf(await read("messages"));
    expect(new Set(records.map((record) => `${record.channel_id} ${record.ts}`)).size).toBe(200);
    expect(records).toHaveLength(200);
    // Those that were sent together before it was known.
    expect(fake.requests.byStatus["429"] ?? 0).toBeLessThanOrEqual(6);
    expect(clock.now() - NOON).toBeLessThan(17 * MINUTE);
  });

  it("is told by check and plan", async () => {
    const { source, fake } = await workspaceOf(
      (workspace) => {
        for (let n = 1; n <= 100; n++) workspace.insert("C1", { ts: ago(n * HOUR), text: `m${n}` });
      },
      { rateLimits: "unlisted" },
    );
    const report = await source.check(never());
    expect(report.warnings).toEqual([expect.stringContaining("15 messages a call and one call a minute")]);
    const plan = await source.plan(await requestFor(source, "messages"));
    expect(plan.query).toContain("at least 1 pages of 15");
    expect(plan.query).toContain("10,000 messages take 11 hours");
    expect(plan.durationMs).toBe(MINUTE);
    fake.limits.mode = "none";
  });

  it("is not believed for good: a full page ends it", async () => {
    const { source, fake, log } = await workspaceOf(
      (workspace) => {
        for (let n = 2; n <= 3000; n++) workspace.insert("C1", { ts: ago(n * MINUTE), text: `m${n}` });
      },
      { rateLimits: "unlisted" },
    );
    let records = 0;
    let pages = 0;
    for await (const page of source.read(await requestFor(source, "messages", { pageSize: 200 }))) {
      records += page.records.length;
      // The app is listed meanwhile.
      if (++pages === 6) fake.limits.mode = "none";
    }
    expect(records).toBe(2999);
    expect(log.lines.some((line) => line.includes("full pages again"))).toBe(true);
    // Twenty small pages at most before it was noticed, and not two hundred.
    expect(fake.requests.total).toBeLessThan(70);
  });

  it("reads threads one after the other, and long ones to their end", async () => {
    const { read, clock } = await workspaceOf(
      (workspace) => {
        for (let n = 1; n <= 6; n++) {
          workspace.insert("C1", { ts: ago(n * DAY), text: `p${n}` });
          for (let r = 1; r <= 20; r++) {
            workspace.insert("C1", {
              ts: ago(n * DAY - r * 1000),
              text: `p${n}r${r}`,
              thread_ts: ago(n * DAY),
            });
          }
        }
      },
      { rateLimits: "unlisted" },
    );
    const replies = recordsOf(await read("thread_replies"));
    expect(new Set(replies.map(({ ts }) => ts)).size).toBe(120);
    expect(replies).toHaveLength(120);
    // Twelve calls, a minute each.
    expect(clock.now() - NOON).toBeGreaterThanOrEqual(11 * MINUTE);
    expect(clock.now() - NOON).toBeLessThan(20 * MINUTE);
  });

  it("is not suspected of short pages", async () => {
    const { read, log, clock } = await workspaceOf(
      (workspace) => {
        for (let n = 1; n <= 300; n++) workspace.insert("C1", { ts: ago(n * HOUR), text: `m${n}` });
      },
      { quirks: { shortPages: true, tailPages: true } },
    );
    expect(recordsOf(await read("messages", { pageSize: 30 }))).toHaveLength(300);
    expect(clock.now()).toBe(NOON);
    expect(log.lines.filter((line) => line.startsWith("warn"))).toEqual([]);
  });
});

describe("tiers", () => {
  it("are waited out, method by method, and no attempt is spent", async () => {
    const channels = Array.from({ length: 70 }, (_, n) => `C${100 + n}`);
    const { read, fake, clock, waits } = await workspaceOf(
      (workspace) => {
        for (const id of channels) workspace.insert(id, { ts: ago(DAY), text: id });
      },
      { rateLimits: "tiers", channels },
    );
    const first = await read("messages");
    expect(recordsOf(first)).toHaveLength(70);
    expect(clock.now() - NOON).toBeGreaterThanOrEqual(30_000);
    expect(clock.now() - NOON).toBeLessThan(3 * MINUTE);
    expect(waits.length).toBeGreaterThan(0);
    expect(fake.requests.byStatus["429"]).toBeGreaterThan(0);
    // What was read before the wait was handed on before it.
    expect(first.length).toBeGreaterThan(1);
    clock.set(NOON + HOUR);
    expect(recordsOf(await read("messages", {}, { cursor: lastCursor(first) }))).toEqual([]);
  });
});
