import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import zendeskClient from "node-zendesk";
import { afterEach, describe, expect, it } from "vitest";
import {
  readAccountFolder,
  startZendeskFake,
  type ZendeskFake,
  type ZendeskFakeOptions,
} from "./zendesk/index.js";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: ZendeskFakeOptions = {}): Promise<ZendeskFake> {
  const fake = await startZendeskFake({
    account: { tickets: 150, users: 120, organizations: 130 },
    ...options,
  });
  closers.push(() => fake.close());
  return fake;
}

type Answered = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
};

async function ask(fake: ZendeskFake, path: string, init: RequestInit = {}): Promise<Answered> {
  const response = await fetch(fake.url + path, {
    headers: { authorization: `Bearer ${fake.accessToken}` },
    ...init,
  });
  const text = await response.text();
  const parsed: unknown = text.startsWith("{") ? JSON.parse(text) : {};
  return { status: response.status, headers: response.headers, body: Object(parsed) };
}

const token = (fake: ZendeskFake, body: object) =>
  ask(fake, "/oauth/tokens", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_id: fake.oauth.clientId, client_secret: fake.oauth.clientSecret, ...body }),
  });

const control = (fake: ZendeskFake, method: string, path: string, body?: object) =>
  ask(fake, `/__fake/${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });

const rows = (body: Record<string, unknown>, key: string): Record<string, unknown>[] => {
  const list = body[key];
  if (!Array.isArray(list)) throw new Error(`the answer has no ${key}`);
  return list;
};
const idsOf = (list: unknown) =>
  (Array.isArray(list) ? list : []).map((row) => Number(Reflect.get(Object(row), "id"))).sort();

/** The cursor behind the last ticket, as Zendesk writes it. */
function cursorAtEnd(fake: ZendeskFake): string {
  const last = fake.account.inOrder("tickets").at(-1);
  return Buffer.from(`${last?.generated_timestamp}.0||${last?.id}|`).toString("base64");
}

describe("node-zendesk reads the fake", () => {
  const clientOf = (fake: ZendeskFake, how: object) =>
    zendeskClient.createClient({ endpointUri: `${fake.url}/api/v2`, ...how });
  const oauth = (fake: ZendeskFake) => ({ token: fake.accessToken, oauth: true });

  it("says who it is, by OAuth and by API token", async () => {
    const fake = await start();
    const ways = [oauth(fake), { username: fake.oauth.email, token: fake.oauth.apiToken }];
    for (const how of ways) {
      const { result } = await clientOf(fake, how).users.me();
      expect(result).toMatchObject({ email: fake.oauth.email, role: "admin" });
    }
    const { result } = await clientOf(fake, { username: "x", token: "wrong" }).users.me();
    expect(result).toMatchObject({ id: null });
  });

  it("lists tickets, users, organizations and groups, every page of them", async () => {
    const fake = await start();
    const client = clientOf(fake, oauth(fake));
    const alive = [...fake.account.table("tickets").values()].filter((row) => row.status !== "deleted");
    expect(idsOf(await client.tickets.list())).toEqual(idsOf(alive));
    expect(idsOf(await client.users.list())).toEqual(idsOf([...fake.account.table("users").values()]));
    expect(idsOf(await client.organizations.list())).toEqual(
      idsOf([...fake.account.table("organizations").values()]),
    );
    expect((await client.groups.list()).length).toBeGreaterThan(5);
  });

  it("exports tickets by cursor to the end of the stream", async () => {
    const fake = await start();
    const client = clientOf(fake, oauth(fake));
    // Without a cursor this client sends the word "undefined" for one.
    const first: unknown = (await client.ticketexport.exportCursor(0, "")).result;
    expect(idsOf(Reflect.get(Object(first), "tickets") ?? first)).toEqual(
      idsOf([...fake.account.table("tickets").values()]),
    );
    const after = cursorAtEnd(fake);
    const second: unknown = (await client.ticketexport.exportCursor(0, after)).result;
    expect(idsOf(Reflect.get(Object(second), "tickets") ?? second)).toEqual([]);
  });

  it("exports tickets, users, organizations and ticket events by time", async () => {
    const fake = await start();
    const client = clientOf(fake, oauth(fake));
    expect(idsOf(await client.tickets.incremental("0"))).toEqual(
      idsOf([...fake.account.table("tickets").values()]),
    );
    expect(idsOf(await client.users.incremental(0))).toEqual(
      idsOf([...fake.account.table("users").values()]),
    );
    expect(idsOf(await client.organizations.incremental("0"))).toEqual(
      idsOf([...fake.account.table("organizations").values()]),
    );
    expect(idsOf(await client.ticketevents.incremental(0))).toEqual(
      idsOf([...fake.account.table("ticket_events").values()]),
    );
  });

  it("is refused what Zendesk refuses", async () => {
    const fake = await start();
    const client = clientOf(fake, { username: "x", token: "wrong" });
    await expect(client.tickets.list()).rejects.toThrow(/401|authenticate/i);
    await expect(clientOf(fake, oauth(fake)).tickets.show(1)).rejects.toThrow(/404|not found/i);
  });
});

describe("what makes it honest", () => {
  it("the export by cursor ends with a cursor, and goes on exactly behind it", async () => {
    const fake = await start();
    const path = "/api/v2/incremental/tickets/cursor.json";
    const seen: number[] = [];
    let query = "start_time=0&per_page=40";
    for (;;) {
      const { body } = await ask(fake, `${path}?${query}`);
      seen.push(...idsOf(rows(body, "tickets")));
      expect(body.after_cursor).toEqual(expect.any(String));
      query = `per_page=40&cursor=${encodeURIComponent(String(body.after_cursor))}`;
      if (body.end_of_stream === true) break;
    }
    expect(seen.length).toBe(150);
    expect(new Set(seen).size).toBe(150);
    const { body } = await ask(fake, `${path}?${query}`);
    expect(body).toMatchObject({ tickets: [], end_of_stream: true });
    expect(Buffer.from(String(body.after_cursor), "base64").toString()).toMatch(/^\d{10}\.0\|\|\d+\|$/);
    const { status } = await ask(fake, `${path}?cursor=nonsense`);
    expect(status).toBe(422);
  });

  it("leaves the last minute out by cursor, and refuses a start within it", async () => {
    let now = Date.UTC(2026, 9, 1, 12);
    const fake = await start({ clock: { now: () => now } });
    const [changed] = fake.account.changeSome("tickets", 1, 5);
    const exported = async () =>
      idsOf(
        rows(
          (await ask(fake, `/api/v2/incremental/tickets/cursor?start_time=${now / 1000 - 3_600}`)).body,
          "tickets",
        ),
      );
    expect(await exported()).toEqual([]);
    now += 61_000;
    expect(await exported()).toEqual([changed]);
    const { status, body } = await ask(
      fake,
      `/api/v2/incremental/organizations?start_time=${now / 1000 - 30}`,
    );
    expect([status, body.error]).toEqual([422, "InvalidValue"]);
    expect(body.description).toMatch(/^Too recent start_time/);
  });

  it("never splits a second by time, names a next page at the end, and its end_time lies behind the page", async () => {
    const fake = await start({ account: { organizations: 60, ties: 8 } });
    let startTime = 0;
    const sizes: number[] = [];
    for (;;) {
      const { body } = await ask(
        fake,
        `/api/v2/incremental/organizations.json?per_page=1&start_time=${startTime}`,
      );
      const page = rows(body, "organizations");
      sizes.push(page.length);
      expect(new Set(page.map((row) => row.updated_at)).size).toBe(1);
      expect(body.end_time).toBe(Date.parse(String(page[0]?.updated_at)) / 1000 + 1);
      expect(body.next_page).toContain(`start_time=${body.end_time}`);
      startTime = Number(body.end_time);
      fake.limits.reset();
      if (body.end_of_stream === true) break;
    }
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(60);
    expect(Math.max(...sizes)).toBeGreaterThan(4);
  });

  it.each(["2024", "2023"] as const)("counts ten exports a minute and says so as in %s", async (spelling) => {
    let now = Date.UTC(2026, 9, 1, 12);
    const fake = await start({ spelling, clock: { now: () => now } });
    const path = "/api/v2/incremental/organizations?start_time=0";
    const first = await ask(fake, path);
    const name =
      spelling === "2024"
        ? "zendesk-ratelimit-incremental-exports"
        : "zendesk-rate-limit-incremental-exports";
    expect(first.headers.get(name)).toBe("total=10; remaining=9; resets=60");
    expect(first.headers.get(spelling === "2024" ? "ratelimit-remaining" : "rate-limit-remaining")).toBe(
      "699",
    );
    expect(first.headers.get("x-rate-limit")).toBe("700");
    for (let n = 0; n < 9; n++) expect((await ask(fake, path)).status).toBe(200);
    now += 20_000;
    const refused = await ask(fake, path);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "40"]);
    // Other requests are not counted against it.
    expect((await ask(fake, "/api/v2/groups.json")).status).toBe(200);
    now += 40_000;
    expect((await ask(fake, path)).status).toBe(200);
  });

  it("a refresh token works once and takes its access token with it; a token lives as long as was said", async () => {
    let now = Date.UTC(2026, 9, 1, 12);
    const fake = await start({ clock: { now: () => now } });
    const first = fake.oauth.refreshToken;
    const one = await token(fake, { grant_type: "refresh_token", refresh_token: first, expires_in: 300 });
    expect(one.body).toMatchObject({
      token_type: "bearer",
      expires_in: 300,
      refresh_token_expires_in: 2_592_000,
    });
    expect((await token(fake, { grant_type: "refresh_token", refresh_token: first })).body.error).toBe(
      "invalid_grant",
    );
    const as = (access: unknown) => ({ headers: { authorization: `Bearer ${String(access)}` } });
    expect((await ask(fake, "/api/v2/groups", as(one.body.access_token))).status).toBe(200);
    const two = await token(fake, { grant_type: "refresh_token", refresh_token: one.body.refresh_token });
    expect(two.status).toBe(200);
    expect((await ask(fake, "/api/v2/groups", as(one.body.access_token))).body.error).toBe("invalid_token");
    const three = await token(fake, { grant_type: "client_credentials", expires_in: 300 });
    now += 301_000;
    expect((await ask(fake, "/api/v2/groups", as(three.body.access_token))).status).toBe(401);
    expect((await token(fake, { grant_type: "client_credentials", client_secret: "wrong" })).body.error).toBe(
      "invalid_client",
    );
    expect((await token(fake, { grant_type: "password" })).body.error).toBe("unsupported_grant_type");
  });

  it("lists by cursor where page[size] is given and by offset where it is not, and walls offset off", async () => {
    const fake = await start({ account: { others: 230 } });
    const cursor = await ask(fake, "/api/v2/macros?page[size]=100");
    expect(cursor.body.meta).toMatchObject({ has_more: true });
    expect(cursor.body).not.toHaveProperty("count");
    const offset = await ask(fake, "/api/v2/macros");
    expect(offset.body).toMatchObject({ count: 230, next_page: expect.stringContaining("page=2") });
    expect(offset.body).not.toHaveProperty("meta");
    expect((await ask(fake, "/api/v2/macros?page=101")).status).toBe(400);
    expect((await ask(fake, "/api/v2/macros?page[size]=101")).status).toBe(400);
    expect((await ask(fake, "/api/v2/slas/policies?page[size]=10")).body).toHaveProperty("count", 230);
  });

  it("comments are flagged only, unless they are asked for", async () => {
    const fake = await start();
    const events = async (include: string) => {
      const { body } = await ask(fake, `/api/v2/incremental/ticket_events?start_time=0${include}`);
      return rows(body, "ticket_events").flatMap((event) => rows(event, "child_events"));
    };
    expect((await events("")).filter((child) => "body" in child)).toEqual([]);
    expect((await events("")).filter((child) => child.comment_present === true).length).toBeGreaterThan(10);
    expect(
      (await events("&include=comment_events")).filter((child) => "body" in child).length,
    ).toBeGreaterThan(10);
  });
});

describe("what it can be told", () => {
  it("changes, inserts, deletes and late commits, by control", async () => {
    let now = Date.UTC(2026, 9, 1, 12);
    const fake = await start({ clock: { now: () => now } });
    const ids = async (verb: string, body: object) => {
      const answered = await control(fake, "POST", verb, body);
      const list = answered.body.ids;
      return Array.isArray(list) ? list.map(Number) : [];
    };
    const stampOf = (id: number | undefined) =>
      fake.account.table("tickets").get(id ?? 0)?.generated_timestamp;
    const [changed] = await ids("change", { stream: "tickets", count: 3, seed: 2 });
    expect(stampOf(changed)).toBe(now / 1000);
    const [late] = await ids("change", { stream: "tickets", count: 1, seed: 3, visibleInMs: 5_000 });
    expect(stampOf(late)).not.toBe(now / 1000);
    const stamp = now / 1000;
    now += 6_000;
    expect(stampOf(late)).toBe(stamp);
    const [deleted] = await ids("delete", { stream: "tickets", count: 1, seed: 4 });
    expect(fake.account.table("tickets").get(deleted ?? 0)?.status).toBe("deleted");
    await ids("delete", { stream: "macros", count: 1 });
    await ids("insert", { stream: "users", count: 2 });
    expect((await control(fake, "GET", "streams")).body).toMatchObject({
      tickets: 150,
      macros: 11,
      users: 122,
    });
    expect(
      (await control(fake, "POST", "change", { stream: "nonsense", count: 1 })).body.description,
    ).toContain("nonsense");
  });

  it("faults by script, and the count of requests", async () => {
    const fake = await start();
    const script = {
      rules: [{ path: "/groups", on: { nth: 2 }, fault: { kind: "status", preset: "unavailable" } }],
    };
    await control(fake, "PUT", "faults", script);
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await ask(fake, "/api/v2/groups")).status);
    expect(statuses).toEqual([200, 503, 200]);
    expect((await control(fake, "GET", "requests")).body).toMatchObject({
      total: 3,
      faults: { unavailable: 1 },
    });
    const refused = await control(fake, "PUT", "faults", { rules: [{ fault: { kind: "earthquake" } }] });
    expect(refused.status).toBe(400);
  });

  it("an account from a folder of NDJSON files", async () => {
    const folder = mkdtempSync(join(tmpdir(), "zendesk-account-"));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    const ticket = { id: 7, subject: "Grüße", status: "open", updated_at: "2026-09-01T10:00:00Z" };
    writeFileSync(
      join(folder, "tickets.ndjson"),
      `${JSON.stringify(ticket)}\n\n${JSON.stringify({ ...ticket, id: 8 })}\n`,
    );
    writeFileSync(join(folder, "groups.jsonl"), `${JSON.stringify({ id: 1, name: "Support" })}\n`);
    const clock = { now: () => Date.UTC(2026, 9, 1, 12) };
    const fake = await start({ clock, account: await readAccountFolder(folder, clock) });
    const { body } = await ask(fake, "/api/v2/incremental/tickets/cursor?start_time=0");
    expect(rows(body, "tickets")).toMatchObject([
      { id: 7, subject: "Grüße", generated_timestamp: Date.parse(ticket.updated_at) / 1000 },
      { id: 8 },
    ]);
    expect(rows((await ask(fake, "/api/v2/groups")).body, "groups")).toMatchObject([{ name: "Support" }]);
    const empty = join(folder, "empty");
    mkdirSync(empty);
    await expect(readAccountFolder(empty, clock)).rejects.toThrow("holds no .ndjson");
    writeFileSync(join(empty, "unknown.ndjson"), "{}\n");
    await expect(readAccountFolder(empty, clock)).rejects.toThrow("no stream of that name");
    rmSync(join(empty, "unknown.ndjson"));
    writeFileSync(join(empty, "users.ndjson"), '{"name":"no id"}\n');
    await expect(readAccountFolder(empty, clock)).rejects.toThrow("users.ndjson:1 is no record");
  });

  it("the same account from the same seed", async () => {
    const clock = { now: () => Date.UTC(2026, 9, 1, 12) };
    const [one, two] = [await start({ clock }), await start({ clock })];
    for (const stream of ["tickets", "users", "ticket_events"]) {
      expect(two.account.inOrder(stream)).toEqual(one.account.inOrder(stream));
    }
  });
});

describe("the bench", () => {
  it("serves any number of tickets, each the same from wherever it is asked for", async () => {
    const clock = { now: () => Date.UTC(2026, 9, 1, 12) };
    const fake = await start({ clock, account: {}, bench: { records: 9_500, recordBytes: 1_200, ties: 30 } });
    const path = "/api/v2/incremental/tickets/cursor";
    const seen = new Map<number, string>();
    let query = "start_time=0";
    let stamp = 0;
    for (let page = 0; page < 20; page++) {
      const { body } = await ask(fake, `${path}?${query}`);
      for (const row of rows(body, "tickets")) {
        expect(Number(row.generated_timestamp)).toBeGreaterThanOrEqual(stamp);
        stamp = Number(row.generated_timestamp);
        expect(Date.parse(String(row.updated_at)) / 1000).toBe(stamp);
        expect(String(row.url)).toContain(`/${row.id}.json`);
        seen.set(Number(row.id), JSON.stringify(row));
      }
      if (body.end_of_stream === true) break;
      query = `cursor=${String(body.after_cursor)}`;
    }
    expect(seen.size).toBe(9_500);
    const sizes = [...seen.values()].map((text) => Buffer.byteLength(text));
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(60);
    expect(Math.abs((sizes[0] ?? 0) - 1_200)).toBeLessThan(60);
    fake.limits.reset();
    const { body } = await ask(fake, `${path}?start_time=${stamp - 2}&per_page=7`);
    for (const row of rows(body, "tickets")) expect(JSON.stringify(row)).toBe(seen.get(Number(row.id)));
  });
});
