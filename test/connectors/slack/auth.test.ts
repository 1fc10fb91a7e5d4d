import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { configSchema } from "../../../connectors/slack/config.js";
import { slack } from "../../../connectors/slack/index.js";
import { Secret, type TokenKeeper } from "../../../core/contracts/index.js";
import { json, startScriptedServer } from "../../core/http/scripted-server.js";
import { seededRandom } from "../../seeded-random.js";
import { ago, collect, DAY, HOUR, NOON, never, recordsOf, requestFor, workspaceOf } from "./workspace.js";

const ROTATING = (fake: {
  readonly oauth: { readonly clientId: string; readonly clientSecret: string; readonly refreshToken: string };
}) => ({
  auth: {
    type: "refreshToken",
    clientId: fake.oauth.clientId,
    clientSecret: fake.oauth.clientSecret,
    refreshToken: fake.oauth.refreshToken,
  },
});

/** A workspace with one message, and a connection that rotates its tokens. */
async function rotating(more: { readonly tokenMs?: number } = {}) {
  const connected = await workspaceOf((workspace) => {
    for (let n = 1; n <= 9; n++) workspace.insert("C1", { ts: ago(n * HOUR), text: `m${n}` });
  }, more);
  const { fake } = connected;
  const stored: string[] = [];
  const store = async (token: Secret) => {
    // Asked for before the access token that came with it was used.
    expect(fake.requests.recent.at(-1)).toContain("oauth.v2.access");
    stored.push(token.open());
  };
  const connect = async (extra: object = {}, onTokenRotated = store) => {
    return slack.connect(configSchema.parse({ baseUrl: fake.url, ...ROTATING(fake), ...extra }), {
      connection: "chat",
      clock: connected.clock,
      random: seededRandom(1),
      log: connected.log,
      tmpDir: "/nowhere",
      onTokenRotated,
    });
  };
  return { ...connected, stored, connectRotating: connect };
}

describe("a token that rotates", () => {
  it("is renewed before its end, and the new refresh token is stored before it is used", async () => {
    const { fake, stored, connectRotating, clock } = await rotating();
    const first = fake.oauth.refreshToken;
    const source = await connectRotating();
    await source.check(never());
    expect(stored).toEqual([fake.oauth.refreshToken]);
    expect(fake.oauth.refreshToken).not.toBe(first);
    clock.set(NOON + 9 * HOUR);
    await source.check(never());
    expect(fake.oauth.renewals).toBe(1);
    clock.set(NOON + 10 * HOUR + 1);
    await source.check(never());
    expect(fake.oauth.renewals).toBe(2);
    expect(stored).toHaveLength(2);
    await source.close();
  });

  it("of a short life is not renewed with every call", async () => {
    const { fake, connectRotating } = await rotating({ tokenMs: HOUR });
    const source = await connectRotating();
    await source.check(never());
    await source.check(never());
    expect(fake.oauth.renewals).toBe(1);
    await source.close();
  });

  it("that dies under a read is renewed once and the read goes on", async () => {
    const { fake, connectRotating } = await rotating();
    const source = await connectRotating();
    fake.faults.set({
      rules: [{ path: "conversations.history", on: { nth: 2 }, fault: { kind: "expireToken" } }],
    });
    const pages = await collect(source.read(await requestFor(source, "messages", { pageSize: 3 })));
    expect(recordsOf(pages)).toHaveLength(9);
    expect(fake.oauth.renewals).toBe(2);
    await source.close();
  });

  it("whose new refresh token cannot be stored is not used", async () => {
    const { fake, clock, log } = await rotating();
    const source = slack.connect(configSchema.parse({ baseUrl: fake.url, ...ROTATING(fake) }), {
      connection: "chat",
      clock,
      log,
      random: seededRandom(1),
      tmpDir: "/nowhere",
      onTokenRotated: async () => {
        throw new Error("the disk is full");
      },
    });
    await expect(source.check(never())).rejects.toThrow("the disk is full");
    expect(fake.requests.recent.filter((line) => !line.includes("oauth"))).toEqual([]);
    await source.close();
  });

  it("whose grant was revoked ends with one clear error, and no secret in it", async () => {
    const { fake, connectRotating, log } = await rotating();
    const source = await connectRotating();
    await source.check(never());
    fake.oauth.revoke();
    const error: unknown = await source.check(never()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      kind: "auth",
      code: "SLACK_INVALID_AUTH",
      fix: expect.stringContaining("Install the app"),
    });
    const again = await connectRotating({
      auth: { ...ROTATING(fake).auth, refreshToken: "xoxe-1-the-old-one-0123456789" },
    });
    const refusal: unknown = await again.check(never()).catch((reason: unknown) => reason);
    expect(refusal).toMatchObject({ kind: "auth", code: "SLACK_INVALID_REFRESH_TOKEN" });
    const words = [
      inspect(error, { depth: 9 }),
      inspect(refusal, { depth: 9 }),
      inspect(source, { depth: 9 }),
      ...log.lines,
    ].join("\n");
    for (const secret of [...fake.oauth.issued, fake.oauth.clientSecret, "xoxe-1-the-old-one-0123456789"])
      expect(words).not.toContain(secret);
    await source.close();
    await again.close();
  });
});

describe("the addresses of the sign-in", () => {
  const elsewhere = {
    authorizeUrl: "https://proxy.example/authorize",
    tokenUrl: "https://proxy.example/token",
  };

  it("are those of the connection where it has any", () => {
    const auth = {
      type: "refreshToken",
      clientId: "1.2",
      clientSecret: "the-secret-of-the-app",
      ...elsewhere,
    };
    expect(slack.spec.oauth?.app(configSchema.parse({ auth }))).toMatchObject(elsewhere);
  });

  it("of the token endpoint holds for renewals too", async () => {
    const { fake, connectRotating } = await rotating();
    const server = await startScriptedServer(
      json({ ok: true, access_token: fake.oauth.token, expires_in: 43_200, refresh_token: "xoxe-1-next" }),
    );
    const source = await connectRotating(
      { auth: { ...ROTATING(fake).auth, tokenUrl: `${server.url}/token` } },
      async () => undefined,
    );
    await source.check(never());
    expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual(["POST /token"]);
    expect(fake.oauth.renewals).toBe(0);
    await source.close();
    await server.close();
  });
});

describe("the scopes that a sign-in asks for", () => {
  const appOf = (more: object) => {
    const auth = { type: "refreshToken", clientId: "1.2", clientSecret: "the-secret-of-the-app", ...more };
    return slack.spec.oauth?.app(configSchema.parse({ teamId: "T0000ACME", auth }));
  };

  it("are those of the bot for every stream over channels, or those of the connection", () => {
    expect(appOf({})).toMatchObject({
      account: "slack.com T0000ACME",
      authorizeParameters: { scope: expect.stringMatching(/^channels:history,.*,users:read\.email$/) },
    });
    const app = appOf({ scopes: "im:read im:history,mpim:read  mpim:history" });
    expect(app?.authorizeParameters).toEqual({ scope: "im:read,im:history,mpim:read,mpim:history" });
    expect(app?.tokensIn).toBeUndefined();
  });

  it("of a user make that user's token the one that is kept, and renewed", async () => {
    const alone = appOf({ userScopes: "channels:read channels:history" });
    expect(alone).toMatchObject({
      account: "slack.com T0000ACME user",
      authorizeParameters: { user_scope: "channels:read,channels:history" },
      tokensIn: "authed_user",
    });
    expect(alone?.authorizeParameters).not.toHaveProperty("scope");
    expect(appOf({ scopes: "team:read", userScopes: "im:read" })?.authorizeParameters).toEqual({
      scope: "team:read",
      user_scope: "im:read",
    });

    const { fake, connectRotating } = await rotating();
    const server = await startScriptedServer(
      json({
        ok: true,
        access_token: "xoxe.xoxb-of-the-bot",
        refresh_token: "xoxe-1-of-the-bot",
        authed_user: { id: "U1", access_token: fake.oauth.token, refresh_token: "xoxe-1-of-the-user" },
      }),
    );
    const kept: string[] = [];
    const source = await connectRotating(
      { auth: { ...ROTATING(fake).auth, tokenUrl: server.url, userScopes: "channels:read" } },
      async (token) => {
        kept.push(token.open());
      },
    );
    await source.check(never());
    expect(kept).toEqual(["xoxe-1-of-the-user"]);
    await source.close();
    await server.close();
  });
});

describe("a keeper of tokens", () => {
  it("is asked at first, before a token ends, and when one is refused; nothing else rotates", async () => {
    const { fake, clock, log } = await rotating();
    const asked: (string | undefined)[] = [];
    const given: string[] = [];
    let refresh = new Secret(fake.oauth.refreshToken);
    const tokens: TokenKeeper = {
      obtain: async ({ refused, exchange, signal }) => {
        asked.push(refused?.open());
        const set = await exchange(refresh, signal);
        refresh = set.refreshToken ?? refresh;
        given.push(set.accessToken.open());
        return set;
      },
    };
    const source = slack.connect(configSchema.parse({ baseUrl: fake.url, ...ROTATING(fake) }), {
      connection: "chat",
      clock,
      log,
      random: seededRandom(1),
      tmpDir: "/nowhere",
      tokens,
      onTokenRotated: async () => expect.unreachable("the keeper stores it"),
    });
    await source.check(never());
    clock.set(NOON + 10 * HOUR);
    await source.check(never());
    fake.oauth.expireAll();
    await source.check(never());
    expect(asked).toEqual([undefined, undefined, given[1]]);
    expect(fake.oauth.renewals).toBe(3);
    await source.close();
  });

  it("is told how people sign in; without it and without a refresh token there is one clear error", async () => {
    const { fake, connectRotating } = await rotating();
    const { clientId, clientSecret } = fake.oauth;
    const auth = { type: "refreshToken", clientId, clientSecret };
    expect(slack.spec.oauth?.app(configSchema.parse({ auth }))).toMatchObject({
      authorizeUrl: "https://slack.com/oauth/v2/authorize",
      tokenUrl: "https://slack.com/api/oauth.v2.access",
      clientId,
    });
    expect(
      slack.spec.oauth?.app(configSchema.parse({ auth: { type: "token", token: "xoxb-1" } })),
    ).toBeUndefined();
    const source = await connectRotating({ auth });
    await expect(source.check(never())).rejects.toMatchObject({ kind: "auth", code: "GRANT_MISSING" });
    await source.close();
  });
});

describe("a token that does not rotate", () => {
  it("is refused with what to do when its life is over", async () => {
    const { source, fake } = await workspaceOf(() => undefined);
    fake.oauth.expireAll();
    await expect(source.check(never())).rejects.toMatchObject({
      kind: "auth",
      code: "SLACK_TOKEN_EXPIRED",
      fix: expect.stringContaining("refreshToken"),
    });
  });
});

describe("check", () => {
  it("says who we are, and which streams the scopes leave out", async () => {
    const { source } = await workspaceOf(() => undefined, {
      scopes: ["channels:read", "channels:history", "users:read"],
    });
    const report = await source.check(never());
    expect(report.identity).toBe("sluice in Acme (T0000ACME)");
    expect(report.details).toMatchObject({ channels: "a member of 1 of 1 it can see", teamId: "T0000ACME" });
    expect(report.warnings).toEqual([
      "team cannot be read: add the scope team:read to the app.",
      "usergroups cannot be read: add the scope usergroups:read to the app.",
      "files cannot be read: add the scope files:read to the app.",
    ]);
    const streams = await source.discover(never());
    expect(streams.filter(({ readable }) => !readable).map(({ name, reason }) => [name, reason])).toEqual([
      ["team", "the app lacks the scope team:read"],
      ["usergroups", "the app lacks the scope usergroups:read"],
      ["files", "the app lacks the scope files:read"],
    ]);
  });

  it("of an organisation's token asks for the workspace", async () => {
    const { source } = await workspaceOf(() => undefined, { orgToken: true });
    await expect(source.check(never())).rejects.toMatchObject({
      kind: "config",
      code: "SLACK_MISSING_ARGUMENT",
      fix: expect.stringContaining("teamId"),
    });
    const named = await workspaceOf(() => undefined, { orgToken: true, config: { teamId: "T0000ACME" } });
    expect((await named.source.check(never())).warnings).toEqual([]);
    expect(recordsOf(await named.read("users"))).toHaveLength(1);
  });
});

describe("a scope that is missing", () => {
  it("is named with the flow's stream, as an authentication error", async () => {
    const { read } = await workspaceOf(
      (workspace) => {
        workspace.insert("C1", { ts: ago(DAY), text: "x" });
      },
      { scopes: ["channels:read", "channels:history"] },
    );
    await expect(read("messages")).rejects.toMatchObject({
      kind: "auth",
      code: "SLACK_MISSING_SCOPE",
      message: "missing_scope: needs groups:read, has channels:read,channels:history",
      fix: "Add the scope groups:read to the app, and install the app again.",
    });
    expect(recordsOf(await read("messages", { types: ["public_channel"] }))).toHaveLength(1);
    await expect(read("files")).rejects.toMatchObject({
      kind: "auth",
      fix: expect.stringContaining("files:read"),
    });
  });
});
