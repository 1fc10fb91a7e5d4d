import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HttpRequest, Secret, SluiceError } from "../../../core/contracts/index.js";
import { createAuthenticator, createHttpClient, type HttpClientOptions } from "../../../core/http/index.js";
import { seededRandom } from "../../seeded-random.js";
import { LogSpy } from "./log-spy.js";
import { PatientClock } from "./patient-clock.js";
import {
  cutBody,
  html,
  json,
  reset,
  type Script,
  type ScriptedServer,
  silence,
  startScriptedServer,
} from "./scripted-server.js";

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

describe("one request", () => {
  it("sends method, query, headers and body as they are, and hands back status, headers and JSON", async () => {
    server.script(json({ rows: [1, null, "ü"] }, 201, { "Sforce-Limit-Info": "api-usage=1/2" }));
    const answer = await client({ userAgent: "sluice/1" }).request({
      method: "POST",
      url: `${server.url}/rows?a=1`,
      query: { q: "x = 'a&b'" },
      headers: { "content-type": "text/plain", "x-own": "1" },
      body: "häy",
    });
    expect(answer.status).toBe(201);
    expect(answer.headers["sforce-limit-info"]).toBe("api-usage=1/2");
    expect(answer.json()).toEqual({ rows: [1, null, "ü"] });
    const [seen] = server.seen;
    expect(seen).toMatchObject({ method: "POST", body: "häy" });
    expect(new URL(seen?.url ?? "", server.url).searchParams.get("q")).toBe("x = 'a&b'");
    expect(seen?.headers).toMatchObject({
      "x-own": "1",
      "content-type": "text/plain",
      "user-agent": "sluice/1",
    });
  });

  it("counts every request sent, repeats included", async () => {
    server.script(json({}, 503), json({}, 503), json({ ok: true }));
    const http = client();
    await http.request(get());
    expect(http.calls).toBe(3);
  });

  it("unpacks gzip when asked for, whole and bounded behind the unpacking", async () => {
    const packed = (body: Buffer): Script => {
      return (_seen, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
        response.end(gzipSync(body));
      };
    };
    server.script(packed(Buffer.from('{"a":"ü"}')));
    expect((await client().request(get())).json()).toEqual({ a: "ü" });
    // 30 KB on the wire, 30 MB unpacked.
    server.script(packed(Buffer.alloc(30_000_000, " ")));
    const error = await failure(client({ maxBodyBytes: 1_000_000 }).request(get()));
    expect(error).toMatchObject({ kind: "config", code: "HTTP_BODY_TOO_LARGE" });
    expect(server.seen).toHaveLength(2);
  });

  it.each(["announced", "chunked"])("refuses a body beyond the bound: %s", async (kind) => {
    server.script((_seen, response) => {
      const length = kind === "announced" ? { "content-length": "2000000" } : {};
      response.writeHead(200, { "content-type": "application/json", ...length });
      response.end(Buffer.alloc(2_000_000, " "));
    });
    const error = await failure(client({ maxBodyBytes: 1_000_000 }).request(get()));
    expect(error).toMatchObject({ kind: "config", code: "HTTP_BODY_TOO_LARGE" });
  });

  it("takes an empty body", async () => {
    server.script((_seen, response) => void response.writeHead(204).end());
    expect((await client().request(get({ method: "DELETE" }))).body).toHaveLength(0);
  });

  it("applies rewriteJson to good JSON before parsing", async () => {
    server.script(json({ drop: 1, keep: 2 }));
    const answer = await client().request(
      get({ rewriteJson: (body) => Buffer.from(body.toString().replace('"drop":1,', "")) }),
    );
    expect(answer.json()).toEqual({ keep: 2 });
  });
});

describe("what is tried again", () => {
  it.each<[string, Script]>([
    ["408", json({}, 408)],
    ["425", json({}, 425)],
    ["500", json({}, 500)],
    ["502 of a gateway in HTML", html(502)],
    ["503", json({}, 503)],
    ["504", json({}, 504)],
    ["a reset connection", reset()],
    ["a cut body", cutBody()],
    ["half a JSON", json('{"records":[{"Id":"0')],
    ["HTML in place of JSON", html(200)],
    [
      "bytes that are not UTF-8",
      (_s, r) =>
        void r.writeHead(200, { "content-type": "application/json" }).end(Buffer.from([0x22, 0xff, 0x22])),
    ],
    [
      "gzip that ends early",
      (_s, r) =>
        void r.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("x".repeat(5000)).subarray(0, 20)),
    ],
  ])("%s", async (_name, step) => {
    server.script(step, json({ ok: true }));
    expect((await client().request(get())).json()).toEqual({ ok: true });
    expect(clock.sleeps).toHaveLength(1);
    // And when it never ends, the last failure is the error, after five tries with growing full-jitter pauses.
    server.script(step);
    clock.sleeps.length = 0;
    const error = await failure(client().request(get()));
    expect(error.kind).toBe("transient");
    expect(error.place).toBe(`crm: GET ${server.url}/rows`);
    expect(clock.sleeps).toHaveLength(4);
    clock.sleeps.forEach((ms, index) => {
      expect(ms).toBeLessThanOrEqual(500 * 2 ** index);
    });
    expect(waits).toHaveLength(5);
  });

  it("a server that never answers, after the idle time", async () => {
    server.script(silence(), json({ ok: true }));
    const http = client({ idleTimeoutMs: 80 });
    expect((await http.request(get())).json()).toEqual({ ok: true });
    server.script(silence());
    expect(await failure(client({ idleTimeoutMs: 40, maxAttempts: 2 }).request(get()))).toMatchObject({
      kind: "transient",
      code: "HTTP_TIMEOUT",
    });
  });

  it("a body that stops in the middle, after the idle time", async () => {
    server.script(
      (_seen, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
        response.write('{"a":');
      },
      json({ ok: true }),
    );
    expect((await client({ idleTimeoutMs: 80 }).request(get())).json()).toEqual({ ok: true });
  });

  it("an exchange that drips on beyond the total time", async () => {
    server.script(
      (_seen, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.write('{"a":');
        setImmediate(() => clock.ring());
      },
      json({ ok: true }),
    );
    const error = await failure(client({ maxAttempts: 1 }).request(get()));
    expect(error).toMatchObject({ kind: "transient", code: "HTTP_TIMEOUT" });
    expect(clock.repeating).toBe(0);
  });

  it("a host that is not there, and then says how to go on", async () => {
    const url = other.url;
    await other.close();
    const error = await failure(client({ maxAttempts: 2 }).request(get({ url: `${url}/rows` })));
    expect(error).toMatchObject({ kind: "transient", code: "HTTP_UNREACHABLE" });
    expect(error.fix).toContain("URL");
    other = await startScriptedServer(json({}));
  });

  it("honours Retry-After in seconds and as a date", async () => {
    server.script(json({}, 503, { "retry-after": "7" }), json({ ok: true }));
    await client().request(get());
    const at = new Date(clock.now() + 12_000).toUTCString();
    server.script(json({}, 503, { "retry-after": at }), json({ ok: true }));
    await client().request(get());
    expect(clock.sleeps).toEqual([7_000, 12_000]);
  });

  it("a POST only where it surely was not applied", async () => {
    const post = get({ method: "POST", body: "{}" });
    server.script(json({}, 500), json({ ok: true }));
    expect(await failure(client().request(post))).toMatchObject({ kind: "transient" });
    server.script(reset(), json({ ok: true }));
    expect(await failure(client().request(post))).toMatchObject({ kind: "transient" });
    server.script(json({}, 429), json({ ok: true }));
    expect((await client().request(post)).json()).toEqual({ ok: true });
    server.script(json({}, 500), json({ ok: true }));
    expect((await client().request({ ...post, idempotent: true })).json()).toEqual({ ok: true });
  });

  it("no other refusal", async () => {
    for (const [status, kind] of [
      [400, "config"],
      [403, "auth"],
      [404, "config"],
      [410, "config"],
      [501, "config"],
    ] as const) {
      server.script(json({ message: "no" }, status));
      const before = server.seen.length;
      const error = await failure(client().request(get()));
      expect([status, error.kind, error.message]).toEqual([
        status,
        kind,
        `answered ${status}: {"message":"no"}`,
      ]);
      expect(server.seen.length - before).toBe(1);
    }
  });
});

describe("rate limits", () => {
  it("are waited out, shown, and spend no attempt", async () => {
    const limited = json({}, 429, { "retry-after": "30" });
    server.script(...Array.from({ length: 12 }, () => limited), json({ ok: true }));
    const answer = await client({ maxAttempts: 2 }).request(get());
    expect(answer.json()).toEqual({ ok: true });
    expect(clock.sleeps).toEqual(Array(12).fill(30_000));
    expect(waits[0]).toEqual({ reason: "crm: answered 429: {}", ms: 30_000 });
  });

  it("end the run, resumable, when the waits of a request add up to too much", async () => {
    server.script(json({}, 429));
    const error = await failure(client({ maxLimitWaitMs: 100_000 }).request(get()));
    expect(error).toMatchObject({ kind: "rateLimit", scope: "park" });
    expect(clock.sleeps.reduce((sum, ms) => sum + ms)).toBeLessThanOrEqual(100_000);
    expect(clock.sleeps.length).toBeGreaterThan(2);
  });

  it("of hours are not waited for", async () => {
    server.script(json({}, 429, { "retry-after": "36000" }));
    const error = await failure(client().request(get()));
    expect(error).toMatchObject({ kind: "rateLimit", scope: "park", retryAfterMs: 36_000_000 });
    expect(clock.sleeps).toEqual([]);
  });

  it("follow the connector's rows, also in a good status", async () => {
    const http = client({
      statusTable: [
        {
          status: 200,
          when: ({ body }) => JSON.stringify(body).includes("ratelimited"),
          verdict: "wait",
          code: "SLACK_LIMIT",
        },
        { status: 403, when: ({ body }) => Array.isArray(body), verdict: "park", code: "CRM_QUOTA" },
        { status: 420, verdict: "transient", code: "CRM_420", maxAttempts: 3 },
      ],
    });
    server.script(json({ ok: false, error: "ratelimited" }, 200, { "retry-after": "2" }), json({ ok: true }));
    expect((await http.request(get())).json()).toEqual({ ok: true });
    expect(clock.sleeps).toEqual([2_000]);
    server.script(json([], 403));
    expect(await failure(http.request(get()))).toMatchObject({ code: "CRM_QUOTA", scope: "park" });
    server.script(json({}, 420));
    const before = server.seen.length;
    expect(await failure(http.request(get()))).toMatchObject({ code: "CRM_420" });
    expect(server.seen.length - before).toBe(3);
  });
});

describe("stopping", () => {
  it("is prompt while an answer is awaited, while a body arrives and while a pause lasts", async () => {
    const during = async (step: Script, when: "request" | "body" | "pause") => {
      const abort = new AbortController();
      server.script((seen, response) => {
        step(seen, response);
        if (when !== "pause") setImmediate(() => abort.abort(new Error("stop")));
      });
      const http = client(when === "pause" ? { onWait: () => abort.abort(new Error("stop")) } : {});
      const error = await failure(http.request(get({ signal: abort.signal })));
      expect(error).toMatchObject({ kind: "cancelled" });
    };
    await during(silence(), "request");
    await during((_seen, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("x");
    }, "body");
    await during(json({}, 503), "pause");
  });
});

describe("secrets", () => {
  it("show in no error, cause, place or log line", async () => {
    const token = "00Dxx0000001gPL!AQ0AQLtoken.value_1234567890";
    const clientSecret = "client+secret/value";
    const authenticator = createAuthenticator({
      baseUrl: server.url,
      obtain: async () => ({ headers: { authorization: `Bearer ${token}` }, baseUrl: server.url }),
    });
    const http = client({ auth: authenticator, secrets: [new Secret(clientSecret)], maxAttempts: 2 });
    const echo =
      (status: number): Script =>
      (seen, response) =>
        json(
          {
            echo: seen.headers.authorization,
            url: seen.url,
            body: seen.body,
            also: encodeURIComponent(clientSecret),
          },
          status,
        )(seen, response);
    const request = get({
      method: "PUT",
      query: { access_token: token },
      body: `client_secret=${encodeURIComponent(clientSecret)}`,
    });
    const steps: Script[] = [
      echo(400),
      echo(401),
      echo(403),
      echo(429),
      echo(500),
      echo(302),
      reset(),
      cutBody(),
      html(),
      (seen, response) => json(`{"half": "${seen.headers.authorization}`)(seen, response),
    ];
    const words: string[] = [];
    for (const step of steps) {
      server.script(step);
      const error = await failure(http.request(request));
      words.push(inspect(error, { depth: 20, showHidden: true }), JSON.stringify(error), String(error.stack));
    }
    expect(server.seen.length).toBeGreaterThan(steps.length);
    const all = [...words, ...log.lines, ...waits.map(({ reason }) => reason)].join("\n");
    expect(all).toContain("[redacted]");
    for (const secret of [token, encodeURIComponent(token), clientSecret, encodeURIComponent(clientSecret)]) {
      expect(all).not.toContain(secret);
    }
    // Nothing of axios hangs on our errors.
    expect(all).not.toContain("AxiosHeaders");
  });
});
