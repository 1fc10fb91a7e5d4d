import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogLevel, WebClient } from "@slack/web-api";
import { afterEach, describe, expect, it } from "vitest";
import {
  BENCH_CHANNEL,
  type FaultScript,
  generateWorkspace,
  parseFaultScript,
  readWorkspaceFolder,
  type SlackFake,
  type SlackFakeOptions,
  startSlackFake,
  tsText,
} from "./slack/index.js";

/* The fake is honest as far as the official client can tell, and does by itself what the method reference says. */

const NOON = Date.UTC(2026, 9, 1, 12);
const clock = { now: () => NOON };
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(options: SlackFakeOptions = {}): Promise<SlackFake> {
  const fake = await startSlackFake({ clock, ...options });
  closers.push(() => fake.close());
  return fake;
}

const webClient = (fake: SlackFake, token: string = fake.oauth.token) =>
  new WebClient(token, {
    slackApiUrl: `${fake.url}/`,
    logLevel: LogLevel.ERROR,
    retryConfig: { retries: 0 },
  });

const small = { users: 30, channels: 3, messages: 250, threads: 0.2, files: 25, usergroups: 4 };

/** One GET, as our own client sends it. */
async function get(
  fake: SlackFake,
  method: string,
  args: Record<string, string> = {},
  token: string = fake.oauth.token,
) {
  const response = await fetch(`${fake.url}/${method}?${new URLSearchParams(args)}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const body: unknown = await response.json();
  return {
    status: response.status,
    headers: response.headers,
    body: Object(body) as Record<string, never> & {
      readonly messages: { ts: string; text: string }[];
      readonly response_metadata?: { next_cursor: string };
    },
  };
}

describe("@slack/web-api", () => {
  it("reads every list to its end", async () => {
    const fake = await start({ workspace: small });
    const client = webClient(fake);
    const { workspace } = fake;
    expect(await client.auth.test()).toMatchObject({
      ok: true,
      team_id: "T0000ACME",
      url: "https://acme.slack.com/",
      is_enterprise_install: false,
    });
    expect((await client.team.info()).team).toMatchObject({ name: "Acme", domain: "acme" });
    const users: unknown[] = [];
    for await (const page of client.paginate("users.list", { limit: 7 })) users.push(...Object(page).members);
    expect(users).toHaveLength(workspace.users.size);
    const types = "public_channel,private_channel,mpim,im";
    const channels: { id: string }[] = [];
    for await (const page of client.paginate("conversations.list", { limit: 2, types }))
      channels.push(...Object(page).channels);
    expect(channels.map(({ id }) => id)).toEqual([...workspace.channels.keys()]);
    const joined = await client.users.conversations({ types, exclude_archived: true });
    expect(joined.channels?.map(({ name }) => name)).not.toContain("not-invited");
    expect(joined.channels?.map(({ name }) => name)).not.toContain("old-stuff");
    const members: unknown[] = [];
    for await (const page of client.paginate("conversations.members", { channel: "C00000001", limit: 3 }))
      members.push(...Object(page).members);
    expect(members).toEqual(workspace.channel("C00000001").members);
    const groups = await client.usergroups.list({
      include_users: true,
      include_disabled: true,
      include_count: true,
    });
    expect(groups.usergroups).toHaveLength(4);
    expect(groups.usergroups?.[0]).toMatchObject({
      id: "S00000001",
      users: expect.any(Array),
      user_count: 3,
    });
    const files: unknown[] = [];
    for (const page of [1, 2, 3]) {
      const answer = await client.files.list({ count: 10, page });
      expect(answer.paging).toEqual({ count: 10, total: 25, page, pages: 3 });
      files.push(...(answer.files ?? []).map(({ id }) => id));
    }
    expect(new Set(files).size).toBe(25);
  });

  it("reads every message and every thread, whatever the quirks of paging", async () => {
    for (const quirks of [{}, { tailPages: true, repeatParent: true, shortPages: true }]) {
      const fake = await start({ workspace: small, quirks });
      const client = webClient(fake);
      const channel = fake.workspace.channel("C00000001");
      const messages: { ts: string; reply_count?: number }[] = [];
      for await (const page of client.paginate("conversations.history", { channel: channel.id, limit: 33 }))
        messages.push(...Object(page).messages);
      expect(messages.map(({ ts }) => ts)).toEqual(channel.messages.map(({ at }) => tsText(at)).reverse());
      const parents = messages.filter(({ reply_count = 0 }) => reply_count > 0);
      expect(parents.length).toBe(channel.threads.size);
      for (const parent of parents) {
        const replies = new Set<string>();
        for await (const page of client.paginate("conversations.replies", {
          channel: channel.id,
          ts: parent.ts,
          limit: 4,
        })) {
          for (const { ts } of Object(page).messages) replies.add(ts);
        }
        expect([...replies]).toEqual([
          parent.ts,
          ...(channel.threads.get(parent.ts) ?? []).map(({ at }) => tsText(at)),
        ]);
      }
    }
  });

  it("rotates tokens, and is refused with a dead one", async () => {
    const fake = await start();
    const { clientId: client_id, clientSecret: client_secret, refreshToken } = fake.oauth;
    const refresh = {
      client_id,
      client_secret,
      grant_type: "refresh_token" as const,
      refresh_token: refreshToken,
    };
    const bare = new WebClient(undefined, {
      slackApiUrl: `${fake.url}/`,
      logLevel: LogLevel.ERROR,
      retryConfig: { retries: 0 },
    });
    const answer = await bare.oauth.v2.access(refresh);
    expect(answer).toMatchObject({
      ok: true,
      expires_in: 43_200,
      token_type: "bot",
      access_token: expect.stringMatching(/^xoxe\.xoxb-/),
      refresh_token: expect.stringMatching(/^xoxe-1-/),
    });
    expect((await webClient(fake, answer.access_token).auth.test()).ok).toBe(true);
    await expect(bare.oauth.v2.access(refresh)).rejects.toMatchObject({
      data: { error: "invalid_refresh_token" },
    });
    expect(await bare.oauth.v2.access({ client_id, client_secret, code: fake.oauth.code })).toMatchObject({
      ok: true,
    });
    await expect(
      bare.oauth.v2.access({ client_id, client_secret, code: fake.oauth.code }),
    ).rejects.toMatchObject({ data: { error: "invalid_code" } });
    fake.oauth.expireAll();
    await expect(webClient(fake).auth.test()).rejects.toMatchObject({ data: { error: "token_expired" } });
    await expect(webClient(fake, "xoxb-unknown").auth.test()).rejects.toMatchObject({
      data: { error: "invalid_auth" },
    });
  });

  it("meets limits as it knows them", async () => {
    const fake = await start({ rateLimits: "tiers", workspace: small });
    const client = new WebClient(fake.oauth.token, {
      slackApiUrl: `${fake.url}/`,
      logLevel: LogLevel.ERROR,
      rejectRateLimitedCalls: true,
    });
    for (let n = 0; n < 20; n++) await client.users.list({ limit: 1 });
    await expect(client.users.list({ limit: 1 })).rejects.toMatchObject({
      code: "slack_webapi_rate_limited_error",
      retryAfter: 60,
    });
    // Another method has its own.
    expect((await client.conversations.history({ channel: "C00000001" })).ok).toBe(true);
  });
});

describe("the methods", () => {
  it("take arguments from a query, a form and JSON", async () => {
    const fake = await start({ workspace: small });
    const ask = async (init: RequestInit) =>
      Object(await (await fetch(`${fake.url}/conversations.history`, { method: "POST", ...init })).json())
        .messages?.length;
    const authorization = `Bearer ${fake.oauth.token}`;
    expect(
      (await get(fake, "conversations.history", { channel: "C00000001", limit: "3" })).body.messages,
    ).toHaveLength(3);
    expect(
      await ask({ body: new URLSearchParams({ token: fake.oauth.token, channel: "C00000001", limit: "3" }) }),
    ).toBe(3);
    expect(
      await ask({
        body: JSON.stringify({ channel: "C00000001", limit: 3 }),
        headers: { authorization, "content-type": "application/json" },
      }),
    ).toBe(3);
  });

  it("bound history on both sides, exclusive unless inclusive", async () => {
    const fake = await start();
    fake.workspace.addChannel({ id: "C1", name: "c1" });
    for (const n of [1, 2, 3, 4])
      fake.workspace.insert("C1", { ts: `170000000${n}.000000`, text: String(n) });
    const texts = async (args: Record<string, string>) =>
      (await get(fake, "conversations.history", { channel: "C1", ...args })).body.messages
        .map(({ text }) => text)
        .join("");
    expect(await texts({})).toBe("4321");
    expect(await texts({ oldest: "1700000001.000000", latest: "1700000004.000000" })).toBe("32");
    expect(await texts({ oldest: "1700000001.000000", latest: "1700000004.000000", inclusive: "true" })).toBe(
      "4321",
    );
    expect(await texts({ latest: "1700000002.5" })).toBe("21");
    const first = await get(fake, "conversations.history", { channel: "C1", limit: "2" });
    expect(Buffer.from(first.body.response_metadata?.next_cursor ?? "", "base64").toString()).toBe(
      "next_ts:1700000002000000",
    );
    expect(first.body).toMatchObject({ ok: true, has_more: true });
    // What is said meanwhile does not move the pages.
    fake.workspace.insert("C1", { ts: "1700000005.000000", text: "5" });
    expect(await texts({ cursor: first.body.response_metadata?.next_cursor ?? "", limit: "2" })).toBe("21");
  });

  it.each([
    ["conversations.history", {}, "invalid_arguments"],
    ["conversations.history", { channel: "C9" }, "channel_not_found"],
    ["conversations.history", { channel: "C00000008" }, "not_in_channel"],
    ["conversations.history", { channel: "C00000001", limit: "1000" }, "invalid_limit"],
    ["conversations.history", { channel: "C00000001", cursor: "bm9uZQ==" }, "invalid_cursor"],
    ["conversations.history", { channel: "C00000001", oldest: "yesterday" }, "invalid_ts_oldest"],
    ["conversations.replies", { channel: "C00000001", ts: "1.000000" }, "thread_not_found"],
    ["conversations.list", { types: "public" }, "invalid_types"],
    ["conversations.nonsense", {}, "unknown_method"],
  ])("refuse %s %j with %s, and HTTP 200", async (method, args, error) => {
    const fake = await start({ workspace: small });
    expect(await get(fake, method, args)).toMatchObject({ status: 200, body: { ok: false, error } });
  });

  it("tell a missing scope by name", async () => {
    const fake = await start({ scopes: ["channels:read"] });
    expect(await get(fake, "users.list", { limit: "1" })).toMatchObject({
      body: { ok: false, error: "missing_scope", needed: "users:read", provided: "channels:read" },
    });
    expect((await get(fake, "auth.test")).headers.get("x-oauth-scopes")).toBe("channels:read");
  });

  it("keep a deleted parent as a tombstone until its last reply goes", async () => {
    const fake = await start();
    const { workspace } = fake;
    workspace.addChannel({ id: "C1", name: "c1" });
    const parent = workspace.post("C1", { text: "parent" });
    const reply = workspace.post("C1", { text: "reply", thread_ts: parent });
    workspace.delete("C1", parent);
    const shown = async () => (await get(fake, "conversations.history", { channel: "C1" })).body.messages;
    expect(await shown()).toMatchObject([
      { ts: parent, subtype: "tombstone", reply_count: 1, latest_reply: reply },
    ]);
    workspace.delete("C1", reply);
    expect(await shown()).toEqual([]);
  });

  it("give 15 messages and one call a minute to unlisted apps", async () => {
    const fake = await start({ workspace: small, rateLimits: "unlisted" });
    const args = { channel: "C00000001", limit: "999" };
    const first = await get(fake, "conversations.history", args);
    expect(first.body.messages).toHaveLength(15);
    const second = await get(fake, "conversations.history", args);
    expect([second.status, second.headers.get("retry-after"), second.body]).toEqual([
      429,
      "60",
      { ok: false, error: "ratelimited" },
    ]);
  });
});

describe("faults, control and folders", () => {
  it("strike by script, for the channel and the request named", async () => {
    const script: FaultScript = {
      rules: [
        {
          path: "conversations.history",
          channel: "C00000001",
          on: { nth: 2 },
          fault: { kind: "refuse", error: "internal_error" },
        },
        { path: "users.list", times: 1, fault: { kind: "rateLimit", retryAfterSeconds: 7 } },
      ],
    };
    const fake = await start({
      workspace: small,
      faults: parseFaultScript(JSON.parse(JSON.stringify(script))),
    });
    const errors: unknown[] = [];
    for (const channel of ["C00000001", "C00000002", "C00000001", "C00000001"])
      errors.push((await get(fake, "conversations.history", { channel })).body.error);
    expect(errors).toEqual([undefined, undefined, "internal_error", undefined]);
    expect((await get(fake, "users.list", { limit: "1" })).headers.get("retry-after")).toBe("7");
    expect((await get(fake, "users.list", { limit: "1" })).status).toBe(200);
    for (const wrong of [
      {},
      { rules: [{ fault: { kind: "nonsense" } }] },
      { rules: [{ fault: { kind: "refuse" } }] },
    ]) {
      expect(() => parseFaultScript(wrong)).toThrow(/fault (script|rule)/);
    }
  });

  it("is steered from other processes", async () => {
    const fake = await start({ workspace: small });
    const base = fake.url.replace(/\/api$/, "/__fake");
    const send = async (method: string, path: string, body?: object) =>
      Object(
        await (
          await fetch(`${base}/${path}`, {
            method,
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          })
        ).json(),
      );
    const { ts } = await send("POST", "post", { channel: "C00000002", message: { text: "hello" } });
    await send("POST", "edit", { channel: "C00000002", ts, text: "hello again" });
    const lines = (await (await fetch(`${base}/messages?channel=C00000002`)).text())
      .trim()
      .split("\n")
      .map((line) => Object(JSON.parse(line)));
    expect(lines.find((line) => line.ts === ts)).toMatchObject({
      channel_id: "C00000002",
      text: "hello again",
      edited: { ts },
    });
    expect((await send("POST", "change", { channel: "C00000001", count: 3 })).ts).toHaveLength(3);
    await send("PUT", "limits", { mode: "unlisted" });
    expect(fake.limits.mode).toBe("unlisted");
    expect(await send("POST", "post", { channel: "nowhere" })).toEqual({
      error: "there is no channel nowhere",
    });
    expect(await send("GET", "environment")).toMatchObject({
      SLACK_API_URL: fake.url,
      SLACK_TOKEN: fake.oauth.token,
    });
  });

  it("serves a workspace from NDJSON files, the same that it would give out", async () => {
    const folder = mkdtempSync(join(tmpdir(), "slack-fake-"));
    closers.push(async () => rmSync(folder, { recursive: true }));
    const write = (name: string, items: readonly object[]) =>
      writeFileSync(
        join(folder, `${name}.ndjson`),
        items.map((item) => `${JSON.stringify(item)}\n`).join(""),
      );
    const generated = generateWorkspace(small, clock);
    write("team", [generated.team]);
    write("users", [...generated.users.values()]);
    write(
      "channels",
      [...generated.channels.values()].map(({ info, joined }) => ({ ...info, is_member: joined })),
    );
    write(
      "members",
      [...generated.channels.values()].flatMap(({ id, members }) =>
        members.map((user_id) => ({ channel_id: id, user_id })),
      ),
    );
    write(
      "messages",
      [...generated.channels.values()].flatMap((channel) => [
        ...channel.messages.map((message) => ({ channel: channel.id, ...generated.shown(channel, message) })),
        ...[...channel.threads.values()]
          .flat()
          .filter(({ item }) => item.subtype !== "thread_broadcast")
          .map(({ item }) => ({ channel_id: channel.id, ...item })),
      ]),
    );
    const fake = await start({ workspace: await readWorkspaceFolder(folder, clock) });
    const other = await start({ workspace: generated });
    for (const [method, args] of [
      ["users.list", { limit: "200" }],
      ["conversations.history", { channel: "C00000001", limit: "999" }],
      ["conversations.members", { channel: "C00000001" }],
    ] as const) {
      expect((await get(fake, method, args)).body).toEqual((await get(other, method, args)).body);
    }
    await expect(readWorkspaceFolder(join(folder, "nowhere"), clock)).rejects.toThrow("channels.ndjson");
    writeFileSync(join(folder, "messages.ndjson"), '{"channel":"C00000001","text":"no ts"}\n');
    await expect(readWorkspaceFolder(folder, clock)).rejects.toThrow("messages.ndjson line 1");
  });

  it("serves a channel of any size from patched pages, the same message for the same ts", async () => {
    const fake = await start({ bench: { records: 10_000, recordBytes: 600 } });
    const page = (args: Record<string, string>) =>
      get(fake, "conversations.history", { channel: BENCH_CHANNEL, ...args });
    const seen: string[] = [];
    let cursor = "";
    do {
      const { body } = await page({ limit: "999", ...(cursor === "" ? {} : { cursor }) });
      seen.push(...body.messages.map(({ ts }) => ts));
      cursor = body.response_metadata?.next_cursor ?? "";
    } while (cursor !== "");
    expect(seen).toHaveLength(10_000);
    expect([...seen].sort().reverse()).toEqual(seen);
    const middle = seen[5_000] ?? "";
    const [again] = (await page({ latest: middle, inclusive: "true", limit: "1" })).body.messages;
    const whole = (await page({ latest: seen[4_000] ?? "", limit: "999" })).body.messages;
    expect(whole[0]?.ts).toBe(seen[4_001]);
    expect(
      (await page({ latest: seen[4_990] ?? "", limit: "999" })).body.messages.find(({ ts }) => ts === middle),
    ).toEqual(again);
    expect(
      (await page({ oldest: seen[10] ?? "", latest: seen[5] ?? "" })).body.messages.map(({ ts }) => ts),
    ).toEqual(seen.slice(6, 10));
  });
});
