import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configSchema, defaultAudience } from "../../../connectors/salesforce/config.js";
import { salesforce } from "../../../connectors/salesforce/index.js";
import type { Secret } from "../../../core/contracts/index.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { json, type ScriptedServer, startScriptedServer } from "../../core/http/scripted-server.js";
import { type SalesforceFake, startSalesforceFake } from "../../fakes/salesforce/index.js";
import { expectSignInAt } from "../sign-in.js";
import { collect, connectTo, never, requestFor } from "./org.js";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();

describe("signing in", () => {
  let fake: SalesforceFake;
  let clock: PatientClock;
  const small = { seed: 1, accounts: 900, contacts: 1, opportunities: 1, invoices: 1, users: 1 };
  const start = async (options: object = {}) => {
    fake = await startSalesforceFake({ clock, org: small, pageSize: 200, privateKeyPem: pem, ...options });
  };
  beforeEach(() => {
    clock = new PatientClock();
  });
  afterEach(() => fake.close());

  const auth = (): Record<string, object> => ({
    jwt: { type: "jwt", clientId: fake.clientId, username: fake.username, privateKey: pem },
    "jwt, key on one line": {
      type: "jwt",
      clientId: fake.clientId,
      username: fake.username,
      privateKey: pem.replaceAll("\n", "\\n"),
    },
    clientCredentials: {
      type: "clientCredentials",
      clientId: fake.clientId,
      clientSecret: fake.clientSecret,
    },
    refreshToken: {
      type: "refreshToken",
      clientId: fake.clientId,
      clientSecret: fake.clientSecret,
      refreshToken: fake.refreshToken,
    },
    "refreshToken of a public app": {
      type: "refreshToken",
      clientId: fake.clientId,
      refreshToken: fake.refreshToken,
    },
    accessToken: { type: "accessToken", accessToken: fake.accessToken },
  });

  it.each([
    "jwt",
    "jwt, key on one line",
    "clientCredentials",
    "refreshToken",
    "refreshToken of a public app",
    "accessToken",
  ])("by %s, and says who we are", async (name) => {
    await start();
    const { source } = connectTo(fake.url, { clock, config: { auth: auth()[name] } });
    const report = await source.check(never());
    expect(report.identity).toContain(fake.username);
    expect(report.details).toMatchObject({
      apiVersion: "v67.0",
      dailyApiRequests: expect.stringContaining("of 100000 left"),
    });
    await source.close();
  });

  it("again when the session ends in the middle of a read, once for all", async () => {
    await start();
    for (const name of ["jwt", "clientCredentials", "refreshToken"]) {
      const { source } = connectTo(fake.url, { clock, config: { auth: auth()[name] } });
      const before = Object.values(fake.oauth.granted).reduce((sum, n) => sum + n, 0);
      let pages = 0;
      for await (const page of source.read(
        await requestFor(source, "Account", { options: { pageSize: 200, settle: 0 } }),
      )) {
        if (++pages === 2) fake.expireTokens();
        expect(page.records.length).toBeGreaterThan(0);
      }
      const granted = Object.values(fake.oauth.granted).reduce((sum, n) => sum + n, 0) - before;
      expect([name, pages, granted]).toEqual([name, 5, 2]);
      await source.close();
    }
  });

  it("with a rotated refresh token, which is stored before the new access token is used", async () => {
    await start({ rotateRefreshToken: true });
    const first = fake.refreshToken;
    const stored: string[] = [];
    const { source } = connectTo(fake.url, {
      clock,
      config: { auth: auth().refreshToken },
      onTokenRotated: async (token: Secret) => {
        expect(fake.apiUsage().used).toBe(stored.length === 0 ? 0 : 1);
        stored.push(token.open());
      },
    });
    await source.discover(never());
    fake.expireTokens();
    await source.discover(never());
    expect(stored).toHaveLength(2);
    expect(stored).not.toContain(first);
    expect(stored[1]).toBe(fake.refreshToken);
    await source.close();
  });

  it("is the owner's turn when the access token has ended and nothing can renew it", async () => {
    await start();
    const { source } = connectTo(fake.url, { clock, config: { auth: auth().accessToken } });
    fake.expireTokens();
    await expect(source.discover(never())).rejects.toMatchObject({
      kind: "auth",
      code: "SALESFORCE_ACCESS_TOKEN_EXPIRED",
    });
    await source.close();
  });

  it.each([
    ["a revoked refresh token", "refreshToken", "SALESFORCE_INVALID_GRANT"],
    ["another user", "jwt", "SALESFORCE_INVALID_GRANT"],
    ["a wrong secret", "clientCredentials", "SALESFORCE_INVALID_CLIENT"],
  ])("is refused to %s", async (_who, name, code) => {
    await start();
    const config = { ...auth()[name], username: undefined, clientSecret: undefined };
    const wrong = {
      refreshToken: { ...config, clientSecret: fake.clientSecret },
      jwt: { ...auth().jwt, username: "someone@else.example" },
      clientCredentials: { ...auth().clientCredentials, clientSecret: "not-the-secret" },
    }[name];
    const clean = JSON.parse(JSON.stringify(wrong));
    const { source } = connectTo(fake.url, { clock, config: { auth: clean } });
    if (name === "refreshToken") fake.oauth.revokeRefreshToken();
    await expect(source.discover(never())).rejects.toMatchObject({ kind: "auth", code });
    await source.close();
  });

  it("with a key that is no key is a mistake of the configuration, and does not show the key", async () => {
    await start();
    const { source } = connectTo(fake.url, {
      clock,
      config: {
        auth: {
          ...auth().jwt,
          privateKey: "-----BEGIN RSA PRIVATE KEY-----\nMIIEsecretsecret\n-----END RSA PRIVATE KEY-----",
        },
      },
    });
    const error: unknown = await source.discover(never()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "config", code: "SALESFORCE_PRIVATE_KEY" });
    expect(JSON.stringify(error) + String(error)).not.toContain("secretsecret");
    await source.close();
  });
});

describe("the token request and its answer", () => {
  let server: ScriptedServer;
  let org: ScriptedServer;
  let clock: PatientClock;
  beforeEach(async () => {
    clock = new PatientClock();
    org = await startScriptedServer(json({ sobjects: [] }));
    server = await startScriptedServer((seen, response) =>
      json({
        access_token: "00Dxx!fresh",
        instance_url: org.url,
        id: "https://login.salesforce.com/id/00D/005",
      })(seen, response),
    );
  });
  afterEach(async () => {
    await server.close();
    await org.close();
  });

  it("is an assertion signed with RS256 that ends in three minutes, in seconds", async () => {
    const { source } = connectTo("https://acme.my.salesforce.com", {
      clock,
      config: {
        loginUrl: server.url,
        auth: {
          type: "jwt",
          clientId: "the-app",
          username: "me@acme.example",
          privateKey: pem,
          audience: "https://test.salesforce.com",
        },
      },
    });
    await source.discover(never());
    const form = new URLSearchParams(server.seen[0]?.body);
    expect(form.get("grant_type")).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer");
    const [head = "", payload = "", signature = ""] = (form.get("assertion") ?? "").split(".");
    expect(JSON.parse(Buffer.from(head, "base64url").toString())).toEqual({ alg: "RS256" });
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toEqual({
      iss: "the-app",
      sub: "me@acme.example",
      aud: "https://test.salesforce.com",
      exp: Math.floor(clock.now() / 1000) + 180,
    });
    expect(
      verify(
        "RSA-SHA256",
        Buffer.from(`${head}.${payload}`),
        createPublicKey(publicKey.export({ type: "spki", format: "pem" })),
        Buffer.from(signature, "base64url"),
      ),
    ).toBe(true);
    expect(server.seen[0]).toMatchObject({ method: "POST", url: "/services/oauth2/token" });
    // All other calls go to the instance_url of the answer, with its token.
    expect(org.seen[0]?.headers.authorization).toBe("Bearer 00Dxx!fresh");
    expect(server.seen[0]?.headers.authorization).toBeUndefined();
    await source.close();
  });

  it.each([
    { type: "jwt", clientId: "a", username: "me@acme.example", privateKey: pem },
    { type: "clientCredentials", clientId: "a", clientSecret: "the-secret-of-the-app" },
    { type: "refreshToken", clientId: "a", refreshToken: "the-refresh-token" },
  ])("goes to tokenUrl where there is one: $type", async (auth) => {
    const { source } = connectTo(org.url, {
      clock,
      config: { auth: { ...auth, tokenUrl: `${server.url}/elsewhere/token` } },
    });
    await source.discover(never());
    expect(server.seen.map(({ url }) => url)).toEqual(["/elsewhere/token"]);
    expect(org.seen[0]?.headers.authorization).toBe("Bearer 00Dxx!fresh");
    await source.close();
  });

  it.each([
    ["http://evil.example", "config", "SALESFORCE_INSTANCE_URL"],
    ["ftp://evil.example", "config", "SALESFORCE_INSTANCE_URL"],
    ["not a url", "config", "SALESFORCE_INSTANCE_URL"],
    [undefined, "transient", "SALESFORCE_TOKEN_ANSWER"],
  ])("is not trusted with the instance_url %s", async (instanceUrl, kind, code) => {
    server.script(
      json({
        access_token: "00Dxx!fresh",
        ...(instanceUrl === undefined ? {} : { instance_url: instanceUrl }),
      }),
    );
    const { source } = connectTo(org.url, {
      clock,
      config: {
        loginUrl: server.url,
        auth: { type: "refreshToken", clientId: "a", refreshToken: "the-refresh-token" },
      },
    });
    await expect(source.discover(never())).rejects.toMatchObject({ kind, code });
    expect(org.seen).toHaveLength(0);
    await source.close();
  });
});

it("a refresh token that the account repeats in its error shows nowhere, configured or rotated", async () => {
  const clock = new PatientClock();
  const rotated = "5Aep861rotatedRefreshToken";
  let answers = 0;
  const server = await startScriptedServer((seen, response) => {
    if (!seen.url.endsWith("/token")) return json([{ errorCode: "INVALID_SESSION_ID" }], 401)(seen, response);
    const sent = new URLSearchParams(seen.body).get("refresh_token");
    return answers++ === 0
      ? json({ access_token: "00Dxx!first", instance_url: server.url, refresh_token: rotated })(
          seen,
          response,
        )
      : json({ error: "invalid_grant", error_description: `no such token ${sent}` }, 400)(seen, response);
  });
  const auth = { type: "refreshToken", clientId: "a", refreshToken: "5Aep861configuredRefreshToken" };
  const { source, log } = connectTo(server.url, { clock, config: { auth } });
  const error: unknown = await source.discover(never()).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    kind: "auth",
    code: "SALESFORCE_INVALID_GRANT",
    message: expect.stringContaining("no such token"),
  });
  expect(inspect(error, { depth: 10 }) + log.lines.join("\n")).not.toContain("5Aep861");
  await source.close();
  await server.close();
});

describe("the configuration", () => {
  const accessToken = { type: "accessToken", accessToken: "token" };
  const problems = (config: object) =>
    configSchema
      .safeParse(config)
      .error?.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`) ?? [];

  it("has defaults for everything but the address and the sign-in", () => {
    expect(
      configSchema.parse({ instanceUrl: "https://acme.my.salesforce.com/", auth: accessToken }),
    ).toMatchObject({
      instanceUrl: "https://acme.my.salesforce.com",
      loginUrl: "https://login.salesforce.com",
      apiVersion: "v67.0",
    });
  });

  it.each([
    [
      { instanceUrl: "http://acme.my.salesforce.com", auth: accessToken },
      "instanceUrl: expected a URL that starts with https://",
    ],
    [
      { instanceUrl: "https://a.example", loginUrl: "http://a.example", auth: accessToken },
      "loginUrl: expected a URL that starts with https://",
    ],
    [
      { instanceUrl: "https://a.example", apiVersion: "v59.0", auth: accessToken },
      "apiVersion: expected v60.0 or later",
    ],
    [
      { instanceUrl: "https://a.example", apiVersion: "67", auth: accessToken },
      "apiVersion: expected a version",
    ],
    [
      {
        instanceUrl: "https://login.salesforce.com",
        auth: { type: "clientCredentials", clientId: "a", clientSecret: "b" },
      },
      "instanceUrl: expected the org's My Domain URL",
    ],
  ])("refuses %j", (config, problem) => {
    expect(problems(config).join("; ")).toContain(problem);
  });

  it("names the shared login host as the audience, whatever host hands out the token", () => {
    expect(defaultAudience("https://login.salesforce.com")).toBe("https://login.salesforce.com");
    expect(defaultAudience("https://test.salesforce.com")).toBe("https://test.salesforce.com");
    expect(defaultAudience("https://acme.my.salesforce.com")).toBe("https://login.salesforce.com");
    expect(defaultAudience("https://acme--dev.sandbox.my.salesforce.com")).toBe(
      "https://test.salesforce.com",
    );
  });
});

it("people sign in at the login host, or where the connection says", () => {
  expectSignInAt(
    salesforce,
    { instanceUrl: "https://acme.my.salesforce.com" },
    {
      authorizeUrl: "https://login.salesforce.com/services/oauth2/authorize",
      tokenUrl: "https://login.salesforce.com/services/oauth2/token",
    },
  );
});

it("a session that ends during concurrent requests is renewed once", async () => {
  const clock = new PatientClock();
  const fake = await startSalesforceFake({
    clock,
    privateKeyPem: pem,
    rotateRefreshToken: true,
    oneSession: true,
    org: { seed: 1, accounts: 1, contacts: 1, opportunities: 1, invoices: 1, users: 1 },
  });
  const { source } = connectTo(fake.url, {
    clock,
    config: {
      auth: {
        type: "refreshToken",
        clientId: fake.clientId,
        clientSecret: fake.clientSecret,
        refreshToken: fake.refreshToken,
      },
    },
  });
  await source.discover(never());
  fake.expireTokens();
  await Promise.all(Array.from({ length: 12 }, () => source.discover(never())));
  expect(fake.oauth.granted.refresh_token).toBe(2);
  expect(await collect(source.read(await requestFor(source, "Account")))).toHaveLength(1);
  await source.close();
  await fake.close();
});
