/**
 * Statuses map to error classes in a table: a connector's own rows first, then the shared default below. The first row
 * that matches decides. Answers of 2xx are good unless a connector's row says otherwise (`{"ok": false}`).
 */
export interface StatusRow {
  readonly status: number | readonly number[] | "any" | "2xx" | "3xx" | "4xx" | "5xx";
  /** Looks closer than the status: at the parsed body, a header. Default: matches. */
  readonly when?: (answer: Answer) => boolean;
  readonly verdict: Verdict;
  /** Stable, upper snake case. */
  readonly code: string;
  /** One sentence; default: what the other side said. It is redacted afterwards. */
  readonly message?: string | ((answer: Answer) => string);
  readonly fix?: string | ((answer: Answer) => string);
  /** wait and park: the limit that is used up, of the spec's `buckets`. Default: the request's first. */
  readonly bucket?: string;
  /** Transient only: tries in all where they are fewer than the client's; 1 leaves the decision to the connector. */
  readonly maxAttempts?: number;
}

/**
 * What happens next.
 * - `accept`: the answer is handed to the caller
 * - `renew`: AuthError, after one try with renewed credentials
 * - `auth`, `config`, `record`: AuthError, ConfigError, RecordError at once
 * - `wait`: RateLimitError that the client waits out; `park`: RateLimitError (hours) at once
 * - `transient`: TransientError after bounded tries
 */
export type Verdict = "accept" | "renew" | "auth" | "config" | "record" | "wait" | "park" | "transient";

/** An answer as the rows see it. */
export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed body where it is JSON, otherwise undefined. */
  readonly body: unknown;
  /** The first characters of the body, redacted. */
  readonly excerpt: string;
}

/** For every connector, behind its own rows. */
export const DEFAULT_ROWS: readonly StatusRow[] = [
  {
    status: 401,
    verdict: "renew",
    code: "HTTP_UNAUTHORIZED",
    fix: "Check the credentials of the connection.",
  },
  { status: 407, verdict: "config", code: "HTTP_PROXY", message: "a proxy asks for credentials" },
  {
    status: 403,
    verdict: "auth",
    code: "HTTP_FORBIDDEN",
    fix: "Give the user of the connection this right.",
  },
  { status: 404, verdict: "config", code: "HTTP_NOT_FOUND", fix: "Check the URL of the connection." },
  { status: 408, verdict: "transient", code: "HTTP_REQUEST_TIMEOUT" },
  { status: 425, verdict: "transient", code: "HTTP_TOO_EARLY" },
  { status: 429, verdict: "wait", code: "HTTP_TOO_MANY_REQUESTS" },
  { status: [414, 431], verdict: "config", code: "HTTP_REQUEST_TOO_LARGE", fix: "Ask for fewer fields." },
  {
    status: "3xx",
    verdict: "config",
    code: "HTTP_REDIRECTED",
    message: ({ status, headers }) => `answered ${status}: redirected to ${originOf(headers.location)}`,
    fix: "Set the URL of the connection to the address it redirects to.",
  },
  { status: [501, 505], verdict: "config", code: "HTTP_NOT_SUPPORTED" },
  { status: "4xx", verdict: "config", code: "HTTP_REFUSED" },
  { status: "5xx", verdict: "transient", code: "HTTP_SERVER_ERROR" },
];

/** The first row that matches; undefined: a 2xx that no row objects to. */
export function findRow(rows: readonly StatusRow[], answer: Answer): StatusRow | undefined {
  for (const table of [rows, DEFAULT_ROWS]) {
    for (const row of table) {
      if (matches(row.status, answer.status) && (row.when === undefined || row.when(answer))) return row;
    }
  }
  return undefined;
}

/** The sentence of a row for this answer. */
export function rowText(
  text: string | ((answer: Answer) => string) | undefined,
  answer: Answer,
): string | undefined {
  return typeof text === "function" ? text(answer) : text;
}

function matches(pattern: StatusRow["status"], status: number): boolean {
  if (typeof pattern === "number") return pattern === status;
  if (typeof pattern !== "string") return pattern.includes(status);
  return pattern === "any" || pattern === `${Math.floor(status / 100)}xx`;
}

function originOf(location: string | undefined): string {
  if (location === undefined) return "nowhere";
  return URL.canParse(location) ? new URL(location).origin : "another path";
}
