import type { Account, Row } from "./account.js";
import { type Answer, apiError, type FakeRequest, jsonAnswer } from "./answer.js";

const MAX_PAGE = 100;
const LAST_PAGE = 100;

/** How one list behaves. */
export interface ListStyle {
  readonly table: string;
  readonly key: string;
  /** Knows `page` and `per_page` only, and ignores page[size]. */
  readonly offsetOnly?: boolean;
}

/** Lists by cursor (`page[size]`, `page[after]`) and by offset (`page`, `per_page`). */
export class Lists {
  private readonly account: Account;
  private readonly url: () => string;

  constructor(account: Account, url: () => string) {
    this.account = account;
    this.url = url;
  }

  answer(style: ListStyle, request: FakeRequest): Answer {
    const rows = this.rowsOf(style.table, request);
    if ("status" in rows) return rows;
    const byCursor = request.query.has("page[size]") || request.query.has("page[after]");
    return byCursor && style.offsetOnly !== true
      ? this.byCursor(style, rows, request)
      : this.byOffset(style, rows, request);
  }

  private byCursor({ key, table }: ListStyle, rows: readonly Row[], request: FakeRequest): Answer {
    const size = Number(request.query.get("page[size]") ?? MAX_PAGE);
    if (!(size >= 1 && size <= MAX_PAGE)) {
      return jsonAnswer(400, {
        errors: [{ code: "InvalidPaginationParameter", title: "page[size] must be from 1 to 100" }],
      });
    }
    const cursor = request.query.get("page[after]");
    const after = cursor === null ? undefined : placeIn(cursor);
    if (cursor !== null && after === undefined) {
      return jsonAnswer(400, {
        errors: [{ code: "InvalidPaginationParameter", title: "page[after] is not valid" }],
      });
    }
    const descending = table === "audit_logs" && request.query.get("sort") !== "created_at";
    const ordered = descending ? [...rows].reverse() : rows;
    const from =
      after === undefined ? 0 : ordered.findIndex((row) => (descending ? row.id < after : row.id > after));
    const page = from < 0 ? [] : ordered.slice(from, from + size);
    const hasMore = from >= 0 && from + size < ordered.length;
    const last = page.at(-1);
    const next = last === undefined ? null : Buffer.from(`{"o":"id","v":${last.id}}`).toString("base64");
    const link = next === null ? null : `${this.url()}${request.path}?page[size]=${size}&page[after]=${next}`;
    return jsonAnswer(200, {
      [key]: page,
      meta: { has_more: hasMore, after_cursor: next, before_cursor: cursor },
      links: { prev: null, next: hasMore ? link : null },
    });
  }

  private byOffset({ key }: ListStyle, rows: readonly Row[], request: FakeRequest): Answer {
    const page = Number(request.query.get("page") ?? 1);
    const size = Math.min(MAX_PAGE, Number(request.query.get("per_page") ?? MAX_PAGE));
    if (page > LAST_PAGE) {
      return apiError(
        400,
        "InvalidPaginationDepth",
        "Offset pagination is limited to the first 10,000 records: use cursor pagination",
      );
    }
    const from = (page - 1) * size;
    const next =
      from + size < rows.length ? `${this.url()}${request.path}?page=${page + 1}&per_page=${size}` : null;
    return jsonAnswer(200, {
      [key]: rows.slice(from, from + size),
      count: rows.length,
      next_page: next,
      previous_page: page > 1 ? `${this.url()}${request.path}?page=${page - 1}&per_page=${size}` : null,
    });
  }

  /** In the order of ids, within the window that the request names. */
  private rowsOf(table: string, request: FakeRequest): readonly Row[] | Answer {
    let rows = [...this.account.table(table).values()].sort((a, b) => a.id - b.id);
    const { query } = request;
    const stamp = (row: Row) => this.account.stampOf(table, row);
    if (table === "satisfaction_ratings") {
      const from = Number(query.get("start_time") ?? 0);
      const to = Number(query.get("end_time") ?? Number.POSITIVE_INFINITY);
      rows = rows.filter((row) => stamp(row) >= from && stamp(row) <= to);
    }
    if (table === "audit_logs" && query.has("filter[created_at][]")) {
      const bounds = query.getAll("filter[created_at][]").map((text) => Date.parse(text) / 1000);
      const [from = Number.NaN, to = Number.NaN] = bounds;
      if (!(from <= to)) return apiError(400, "InvalidValue", "filter[created_at] takes two times");
      rows = rows.filter((row) => stamp(row) >= from && stamp(row) <= to);
    }
    if (table === "groups" && query.get("exclude_deleted") !== "false") {
      rows = rows.filter((row) => row.deleted !== true);
    }
    if (table === "tickets") rows = rows.filter((row) => row.status !== "deleted");
    return table === "tickets"
      ? rows.map(({ metric_set: _, ...ticket }) => ({ ...ticket, id: ticket.id }))
      : rows;
  }
}

function placeIn(cursor: string): number | undefined {
  const [, id] = /"v":(\d+)/.exec(Buffer.from(cursor, "base64").toString("latin1")) ?? [];
  return id === undefined ? undefined : Number(id);
}
