import { AuthError, ConfigError } from "../../core/contracts/index.js";
import type { Answer, StatusRow } from "../../core/http/index.js";

/*
 * Which refusal means what. Zendesk answers errors as {error, description}, where `error` is a name or itself an object
 * {title, message}; paging answers {errors: [{code, title}]}; validations add `details`; the OAuth endpoints answer {error, error_description}; a rate limit may be
 * plain text and a gateway HTML. Sources: API reference "Response format", "Rate limits", "Pagination" and recorded
 * traffic of other clients.
 */

/** What an error answer says, whichever of the shapes it has. */
export interface Fault {
  /** `RecordNotFound`, `invalid_grant`, or the title of an error object; empty where the body is no error of Zendesk. */
  readonly name: string;
  readonly message: string;
}

export function faultOf(body: unknown): Fault {
  // Paging answers {"errors": [{code, title}]}.
  const list = member(body, "errors");
  const error = Array.isArray(list) && list.length > 0 ? list[0] : member(body, "error");
  const text = (holder: unknown, ...names: string[]): string => {
    for (const name of names) {
      const value = member(holder, name);
      if (typeof value === "string") return value;
    }
    return "";
  };
  if (typeof error === "object" && error !== null) {
    const name = text(error, "code", "title");
    return { name, message: text(error, "message", "detail", name === "" ? "" : "title") };
  }
  const message = text(body, "description", "error_description", "message", "details");
  return { name: typeof error === "string" ? error : "", message };
}

function member(holder: unknown, name: string): unknown {
  return typeof holder === "object" && holder !== null ? Reflect.get(holder, name) : undefined;
}

/** Codes that the reader acts on itself. */
export const TOO_RECENT = "ZENDESK_TOO_RECENT";
const FORBIDDEN = "ZENDESK_FORBIDDEN";
const NOT_FOUND = "ZENDESK_NOT_FOUND";
const NO_ACCOUNT = "ZENDESK_NO_ACCOUNT";
/** A cursor that Zendesk no longer takes, and paging that a list does not know, come as one of these. */
export const REFUSED_PARAMETER: ReadonlySet<string> = new Set([
  "ZENDESK_BAD_REQUEST",
  "ZENDESK_INVALID_VALUE",
  "ZENDESK_UNPROCESSABLE",
]);

/**
 * True where one stream alone is not to be had, for want of a right, a plan or its address. A 404 without Zendesk's JSON is
 * one of them where the account has answered before.
 */
export function isOfOneStream(error: unknown, accountExists: boolean): error is AuthError | ConfigError {
  if (error instanceof AuthError) return error.code === FORBIDDEN;
  if (!(error instanceof ConfigError)) return false;
  return error.code === NOT_FOUND || (accountExists && error.code === NO_ACCOUNT);
}

/** Why, for an error that is of one stream. */
export function reasonOf(error: AuthError | ConfigError): string {
  return error.code === NO_ACCOUNT ? "the account has no such address" : error.message;
}

type Row = Omit<StatusRow, "when"> & {
  readonly names?: readonly string[];
  /** Looked for in name, message and the start of the body. */
  readonly says?: RegExp;
};

function row({ names, says, ...rest }: Row): StatusRow {
  return {
    message: said,
    ...rest,
    when: ({ status, body, excerpt }) => {
      if (status < 300) return false;
      const { name, message } = faultOf(body);
      return (
        (names === undefined || names.includes(name)) &&
        (says === undefined || says.test(name) || says.test(message) || says.test(excerpt))
      );
    },
  };
}

/** `RecordNotFound: Not found`, or the start of what came instead. */
function said({ status, body, excerpt }: Answer): string {
  const { name, message } = faultOf(body);
  if (name !== "") return message === "" ? name : `${name}: ${message.replace(/\s+/g, " ").trim()}`;
  return excerpt === "" ? `answered ${status}` : `answered ${status}: ${excerpt}`;
}

const OFFSET_LIMIT: Omit<Row, "status"> = {
  says: /(offset )?pagination.{0,40}(limit|exceed|beyond|not (allowed|supported))|Requesting additional records|first 10,?000|page\[?.{0,12}(above|greater than|exceeds) (the )?(limit|100)/i,
  verdict: "config",
  code: "ZENDESK_OFFSET_LIMIT",
  fix: "Zendesk pages through 10,000 records of this list at most: read another stream.",
};

/** The connector's rows, in the order they are tried. */
export const STATUS_ROWS: readonly StatusRow[] = [
  // OAuth.
  row({
    status: "4xx",
    names: ["invalid_grant"],
    verdict: "auth",
    code: "ZENDESK_INVALID_GRANT",
    fix: "Sign in again: a refresh token works once, and may have been used, revoked or expired.",
  }),
  row({
    status: "4xx",
    names: ["invalid_client", "unauthorized_client", "access_denied"],
    verdict: "auth",
    code: "ZENDESK_INVALID_CLIENT",
    fix: "Check clientId and clientSecret, and that the client is enabled for this grant.",
  }),
  row({
    status: "4xx",
    names: ["unsupported_grant_type", "invalid_request", "invalid_scope", "redirect_uri_mismatch"],
    verdict: "config",
    code: "ZENDESK_OAUTH_REQUEST",
    fix: "Check auth of the connection: the grant, the scope and tokenUrl.",
  }),
  row({
    status: 401,
    verdict: "renew",
    code: "ZENDESK_UNAUTHORIZED",
    fix: "Check the credentials of the connection: the token may have expired or been revoked.",
  }),

  // Rights and plans.
  row({
    status: 403,
    says: /suspend|account.{0,20}(inactive|cancel|expired|closed)/i,
    verdict: "auth",
    code: "ZENDESK_SUSPENDED",
    fix: "Ask the owner of the account: the account or the user is suspended.",
  }),
  row({
    status: [402, 403],
    verdict: "auth",
    code: FORBIDDEN,
    fix: "Give the user of the connection this right (exports need an admin), and the token its scope.",
  }),
  {
    status: 404,
    // Zendesk's own 404s are JSON; an account that does not exist is answered by the gateway.
    when: ({ body }) => faultOf(body).name === "",
    verdict: "config",
    code: NO_ACCOUNT,
    message: "there is no such account or address",
    fix: "Check subdomain (and baseUrl) of the connection.",
  },
  row({ status: [404, 410], verdict: "config", code: NOT_FOUND, fix: "Check the name of the stream." }),

  // Limits.
  row({ status: [400, 422, 429], ...OFFSET_LIMIT }),
  row({ status: 429, names: ["TooManyJobs"], verdict: "wait", code: "ZENDESK_TOO_MANY_JOBS" }),
  row({ status: 429, verdict: "wait", code: "ZENDESK_RATE_LIMIT" }),

  // What was asked.
  row({
    status: [400, 422],
    says: /too recent start_time/i,
    verdict: "config",
    code: TOO_RECENT,
    fix: "Let start lie at least a minute in the past.",
  }),
  row({
    status: [400, 422],
    names: ["TooManyValues"],
    verdict: "config",
    code: "ZENDESK_TOO_MANY_VALUES",
    fix: "Ask for fewer values at a time.",
  }),
  row({
    status: 422,
    names: ["RecordInvalid"],
    verdict: "record",
    code: "ZENDESK_RECORD_INVALID",
  }),
  row({
    status: [400, 422],
    names: ["InvalidValue", "InvalidPaginationParameter", "InvalidPaginationDepth", "InvalidCursor"],
    verdict: "config",
    code: "ZENDESK_INVALID_VALUE",
    fix: "Check start and options of the flow.",
  }),
  row({ status: 400, verdict: "config", code: "ZENDESK_BAD_REQUEST", fix: "Check options of the flow." }),
  row({ status: 422, verdict: "config", code: "ZENDESK_UNPROCESSABLE", fix: "Check options of the flow." }),

  // Passing troubles. 409 is two writes that met; 520 and 524 are the gateway's.
  row({ status: 409, verdict: "transient", code: "ZENDESK_CONFLICT" }),
  row({ status: "5xx", verdict: "transient", code: "ZENDESK_UNAVAILABLE" }),
];
