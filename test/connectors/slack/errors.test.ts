import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isOfOneChannel, STATUS_ROWS } from "../../../connectors/slack/errors.js";
import type { ErrorClass, SluiceError } from "../../../core/contracts/index.js";
import { createAuthenticator, createHttpClient } from "../../../core/http/index.js";
import { LogSpy } from "../../core/http/log-spy.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import {
  html,
  json,
  type Script,
  type ScriptedServer,
  silence,
  startScriptedServer,
} from "../../core/http/scripted-server.js";
import { seededRandom } from "../../seeded-random.js";

const SILENCE = silence();

let server: ScriptedServer;
beforeEach(async () => {
  server = await startScriptedServer();
});
afterEach(() => server.close());

async function outcomeOf(script: Script) {
  server.script(script);
  const clock = new PatientClock();
  let renewals = -1;
  const auth = createAuthenticator({
    baseUrl: server.url,
    obtain: async () => ({ headers: { authorization: `Bearer token-${++renewals}` }, baseUrl: server.url }),
  });
  const http = createHttpClient({
    connection: "chat",
    clock,
    random: seededRandom(1),
    log: new LogSpy(),
    auth,
    statusTable: STATUS_ROWS,
    maxLimitWaitMs: 10_000,
    // Short for this script alone: on a busy machine the others would time out too.
    ...(script === SILENCE ? { idleTimeoutMs: 30 } : {}),
  });
  const error: unknown = await http
    .request({ method: "GET", url: `${server.url}/api/conversations.history` })
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  http.close();
  expect(error).toBeInstanceOf(Error);
  return {
    error: error as SluiceError & { readonly scope?: string },
    calls: http.calls,
    renewals,
    slept: clock.sleeps.length,
  };
}

const refused = (error: string, more: object = {}): Script => json({ ok: false, error, ...more });

/** What happens next: `once` the error at the first answer; `tries` n requests in all; `renews` one renewal; `waits` until it is too long. */
type Then = "once" | "renews" | "waits" | { readonly tries: number };

const ONE_CHANNEL = [
  "not_in_channel",
  "channel_not_found",
  "channel_is_limited_access",
  "is_archived",
  "method_not_supported_for_channel_type",
  "thread_not_found",
];
const row = (error: string, kind: ErrorClass, then: Then) =>
  [error, refused(error), kind, `SLACK_${error.toUpperCase()}`, then] as const;

const TABLE: readonly (readonly [string, Script, ErrorClass, string, Then])[] = [
  // The account
  ...[
    "not_authed",
    "invalid_auth",
    "account_inactive",
    "token_revoked",
    "no_permission",
    "org_login_required",
    "ekm_access_denied",
  ].map((error) => row(error, "auth", "once")),
  row("token_expired", "auth", "renews"),
  [
    "missing_scope",
    refused("missing_scope", { needed: "channels:history", provided: "channels:read" }),
    "auth",
    "SLACK_MISSING_SCOPE",
    "once",
  ],
  ...["access_denied", "accesslimited", "team_access_not_granted", "two_factor_setup_required"].map((error) =>
    row(error, "auth", "once"),
  ),
  ...[
    "invalid_refresh_token",
    "invalid_grant",
    "invalid_grant_type",
    "bad_client_secret",
    "invalid_client_id",
    "bad_client_id",
  ].map((error) => row(error, "auth", "once")),
  // Limits
  [
    "ratelimited with HTTP 429",
    json({ ok: false, error: "ratelimited" }, 429, { "retry-after": "4" }),
    "rateLimit",
    "SLACK_RATELIMITED",
    "waits",
  ],
  ["ratelimited with HTTP 200", refused("ratelimited"), "rateLimit", "SLACK_RATELIMITED", "waits"],
  row("rate_limited", "rateLimit", "waits"),
  [
    "429 without a body",
    (_seen, response) => void response.writeHead(429, { "retry-after": "4" }).end(),
    "rateLimit",
    "SLACK_RATELIMITED",
    "waits",
  ],
  // One channel or thread, which the reader leaves out
  ...ONE_CHANNEL.map((error) => row(error, "config", "once")),
  // Over soon
  ...[
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "fetch_members_failed",
    "team_added_to_org",
  ].map((error) => row(error, "transient", { tries: 5 })),
  // The reader begins a new chain of pages
  row("invalid_cursor", "transient", "once"),
  // The stream is not to be had
  ...[
    "paid_only",
    "plan_upgrade_required",
    "not_allowed_token_type",
    "is_bot",
    "enterprise_is_restricted",
  ].map((error) => row(error, "config", "once")),
  // What was asked
  ...[
    "limit_required",
    "invalid_limit",
    "over_pagination_limit",
    "missing_argument",
    "team_not_found",
    "invalid_types",
    "unknown_type",
    "invalid_ts_latest",
    "invalid_ts_oldest",
    "unknown_method",
    "method_deprecated",
    "deprecated_endpoint",
  ].map((error) => row(error, "config", "once")),
  // Anything else fails: an error that nobody knows is never an empty page
  ["an unknown error", refused("something_new"), "config", "SLACK_REFUSED", "once"],
  ["ok false without a reason", json({ ok: false }), "transient", "SLACK_UNEXPECTED_ANSWER", { tries: 5 }],
  ["no ok at all", json({ messages: [] }), "transient", "SLACK_UNEXPECTED_ANSWER", { tries: 5 }],
  ["ok as a text", json({ ok: "true", messages: [] }), "transient", "SLACK_UNEXPECTED_ANSWER", { tries: 5 }],
  // Gateways
  [
    "500",
    json({ ok: false, error: "internal_error" }, 500),
    "transient",
    "SLACK_INTERNAL_ERROR",
    { tries: 5 },
  ],
  [
    "503 without a body",
    (_seen, response) => void response.writeHead(503).end(),
    "transient",
    "HTTP_SERVER_ERROR",
    { tries: 5 },
  ],
  ["HTML in place of JSON", html(), "transient", "HTTP_HTML", { tries: 5 }],
  ["half a JSON", json('{"ok":true,"messages":[{'), "transient", "HTTP_BAD_JSON", { tries: 5 }],
  [
    "401 without a body",
    (_seen, response) => void response.writeHead(401).end(),
    "auth",
    "HTTP_UNAUTHORIZED",
    "renews",
  ],
  [
    "403 without a body",
    (_seen, response) => void response.writeHead(403).end(),
    "auth",
    "HTTP_FORBIDDEN",
    "once",
  ],
  [
    "404 without a body",
    (_seen, response) => void response.writeHead(404).end(),
    "config",
    "HTTP_NOT_FOUND",
    "once",
  ],
  ["no answer at all", SILENCE, "transient", "HTTP_TIMEOUT", { tries: 5 }],
];

describe("errors of the Web API", () => {
  it.each(TABLE)("%s", async (_title, script, kind, code, then) => {
    const { error, calls, renewals, slept } = await outcomeOf(script);
    expect([error.kind, error.code]).toEqual([kind, code]);
    if (then === "once") expect([calls, slept]).toEqual([1, 0]);
    else if (then === "renews") expect([calls, renewals]).toEqual([2, 1]);
    else if (then === "waits") {
      expect(slept).toBeGreaterThan(0);
      expect(error.scope).toBe("park");
    } else expect(calls).toBe(then.tries);
    if (kind !== "transient" && kind !== "rateLimit") expect(error.fix).toMatch(/^[A-Z].*[.)s]$/);
  });

  it("are all of them in the table", () => {
    const reached = new Set(TABLE.map(([, , , code]) => code));
    const refusals = STATUS_ROWS.filter(({ verdict }) => verdict !== "accept").map(({ code }) => code);
    expect(refusals.filter((code) => !reached.has(code))).toEqual([]);
  });

  it("of one channel are known as such, and no others", () => {
    const names = TABLE.map(([name]) => name);
    const ofOne = names.filter((name) =>
      isOfOneChannel(Object.assign(new Error(name), { code: `SLACK_${name.toUpperCase()}` })),
    );
    expect(ofOne).toEqual(ONE_CHANNEL);
  });

  it("name the scope that is missing, and what is wrong with the arguments", async () => {
    const scope = await outcomeOf(
      refused("missing_scope", { needed: "channels:history", provided: "channels:read" }),
    );
    expect(scope.error.message).toBe("missing_scope: needs channels:history, has channels:read");
    expect(scope.error.fix).toBe("Add the scope channels:history to the app, and install the app again.");
    const wrong = await outcomeOf(
      refused("invalid_arguments", {
        response_metadata: { messages: ["[ERROR] missing required field: channel"] },
      }),
    );
    expect(wrong.error.message).toBe("invalid_arguments ([ERROR] missing required field: channel)");
  });
});
