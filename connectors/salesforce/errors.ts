import type { Answer, StatusRow } from "../../core/http/index.js";

/*
 * Which refusal means what. Salesforce's REST API answers errors as an array [{errorCode, message, fields}], the OAuth
 * endpoints as an object {error, error_description}, Bulk 1.0 as {exceptionCode, exceptionMessage}, gateways in HTML.
 * The code decides, the status only where there is none. Source: REST API Developer Guide "Status Codes and Error
 * Responses", "OAuth 2.0 Error Codes", and behaviour seen by other clients (jsforce, Airbyte, tap-salesforce).
 */

/** What an error answer says, whichever of the four shapes it has. */
export interface Fault {
  /** `INVALID_FIELD`, or an OAuth error such as `invalid_grant`; empty where the body is no error of Salesforce. */
  readonly code: string;
  readonly message: string;
}

/** A good answer that is no error: no code. */
export function faultOf(body: unknown): Fault {
  const fault: unknown = Array.isArray(body) ? body[0] : body;
  if (typeof fault !== "object" || fault === null) return { code: "", message: "" };
  const text = (...names: string[]): string => {
    for (const name of names) {
      const value: unknown = Reflect.get(fault, name);
      if (typeof value === "string") return value;
    }
    return "";
  };
  return {
    code: text("errorCode", "error", "exceptionCode"),
    // error_description may be missing.
    message: text("message", "error_description", "exceptionMessage"),
  };
}

/** Codes the reader acts on itself. */
export const QUERY_TIMEOUT = "SALESFORCE_QUERY_TIMEOUT";
export const DEAD_LOCATOR = "SALESFORCE_DEAD_LOCATOR";
export const INVALID_FIELD = "SALESFORCE_INVALID_FIELD";
export const NO_BULK = "SALESFORCE_NO_BULK";
export const NOT_FOUND = "SALESFORCE_NOT_FOUND";
export const REPLICATION_DATE = "SALESFORCE_REPLICATION_DATE";
export const TOO_MANY_IDS = "SALESFORCE_TOO_MANY_IDS";

type Row = Omit<StatusRow, "status" | "when"> & {
  readonly status?: StatusRow["status"];
  readonly codes?: readonly string[];
  readonly says?: RegExp;
};

/** `SALESFORCE_` and the fault's code, unless the row has its own. */
function row({ status = "any", codes, says, ...rest }: Row): StatusRow {
  return {
    message: said,
    ...rest,
    status,
    when: ({ status: got, body }) => {
      if (got < 300) return false;
      const fault = faultOf(body);
      return (
        (codes === undefined || codes.includes(fault.code)) &&
        (says === undefined || says.test(fault.message))
      );
    },
  };
}

/** `MALFORMED_QUERY: unexpected token: FORM`, or the start of what came instead. */
function said({ status, body, excerpt }: Answer): string {
  const { code, message } = faultOf(body);
  if (code !== "") return message === "" ? code : `${code}: ${oneLine(message)}`;
  return excerpt === "" ? `answered ${status}` : `answered ${status}: ${excerpt}`;
}

/** SOQL errors point at the spot with a caret over several lines. */
function oneLine(message: string): string {
  return message.replace(/\s+/g, " ").trim();
}

/** `No such column 'Foo__c' on entity 'Account'` -> Foo__c. */
function columnOf({ body }: Answer): string | undefined {
  return /No such column '([^']+)'/.exec(faultOf(body).message)?.[1];
}

const ASK_ADMIN = "Ask the administrator of the org";

/** The connector's rows, in the order they are tried. */
export const STATUS_ROWS: readonly StatusRow[] = [
  {
    // A gateway's page where CSV belongs; where JSON belongs the client sees it itself.
    status: "2xx",
    when: ({ headers }) => /\bhtml\b/i.test(headers["content-type"] ?? ""),
    verdict: "transient",
    code: "HTTP_HTML",
    message: "answered HTML",
  },

  // Sessions. Two texts of 401 are no expiry: renewing for them would go round for ever.
  row({
    status: 401,
    says: /connected app is not attached to agent/i,
    verdict: "auth",
    code: "SALESFORCE_APP_NOT_ATTACHED",
    fix: `${ASK_ADMIN} to attach the app to the agent user.`,
  }),
  row({
    status: 401,
    says: /session is not valid for use with the REST API/i,
    verdict: "auth",
    code: "SALESFORCE_SESSION_NOT_FOR_API",
    fix: "Use an access token with the scope api.",
  }),
  row({
    codes: ["INVALID_SESSION_ID", "INVALID_AUTH_HEADER"],
    verdict: "renew",
    code: "SALESFORCE_INVALID_SESSION_ID",
    fix: "Sign in again: the grant may have been revoked.",
  }),
  {
    // The identity services answer in plain text.
    status: 403,
    when: ({ excerpt }) => excerpt.includes("Bad_OAuth_Token"),
    verdict: "renew",
    code: "SALESFORCE_INVALID_SESSION_ID",
  },

  // Quotas. Both kinds carry the same code; the message tells hours from seconds.
  row({
    codes: ["REQUEST_LIMIT_EXCEEDED"],
    says: /concurrent/i,
    verdict: "wait",
    code: "SALESFORCE_CONCURRENT_LIMIT",
    bucket: "concurrent",
  }),
  row({
    status: 403,
    codes: ["REQUEST_LIMIT_EXCEEDED"],
    verdict: "park",
    code: "SALESFORCE_REQUEST_LIMIT_EXCEEDED",
    bucket: "daily",
    fix: "Run the flow again when the daily API calls of the org are free again: it resumes where it stopped.",
  }),
  // Of Bulk jobs: 10,000 queries and 1 TB of results a day. What code they carry is not documented for Bulk API 2.0; these
  // are those of Bulk API 1.0 and of the REST API.
  row({
    codes: ["ExceededQuota", "EXCEEDED_QUOTA", "LIMIT_EXCEEDED"],
    says: /concurrent|too many (?:open|running)/i,
    verdict: "wait",
    code: "SALESFORCE_CONCURRENT_LIMIT",
    bucket: "bulkJobs",
  }),
  row({
    codes: ["ExceededQuota", "EXCEEDED_QUOTA", "LIMIT_EXCEEDED"],
    verdict: "park",
    code: "SALESFORCE_BULK_LIMIT_EXCEEDED",
    bucket: "bulkJobs",
    fix: "Run the flow again when the org's daily Bulk jobs are free again: it resumes where it stopped.",
  }),
  row({
    codes: ["TXN_SECURITY_METERING_ERROR"],
    verdict: "config",
    code: "SALESFORCE_TXN_SECURITY",
    fix: `${ASK_ADMIN} to exempt this user from the transaction security policy.`,
  }),

  // The reader has an answer to these two; asking again would only repeat them.
  row({ codes: ["QUERY_TIMEOUT"], verdict: "transient", code: QUERY_TIMEOUT, maxAttempts: 1 }),
  row({
    codes: ["INVALID_QUERY_LOCATOR", "InvalidQueryLocator"],
    verdict: "transient",
    code: DEAD_LOCATOR,
    maxAttempts: 1,
  }),

  // The query.
  row({
    // Of objects whose description has the cursor filterable all the same: LoginEvent, UriEvent and other events.
    codes: ["INVALID_FIELD"],
    says: /can ?not be (?:filtered|sorted) in a query call/i,
    verdict: "config",
    code: "SALESFORCE_NOT_FILTERABLE",
    fix: "Set source.mode: full where this is the cursor; otherwise leave the field out of filter.",
  }),
  row({
    codes: ["INVALID_FIELD"],
    verdict: "config",
    code: INVALID_FIELD,
    fix: (answer) => {
      const column = columnOf(answer);
      return column === undefined
        ? "Check the field names, and the field-level security of the user."
        : `Give the user of the connection read access to ${column} (field-level security), or leave it out of map and filter.`;
    },
  }),
  row({
    codes: ["MALFORMED_QUERY", "INVALID_QUERY_FILTER_OPERATOR", "INVALID_OPERATOR", "MALFORMED_ID"],
    verdict: "config",
    code: "SALESFORCE_MALFORMED_QUERY",
    fix: "Check the filter; `sluice plan` shows the query. Objects that refuse a filter on their cursor want source.mode: full.",
  }),
  row({
    codes: ["QUERY_TOO_COMPLICATED", "QUERY_TOO_LONG"],
    verdict: "config",
    code: "SALESFORCE_QUERY_TOO_LONG",
    fix: "Name fewer fields in map, or shorten the filter.",
  }),
  row({
    codes: ["INVALIDENTITY", "INVALID_ENTITY", "InvalidEntity"],
    verdict: "config",
    code: NO_BULK,
    fix: "Set options.api to auto or rest.",
  }),
  row({
    says: /not supported (?:by|in|for) (?:the )?Bulk|compound data not supported/i,
    verdict: "config",
    code: NO_BULK,
    fix: "Set options.api to auto or rest.",
  }),
  row({
    codes: ["INVALID_TYPE", "INVALID_TYPE_FOR_OPERATION"],
    verdict: "config",
    code: "SALESFORCE_INVALID_TYPE",
    fix: "Use an object that `sluice discover` lists as readable.",
  }),
  row({
    codes: ["EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", "FeatureNotEnabled", "FEATURE_NOT_ENABLED"],
    verdict: "config",
    code: "SALESFORCE_UNSUPPORTED",
    fix: "Leave out this object or field.",
  }),
  row({
    codes: ["INVALID_REPLICATION_DATE"],
    verdict: "config",
    code: REPLICATION_DATE,
    fix: "Use a younger window.",
  }),
  row({
    codes: ["EXCEEDED_ID_LIMIT"],
    verdict: "config",
    code: TOO_MANY_IDS,
    fix: "Use a smaller window.",
  }),

  // Rights.
  row({
    codes: ["API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"],
    verdict: "auth",
    code: "SALESFORCE_API_DISABLED",
    fix: `${ASK_ADMIN} to enable the API for the org and the user's profile.`,
  }),
  row({
    codes: ["OPERATION_TOO_LARGE"],
    verdict: "auth",
    code: "SALESFORCE_NEEDS_VIEW_ALL",
    fix: 'Give the user of the connection the permission "View All Data", or filter by the owner.',
  }),
  row({
    codes: [
      "INSUFFICIENT_ACCESS",
      "INSUFFICIENT_ACCESS_OR_READONLY",
      "FORBIDDEN",
      "FUNCTIONALITY_NOT_ENABLED",
      "CANNOT_ACCESS",
      "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
    ],
    verdict: "auth",
    code: "SALESFORCE_FORBIDDEN",
    fix: "Give the user of the connection this right.",
  }),
  row({
    codes: ["PASSWORD_EXPIRED", "ORG_LOCKED", "USER_LOCKED", "INACTIVE_USER", "INVALID_LOGIN"],
    verdict: "auth",
    code: "SALESFORCE_USER_LOCKED",
    fix: `${ASK_ADMIN} to unlock the user.`,
  }),

  // Versions.
  row({
    codes: ["UNSUPPORTED_API_VERSION", "INVALID_VERSION"],
    verdict: "config",
    code: "SALESFORCE_API_VERSION",
    fix: "Set apiVersion to a supported one, such as v67.0.",
  }),
  row({
    status: 410,
    verdict: "config",
    code: "SALESFORCE_API_VERSION",
    fix: "This API version is retired: set apiVersion to a later one.",
  }),
  row({
    status: 409,
    verdict: "config",
    code: "SALESFORCE_VERSION_MISMATCH",
    fix: "Use the same apiVersion for the whole life of a job.",
  }),

  // OAuth.
  row({
    codes: ["rate_limit_exceeded", "login_rate_exceeded", "LOGIN_RATE_EXCEEDED"],
    verdict: "wait",
    code: "SALESFORCE_LOGIN_RATE",
  }),
  row({ says: /login rate exceeded/i, verdict: "wait", code: "SALESFORCE_LOGIN_RATE" }),
  row({
    codes: ["server_error", "temporarily_unavailable"],
    verdict: "transient",
    code: "SALESFORCE_LOGIN_DOWN",
  }),
  row({
    codes: ["invalid_grant"],
    verdict: "auth",
    code: "SALESFORCE_INVALID_GRANT",
    fix: "Sign in again: check the user name, that the app is approved for the user, and that the token was not revoked.",
  }),
  row({
    codes: ["unsupported_grant_type", "invalid_request", "invalid_scope", "redirect_uri_mismatch"],
    verdict: "config",
    code: "SALESFORCE_OAUTH_REQUEST",
    fix: "Check auth and loginUrl of the connection; client credentials need the My Domain host.",
  }),
  row({
    codes: [
      "invalid_client",
      "invalid_client_id",
      "invalid_client_credentials",
      "unauthorized_client",
      "invalid_app_access",
      "invalid_assertion_type",
      "app_not_found",
      "inactive_user",
      "inactive_org",
      "access_denied",
      "no_instance_found",
    ],
    verdict: "auth",
    code: "SALESFORCE_INVALID_CLIENT",
    fix: "Check clientId and clientSecret, and that the app is enabled for this grant.",
  }),

  // Passing troubles.
  row({ codes: ["UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE"], verdict: "transient", code: "SALESFORCE_BUSY" }),
  // A deleted org answers 420 for ever.
  row({ status: 420, verdict: "transient", code: "SALESFORCE_420", maxAttempts: 3 }),
  row({ status: 406, verdict: "transient", code: "SALESFORCE_406" }),
  {
    status: 429,
    when: ({ headers }) => headers["retry-after"] === undefined,
    verdict: "transient",
    code: "SALESFORCE_BUSY",
    message: said,
  },

  // What is left, by status.
  row({
    status: 300,
    verdict: "config",
    code: "SALESFORCE_SEVERAL_RECORDS",
    message: "several records share this external id",
    fix: "Use a field that is unique.",
  }),
  row({
    status: 404,
    verdict: "config",
    code: NOT_FOUND,
    fix: "Check instanceUrl, apiVersion and the name of the object.",
  }),
  row({ status: 412, verdict: "transient", code: "SALESFORCE_PRECONDITION" }),
  row({
    status: [414, 431],
    verdict: "config",
    code: "SALESFORCE_QUERY_TOO_LONG",
    fix: "Name fewer fields in map, or shorten the filter.",
  }),
  row({ status: "5xx", verdict: "transient", code: "SALESFORCE_UNAVAILABLE" }),
];
