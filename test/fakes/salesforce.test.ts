import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { request as httpRequest } from "node:http";
import { gunzipSync } from "node:zlib";
import { SignJWT } from "jose";
import jsforce from "jsforce";
import { afterEach, describe, expect, it } from "vitest";
import { type SalesforceFake, type SalesforceFakeOptions, startSalesforceFake } from "./salesforce/index.js";

const SMALL = { accounts: 30, contacts: 20, opportunities: 50, invoices: 10, users: 4 };
const JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const DATA = "/services/data/v67.0";

const started: SalesforceFake[] = [];
async function start(options: SalesforceFakeOptions = {}): Promise<SalesforceFake> {
  const fake = await startSalesforceFake({ org: SMALL, ...options });
  started.push(fake);
  return fake;
}
afterEach(async () => {
  await Promise.all(started.splice(0).map((fake) => fake.close()));
});

function get(fake: SalesforceFake, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(fake.url + path, { headers: { authorization: `Bearer ${fake.accessToken}`, ...headers } });
}

function soql(text: string): string {
  return `${DATA}/query?q=${encodeURIComponent(text)}`;
}

async function token(
  fake: SalesforceFake,
  form: Record<string, string>,
  headers: Record<string, string> = {},
) {
  const response = await fetch(`${fake.url}/services/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams(form),
    headers,
  });
  const body: Record<string, string> = JSON.parse(await response.text());
  return { status: response.status, body };
}

function assertion(fake: SalesforceFake, claims: Record<string, unknown> = {}, key = fake.privateKeyPem) {
  return new SignJWT({
    iss: fake.clientId,
    sub: fake.username,
    aud: "https://login.salesforce.com",
    exp: Math.floor(Date.now() / 1000) + 180,
    ...claims,
  })
    .setProtectedHeader({ alg: "RS256" })
    .sign(createPrivateKey(key));
}

describe("jsforce reads the fake", () => {
  it("logs in by JWT bearer, says who it is, describes, and follows nextRecordsUrl to the end", async () => {
    const fake = await start({ pageSize: 200, org: { ...SMALL, accounts: 950 } });
    const connection = new jsforce.Connection({
      oauth2: { loginUrl: fake.url, clientId: fake.clientId, clientSecret: fake.clientSecret },
      version: "67.0",
    });
    const user = await connection.authorize({ grant_type: JWT_GRANT, assertion: await assertion(fake) });
    expect(user.id).toMatch(/^005/);
    expect(connection.instanceUrl).toBe(fake.url);

    const identity = await connection.identity();
    expect([identity.username, identity.organization_id, identity.user_id]).toEqual([
      fake.username,
      user.organizationId,
      user.id,
    ]);
    const global = await connection.describeGlobal();
    expect(global.sobjects.map((object) => object.name)).toEqual(
      expect.arrayContaining(["Account", "Contact", "Opportunity", "User", "Invoice__c"]),
    );
    const described = await connection.describe("Account");
    expect(described.fields.find((field) => field.name === "AnnualRevenue")).toMatchObject({
      type: "currency",
      precision: 18,
      scale: 2,
      filterable: true,
    });
    const live = [...fake.org.table("Account").rows()].filter((row) => !row.deleted).map((row) => row.id);
    const result = await connection.query(
      "SELECT Id, Name, Owner.Name FROM Account ORDER BY SystemModstamp, Id",
      {
        autoFetch: true,
        maxFetch: 10_000,
      },
    );
    expect(result.totalSize).toBe(live.length);
    expect(result.done).toBe(true);
    expect(result.records.map((record) => record.Id).sort()).toEqual(live.sort());
    expect(fake.requests.byPath["GET /services/data/query/<locator>"]).toBe(Math.ceil(live.length / 200) - 1);

    const limits = await connection.limits();
    expect(limits.DailyApiRequests?.Max).toBe(100_000);
    expect(connection.limitInfo.apiUsage).toEqual({ used: fake.apiUsage().used, limit: 100_000 });
  });

  it("refreshes by itself when the session expires", async () => {
    const fake = await start();
    const connection = new jsforce.Connection({
      oauth2: { loginUrl: fake.url, clientId: fake.clientId, clientSecret: fake.clientSecret },
      instanceUrl: fake.url,
      accessToken: fake.accessToken,
      refreshToken: fake.refreshToken,
    });
    expect((await connection.query("SELECT COUNT() FROM Account")).totalSize).toBeGreaterThan(0);
    fake.expireTokens();
    const account = await connection.sobject("Account").findOne({}, ["Id", "Name"]);
    expect(account?.Id).toMatch(/^001/);
    expect(fake.oauth.granted).toEqual({ refresh_token: 1 });
  });

  it("reads with a plain access token, and reports refused queries", async () => {
    const fake = await start({ org: { ...SMALL, contacts: 300 } });
    const connection = new jsforce.Connection({ instanceUrl: fake.url, accessToken: fake.accessToken });
    await expect(connection.query("SELECT Nope FROM Account")).rejects.toMatchObject({
      errorCode: "INVALID_FIELD",
    });
    const contacts = await connection
      .sobject("Contact")
      .find({ LastName: { $like: "O'B%" } }, ["Id", "LastName"])
      .execute();
    const expected = [...fake.org.table("Contact").rows()].filter(
      (row) => !row.deleted && row.cells.includes("O'Brien"),
    );
    expect(expected.length).toBeGreaterThan(3);
    expect(contacts.map((contact) => contact.Id).sort()).toEqual(expected.map((row) => row.id).sort());
  });
});

describe("OAuth", () => {
  it("answers a token with the service's fields and no expires_in", async () => {
    const fake = await start({ clock: { now: () => 1_790_000_000_123 } });
    const { status, body } = await token(fake, {
      grant_type: "refresh_token",
      client_id: fake.clientId,
      client_secret: fake.clientSecret,
      refresh_token: fake.refreshToken,
    });
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(
      ["access_token", "id", "instance_url", "issued_at", "scope", "signature", "token_type"].sort(),
    );
    expect(body).toMatchObject({ issued_at: "1790000000123", token_type: "Bearer", instance_url: fake.url });
    expect((await get(fake, DATA, { authorization: `Bearer ${body.access_token}` })).status).toBe(200);
  });

  it("rotates the refresh token, and the old one is dead at once", async () => {
    const fake = await start({ rotateRefreshToken: true });
    const old = fake.refreshToken;
    const form = { grant_type: "refresh_token", client_id: fake.clientId, client_secret: fake.clientSecret };
    const first = await token(fake, { ...form, refresh_token: old });
    expect(first.body.refresh_token).toBe(fake.refreshToken);
    expect(fake.refreshToken).not.toBe(old);
    expect(await token(fake, { ...form, refresh_token: old })).toEqual({
      status: 400,
      body: { error: "invalid_grant", error_description: "expired access/refresh token" },
    });
    expect((await token(fake, { ...form, refresh_token: first.body.refresh_token ?? "" })).status).toBe(200);
  });

  it("takes client credentials in the body or as Basic, and refuses wrong ones", async () => {
    const fake = await start();
    const basic = `Basic ${Buffer.from(`${fake.clientId}:${fake.clientSecret}`).toString("base64")}`;
    const grant_type = "client_credentials";
    expect((await token(fake, { grant_type }, { authorization: basic })).status).toBe(200);
    const inBody = { grant_type, client_id: fake.clientId, client_secret: fake.clientSecret };
    expect((await token(fake, inBody)).status).toBe(200);
    expect((await token(fake, { ...inBody, client_secret: "x" })).body.error).toBe("invalid_client");
    expect((await token(fake, { grant_type, client_id: fake.clientId })).body.error).toBe("invalid_client");
    expect((await token(fake, { ...inBody, client_id: "x" })).body.error).toBe("invalid_client_id");
    expect((await token(fake, { grant_type: "password" })).body.error).toBe("unsupported_grant_type");
  });

  it("checks a JWT assertion: signature, iss, sub, aud, exp in seconds", async () => {
    const fake = await start();
    const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    const say = async (jwt: string) => {
      const { body } = await token(fake, { grant_type: JWT_GRANT, assertion: jwt });
      return body.error_description ?? "granted";
    };
    const now = Math.floor(Date.now() / 1000);
    expect(await say(await assertion(fake))).toBe("granted");
    expect(await say(await assertion(fake, { aud: "https://test.salesforce.com" }))).toBe("granted");
    expect(await say(await assertion(fake, { aud: fake.url }))).toBe("granted");
    expect(
      await say(await assertion(fake, {}, other.export({ type: "pkcs8", format: "pem" }).toString())),
    ).toBe("invalid assertion");
    expect(await say(await assertion(fake, { iss: "someone" }))).toBe("client identifier invalid");
    expect(await say(await assertion(fake, { sub: "nobody@example.com" }))).toBe(
      "user hasn't approved this consumer",
    );
    expect(await say(await assertion(fake, { aud: "https://example.com" }))).toBe("audience is invalid");
    expect(await say(await assertion(fake, { exp: now - 1 }))).toBe("expired authorization code");
    expect(await say(await assertion(fake, { exp: Date.now() + 180_000 }))).toBe("invalid assertion");
    expect(await say("no.jwt")).toBe("invalid assertion");
    expect(await say((await assertion(fake)).replace(/\.[^.]*\./, ".e30."))).toBe(
      "client identifier invalid",
    );
  });

  it("ends a session after its time: 401 as an array", async () => {
    let now = Date.parse("2026-01-01T00:00:00Z");
    const fake = await start({ clock: { now: () => now }, sessionMs: 900_000 });
    expect((await get(fake, DATA)).status).toBe(200);
    now += 900_000;
    const response = await get(fake, DATA);
    expect([response.status, await response.json()]).toEqual([
      401,
      [{ message: "Session expired or invalid", errorCode: "INVALID_SESSION_ID" }],
    ]);
    expect((await fetch(fake.url + DATA)).status).toBe(401);
  });

  it("knows the user at userinfo and at the identity URL", async () => {
    const fake = await start();
    const userinfo = JSON.parse(await (await get(fake, "/services/oauth2/userinfo")).text());
    expect(userinfo).toMatchObject({ preferred_username: fake.username, active: true });
    const path = new URL(fake.oauth.identityUrl(fake.url)).pathname;
    expect(await (await get(fake, path)).json()).toMatchObject({
      username: fake.username,
      asserted_user: true,
    });
    expect((await fetch(`${fake.url}/services/oauth2/userinfo`)).status).toBe(403);
  });
});

describe("REST", () => {
  it("lists versions without a session; retired ones are 410, unknown ones and paths 404", async () => {
    const fake = await start();
    const versions: { version: string; label: string; url: string }[] = JSON.parse(
      await (await fetch(`${fake.url}/services/data/`)).text(),
    );
    expect(versions.at(-2)).toEqual({ label: "Summer '26", url: "/services/data/v67.0", version: "67.0" });
    expect((await get(fake, "/services/data/v30.0/limits")).status).toBe(410);
    for (const path of [
      "/services/data/v69.0/limits",
      `${DATA}/nothing`,
      `${DATA}/sobjects/Nope/describe`,
      "/x",
    ]) {
      const response = await get(fake, path);
      expect([response.status, await response.json()]).toEqual([
        404,
        [{ message: "The requested resource does not exist", errorCode: "NOT_FOUND" }],
      ]);
    }
    const posted = await fetch(fake.url + soql("SELECT Id FROM Account"), {
      method: "POST",
      headers: { authorization: `Bearer ${fake.accessToken}` },
    });
    expect(posted.status).toBe(405);
  });

  it("describes what the rows hold, and answers 304 until the object changes", async () => {
    const fake = await start();
    const first = await get(fake, `${DATA}/sobjects/Opportunity/describe`);
    const described: { fields: Record<string, unknown>[]; keyPrefix: string } = JSON.parse(
      await first.text(),
    );
    expect(described.keyPrefix).toBe("006");
    const field = (name: string) => described.fields.find((candidate) => candidate.name === name);
    expect(field("Description")).toMatchObject({ type: "textarea", length: 32_000, filterable: false });
    expect(field("Weighted_Amount__c")).toMatchObject({ calculated: true, updateable: false });
    expect(field("OwnerId")).toMatchObject({
      type: "reference",
      referenceTo: ["User"],
      relationshipName: "Owner",
    });
    expect(field("SystemModstamp")).toMatchObject({
      type: "datetime",
      nillable: false,
      soapType: "xsd:dateTime",
    });
    const since = { "if-modified-since": first.headers.get("last-modified") ?? "" };
    expect((await get(fake, `${DATA}/sobjects/Opportunity/describe`, since)).status).toBe(304);
    fake.org.addField("Opportunity", { name: "New__c", type: "string" });
    const again = await get(fake, `${DATA}/sobjects/Opportunity/describe`, since);
    expect(again.status).toBe(200);
    expect(JSON.stringify(await again.json())).toContain("New__c");
  });

  it("counts every call in Sforce-Limit-Info and stops at the daily limit", async () => {
    const fake = await start({ dailyLimit: 2 });
    const seen: (string | null)[] = [];
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) {
      const response = await get(fake, `${DATA}/limits`);
      seen.push(response.headers.get("sforce-limit-info"));
      statuses.push(response.status);
      if (n === 2) {
        expect(await response.json()).toEqual([
          { message: "TotalRequests Limit exceeded.", errorCode: "REQUEST_LIMIT_EXCEEDED" },
        ]);
      }
    }
    expect(statuses).toEqual([200, 200, 403]);
    expect(seen).toEqual(["api-usage=1/2", "api-usage=2/2", "api-usage=2/2"]);
    expect((await fetch(`${fake.url}/services/data`)).status).toBe(200);
  });

  it("packs answers only where the client takes gzip", async () => {
    const fake = await start();
    const read = (headers: Record<string, string>) =>
      new Promise<{ encoding: string | undefined; body: Buffer }>((resolve, reject) => {
        const authorization = `Bearer ${fake.accessToken}`;
        httpRequest(`${fake.url}${DATA}/sobjects`, { headers: { authorization, ...headers } }, (response) => {
          const pieces: Buffer[] = [];
          response.on("data", (piece: Buffer) => pieces.push(piece));
          response.on("end", () =>
            resolve({ encoding: response.headers["content-encoding"], body: Buffer.concat(pieces) }),
          );
        })
          .on("error", reject)
          .end();
      });
    const plain = await read({});
    const packed = await read({ "accept-encoding": "gzip, deflate" });
    expect([plain.encoding, packed.encoding]).toEqual([undefined, "gzip"]);
    expect(gunzipSync(packed.body)).toEqual(plain.body);
  });

  it("refuses URLs above 16,384 bytes with 414, and URL with headers above it with 431", async () => {
    const fake = await start();
    const path = `${DATA}/query?q=`;
    expect((await get(fake, path + "x".repeat(16_384 - path.length + 1))).status).toBe(414);
    expect((await get(fake, path + "x".repeat(16_300 - path.length))).status).toBe(431);
    expect((await get(fake, path + "x".repeat(15_000))).status).toBe(400);
  });

  it("lists updated and deleted ids, by the minute, within its days", async () => {
    const now = Date.parse("2026-06-01T12:00:30Z");
    const fake = await start({ clock: { now: () => now }, heldBackMs: 120_000 });
    const [changed] = fake.org.changeSome("Account", 1, 7);
    const [deleted] = fake.org.deleteSome("Account", 1, 8);
    const [purged] = fake.org.deleteSome("Account", 1, 9, true);
    const window = "start=2026-06-01T11:59:59Z&end=2026-06-01T12:30:00Z";
    const updated = await get(fake, `${DATA}/sobjects/Account/updated/?${window}`);
    expect(await updated.json()).toEqual({
      ids: [changed],
      latestDateCovered: "2026-06-01T11:58:30.000+0000",
    });
    const gone: { deletedRecords: { id: string }[] } = JSON.parse(
      await (await get(fake, `${DATA}/sobjects/Account/deleted/?${window}`)).text(),
    );
    expect(gone.deletedRecords.map((record) => record.id)).toEqual([deleted, purged]);
    for (const bad of [
      "start=2026-04-01T00:00:00Z&end=2026-06-01T00:00:00Z",
      "start=2026-06-01T10:00:00Z&end=2026-06-01T10:00:40Z",
    ]) {
      const response = await get(fake, `${DATA}/sobjects/Account/updated/?${bad}`);
      expect([response.status, await response.text()]).toEqual([
        400,
        expect.stringContaining("INVALID_REPLICATION_DATE"),
      ]);
    }
  });

  it("leads attributes.url to the record", async () => {
    const fake = await start();
    const page: { records: { attributes: { url: string }; Name: string }[] } = JSON.parse(
      await (await get(fake, soql("SELECT Name FROM Account LIMIT 1"))).text(),
    );
    const record = page.records[0];
    if (record === undefined) throw new Error("no record");
    expect(await (await get(fake, `${record.attributes.url}?fields=Name`)).json()).toEqual(record);
  });
});
