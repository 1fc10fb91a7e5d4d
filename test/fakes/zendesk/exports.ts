import type { Account, Row } from "./account.js";
import { type Answer, apiError, type FakeRequest, jsonAnswer } from "./answer.js";

export interface ExportOptions {
  /**
   * How the end_time of a page by time lies: behind its last second (default, as recorded), or in it, so that the next page
   * repeats that second, as the documentation warns.
   */
  readonly endTime?: "behind" | "inclusive";
  /** Pages by time are cut at per_page even within a second, so that a second with more never ends. */
  readonly splitSeconds?: boolean;
}

const MAX_PAGE = 1000;
const MINUTE_S = 60;

/** Incremental exports over the tables of an account. */
export class Exports {
  private readonly account: Account;
  private readonly options: ExportOptions;
  private readonly url: () => string;

  constructor(account: Account, options: ExportOptions, url: () => string) {
    this.account = account;
    this.options = options;
    this.url = url;
  }

  /** `GET /api/v2/incremental/{tickets,users}/cursor`: what is younger than a minute is left out. */
  byCursor(table: string, request: FakeRequest): Answer {
    const { query } = request;
    // An empty one is none, as clients send it with a first request.
    const cursor = query.get("cursor") || null;
    let after: { readonly stamp: number; readonly id: number };
    if (cursor !== null) {
      const known = parseCursor(cursor);
      if (known === undefined) return apiError(422, "InvalidValue", "Invalid cursor parameter");
      after = known;
    } else {
      const start = this.startOf(request);
      if (typeof start !== "number") return start;
      after = { stamp: start, id: -1 };
    }
    const size = sizeOf(request);
    const newest = Math.floor(this.account.now() / 1000) - MINUTE_S;
    const rows = this.account.inOrder(table);
    const page: Row[] = [];
    let more = false;
    for (
      let at = firstBehind(rows, (row) => this.account.stampOf(table, row), after);
      at < rows.length;
      at++
    ) {
      const row = rows[at];
      if (row === undefined || this.account.stampOf(table, row) > newest) break;
      if (page.length === size) {
        more = true;
        break;
      }
      page.push(row);
    }
    const last = page.at(-1);
    const next =
      last === undefined
        ? (cursor ?? cursorOf(after))
        : cursorOf({ stamp: this.account.stampOf(table, last), id: last.id });
    return jsonAnswer(200, {
      [table]: page.map((row) => rendered(table, row, request)),
      after_cursor: next,
      after_url: `${this.url()}${request.path}?cursor=${encodeURIComponent(next)}`,
      before_cursor: cursor,
      before_url: null,
      end_of_stream: !more,
    });
  }

  /** `GET /api/v2/incremental/{table}?start_time=`. */
  byTime(table: string, key: string, request: FakeRequest): Answer {
    const start = this.startOf(request);
    if (typeof start !== "number") return start;
    const stampOf = (row: Row) => this.account.stampOf(table, row);
    const size = sizeOf(request);
    const rows = this.account.inOrder(table);
    const from = firstBehind(rows, stampOf, { stamp: start, id: -1 });
    let to = Math.min(rows.length, from + size);
    const lastOf = (end: number) => stampOf(rows[end - 1] ?? { id: 0 });
    if (this.options.splitSeconds !== true) {
      while (to < rows.length && to > from && stampOf(rows[to] ?? { id: 0 }) === lastOf(to)) to++;
    }
    const page = rows.slice(from, to);
    const end = to >= rows.length;
    const inclusive = this.options.endTime === "inclusive" || this.options.splitSeconds === true;
    const endTime = page.length === 0 ? null : lastOf(to) + (inclusive ? 0 : 1);
    return jsonAnswer(200, {
      [key]: page.map((row) => rendered(table, row, request)),
      count: page.length,
      // A next page is named even at the end.
      next_page: endTime === null ? null : `${this.url()}${request.path}?start_time=${endTime}`,
      end_time: endTime,
      end_of_stream: end,
    });
  }

  /** `GET /api/v2/incremental/{table}/sample`: at most fifty. */
  sample(table: string, request: FakeRequest): Answer {
    const start = this.startOf(request);
    if (typeof start !== "number") return start;
    const rows = this.account.inOrder(table).filter((row) => this.account.stampOf(table, row) >= start);
    const page = rows.slice(0, 50);
    return jsonAnswer(200, { [table]: page, count: page.length, next_page: null, end_of_stream: true });
  }

  private startOf(request: FakeRequest): number | Answer {
    const text = request.query.get("start_time");
    if (text === null || !/^\d+$/.test(text)) {
      return apiError(400, "InvalidValue", "Invalid start_time parameter");
    }
    if (Number(text) > this.account.now() / 1000 - MINUTE_S) {
      return apiError(422, "InvalidValue", "Too recent start_time. Use a start_time older than 1 minutes");
    }
    return Number(text);
  }
}

function sizeOf(request: FakeRequest): number {
  const asked = Number(request.query.get("per_page") ?? MAX_PAGE);
  return Number.isInteger(asked) && asked > 0 ? Math.min(MAX_PAGE, asked) : MAX_PAGE;
}

/** As recorded: base64 of `<stamp>.0||<id>|`. */
export function cursorOf({ stamp, id }: { readonly stamp: number; readonly id: number }): string {
  return Buffer.from(`${stamp}.0||${id}|`).toString("base64");
}

export function parseCursor(cursor: string): { readonly stamp: number; readonly id: number } | undefined {
  const [, stamp, id] =
    /^(\d+)\.0\|\|(-?\d+)\|$/.exec(Buffer.from(cursor, "base64").toString("latin1")) ?? [];
  return stamp === undefined ? undefined : { stamp: Number(stamp), id: Number(id) };
}

/** Index of the first row behind a place, in the order of stamp and id. */
function firstBehind(
  rows: readonly Row[],
  stampOf: (row: Row) => number,
  { stamp, id }: { readonly stamp: number; readonly id: number },
): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    const at = row === undefined ? 0 : stampOf(row);
    if (at < stamp || (at === stamp && (row?.id ?? 0) <= id)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Sideloads by request; without `comment_events` a comment is only flagged. */
function rendered(table: string, row: Row, request: FakeRequest): Row {
  const include = (request.query.get("include") ?? "").split(",");
  if (table === "tickets") {
    if (include.includes("metric_sets")) return row;
    const { metric_set: _, ...ticket } = row;
    return { ...ticket, id: row.id };
  }
  if (table === "ticket_events" && !include.includes("comment_events")) {
    const children = Array.isArray(row.child_events) ? row.child_events : [];
    return {
      ...row,
      child_events: children.map((child) => {
        if (typeof child !== "object" || child === null || Array.isArray(child)) return child;
        return child.event_type === "Comment"
          ? {
              id: child.id ?? null,
              event_type: "Change",
              comment_present: true,
              comment_public: child.public ?? null,
            }
          : child;
      }),
    };
  }
  return row;
}
