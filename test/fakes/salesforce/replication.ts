import { type Answer, apiError, type FakeRequest, jsonAnswer } from "./answer.js";
import { datetimeText } from "./cell.js";
import type { FakeClock } from "./org.js";
import type { Table } from "./table.js";

const DAY = 86_400_000;
/** Most ids of an answer; smaller for tests that count. */
export const replicationLimit = { ids: 600_000 };

/**
 * `GET .../sobjects/{name}/updated` (30 days back) and `/deleted` (15 days back). Seconds of start and end are
 * ignored. `heldBackMs`: a transaction that began so long ago is still running; latestDateCovered stays behind it, as
 * behind the oldest of the org's own.
 */
export function replication(
  table: Table,
  kind: "updated" | "deleted",
  request: FakeRequest,
  clock: FakeClock,
  heldBackMs: number,
  oldestTransaction: number | undefined,
): Answer {
  if (!table.replicateable) {
    return apiError(400, "INVALID_TYPE_FOR_OPERATION", `entity type ${table.name} is not replicateable`);
  }
  const refuse = (message: string) => apiError(400, "INVALID_REPLICATION_DATE", message);
  const start = toMinute(request.query.get("start"));
  const end = toMinute(request.query.get("end"));
  if (start === undefined || end === undefined) return refuse("start and end must be ISO 8601 date times");
  if (start >= end) return refuse("startDate before endDate");
  const daysBack = kind === "updated" ? 30 : 15;
  if (start < clock.now() - daysBack * DAY) {
    return refuse(`startDate cannot be more than ${daysBack} days ago`);
  }
  const held = Math.min(clock.now() - heldBackMs, oldestTransaction ?? Number.POSITIVE_INFINITY);
  const latest = datetimeText(Math.floor(Math.min(end, held) / 1000) * 1000);
  if (kind === "updated") {
    const ids: string[] = [];
    for (const row of table.ordered()) {
      if (row.stamp >= start && row.stamp < end && !row.deleted) ids.push(row.id);
    }
    if (ids.length > replicationLimit.ids) return apiError(400, "EXCEEDED_ID_LIMIT", "too many ids");
    return jsonAnswer(200, { ids, latestDateCovered: latest });
  }
  const inBin = [...table.rows()].filter((row) => row.deleted).map((row) => ({ id: row.id, at: row.stamp }));
  const deletedRecords = [...inBin, ...table.purged]
    .filter(({ at }) => at >= Math.max(start, table.deleteLogFrom) && at < end)
    .map(({ id, at }) => ({ deletedDate: datetimeText(at), id }));
  if (deletedRecords.length > replicationLimit.ids) return apiError(400, "EXCEEDED_ID_LIMIT", "too many ids");
  return jsonAnswer(200, {
    deletedRecords,
    earliestDateAvailable: datetimeText(Math.max(table.deleteLogFrom, clock.now() - 15 * DAY)),
    latestDateCovered: latest,
  });
}

function toMinute(text: string | null): number | undefined {
  const at = Date.parse((text ?? "").replace(" ", "+"));
  return Number.isNaN(at) ? undefined : Math.floor(at / 60_000) * 60_000;
}
