import { ConfigError, editDistance, type SourceField } from "../../core/contracts/index.js";
import type { Bucket } from "./budget.js";
import * as columns from "./columns.js";

/**
 * - `cursorExport`: `start_time` once, then the cursor of the page before, until end_of_stream.
 * - `timeExport`: `start_time` of every page is the end_time of the page before, until end_of_stream.
 * - `list`: cursor paging by `page[after]`, or by `page` where the list knows only that.
 */
export type Paging = "cursorExport" | "timeExport" | "list";

/** A stream as data; what is to be done with it stands in the files named after the kinds of paging. */
export interface StreamSpec {
  readonly name: string;
  readonly label: string;
  /** Behind /api/v2/. */
  readonly path: string;
  /** Where the records stand in an answer. */
  readonly key: string;
  readonly paging: Paging;
  readonly fields: readonly SourceField[];
  readonly query?: Readonly<Record<string, string>>;
  readonly bucket?: Bucket;
  /** The stamp that orders an export or bounds a list; undefined: full reads only. */
  readonly cursor?: string;
  /** How a list takes the bounds of a window. */
  readonly window?: "startEnd" | "createdAt";
  /** Records are parts of what the answer holds. */
  readonly rows?: "metricSets" | "comments";
  /** A boolean column `deleted` beside the stream's own marker. */
  readonly deleted?: "status" | "deletedAt";
  /** Whose custom fields the records carry. */
  readonly custom?: "ticket" | "user" | "organization";
  /** What tells whether the stream can be read, without spending an export. Default: `path`. */
  readonly probe?: string;
  /** How many there are, about: `{"count":{"value":n}}`. */
  readonly count?: string;
  /** What an account needs to have the stream. */
  readonly needs?: string;
}

const ADMIN = "an admin";

export const STREAMS: readonly StreamSpec[] = [
  {
    name: "tickets",
    label: "Tickets",
    path: "incremental/tickets/cursor.json",
    key: "tickets",
    paging: "cursorExport",
    cursor: "generated_timestamp",
    deleted: "status",
    custom: "ticket",
    fields: columns.TICKETS,
    probe: "tickets.json",
    count: "tickets/count.json",
    needs: ADMIN,
  },
  {
    name: "users",
    label: "Users",
    path: "incremental/users/cursor.json",
    key: "users",
    paging: "cursorExport",
    cursor: "updated_at",
    custom: "user",
    fields: columns.USERS,
    probe: "users.json",
    count: "users/count.json",
    needs: ADMIN,
  },
  {
    name: "organizations",
    label: "Organizations",
    path: "incremental/organizations.json",
    key: "organizations",
    paging: "timeExport",
    cursor: "updated_at",
    deleted: "deletedAt",
    custom: "organization",
    fields: columns.ORGANIZATIONS,
    probe: "organizations.json",
    count: "organizations/count.json",
    needs: ADMIN,
  },
  {
    name: "ticket_events",
    label: "Ticket events, with comments among their child events",
    path: "incremental/ticket_events.json",
    key: "ticket_events",
    paging: "timeExport",
    cursor: "timestamp",
    query: { include: "comment_events" },
    fields: columns.TICKET_EVENTS,
    probe: "tickets.json",
    needs: ADMIN,
  },
  {
    name: "ticket_comments",
    label: "Comments of tickets, out of the ticket events",
    path: "incremental/ticket_events.json",
    key: "ticket_events",
    paging: "timeExport",
    cursor: "timestamp",
    query: { include: "comment_events" },
    rows: "comments",
    fields: columns.TICKET_COMMENTS,
    probe: "tickets.json",
    needs: ADMIN,
  },
  {
    name: "ticket_metric_events",
    label: "Ticket metric events",
    path: "incremental/ticket_metric_events.json",
    key: "ticket_metric_events",
    paging: "timeExport",
    cursor: "time",
    fields: columns.TICKET_METRIC_EVENTS,
    probe: "tickets.json",
    needs: ADMIN,
  },
  {
    name: "ticket_metrics",
    label: "Ticket metrics, beside the ticket export",
    path: "incremental/tickets/cursor.json",
    key: "tickets",
    paging: "cursorExport",
    cursor: "generated_timestamp",
    query: { include: "metric_sets" },
    rows: "metricSets",
    fields: columns.TICKET_METRICS,
    probe: "tickets.json",
    count: "tickets/count.json",
    needs: ADMIN,
  },
  list("ticket_fields", "Ticket fields", columns.TICKET_FIELDS),
  list("user_fields", "User fields", columns.USER_FIELDS),
  list("organization_fields", "Organization fields", columns.USER_FIELDS),
  // Deleted groups are listed only when asked for.
  list("groups", "Groups", columns.GROUPS, { query: { exclude_deleted: "false" } }),
  list("group_memberships", "Group memberships", columns.GROUP_MEMBERSHIPS),
  list("organization_memberships", "Organization memberships", columns.ORGANIZATION_MEMBERSHIPS),
  list("brands", "Brands", columns.BRANDS),
  list("ticket_forms", "Ticket forms", columns.TICKET_FORMS, { needs: "a plan with ticket forms" }),
  list("sla_policies", "SLA policies", columns.SLA_POLICIES, {
    path: "slas/policies.json",
    needs: "an admin, and a plan with SLA policies",
  }),
  list("macros", "Macros", columns.MACROS),
  list("triggers", "Triggers", columns.TRIGGERS),
  list("views", "Views", columns.VIEWS),
  list("satisfaction_ratings", "Satisfaction ratings", columns.SATISFACTION_RATINGS, {
    cursor: "updated_at",
    window: "startEnd",
    needs: "an admin, and a plan with satisfaction ratings",
  }),
  list("audit_logs", "Audit logs", columns.AUDIT_LOGS, {
    cursor: "created_at",
    window: "createdAt",
    query: { sort: "created_at" },
    needs: "an admin of an Enterprise account",
  }),
  {
    name: "articles",
    label: "Help Center articles",
    path: "help_center/incremental/articles.json",
    key: "articles",
    paging: "timeExport",
    bucket: "helpCenter",
    cursor: "updated_at",
    fields: columns.ARTICLES,
    probe: "help_center/articles.json",
    needs: "an agent, and an active Help Center",
  },
];

function list(
  name: string,
  label: string,
  fields: readonly SourceField[],
  more: Partial<StreamSpec> = {},
): StreamSpec {
  return { name, label, path: `${name}.json`, key: name, paging: "list", fields, ...more };
}

/** Exports share ten requests a minute; all else counts against the account, and the Help Center against its own limit. */
export function bucketOf(spec: StreamSpec): Bucket {
  return spec.bucket ?? (spec.paging === "list" ? "account" : "exports");
}

/** ConfigError for an unknown name, with the nearest one. */
export function streamNamed(name: string): StreamSpec {
  const spec = STREAMS.find((stream) => stream.name === name);
  if (spec !== undefined) return spec;
  const typed = name.slice(0, 80).toLowerCase();
  const near = STREAMS.map((stream) => ({
    name: stream.name,
    distance: editDistance(typed, stream.name, 3),
  }))
    .filter(({ distance }) => distance <= 3)
    .sort((a, b) => a.distance - b.distance)[0];
  throw new ConfigError("ZENDESK_UNKNOWN_STREAM", `there is no stream ${JSON.stringify(name.slice(0, 80))}`, {
    fix:
      near === undefined
        ? `Use one of: ${STREAMS.map((stream) => stream.name).join(", ")}.`
        : `Did you mean ${near.name}?`,
  });
}
