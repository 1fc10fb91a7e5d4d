import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AuthError, type HttpRequest, SluiceError } from "../../../core/contracts/index.js";
import { createAuthenticator, createHttpClient, type HttpClientOptions } from "../../../core/http/index.js";
import { seededRandom } from "../../seeded-random.js";
import { LogSpy } from "./log-spy.js";
import { PatientClock } from "./patient-clock.js";
import { json, type Script, type ScriptedServer, startScriptedServer } from "./scripted-server.js";

let server: ScriptedServer;
let other: ScriptedServer;
let clock: PatientClock;
let log: LogSpy;
const waits: { reason: string; ms: number }[] = [];
const clients: { close(): void }[] = [];

beforeEach(async () => {
  server = await startScriptedServer();
  other = await startScriptedServer(json({ from: "other" }));
  clock = new PatientClock();
  log = new LogSpy();
  waits.length = 0;
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
  await other.close();
});

function client(options: Partial<HttpClientOptions> = {}) {
  const made = createHttpClient({
    connection: "crm",
    clock,
    random: seededRandom(1),
    log,
    onWait: (wait) => waits.push(wait),
    idleTimeoutMs: 2_000,
    ...options,
  });
  clients.push(made);
  return made;
}

const get = (extra: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "GET",
  url: `${server.url}/rows`,
  ...extra,
});

async function failure(promise: Promise<unknown>): Promise<SluiceError> {
  const outcome = await promise.then(
    () => new Error("resolved"),
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(SluiceError);
  return outcome as SluiceError;
}

describe("credentials", () => {
  const auth = (tokens: string[], baseUrl = () => server.url) => {
    let renewals = 0;
    return {
      renewals: () => renewals,
      authenticator: createAuthenticator({
        baseUrl: "http://127.0.0.1:1",
        obtain: async () => {
          const token = tokens[Math.min(renewals++, tokens.length - 1)];
          return { headers: { authorization: `Bearer ${token}` }, baseUrl: baseUrl() };
        },
      }),
    };
  };
  const needs =
    (token: string): Script =>
    (seen, response) =>
      json(
        { ok: seen.headers.authorization === `Bearer ${token}` },
        seen.headers.authorization === `Bearer ${token}` ? 200 : 401,
      )(seen, response);
  const rows = { method: "GET", url: "http://127.0.0.1:1/rows" } as const;

  it("are renewed once for all callers that were refused together, and every request is sent again", async () => {
    const { authenticator, renewals } = auth(["old-token", "new-token"]);
    server.script(needs("new-token"));
    const http = client({ auth: authenticator });
    const answers = await Promise.all(Array.from({ length: 8 }, () => http.request(rows)));
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
    expect(renewals()).toBe(2);
    expect(server.seen).toHaveLength(16);
  });

  it("are renewed once per request, then it is the account's owner's turn", async () => {
    const { authenticator, renewals } = auth(["old-token", "also-bad"]);
    server.script(needs("never"));
    const error = await failure(client({ auth: authenticator }).request(rows));
    expect(error).toBeInstanceOf(AuthError);
    expect(renewals()).toBe(2);
    expect(server.seen).toHaveLength(2);
  });

  it("follow the account to another address", async () => {
    let moved = false;
    const { authenticator } = auth(["old-token", "new-token"], () => (moved ? other.url : server.url));
    server.script((seen, response) => {
      moved = true;
      json({}, 401)(seen, response);
    });
    const answer = await client({ auth: authenticator }).request(rows);
    expect(answer.json()).toEqual({ from: "other" });
    expect(other.seen[0]?.headers.authorization).toBe("Bearer new-token");
    expect(other.seen[0]?.url).toBe("/rows");
  });

  it("go to no other host, neither by URL nor by redirect", async () => {
    const { authenticator } = auth(["old-token"]);
    const http = client({ auth: authenticator });
    const error = await failure(http.request({ method: "GET", url: `${other.url}/rows` }));
    expect(error).toMatchObject({ kind: "config", code: "HTTP_FOREIGN_HOST" });
    server.script(
      (_seen, response) => void response.writeHead(302, { location: `${other.url}/x?sid=s` }).end(),
    );
    const redirected = await failure(http.request(rows));
    expect(redirected).toMatchObject({ kind: "config", code: "HTTP_REDIRECTED" });
    expect(redirected.message).toContain(other.url);
    expect(redirected.message).not.toContain("sid");
    expect(other.seen).toHaveLength(0);
  });

  it("follow a redirect within the same host", async () => {
    const { authenticator } = auth(["old-token"]);
    server.script(
      (_seen, response) => void response.writeHead(307, { location: "/moved" }).end(),
      needs("old-token"),
    );
    const answer = await client({ auth: authenticator }).request(rows);
    expect(answer.json()).toEqual({ ok: true });
    expect(server.seen[1]?.url).toBe("/moved");
  });

  it("are left out where the request says so", async () => {
    const { authenticator } = auth(["old-token"]);
    await client({ auth: authenticator }).request({
      method: "GET",
      url: `${other.url}/t`,
      authenticate: false,
    });
    expect(other.seen[0]?.headers.authorization).toBeUndefined();
  });

  it("never travel in plain text beyond this machine", async () => {
    const error = await failure(client().request(get({ url: "http://crm.example/rows" })));
    expect(error).toMatchObject({ kind: "config", code: "HTTP_PLAIN_TEXT" });
  });
});
