import { type SluiceError, TransientError } from "../../core/contracts/index.js";
import type { Answer, StatusRow, Verdict } from "../../core/http/index.js";

/*
 * Which refusal means what. Slack answers `{"ok":false,"error":"..."}` with HTTP 200; only rate limits (429) and failures of its
 * servers (5xx) use the status. A body that does not say `ok: true` is never a page: read as one it would be an empty page, and
 * the cursor would move past what was not read. Sources: the errors of each method in the Web API reference, and what
 * other clients (the official SDKs, Airbyte's connector) have learnt to tell apart.
 */

/** Chain of pages that Slack has forgotten: the reader begins a new one behind the place it has reached. */
export const INVALID_CURSOR = "SLACK_INVALID_CURSOR";
export const THREAD_NOT_FOUND = "SLACK_THREAD_NOT_FOUND";

interface Class {
  readonly verdict: Verdict;
  readonly errors: readonly string[];
  readonly fix?: string | ((answer: Answer) => string);
  readonly maxAttempts?: number;
}

const ASK_ADMIN = "Ask an owner of the workspace";
const NEW_TOKEN = "Install the app to the workspace again and set the new token.";

/** Every error that reading can meet, by what happens next; the code is `SLACK_` and the error's own name. */
const CLASSES: readonly Class[] = [
  // The account. A renewal helps where tokens rotate; a token that never expires is refused at once (see auth.ts).
  {
    verdict: "renew",
    errors: ["token_expired"],
    fix: "Use auth of type refreshToken: the app rotates its tokens.",
  },
  {
    verdict: "auth",
    errors: ["not_authed", "invalid_auth", "account_inactive", "token_revoked"],
    fix: NEW_TOKEN,
  },
  {
    verdict: "auth",
    errors: ["missing_scope"],
    fix: (answer) => {
      const needed = memberOf(answer.body, "needed");
      return needed === undefined
        ? "Add the scope that this method needs to the app, and install the app again."
        : `Add the scope ${needed} to the app, and install the app again.`;
    },
  },
  {
    verdict: "auth",
    errors: ["no_permission", "access_denied", "team_access_not_granted", "accesslimited"],
    fix: `${ASK_ADMIN} to give the app this right.`,
  },
  {
    verdict: "auth",
    errors: ["org_login_required"],
    fix: "Wait until the workspace's move to Enterprise Grid is over.",
  },
  {
    verdict: "auth",
    errors: ["ekm_access_denied"],
    fix: `${ASK_ADMIN}: the organisation's keys are withdrawn.`,
  },
  {
    verdict: "auth",
    errors: ["two_factor_setup_required"],
    fix: "Set up two-factor sign-in for the user of the token.",
  },
  {
    verdict: "auth",
    errors: [
      "invalid_refresh_token",
      "invalid_grant",
      "invalid_grant_type",
      "bad_client_secret",
      "invalid_client_id",
      "bad_client_id",
    ],
    fix: "Check clientId, clientSecret and refreshToken; a refresh token works once: take the newest, or install the app again.",
  },

  // One channel or thread: the reader leaves it out, says so, and does not move its bookmark.
  { verdict: "config", errors: ["not_in_channel"], fix: "Invite the app: /invite @app in that channel." },
  {
    verdict: "config",
    errors: ["channel_not_found"],
    fix: "The channel is gone, or private and the app is no member: invite it.",
  },
  {
    verdict: "config",
    errors: ["channel_is_limited_access"],
    fix: "Give the app's user access to the record of this channel.",
  },
  {
    verdict: "config",
    errors: ["is_archived", "method_not_supported_for_channel_type"],
    fix: "Leave the channel out (options.exclude).",
  },
  { verdict: "config", errors: ["thread_not_found"], fix: "The thread was deleted." },

  // Limits.
  { verdict: "wait", errors: ["ratelimited", "rate_limited"] },

  // Nobody's fault, and over soon.
  {
    verdict: "transient",
    errors: [
      "internal_error",
      "fatal_error",
      "service_unavailable",
      "request_timeout",
      "fetch_members_failed",
      "team_added_to_org",
    ],
  },
  { verdict: "transient", errors: ["invalid_cursor"], maxAttempts: 1 },

  // The plan or the kind of token: this stream is not to be had.
  {
    verdict: "config",
    errors: ["paid_only", "plan_upgrade_required"],
    fix: "This stream needs a paid plan of the workspace: leave it out.",
  },
  {
    verdict: "config",
    errors: ["not_allowed_token_type", "is_bot"],
    fix: "Use the other kind of token: a bot token (xoxb-) or a user token (xoxp-).",
  },
  {
    verdict: "config",
    errors: ["enterprise_is_restricted"],
    fix: "Use the token of a workspace, not of the organisation.",
  },

  // What was asked.
  {
    verdict: "config",
    errors: ["limit_required", "invalid_limit"],
    fix: "Set options.pageSize to a smaller number.",
  },
  {
    verdict: "config",
    errors: ["over_pagination_limit"],
    fix: "Read a shorter window (start, --from and --to).",
  },
  {
    verdict: "config",
    errors: ["missing_argument", "team_not_found"],
    fix: "Set teamId of the connection: tokens of an organisation need it.",
  },
  { verdict: "config", errors: ["invalid_types", "unknown_type"], fix: "Check options.types." },
  {
    verdict: "config",
    errors: ["invalid_ts_latest", "invalid_ts_oldest"],
    fix: "Check start, --from and --to.",
  },
  {
    verdict: "config",
    errors: ["unknown_method", "method_deprecated", "deprecated_endpoint"],
    fix: "Check baseUrl: this server does not know the method.",
  },
];

/** Codes of errors that concern one channel alone. */
const OF_ONE_CHANNEL: ReadonlySet<string> = new Set(
  [
    "not_in_channel",
    "channel_not_found",
    "channel_is_limited_access",
    "is_archived",
    "method_not_supported_for_channel_type",
    "thread_not_found",
  ].map(codeOf),
);

/** True for errors that leave out one channel or thread and let the rest be read. */
export function isOfOneChannel(error: unknown): error is SluiceError {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    OF_ONE_CHANNEL.has(error.code)
  );
}

/** The connector's rows, in the order they are tried. */
export const STATUS_ROWS: readonly StatusRow[] = [
  { status: "2xx", when: ({ body }) => isOk(body), verdict: "accept", code: "SLACK_OK" },
  ...CLASSES.flatMap(({ verdict, errors, fix, maxAttempts }) =>
    errors.map(
      (error): StatusRow => ({
        status: "any",
        when: ({ body }) => errorOf(body) === error,
        verdict,
        code: codeOf(error),
        message: said,
        ...(fix === undefined ? {} : { fix }),
        ...(maxAttempts === undefined ? {} : { maxAttempts }),
      }),
    ),
  ),
  { status: 429, verdict: "wait", code: codeOf("ratelimited"), message: said },
  {
    status: "2xx",
    when: ({ body }) => errorOf(body) !== undefined,
    verdict: "config",
    code: "SLACK_REFUSED",
    message: said,
    fix: "Look this error up in the reference of the method: https://docs.slack.dev/reference/methods",
  },
  {
    status: "2xx",
    when: ({ body }) => typeof body === "object" && body !== null,
    verdict: "transient",
    code: "SLACK_UNEXPECTED_ANSWER",
    message: "the answer does not say whether it is ok",
  },
];

function codeOf(error: string): string {
  return `SLACK_${error.toUpperCase()}`;
}

function isOk(body: unknown): boolean {
  return typeof body === "object" && body !== null && "ok" in body && body.ok === true;
}

/** The `error` of an answer that is not ok. */
function errorOf(body: unknown): string | undefined {
  return isOk(body) ? undefined : memberOf(body, "error");
}

function memberOf(body: unknown, name: string): string | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const value: unknown = Reflect.get(body, name);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** `missing_scope: needs channels:history, has channels:read`, or the start of what came instead. */
function said({ status, body, excerpt }: Answer): string {
  const error = errorOf(body);
  if (error === undefined) return excerpt === "" ? `answered ${status}` : `answered ${status}: ${excerpt}`;
  const needed = memberOf(body, "needed");
  const provided = memberOf(body, "provided");
  const scopes = needed === undefined ? "" : `: needs ${needed}, has ${provided ?? "none"}`;
  return `${error}${scopes}${complaints(body)}`;
}

/** `response_metadata.messages`: what Slack finds wrong with the arguments. */
function complaints(body: unknown): string {
  if (typeof body !== "object" || body === null || !("response_metadata" in body)) return "";
  const metadata = body.response_metadata;
  if (typeof metadata !== "object" || metadata === null || !("messages" in metadata)) return "";
  const { messages } = metadata;
  if (!Array.isArray(messages) || messages.length === 0) return "";
  return ` (${messages.slice(0, 3).map(String).join("; ")})`;
}

/** An answer of a form that Slack does not document: nothing of it is taken. */
export function unexpected(place: string, what: string): TransientError {
  return new TransientError("SLACK_UNEXPECTED_ANSWER", `the answer ${what}`, {
    place,
    fix: "Run the flow again: it resumes behind the last good page. If it stays, ask Slack.",
  });
}

/** The pages go round in a circle. */
export function repeatedPage(place: string): TransientError {
  return new TransientError("SLACK_REPEATED_PAGE", "Slack answered with a page that was read before", {
    place,
    fix: "Run the flow again: it resumes behind the last record.",
  });
}
