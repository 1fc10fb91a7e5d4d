import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CancelledError,
  type HttpRequest,
  RateLimitError,
  type RequestBudget,
} from "../../../core/contracts/index.js";
import { createHttpClient, type HttpClientOptions, type StatusRow } from "../../../core/http/index.js";
import { seededRandom } from "../../seeded-random.js";
import { LogSpy } from "./log-spy.js";
import { PatientClock } from "./patient-clock.js";
import { json, reset, type ScriptedServer, silence, startScriptedServer } from "./scripted-server.js";

/* What the client asks of a budget and tells it. The budget is written down call by call. */

let server: ScriptedServer;
const told: string[] = [];
const waits: { reason: string; ms: number }[] = [];
const clients: { close(): void }[] = [];

beforeEach(async () => {
  server = await startScriptedServer(json({ ok: true }, 200, { "ratelimit-remaining": "41" }));
  told.length = 0;
  waits.length = 0;
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
});

const scribe: RequestBudget = {
  take: async (buckets, { onWait }) => {
    told.push(`take ${buckets.join("+")}`);
    if (buckets.includes("slow")) onWait({ reason: "crm: the budget of calls is used up", ms: 7_000 });
    return {
      answered: (headers) => told.push(`answered ${headers?.["ratelimit-remaining"] ?? "without headers"}`),
    };
  },
  learn: () => undefined,
  refused: (bucket, ms) => {
    told.push(`refused ${bucket} ${ms}`);
    return ms ?? 3_600_000;
  },
  close: async () => undefined,
};

const ROWS: readonly StatusRow[] = [
  { status: 403, verdict: "park", code: "DAILY", message: "the day is used up", bucket: "daily" },
  { status: 430, verdict: "wait", code: "BUSY", bucket: "concurrent" },
];

function client(options: Partial<HttpClientOptions> = {}) {
  const made = createHttpClient({
    connection: "crm",
    clock: new PatientClock(),
    random: seededRandom(1),
    log: new LogSpy(),
    onWait: (wait) => waits.push(wait),
    idleTimeoutMs: 2_000,
    budget: scribe,
    buckets: ["minute", "daily"],
    statusTable: ROWS,
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

describe("a client with a budget", () => {
  it("asks for its own buckets, or those of the request", async () => {
    await client().request(get());
    await client().request(get({ buckets: ["exports"] }));
    expect(told).toEqual(["take minute+daily", "answered 41", "take exports", "answered 41"]);
  });

  it("asks before every try, and gives every ticket back", async () => {
    server.script(reset(), json({}, 503), json({ ok: true }));
    const asking = client();
    await asking.request(get());
    expect(asking.calls).toBe(3);
    expect(told).toEqual(Array(3).fill(["take minute+daily", "answered without headers"]).flat());
  });

  it("gives the ticket back when the request is cancelled", async () => {
    server.script(silence());
    const abort = new AbortController();
    const request = client().request(get({ signal: abort.signal }));
    while (server.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    await expect(request).rejects.toBeInstanceOf(CancelledError);
    expect(told).toEqual(["take minute+daily", "answered without headers"]);
  });

  it("shows the budget's wait, which spends no attempt", async () => {
    const answer = await client({ maxAttempts: 1 }).request(get({ buckets: ["slow"] }));
    expect(answer.status).toBe(200);
    expect(waits).toEqual([{ reason: "crm: the budget of calls is used up", ms: 7_000 }]);
  });

  it("tells of a refusal whose limit it was: that of the row, else the first of the request", async () => {
    server.script(
      json({}, 430, { "retry-after": "3" }),
      json({}, 429, { "retry-after": "5" }),
      json({ ok: true }),
    );
    await client().request(get());
    expect(told.filter((line) => line.startsWith("refused"))).toEqual([
      "refused concurrent 3000",
      "refused minute 5000",
    ]);
  });

  it("parks for as long as the budget says where the other side names no time", async () => {
    server.script(json({}, 403));
    const error = await client()
      .request(get())
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ code: "DAILY", scope: "park", retryAfterMs: 3_600_000 });
    expect(told).toContain("refused daily undefined");
  });

  it("closes a bucket for the whole of a wait that is too long to wait out", async () => {
    server.script(json({}, 429, { "retry-after": "7200" }));
    await expect(client().request(get())).rejects.toMatchObject({ scope: "park", retryAfterMs: 7_200_000 });
    expect(told).toContain("refused minute 7200000");
  });

  it("begins no wait that is longer than the request has patience for", async () => {
    const asked: number[] = [];
    const noting: RequestBudget = {
      ...scribe,
      take: (buckets, options) => {
        asked.push(options.longestWaitMs);
        return scribe.take(buckets, options);
      },
    };
    server.script(json({}, 430, { "retry-after": "3" }), json({ ok: true }), json({ ok: true }));
    const asking = client({ budget: noting, maxLimitWaitMs: 60_000 });
    await expect(asking.request(get({ longestWaitMs: 0 }))).rejects.toMatchObject({
      code: "BUSY",
      scope: "park",
    });
    expect(waits).toEqual([]);
    await asking.request(get());
    await asking.request(get({ longestWaitMs: 3_600_000 }));
    expect(asked).toEqual([0, 60_000, 60_000]);
  });

  it("sends nothing where the budget parks", async () => {
    const parking: RequestBudget = {
      ...scribe,
      take: () => Promise.reject(new RateLimitError("RATE_LIMIT_PARKED", "used up", { scope: "park" })),
    };
    const asking = client({ budget: parking });
    await expect(asking.request(get())).rejects.toMatchObject({ code: "RATE_LIMIT_PARKED" });
    expect([asking.calls, server.seen.length]).toEqual([0, 0]);
  });
});
