import { describe, expect, it, vi } from "vitest";
import type { Value } from "../../../core/contracts/index.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { json } from "../../core/http/scripted-server.js";
import { requestFor } from "./account.js";
import { at, deskOf, full, idsIn, lastCursor, NOON, recordsIn, scriptedDesk, sized } from "./desk.js";

const exportsAsked = (recent: readonly string[]) =>
  recent
    .filter((line) => line.includes("/incremental/"))
    .map((line) => new URL(line.slice(4), "http://x").searchParams);

describe("the export by cursor", () => {
  it("begins with start_time once, and goes on by the cursor of each page", async () => {
    const { fake, read } = await deskOf({ account: { tickets: 95 } });
    const pages = await read("tickets", { options: sized(20) });
    expect(idsIn(pages)).toHaveLength(95);
    const asked = exportsAsked(fake.requests.recent);
    expect(asked).toHaveLength(5);
    expect(asked.map((query) => query.has("start_time"))).toEqual([true, false, false, false, false]);
    expect(asked.map((query) => query.has("cursor"))).toEqual([false, true, true, true, true]);
    expect(new Set(asked.map((query) => query.get("per_page")))).toEqual(new Set(["20"]));
  });

  it("keeps the cursor of the last page: the next run goes on exactly there, however late the clock says it is", async () => {
    const { fake, read, clock, account } = await deskOf({ account: { tickets: 30 } });
    const first = await read("tickets");
    const cursor = lastCursor(first);
    // Changed while nobody looked, seen by a run hours later: a start time of "now" would have missed it.
    const changed = account.changeSome("tickets", 5, 2);
    clock.set(clock.now() + 5 * 3_600_000);
    fake.requests.reset();
    const second = await read("tickets", { cursor: cursor ?? null });
    expect(idsIn(second).sort()).toEqual([...changed].sort());
    const [asked] = exportsAsked(fake.requests.recent);
    expect(asked?.get("cursor")).toBe(Reflect.get(Object(cursor), "after"));
    expect(asked?.has("start_time")).toBe(false);
  });

  it("leaves what changed within the last minute to the next run", async () => {
    const { read, clock, account } = await deskOf({ account: { tickets: 30 } });
    const fresh = account.changeSome("tickets", 4, 3);
    const first = await read("tickets");
    expect(idsIn(first).filter((id) => fresh.includes(id))).toEqual([]);
    clock.set(clock.now() + 61_000);
    const cursor = lastCursor(first) ?? null;
    expect(idsIn(await read("tickets", { cursor })).sort()).toEqual([...fresh].sort());
  });

  it("orders by generated_timestamp, so that system changes of old tickets are found", async () => {
    const { read, clock, account } = await deskOf({ account: { tickets: 30 } });
    const first = await read("tickets");
    const [, old] = [...account.table("tickets").values()];
    if (old === undefined) throw new Error("there are no tickets");
    account.put("tickets", { ...old, generated_timestamp: clock.now() / 1000 + 5 });
    clock.set(clock.now() + 120_000);
    const [ticket] = recordsIn(await read("tickets", { cursor: lastCursor(first) ?? null }));
    expect(ticket).toMatchObject({
      id: old.id,
      updated_at: old.updated_at,
      generated_timestamp: "2026-10-01T12:00:05Z",
    });
  });

  it.each([
    [400, { error: "BadRequest", description: "cursor is not valid" }],
    [422, { error: "InvalidValue", description: "Invalid cursor parameter" }],
  ])(
    "a stored cursor refused with %i is replaced by an hour before the last record, and nothing comes twice",
    async (status, body) => {
      const { fake, read, clock, account, log } = await deskOf({ account: { tickets: 60, ties: 12 } });
      const first = await read("tickets", { options: sized(25) });
      const changed = account.changeSome("tickets", 6, 4);
      clock.set(clock.now() + 3_600_000);
      fake.faults.set({ rules: [{ path: "cursor=", times: 1, fault: { kind: "answer", status, body } }] });
      fake.requests.reset();
      const second = await read("tickets", { cursor: lastCursor(first) ?? null });
      expect(idsIn(second).sort()).toEqual([...changed].sort());
      const last = Math.max(
        ...[...account.table("tickets").values()]
          .map((row) => Number(row.generated_timestamp))
          .filter((stamp) => stamp < NOON / 1000),
      );
      const starts = exportsAsked(fake.requests.recent).map((query) => query.get("start_time"));
      expect(starts).toEqual([null, String(last - 3_600)]);
      expect(log.lines.join()).toContain("refuses the stored cursor");
    },
  );

  it("a cursor refused in the middle of a second with many tickets loses none and repeats none, in either mode", async () => {
    for (const mode of [{}, full]) {
      const { fake, read } = await deskOf({ account: { tickets: 60, ties: 40 } });
      fake.faults.set({
        rules: [
          {
            path: "cursor=",
            on: { nth: [2, 4] },
            fault: { kind: "answer", status: 422, body: { error: "InvalidValue" } },
          },
        ],
      });
      const ids = idsIn(await read("tickets", { options: sized(7), ...mode }));
      expect(ids).toHaveLength(60);
      expect(new Set(ids).size).toBe(60);
    }
  });

  it("ends with end_of_stream, whatever cursor and count the page has", async () => {
    const { read, asked } = await scriptedDesk((url) => ({
      tickets: url.searchParams.has("cursor") ? [] : [{ id: 1, generated_timestamp: at("10:00:00") }],
      after_cursor: "abc",
      after_url: "https://elsewhere.example/api?cursor=abc",
      end_of_stream: url.searchParams.has("cursor"),
      count: 0,
    }));
    const error = await read("tickets").catch((reason: unknown) => reason);
    expect(idsIn(Array.isArray(error) ? error : [])).toEqual([1]);
    expect(asked()).toHaveLength(2);
  });

  it("never follows a URL of an answer to another host", async () => {
    const { read, server } = await scriptedDesk((url) => ({
      users: [],
      after_url: "https://evil.example/api/v2/incremental/users/cursor.json?cursor=next",
      end_of_stream: url.searchParams.get("cursor") === "next",
    }));
    await read("users");
    expect(server.seen.map(({ headers }) => headers.host)).toEqual(Array(2).fill(new URL(server.url).host));
  });

  it("with a lookback re-reads behind the watermark, and the engine recognises what it has", async () => {
    const { read, clock, account } = await deskOf({ account: { tickets: 30 } });
    const ledger = new SourceLedger("generated_timestamp", ["id"]);
    const lookbackMs = 600_000;
    account.changeSome("tickets", 5, 2);
    clock.set(clock.now() + 120_000);
    for (const page of await read("tickets", { lookbackMs })) ledger.take(page);
    // Became visible a quarter of an hour after its stamp, hours are no help but the lookback is.
    const late = account.changeSome("tickets", 1, 77, { at: clock.now() - 100_000 });
    clock.set(clock.now() + 60_000);
    for (const page of await read("tickets", { lookbackMs, cursor: ledger.checkpoint ?? null }))
      ledger.take(page);
    expect(ledger.repeats).toBe(5);
    expect(ledger.keys().slice(30)).toEqual(late.map(String));
  });

  it("too recent a start is no failure: nothing is there yet", async () => {
    const { read, clock } = await scriptedDesk(() =>
      json(
        {
          error: "InvalidValue",
          description: "Too recent start_time. Use a start_time older than 5 minutes",
        },
        422,
      ),
    );
    const [page, ...more] = await read("tickets", { from: NOON - 120_000 });
    expect(page?.records).toEqual([]);
    expect(more).toEqual([]);
    expect(clock.sleeps).toEqual([]);
  });
});

describe("the export by time", () => {
  it("goes from end_time to end_time and stops at end_of_stream, though a next page is named", async () => {
    const { fake, read } = await deskOf({ account: { organizations: 87, ties: 1 } });
    expect(idsIn(await read("organizations"))).toHaveLength(87);
    expect(exportsAsked(fake.requests.recent)).toHaveLength(1);
    fake.requests.reset();
    const pages = await read("organizations", { options: sized(40) });
    expect(pages.map(({ records }) => records.length)).toEqual([40, 40, 7]);
    const starts = exportsAsked(fake.requests.recent).map((query) => Number(query.get("start_time")));
    expect(starts).toHaveLength(3);
    expect([...starts].sort((a, b) => a - b)).toEqual(starts);
  });

  it("takes pages that are longer than asked for, since a second is never split", async () => {
    const { read } = await deskOf({ account: { organizations: 60, ties: 12 } });
    const pages = await read("organizations", { options: sized(1) });
    expect(Math.max(...pages.map(({ records }) => records.length))).toBeGreaterThan(5);
    expect(idsIn(pages)).toHaveLength(60);
    expect(new Set(idsIn(pages)).size).toBe(60);
  });

  it.each([
    ["incremental", {}],
    ["full", full],
  ])("drops what the next page repeats of the last second: %s", async (_mode, how) => {
    const { read } = await deskOf({ account: { organizations: 60, ties: 5 }, endTime: "inclusive" });
    const pages = await read("organizations", { options: sized(8), ...how });
    const ids = idsIn(pages);
    expect(ids).toHaveLength(60);
    expect(new Set(ids).size).toBe(60);
    for (const { cursor } of pages) {
      const rest = idsIn(await read("organizations", { options: sized(8), ...how, cursor, resumes: true }));
      const before = idsIn(pages.slice(0, pages.findIndex((page) => page.cursor === cursor) + 1));
      // The lookback re-reads behind an end; what an unfinished place has handed out never comes again.
      expect(new Set([...before, ...rest]).size).toBe(60);
      if (rest.length + before.length > 60) expect(cursor).toBe(lastCursor(pages));
    }
  });

  it("stops with an error where a second with more than a page does not end, and loses nothing", async () => {
    const { read, account, clock } = await deskOf({
      account: { organizations: 40, ties: 1 },
      splitSeconds: true,
    });
    account.changeSome("organizations", 30, 2, { at: NOON - 3_600_000 });
    clock.set(clock.now() + 60_000);
    const error = await read("organizations", { options: sized(10) }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "transient", code: "ZENDESK_EXPORT_STUCK" });
    expect(String(error)).toContain("2026-10-01T11:00:00Z");
    expect(error).toHaveProperty("place", "zendesk organizations");
  });

  it("goes past a second that a page shows whole, where end_time stays in it", async () => {
    const page = [1, 2, 3].map((id) => ({ id, updated_at: "2026-10-01T10:00:00Z" }));
    const { read, asked } = await scriptedDesk((url) => {
      const start = Number(url.searchParams.get("start_time"));
      const items = start <= at("10:00:00") ? page : [{ id: 4, updated_at: "2026-10-01T10:30:00Z" }];
      return {
        organizations: items,
        end_time: start <= at("10:00:00") ? at("10:00:00") : at("10:30:01"),
        next_page: "https://x.example",
        end_of_stream: start > at("10:00:00"),
      };
    });
    expect(idsIn(await read("organizations", { options: sized(2) }))).toEqual([1, 2, 3, 4]);
    expect(asked()).toHaveLength(3);
  });

  it("leaves the newest minute to the next run, and what commits late within the lookback is found", async () => {
    const { read, clock, account } = await deskOf({ account: { organizations: 20 } });
    const ledger = new SourceLedger("updated_at", ["id"]);
    const fresh = account.changeSome("organizations", 3, 2);
    // Stamped three minutes ago, visible in ten seconds.
    const late = account.changeSome("organizations", 1, 9, { at: NOON - 180_000, visibleAt: NOON + 10_000 });
    for (const page of await read("organizations")) ledger.take(page);
    const seen = new Set(ledger.keys());
    for (const id of fresh) expect(seen.has(String(id))).toBe(false);
    clock.set(NOON + 120_000);
    for (const page of await read("organizations", { cursor: ledger.checkpoint ?? null })) ledger.take(page);
    expect(new Set(ledger.keys()).size).toBe(20);
    const versions = ledger.versions();
    expect(versions).toContain(`${late[0]} 2026-10-01T11:57:00Z`);
    expect(new Set(versions).size).toBe(versions.length);
  });

  it("does not trust a clock of ours that is ahead of Zendesk's", async () => {
    const { read, clock, account } = await deskOf({ account: { organizations: 20 }, skewMs: -600_000 });
    const fresh = account.changeSome("organizations", 2, 2, { at: account.now() - 30_000 });
    const first = await read("organizations");
    expect(idsIn(first).filter((id) => fresh.includes(id))).toEqual([]);
    expect((first[0]?.window?.to ?? "") <= "2026-10-01T11:49:00Z").toBe(true);
    clock.set(clock.now() + 120_000);
    const second = await read("organizations", { cursor: lastCursor(first) ?? null });
    expect(idsIn(second).sort()).toEqual([...fresh].sort());
  });

  it("too recent a start is no failure, and the next run begins where this one would have", async () => {
    let recent = true;
    const { read, asked } = await scriptedDesk(() =>
      recent
        ? json(
            {
              error: "InvalidValue",
              description: "Too recent start_time. Use a start_time older than 5 minutes",
            },
            422,
          )
        : {
            organizations: [{ id: 1, updated_at: "2026-10-01T11:57:30Z" }],
            end_time: at("11:57:31"),
            end_of_stream: true,
          },
    );
    const first = await read("organizations", { from: NOON - 180_000 });
    expect(idsIn(first)).toEqual([]);
    recent = false;
    expect(
      idsIn(await read("organizations", { cursor: lastCursor(first) ?? null, from: NOON - 180_000 })),
    ).toContain(1);
    expect(
      asked()
        .map((url) => /start_time=(\d+)/.exec(url)?.[1])
        .slice(0, 2),
    ).toEqual(Array(2).fill(String(NOON / 1000 - 180)));
  });

  it("a start within the last minute asks for nothing, and is taken up later", async () => {
    const { read, clock, fake, account } = await deskOf({ account: { organizations: 10 } });
    const from = NOON - 10_000;
    const first = await read("organizations", { from });
    expect(first.map(({ records }) => records)).toEqual([[]]);
    expect(fake.requests.total).toBe(0);
    const changed = account.changeSome("organizations", 3, 2);
    clock.set(clock.now() + 120_000);
    expect(idsIn(await read("organizations", { from, cursor: lastCursor(first) ?? null })).sort()).toEqual(
      [...changed].sort(),
    );
  });

  it("an article export that does not tell its end is read until a page is empty", async () => {
    const pages: Record<string, object> = {
      "0": { articles: [{ id: 1, updated_at: "2026-09-01T00:00:00Z" }], end_time: 100, next_page: "x" },
      "100": { articles: [{ id: 2, updated_at: "2026-09-02T00:00:00Z" }], end_time: 200, next_page: "x" },
      "200": { articles: [], end_time: 200, next_page: null },
    };
    const { read } = await scriptedDesk((url) => pages[url.searchParams.get("start_time") ?? ""] ?? {});
    expect(idsIn(await read("articles"))).toEqual([1, 2]);
  });

  it("what is stamped ahead of its time is handed out where Zendesk puts it, and once", async () => {
    const event = (id: number, time: string) => ({ id, time: `2026-10-01T${time}Z` });
    const pages: Record<string, object> = {
      "0": {
        ticket_metric_events: [event(1, "09:00:00"), event(2, "18:00:00")],
        end_time: at("10:00:00"),
        end_of_stream: false,
      },
      [at("10:00:00")]: {
        ticket_metric_events: [event(3, "10:30:00")],
        end_time: at("10:30:01"),
        end_of_stream: true,
      },
    };
    const { read } = await scriptedDesk(
      (url) =>
        pages[url.searchParams.get("start_time") ?? ""] ?? {
          ticket_metric_events: [event(2, "18:00:00")],
          end_time: null,
          end_of_stream: true,
        },
    );
    const first = await read("ticket_metric_events");
    expect(idsIn(first)).toEqual([1, 2, 3]);
  });

  it("an export without stamps on some rows hands them out all the same", async () => {
    const { read } = await scriptedDesk(() => ({
      organizations: [{ id: 1, updated_at: null }, { id: 2 }, { id: 3, updated_at: "2026-09-01T00:00:00Z" }],
      end_time: at("10:00:00"),
      end_of_stream: true,
    }));
    expect(idsIn(await read("organizations"))).toEqual([1, 2, 3]);
  });
});

describe("an answer that is none", () => {
  const bodies: readonly (readonly [string, string, object | readonly unknown[]])[] = [
    ["tickets", "without its list", { after_cursor: "a", end_of_stream: true }],
    ["tickets", "with a list of numbers", { tickets: [1], after_cursor: "a", end_of_stream: true }],
    ["tickets", "without end_of_stream", { tickets: [], after_cursor: "a" }],
    ["tickets", "that goes on without a cursor", { tickets: [], end_of_stream: false }],
    ["organizations", "without its list", { end_time: 1, end_of_stream: true }],
    ["groups", "that goes on without a cursor", { groups: [], meta: { has_more: true, after_cursor: null } }],
    ["groups", "that is a list", []],
  ];
  it.each(bodies)("%s %s is transient, and names the stream", async (stream, _what, body) => {
    const { read } = await scriptedDesk(() => body);
    const error = await read(stream).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "transient", place: `zendesk ${stream}` });
  });

  it("a checkpoint of another kind of stream is refused with what to do", async () => {
    const { read } = await deskOf({ account: { tickets: 5, others: 2 } });
    const cursors: Value[] = [lastCursor(await read("groups")) ?? null, "text", { paging: "cursorExport" }];
    for (const cursor of cursors) {
      const error = await read("tickets", { cursor }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ kind: "config", code: "ZENDESK_CURSOR" });
    }
  });
});

describe("the next page", () => {
  it("is asked for while the last one is worked on, and no more than one", async () => {
    const { fake, source } = await deskOf({ account: { tickets: 100 } });
    const request = await requestFor(source, "tickets", { options: sized(10) });
    let pages = 0;
    for await (const page of source.read(request)) {
      expect(page.records).toHaveLength(10);
      pages++;
      // Without anybody asking for the page, its request arrives; the one behind it never does.
      await vi.waitFor(() => expect(fake.requests.total).toBe(Math.min(10, pages + 1)));
    }
    expect([pages, fake.requests.total]).toEqual([10, 10]);
  });
});
