import { describe, expect, it } from "vitest";
import { STREAMS } from "../../../connectors/zendesk/streams.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { html, json } from "../../core/http/scripted-server.js";
import { never } from "./account.js";
import { deskOf, idsIn, lastCursor, NOON, recordsIn, scriptedDesk, sized } from "./desk.js";

const HOUR = 3_600_000;

describe("lists", () => {
  it("are asked for by cursor, a hundred at a time", async () => {
    const { fake, read } = await deskOf({ account: { others: 250 } });
    expect(idsIn(await read("macros"))).toHaveLength(250);
    const asked = fake.requests.recent.map((line) => decodeURIComponent(line));
    expect(asked).toHaveLength(3);
    for (const line of asked) expect(line).toContain("page[size]=100");
    expect(asked.filter((line) => line.includes("page[after]="))).toHaveLength(2);
    expect(asked.filter((line) => /[?&]page=/.test(line))).toEqual([]);
  });

  it("that know only offset paging are read by it, each record once", async () => {
    const { fake, read } = await deskOf({ account: { others: 230 }, offsetOnly: ["triggers"] });
    const ids = idsIn(await read("triggers", { options: sized(60) }));
    expect(ids).toHaveLength(230);
    expect(new Set(ids).size).toBe(230);
    const pages = fake.requests.recent.map((line) =>
      new URL(line.slice(4), "http://x").searchParams.get("page"),
    );
    expect(pages).toEqual([null, "1", "2", "3", "4"]);
  });

  it("that refuse cursor paging are read by offset", async () => {
    const { read } = await scriptedDesk((url) =>
      url.searchParams.has("page[size]")
        ? json({ error: "InvalidValue", description: "page must be an integer" }, 400)
        : {
            views: [{ id: Number(url.searchParams.get("page")) }],
            next_page: url.searchParams.get("page") === "3" ? null : "x",
          },
    );
    expect(idsIn(await read("views"))).toEqual([1, 2, 3]);
  });

  it("that shift while they are read by offset bring nothing twice", async () => {
    const { read } = await scriptedDesk((url) => {
      const page = url.searchParams.get("page") ?? "1";
      // A record was put in front between the two pages.
      const ids = page === "1" ? [5, 4, 3] : [3, 2, 1];
      return {
        brands: ids.map((id) => ({ id })),
        next_page: page === "1" ? "http://x/?page=2" : null,
        count: 6,
      };
    });
    expect(idsIn(await read("brands"))).toEqual([5, 4, 3, 2, 1]);
  });

  it("longer than offset paging reaches are an error, not a part of the list", async () => {
    const { read } = await scriptedDesk((url) => ({
      macros: [{ id: Number(url.searchParams.get("page") ?? 0) }],
      next_page: `http://x/?page=${Number(url.searchParams.get("page") ?? 1) + 1}`,
      count: 20_000,
    }));
    const error = await read("macros").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "config", code: "ZENDESK_OFFSET_LIMIT" });
  });

  it("lead nowhere but to their own host, and never in a circle", async () => {
    let page = 0;
    const { read, server } = await scriptedDesk(() => ({
      groups: [{ id: ++page }],
      meta: { has_more: true, after_cursor: ["a", "b", "a"][page - 1] },
      links: { next: "https://evil.example/api/v2/groups?page[after]=z" },
    }));
    const error = await read("groups").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "transient", code: "ZENDESK_REPEATED_PAGE" });
    expect(new Set(server.seen.map(({ headers }) => headers.host))).toEqual(
      new Set([new URL(server.url).host]),
    );
  });

  it("of groups hold the deleted ones, and say so", async () => {
    const { fake, read, account } = await deskOf({ account: { others: 20 } });
    const groups = recordsIn(await read("groups"));
    expect(groups).toHaveLength(20);
    expect(groups.filter(({ deleted }) => deleted === true).length).toBe(
      [...account.table("groups").values()].filter((row) => row.deleted === true).length,
    );
    expect(fake.requests.recent[0]).toContain("exclude_deleted=false");
  });

  it("cannot be resumed at a place that Zendesk no longer knows, and say what to do", async () => {
    const { fake, source, read } = await deskOf({ account: { others: 30 } });
    const pages = await read("views", { options: sized(10) });
    fake.faults.set({
      rules: [
        {
          path: "after",
          fault: { kind: "answer", status: 400, body: { errors: [{ code: "InvalidPaginationParameter" }] } },
        },
      ],
    });
    const error = await read("views", {
      options: sized(10),
      cursor: pages[0]?.cursor ?? null,
      resumes: true,
    }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "config", code: "ZENDESK_LIST_CURSOR" });
    await source.close();
  });
});

describe("lists in windows", () => {
  it("ratings are asked for by start_time and end_time, a minute and more ago", async () => {
    const { fake, read, clock, account } = await deskOf({ account: { others: 12 } });
    const first = await read("satisfaction_ratings");
    expect(idsIn(first)).toHaveLength(48);
    const changed = account.changeSome("satisfaction_ratings", 4, 3);
    clock.set(clock.now() + HOUR);
    fake.requests.reset();
    const second = await read("satisfaction_ratings", { cursor: lastCursor(first) ?? null });
    expect(idsIn(second).sort()).toEqual([...changed].sort());
    const query = new URL(fake.requests.recent[0]?.slice(4) ?? "", "http://x").searchParams;
    const noon = clock.now() / 1000 - 3_600;
    expect([query.get("start_time"), query.get("end_time")]).toEqual([
      String(noon - 60 - 300),
      String(noon + 3_540),
    ]);
  });

  it("what lies on the end of the window comes once, though both windows hold it", async () => {
    const { read, clock, account } = await deskOf({ account: { others: 5 } });
    const onTheEnd = account.changeSome("satisfaction_ratings", 2, 3, { at: NOON - 60_000 });
    const ledger = new SourceLedger("updated_at", ["id"]);
    for (const page of await read("satisfaction_ratings")) ledger.take(page);
    expect(ledger.keys()).toEqual(expect.arrayContaining(onTheEnd.map(String)));
    clock.set(clock.now() + 120_000);
    for (const page of await read("satisfaction_ratings", { cursor: ledger.checkpoint ?? null }))
      ledger.take(page);
    expect(ledger.repeats).toBe(2);
    expect(ledger.stored).toHaveLength(20);
  });

  it("audit logs are asked for by their time, oldest first", async () => {
    const { fake, read } = await deskOf({ account: { others: 12 } });
    const pages = await read("audit_logs", { options: sized(20) });
    const stamps = recordsIn(pages).map(({ created_at }) => String(created_at));
    expect(stamps).toHaveLength(48);
    expect([...stamps].sort()).toEqual(stamps);
    const query = new URL(fake.requests.recent[0]?.slice(4) ?? "", "http://x").searchParams;
    expect(query.getAll("filter[created_at][]")).toEqual(["1970-01-01T00:00:00Z", "2026-10-01T11:59:00Z"]);
  });

  it("ratings outside the window are handed out: the server may mean another time by it", async () => {
    const { read } = await scriptedDesk(() => ({
      satisfaction_ratings: [
        { id: 1, updated_at: "2026-10-01T11:59:59Z" },
        { id: 2, updated_at: "2026-09-01T00:00:00Z" },
      ],
      meta: { has_more: false, after_cursor: null },
    }));
    const from = Date.UTC(2026, 8, 20);
    expect(idsIn(await read("satisfaction_ratings", { from }))).toEqual([1, 2]);
  });
});

describe("streams that the plan or the role lacks", () => {
  const unavailable = {
    ticket_forms: 403,
    audit_logs: 404,
    satisfaction_ratings: 404,
    articles: 403,
  } as const;

  it("are listed as not readable, with the reason, and the others are not touched by it", async () => {
    const { fake, source } = await deskOf({ account: { others: 3 }, unavailable });
    const streams = await source.discover(never());
    expect(streams.map(({ name }) => name)).toEqual(STREAMS.map(({ name }) => name));
    for (const { name, readable, reason } of streams) {
      expect(readable, name).toBe(!(name in unavailable));
      if (!readable) expect(reason).toMatch(/needs .*(plan|Enterprise|Help Center)/);
    }
    // Exports are not spent on looking.
    expect(fake.requests.recent.filter((line) => line.includes("/incremental/"))).toEqual([]);
  });

  it.each(Object.entries(unavailable))(
    "%s is a clear error when it is read, never an empty success",
    async (name, status) => {
      const { read } = await deskOf({ account: { others: 3 }, unavailable });
      const error = await read(name).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: "ZENDESK_STREAM_UNAVAILABLE",
        kind: status === 403 ? "auth" : "config",
      });
      expect(String(error)).toContain(name);
      expect(error).toHaveProperty("fix", expect.stringContaining("It needs"));
    },
  );

  it("an account that does not exist is said to be that, not a missing stream", async () => {
    const { source, read } = await scriptedDesk(() => html(404));
    const noAccount = { kind: "config", code: "ZENDESK_NO_ACCOUNT" };
    await expect(read("groups")).rejects.toMatchObject(noAccount);
    await expect(source.discover(never())).rejects.toMatchObject(noAccount);
  });

  it("a 404 in HTML is of the stream once the account has answered", async () => {
    const { source, read } = await scriptedDesk(({ pathname }) => {
      if (pathname.endsWith("/users/me.json")) return { user: { id: 1, role: "admin" } };
      return pathname.endsWith("/audit_logs.json") ? html(404) : { groups: [], meta: { has_more: false } };
    });
    const streams = await source.discover(never());
    expect(streams.filter(({ readable }) => !readable)).toEqual([
      {
        name: "audit_logs",
        label: "Audit logs",
        readable: false,
        reason: "the account has no such address; it needs an admin of an Enterprise account",
      },
    ]);
    await expect(read("audit_logs")).rejects.toMatchObject({
      kind: "config",
      code: "ZENDESK_STREAM_UNAVAILABLE",
      message: "audit_logs cannot be read by this connection: the account has no such address",
    });
  });
});
