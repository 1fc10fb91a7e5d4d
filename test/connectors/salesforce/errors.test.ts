import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { faultOf, STATUS_ROWS } from "../../../connectors/salesforce/errors.js";
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

interface Outcome {
  readonly error: SluiceError & { readonly scope?: string };
  /** Requests sent until the error. */
  readonly calls: number;
  readonly renewals: number;
  readonly slept: number;
}

async function outcomeOf(script: Script): Promise<Outcome> {
  server.script(script);
  const clock = new PatientClock();
  let renewals = -1;
  const auth = createAuthenticator({
    baseUrl: server.url,
    obtain: async () => ({ headers: { authorization: `Bearer token-${++renewals}` }, baseUrl: server.url }),
  });
  const http = createHttpClient({
    connection: "crm",
    clock,
    random: seededRandom(1),
    log: new LogSpy(),
    auth,
    statusTable: STATUS_ROWS,
    maxLimitWaitMs: 10_000,
    // Short for this script alone: on a busy machine the others would time out too.
    ...(script === SILENCE ? { idleTimeoutMs: 30 } : {}),
  });
  const url = `${server.url}/services/data/v67.0/query?q=SELECT+Id+FROM+Account`;
  const error = await http.request({ method: "GET", url }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  http.close();
  expect(error).toBeInstanceOf(Error);
  const slept = clock.sleeps.length;
  return { error: error as Outcome["error"], calls: http.calls, renewals, slept };
}

const api = (status: number, errorCode: string, message = "what Salesforce says", headers = {}): Script =>
  json([{ message, errorCode }], status, headers);
const oauth = (error: string, description?: string): Script =>
  json(description === undefined ? { error } : { error, error_description: description }, 400);

/** What happens next: `once` the error at the first answer; `tries` n requests in all; `renews` one renewal. */
type Then = "once" | "renews" | "waits" | "parks" | { readonly tries: number };

const TABLE: readonly (readonly [string, Script, ErrorClass, string, Then])[] = [
  // Sessions
  [
    "an expired session",
    api(401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "auth",
    "SALESFORCE_INVALID_SESSION_ID",
    "renews",
  ],
  [
    "a session refused with 403",
    api(403, "INVALID_SESSION_ID"),
    "auth",
    "SALESFORCE_INVALID_SESSION_ID",
    "renews",
  ],
  [
    "a bad header",
    api(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
    "auth",
    "SALESFORCE_INVALID_SESSION_ID",
    "renews",
  ],
  ["a 401 without a body", (_s, r) => void r.writeHead(401).end(), "auth", "HTTP_UNAUTHORIZED", "renews"],
  [
    "an app that is not attached",
    api(401, "INVALID_SESSION_ID", "Connected app is not attached to Agent"),
    "auth",
    "SALESFORCE_APP_NOT_ATTACHED",
    "once",
  ],
  [
    "a session not for the API",
    api(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
    "auth",
    "SALESFORCE_SESSION_NOT_FOR_API",
    "once",
  ],
  [
    "a dead token at the identity service",
    (_s, r) => void r.writeHead(403, { "content-type": "text/html" }).end("Bad_OAuth_Token"),
    "auth",
    "SALESFORCE_INVALID_SESSION_ID",
    "renews",
  ],
  // Quotas
  [
    "the day's calls used up",
    api(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    "rateLimit",
    "SALESFORCE_REQUEST_LIMIT_EXCEEDED",
    "parks",
  ],
  [
    "too many long requests",
    api(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
    "rateLimit",
    "SALESFORCE_CONCURRENT_LIMIT",
    "waits",
  ],
  [
    "429 with Retry-After",
    json([], 429, { "retry-after": "3" }),
    "rateLimit",
    "HTTP_TOO_MANY_REQUESTS",
    "waits",
  ],
  [
    "429 without",
    api(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests."),
    "transient",
    "SALESFORCE_BUSY",
    { tries: 5 },
  ],
  [
    "the day's Bulk jobs used up",
    api(400, "EXCEEDED_QUOTA", "DailyBulkV2QueryJobs Limit exceeded."),
    "rateLimit",
    "SALESFORCE_BULK_LIMIT_EXCEEDED",
    "parks",
  ],
  [
    "too many Bulk jobs at a time",
    api(400, "LIMIT_EXCEEDED", "Too many open jobs"),
    "rateLimit",
    "SALESFORCE_CONCURRENT_LIMIT",
    "waits",
  ],
  [
    "transaction security",
    api(403, "TXN_SECURITY_METERING_ERROR"),
    "config",
    "SALESFORCE_TXN_SECURITY",
    "once",
  ],
  // The query
  [
    "a malformed query",
    api(400, "MALFORMED_QUERY", "\nSELEC Id\n^\nERROR at Row:1:Column:1\nunexpected token: SELEC"),
    "config",
    "SALESFORCE_MALFORMED_QUERY",
    "once",
  ],
  [
    "an invalid filter operator",
    api(400, "INVALID_QUERY_FILTER_OPERATOR"),
    "config",
    "SALESFORCE_MALFORMED_QUERY",
    "once",
  ],
  [
    "a field that is hidden",
    api(
      400,
      "INVALID_FIELD",
      "\nSELECT Foo__c FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo__c' on entity 'Account'.",
    ),
    "config",
    "SALESFORCE_INVALID_FIELD",
    "once",
  ],
  [
    "a cursor that takes no filter",
    api(
      400,
      "INVALID_FIELD",
      "\nFROM LoginEvent WHERE CreatedDate < 2026-10-01T12:00:00Z\n ^\nfield 'CreatedDate' can not be filtered in a query call",
    ),
    "config",
    "SALESFORCE_NOT_FILTERABLE",
    "once",
  ],
  [
    "an unknown object",
    api(400, "INVALID_TYPE", "sObject type 'Acount' is not supported."),
    "config",
    "SALESFORCE_INVALID_TYPE",
    "once",
  ],
  [
    "an object that takes no query",
    api(400, "INVALID_TYPE_FOR_OPERATION", "entity type ActivityHistory does not support query"),
    "config",
    "SALESFORCE_INVALID_TYPE",
    "once",
  ],
  [
    "an object without Bulk",
    api(400, "INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API."),
    "config",
    "SALESFORCE_NO_BULK",
    "once",
  ],
  [
    "a compound field in Bulk",
    api(400, "API_ERROR", "Selecting compound data not supported in Bulk Query"),
    "config",
    "SALESFORCE_NO_BULK",
    "once",
  ],
  [
    "an external object",
    api(400, "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION"),
    "config",
    "SALESFORCE_UNSUPPORTED",
    "once",
  ],
  ["a field CSV cannot hold", api(400, "FeatureNotEnabled"), "config", "SALESFORCE_UNSUPPORTED", "once"],
  [
    "a query timeout",
    api(400, "QUERY_TIMEOUT", "Your query request was running for too long."),
    "transient",
    "SALESFORCE_QUERY_TIMEOUT",
    "once",
  ],
  [
    "a dead locator",
    api(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    "transient",
    "SALESFORCE_DEAD_LOCATOR",
    "once",
  ],
  [
    "a dead locator of Bulk",
    json({ exceptionCode: "InvalidQueryLocator", exceptionMessage: "gone" }, 400),
    "transient",
    "SALESFORCE_DEAD_LOCATOR",
    "once",
  ],
  [
    "an empty replication window",
    api(400, "INVALID_REPLICATION_DATE"),
    "config",
    "SALESFORCE_REPLICATION_DATE",
    "once",
  ],
  ["too many ids", api(400, "EXCEEDED_ID_LIMIT"), "config", "SALESFORCE_TOO_MANY_IDS", "once"],
  ["a URL too long", html(414), "config", "SALESFORCE_QUERY_TOO_LONG", "once"],
  ["headers too long", html(431), "config", "SALESFORCE_QUERY_TOO_LONG", "once"],
  // Rights
  [
    "an org without API",
    api(403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"),
    "auth",
    "SALESFORCE_API_DISABLED",
    "once",
  ],
  [
    "a query that needs View All Data",
    api(400, "OPERATION_TOO_LARGE"),
    "auth",
    "SALESFORCE_NEEDS_VIEW_ALL",
    "once",
  ],
  ["a user that is locked", api(403, "USER_LOCKED"), "auth", "SALESFORCE_USER_LOCKED", "once"],
  ["a missing right", api(403, "INSUFFICIENT_ACCESS"), "auth", "SALESFORCE_FORBIDDEN", "once"],
  ["a 403 of a gateway", html(403), "auth", "HTTP_FORBIDDEN", "once"],
  // Versions and addresses
  ["a retired version", api(410, "UNSUPPORTED_API_VERSION"), "config", "SALESFORCE_API_VERSION", "once"],
  [
    "a retired version by SOAP's status",
    api(500, "UNSUPPORTED_API_VERSION"),
    "config",
    "SALESFORCE_API_VERSION",
    "once",
  ],
  [
    "a 410 without a body",
    (_s, r) => void r.writeHead(410).end(),
    "config",
    "SALESFORCE_API_VERSION",
    "once",
  ],
  [
    "results asked for by another version",
    api(409, "VERSION_MISMATCH"),
    "config",
    "SALESFORCE_VERSION_MISMATCH",
    "once",
  ],
  ["nothing there", api(404, "NOT_FOUND"), "config", "SALESFORCE_NOT_FOUND", "once"],
  [
    "several records of one external id",
    json(["/services/data/v67.0/sobjects/Contact/003"], 300),
    "config",
    "SALESFORCE_SEVERAL_RECORDS",
    "once",
  ],
  // OAuth
  [
    "an expired refresh token",
    oauth("invalid_grant", "expired access/refresh token"),
    "auth",
    "SALESFORCE_INVALID_GRANT",
    "once",
  ],
  [
    "a grant refused without a description",
    oauth("invalid_grant"),
    "auth",
    "SALESFORCE_INVALID_GRANT",
    "once",
  ],
  [
    "a user that has not approved the app",
    oauth("invalid_grant", "user hasn't approved this consumer"),
    "auth",
    "SALESFORCE_INVALID_GRANT",
    "once",
  ],
  [
    "an unknown app",
    oauth("invalid_client_id", "client identifier invalid"),
    "auth",
    "SALESFORCE_INVALID_CLIENT",
    "once",
  ],
  [
    "a wrong secret",
    oauth("invalid_client", "invalid client credentials"),
    "auth",
    "SALESFORCE_INVALID_CLIENT",
    "once",
  ],
  ["a grant the app may not use", oauth("unauthorized_client"), "auth", "SALESFORCE_INVALID_CLIENT", "once"],
  ["a locked user", oauth("inactive_user"), "auth", "SALESFORCE_INVALID_CLIENT", "once"],
  [
    "client credentials at the shared host",
    oauth("unsupported_grant_type", "grant type not supported"),
    "config",
    "SALESFORCE_OAUTH_REQUEST",
    "once",
  ],
  [
    "too many sign-ins",
    oauth("invalid_grant", "login rate exceeded"),
    "rateLimit",
    "SALESFORCE_LOGIN_RATE",
    "waits",
  ],
  ["a sign-in service in trouble", oauth("server_error"), "transient", "SALESFORCE_LOGIN_DOWN", { tries: 5 }],
  // Passing troubles
  ["a locked row", api(400, "UNABLE_TO_LOCK_ROW"), "transient", "SALESFORCE_BUSY", { tries: 5 }],
  ["a busy server", api(503, "SERVER_UNAVAILABLE"), "transient", "SALESFORCE_BUSY", { tries: 5 }],
  ["a deleted org", (_s, r) => void r.writeHead(420).end(), "transient", "SALESFORCE_420", { tries: 3 }],
  ["406", json([], 406), "transient", "SALESFORCE_406", { tries: 5 }],
  ["a precondition that failed", api(412, ""), "transient", "SALESFORCE_PRECONDITION", { tries: 5 }],
  ["500", api(500, "UNKNOWN_EXCEPTION"), "transient", "SALESFORCE_UNAVAILABLE", { tries: 5 }],
  ["502 in HTML", html(502), "transient", "SALESFORCE_UNAVAILABLE", { tries: 5 }],
  ["503 in HTML", html(503), "transient", "SALESFORCE_UNAVAILABLE", { tries: 5 }],
  ["504", json([], 504), "transient", "SALESFORCE_UNAVAILABLE", { tries: 5 }],
  ["a page of HTML in place of records", html(200), "transient", "HTTP_HTML", { tries: 5 }],
  [
    "half an answer",
    json('{"totalSize":2,"done":true,"records":[{"Id"'),
    "transient",
    "HTTP_BAD_JSON",
    { tries: 5 },
  ],
  ["no answer at all", SILENCE, "transient", "HTTP_TIMEOUT", { tries: 5 }],
];

describe("every refusal lands in its class", () => {
  it.each(TABLE)("%s", async (_name, script, kind, code, then) => {
    const { error, calls, renewals, slept } = await outcomeOf(script);
    expect({ kind: error.kind, code: error.code }).toEqual({ kind, code });
    expect(error.place).toBe(`crm: GET ${server.url}/services/data/v67.0/query`);
    if (then === "once") expect([calls, renewals]).toEqual([1, 0]);
    else if (then === "renews") expect([calls, renewals]).toEqual([2, 1]);
    else if (then === "parks") expect([calls, error.scope]).toEqual([1, "park"]);
    // Waited, without an attempt spent, until the bound on all waits ended it.
    else if (then === "waits") expect([slept > 1, error.scope]).toEqual([true, "park"]);
    else expect(calls).toBe(then.tries);
    // Whoever must act is told how.
    if (kind === "config" || kind === "auth") expect(error.fix ?? "").toMatch(/^[A-Z].*\.$|^$/);
  });

  it("covers every row of the table", async () => {
    const reached = new Set(TABLE.map(([, , , code]) => code));
    const rows = STATUS_ROWS.map((row) => row.code);
    expect(rows.filter((code) => !reached.has(code))).toEqual([]);
  });

  it("names the field that is hidden, and the way out", async () => {
    const { error } = await outcomeOf(
      api(
        400,
        "INVALID_FIELD",
        "\nSELECT Foo__c\n ^\nNo such column 'Foo__c' on entity 'Account'. If you are attempting to use a custom field, ...",
      ),
    );
    expect(error.message).toContain("No such column 'Foo__c' on entity 'Account'");
    expect(error.message).not.toContain("\n");
    expect(error.fix).toContain("Foo__c");
  });

  it("says to read in full where the cursor takes no filter", async () => {
    for (const refusal of [
      api(400, "INVALID_FIELD", "field 'CreatedDate' can not be filtered in a query call"),
      api(400, "INVALID_FIELD", "field 'CreatedDate' can not be sorted in a query call"),
      api(400, "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on datetime"),
    ]) {
      const { error } = await outcomeOf(refusal);
      expect(error.fix).toContain("source.mode: full");
    }
  });

  it("reads all four shapes of an error", () => {
    expect(faultOf([{ errorCode: "A", message: "m" }])).toEqual({ code: "A", message: "m" });
    expect(faultOf({ error: "a", error_description: "m" })).toEqual({ code: "a", message: "m" });
    expect(faultOf({ error: "a" })).toEqual({ code: "a", message: "" });
    expect(faultOf({ exceptionCode: "A", exceptionMessage: "m" })).toEqual({ code: "A", message: "m" });
    for (const none of [undefined, null, "text", [], {}, [1], ["/x"]])
      expect(faultOf(none)).toEqual({ code: "", message: "" });
  });
});
