import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { faultOf, STATUS_ROWS } from "../../../connectors/zendesk/errors.js";
import { type ErrorClass, SluiceError } from "../../../core/contracts/index.js";
import { createAuthenticator, createHttpClient } from "../../../core/http/index.js";
import { LogSpy } from "../../core/http/log-spy.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import {
  cutBody,
  html,
  json,
  reset,
  type Script,
  type ScriptedServer,
  silence,
  startScriptedServer,
} from "../../core/http/scripted-server.js";
import { seededRandom } from "../../seeded-random.js";
import { never } from "./account.js";
import { scriptedDesk } from "./desk.js";

const SILENCE = silence();

let server: ScriptedServer;
beforeEach(async () => {
  server = await startScriptedServer();
});
afterEach(() => server.close());

/** What happens next: `once` the error at the first answer; `tries` n requests in all; `renews` one renewal. */
type Then = "once" | "renews" | "waits" | "parks" | { readonly tries: number };

async function outcomeOf(script: Script) {
  server.script(script);
  const clock = new PatientClock();
  let renewals = -1;
  const auth = createAuthenticator({
    baseUrl: server.url,
    obtain: async () => ({ headers: { authorization: `Bearer token-${++renewals}` }, baseUrl: server.url }),
  });
  const http = createHttpClient({
    connection: "desk",
    clock,
    random: seededRandom(1),
    log: new LogSpy(),
    auth,
    statusTable: STATUS_ROWS,
    maxLimitWaitMs: 20_000,
    // Short for this script alone: on a busy machine the others would time out too.
    ...(script === SILENCE ? { idleTimeoutMs: 30 } : {}),
  });
  const error = await http.request({ method: "GET", url: `${server.url}/api/v2/tickets.json` }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  http.close();
  if (!(error instanceof SluiceError)) throw new Error("nothing was refused");
  return { error, calls: http.calls, renewals, sleeps: clock.sleeps };
}

const api = (status: number, error: unknown, description?: string, headers = {}): Script =>
  json(description === undefined ? { error } : { error, description }, status, headers);
const oauth = (status: number, error: string, error_description = "what Zendesk says"): Script =>
  json({ error, error_description }, status);
const text =
  (status: number, body: string, headers: Record<string, string> = {}): Script =>
  (_seen, response) => {
    response.writeHead(status, { "content-type": "text/plain", ...headers }).end(body);
  };

const TABLE: readonly (readonly [string, Script, ErrorClass, string, Then])[] = [
  // Sign-in
  [
    "credentials that are not known",
    api(401, "Couldn't authenticate you"),
    "auth",
    "ZENDESK_UNAUTHORIZED",
    "renews",
  ],
  ["an expired token", oauth(401, "invalid_token"), "auth", "ZENDESK_UNAUTHORIZED", "renews"],
  ["a 401 without a body", (_s, r) => void r.writeHead(401).end(), "auth", "ZENDESK_UNAUTHORIZED", "renews"],
  ["a used refresh token", oauth(400, "invalid_grant"), "auth", "ZENDESK_INVALID_GRANT", "once"],
  ["a used refresh token, as 401", oauth(401, "invalid_grant"), "auth", "ZENDESK_INVALID_GRANT", "once"],
  ["a client that is not known", oauth(401, "invalid_client"), "auth", "ZENDESK_INVALID_CLIENT", "once"],
  [
    "a client without this grant",
    oauth(400, "unauthorized_client"),
    "auth",
    "ZENDESK_INVALID_CLIENT",
    "once",
  ],
  [
    "a grant that is not known",
    oauth(400, "unsupported_grant_type"),
    "config",
    "ZENDESK_OAUTH_REQUEST",
    "once",
  ],
  ["a scope that is not known", oauth(400, "invalid_scope"), "config", "ZENDESK_OAUTH_REQUEST", "once"],
  ["a malformed token request", oauth(400, "invalid_request"), "config", "ZENDESK_OAUTH_REQUEST", "once"],
  // Rights and plans
  [
    "a missing scope",
    api(403, "Forbidden", "The scope tickets:read is missing"),
    "auth",
    "ZENDESK_FORBIDDEN",
    "once",
  ],
  [
    "a 403 whose error is an object",
    api(403, { title: "Forbidden", message: "You do not have access" }),
    "auth",
    "ZENDESK_FORBIDDEN",
    "once",
  ],
  ["a 403 without a body", (_s, r) => void r.writeHead(403).end(), "auth", "ZENDESK_FORBIDDEN", "once"],
  [
    "a suspended account",
    api(403, "AccountSuspended", "This account is suspended"),
    "auth",
    "ZENDESK_SUSPENDED",
    "once",
  ],
  ["a plan that has run out", api(402, "PaymentRequired"), "auth", "ZENDESK_FORBIDDEN", "once"],
  ["what does not exist", api(404, "RecordNotFound", "Not found"), "config", "ZENDESK_NOT_FOUND", "once"],
  [
    "an endpoint that does not exist",
    api(404, { title: "InvalidEndpoint", message: "Not found" }),
    "config",
    "ZENDESK_NOT_FOUND",
    "once",
  ],
  ["a wrong subdomain", html(404), "config", "ZENDESK_NO_ACCOUNT", "once"],
  ["a 404 without a body", (_s, r) => void r.writeHead(404).end(), "config", "ZENDESK_NO_ACCOUNT", "once"],
  // Limits
  [
    "429 with Retry-After",
    api(429, "APIRateLimitExceeded", "Number of allowed API requests per minute exceeded", {
      "retry-after": "7",
    }),
    "rateLimit",
    "ZENDESK_RATE_LIMIT",
    "waits",
  ],
  [
    "429 in plain text",
    text(429, "User update limit exceeded", { "retry-after": "7" }),
    "rateLimit",
    "ZENDESK_RATE_LIMIT",
    "waits",
  ],
  ["429 without Retry-After", text(429, ""), "rateLimit", "ZENDESK_RATE_LIMIT", "waits"],
  [
    "429 for a day",
    api(429, "APIRateLimitExceeded", "x", { "retry-after": "86400" }),
    "rateLimit",
    "ZENDESK_RATE_LIMIT",
    "parks",
  ],
  [
    "too many background jobs",
    api(429, "TooManyJobs", "30 jobs are queued", { "retry-after": "7" }),
    "rateLimit",
    "ZENDESK_TOO_MANY_JOBS",
    "waits",
  ],
  [
    "the offset wall as 429",
    api(429, "RateLimited", "Offset pagination limit exceeded: use cursor pagination"),
    "config",
    "ZENDESK_OFFSET_LIMIT",
    "once",
  ],
  [
    "the offset wall as 400",
    api(400, "InvalidPaginationDepth", "Offset pagination is limited to the first 10,000 records"),
    "config",
    "ZENDESK_OFFSET_LIMIT",
    "once",
  ],
  // What was asked
  [
    "too recent a start, five minutes",
    api(422, "InvalidValue", "Too recent start_time. Use a start_time older than 5 minutes"),
    "config",
    "ZENDESK_TOO_RECENT",
    "once",
  ],
  [
    "too recent a start, one minute",
    api(422, "InvalidValue", "Too recent start_time. Use a start_time older than 1 minutes"),
    "config",
    "ZENDESK_TOO_RECENT",
    "once",
  ],
  [
    "too many values",
    json(
      {
        error: "TooManyValues",
        description: "Parameter  cannot specify more than 100 values",
        max_count: 100,
      },
      400,
    ),
    "config",
    "ZENDESK_TOO_MANY_VALUES",
    "once",
  ],
  [
    "a record that is not valid",
    json(
      {
        error: "RecordInvalid",
        description: "Record validation errors",
        details: { email: [{ description: "Email: x is already being used", error: "DuplicateValue" }] },
      },
      422,
    ),
    "record",
    "ZENDESK_RECORD_INVALID",
    "once",
  ],
  [
    "a cursor that is refused with 422",
    api(422, "InvalidValue", "Invalid cursor parameter"),
    "config",
    "ZENDESK_INVALID_VALUE",
    "once",
  ],
  [
    "a cursor that is refused with 400",
    json({ errors: [{ code: "InvalidPaginationParameter", title: "page[after] is not valid" }] }, 400),
    "config",
    "ZENDESK_INVALID_VALUE",
    "once",
  ],
  [
    "a page size that is refused",
    json(
      { errors: [{ code: "InvalidPaginationParameter", title: "page[size] must be from 1 to 100" }] },
      400,
    ),
    "config",
    "ZENDESK_INVALID_VALUE",
    "once",
  ],
  ["any other 400", api(400, "BadRequest"), "config", "ZENDESK_BAD_REQUEST", "once"],
  ["any other 422", api(422, "Unprocessable"), "config", "ZENDESK_UNPROCESSABLE", "once"],
  // Passing troubles
  ["two writes that met", api(409, "Conflict"), "transient", "ZENDESK_CONFLICT", { tries: 5 }],
  ["500", api(500, "InternalError"), "transient", "ZENDESK_UNAVAILABLE", { tries: 5 }],
  ["502 in HTML", html(502), "transient", "ZENDESK_UNAVAILABLE", { tries: 5 }],
  ["503", text(503, "Service Unavailable"), "transient", "ZENDESK_UNAVAILABLE", { tries: 5 }],
  [
    "503 with Retry-After",
    text(503, "", { "retry-after": "3" }),
    "transient",
    "ZENDESK_UNAVAILABLE",
    { tries: 5 },
  ],
  ["504", html(504), "transient", "ZENDESK_UNAVAILABLE", { tries: 5 }],
  ["520 of the gateway", html(520), "transient", "ZENDESK_UNAVAILABLE", { tries: 5 }],
  ["524 of the gateway", text(524, "error code: 524"), "transient", "ZENDESK_UNAVAILABLE", { tries: 5 }],
  // No answer of Zendesk at all
  ["HTML with 200", html(200), "transient", "HTTP_HTML", { tries: 5 }],
  ["half a JSON", json('{"tickets":[{"id":1'), "transient", "HTTP_BAD_JSON", { tries: 5 }],
  ["a body that breaks off", cutBody(), "transient", "HTTP_BODY_CUT", { tries: 5 }],
  ["a connection that is reset", reset(), "transient", "HTTP_CONNECTION_LOST", { tries: 5 }],
  ["no answer at all", SILENCE, "transient", "HTTP_TIMEOUT", { tries: 5 }],
];

/** What only the answer to users/me tells. */
const CHECKS: readonly (readonly [string, object, ErrorClass, string])[] = [
  [
    "200 with the anonymous user",
    { user: { id: null, name: "Anonymous user", email: "invalid@example.com", role: "end-user" } },
    "auth",
    "ZENDESK_ANONYMOUS",
  ],
  ["200 without a user", { hello: "world" }, "transient", "ZENDESK_UNEXPECTED_ANSWER"],
];

describe("every error of Zendesk lands in its class", () => {
  it.each(TABLE)("%s", async (_what, script, kind, code, then) => {
    const { error, calls, renewals, sleeps } = await outcomeOf(script);
    expect({ kind: error.kind, code: error.code }).toEqual({ kind, code });
    expect(error.place).toContain("/api/v2/tickets.json");
    if (kind === "config" || kind === "auth") expect(error.fix).toBeTruthy();
    if (then === "once") expect({ calls, renewals, sleeps }).toEqual({ calls: 1, renewals: 0, sleeps: [] });
    else if (then === "renews") expect({ calls, renewals }).toEqual({ calls: 2, renewals: 1 });
    else if (then === "parks")
      expect({ calls, scope: Reflect.get(error, "scope") }).toEqual({ calls: 1, scope: "park" });
    else if (then === "waits") expect(sleeps.length).toBeGreaterThan(1);
    else expect(calls).toBe(then.tries);
  });

  it.each(CHECKS)("%s", async (_what, answer, kind, code) => {
    const { source, asked } = await scriptedDesk(() => answer);
    const refusal = { kind, code, fix: expect.stringMatching(/^Check .*\.$/) };
    await expect(source.check(never())).rejects.toMatchObject(refusal);
    await expect(source.discover(never())).rejects.toMatchObject(refusal);
    expect(asked()).toEqual(["/api/v2/users/me.json", "/api/v2/users/me.json"]);
  });

  it("covers every row of the table", () => {
    const reached = new Set(TABLE.map(([, , , code]) => code));
    expect(STATUS_ROWS.map(({ code }) => code).filter((code) => !reached.has(code))).toEqual([]);
  });

  it("waits as long as Retry-After says, of 429 and of 503", async () => {
    expect((await outcomeOf(text(429, "slow down", { "retry-after": "7" }))).sleeps).toEqual([7_000, 7_000]);
    expect((await outcomeOf(text(503, "", { "retry-after": "3" }))).sleeps).toEqual([
      3_000, 3_000, 3_000, 3_000,
    ]);
  });

  it("says what Zendesk said, whichever the shape", () => {
    expect(faultOf({ error: "RecordNotFound", description: "Not found" })).toEqual({
      name: "RecordNotFound",
      message: "Not found",
    });
    expect(faultOf({ error: { title: "Forbidden", message: "No access" } })).toEqual({
      name: "Forbidden",
      message: "No access",
    });
    expect(faultOf({ error: "invalid_grant", error_description: "used" })).toEqual({
      name: "invalid_grant",
      message: "used",
    });
    for (const odd of [undefined, null, "text", [], 7, { error: 7 }, { error: null }, { errors: [] }]) {
      expect(faultOf(odd)).toEqual({ name: "", message: "" });
    }
  });
});
