import type { BudgetForecast } from "../../http/index.js";
import { LONGEST_LIMIT_WAIT_MS } from "../../http/index.js";
import type { ConnectionBudget } from "../../run/budgets.js";
import type { Output } from "./output.js";
import { countText, durationText, plural, timeText } from "./quantity.js";
import { table } from "./table.js";

/** What is left of the limits of the connections, those that were used or refused; empty where there are none. */
export function budgetsText(budgets: readonly ConnectionBudget[], output: Output): string {
  const rows = budgets.flatMap(({ connection, buckets }) =>
    buckets
      .filter(({ used, waitsUntil }) => used > 0 || waitsUntil !== null)
      .map((bucket) => ({ connection, ...bucket })),
  );
  if (rows.length === 0) return "";
  return table(
    rows,
    [
      { title: "connection", value: (row) => row.connection },
      { title: "limit of", value: (row) => row.title },
      { title: "used", value: (row) => countText(row.used), align: "right" },
      { title: "limit", value: (row) => row.limit && countText(row.limit), align: "right" },
      {
        title: "reserve",
        value: (row) => (row.limit === null ? null : countText(row.reserve)),
        align: "right",
      },
      { title: "left", value: (row) => (row.left === null ? null : countText(row.left)), align: "right" },
      { title: "resets (UTC)", value: (row) => row.resetsAt && timeText(row.resetsAt) },
      { title: "waits until (UTC)", value: (row) => row.waitsUntil && timeText(row.waitsUntil) },
    ],
    output.title,
  );
}

/** `  budget        410 calls of 12,000 left (API calls in 24 hours)`, one line a limit. */
export function forecastLines(forecasts: readonly BudgetForecast[]): string[] {
  return forecasts.map(({ calls, title, left, waitMs }) => {
    const met =
      left === null
        ? "of a limit that is not known yet"
        : waitMs > 0
          ? `but ${countText(left)} left: ${waitText(waitMs)}`
          : `of ${countText(left)} left`;
    return `  budget        ${plural(calls, "call")} ${met} (${title})`;
  });
}

function waitText(waitMs: number): string {
  const span = `at least ${durationText(waitMs)}`;
  return waitMs > LONGEST_LIMIT_WAIT_MS ? `${span}; the run may be parked and resumes` : span;
}
