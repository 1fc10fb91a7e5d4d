import { cellCsv } from "../cell.js";
import type { FakeClock, Org } from "../org.js";
import { Prng } from "../prng.js";
import { SoqlError } from "../soql/error.js";
import { bindPath } from "../soql/path.js";
import { matchRows } from "../soql/select.js";
import type { Query } from "../soql/syntax.js";
import type { Row } from "../table.js";
import type { JobResult } from "./job.js";

/** Rows that stay together; the chunks themselves come in any order. */
const CHUNK_ROWS = 37;

/** What a query of a job may not hold, beside what no query may. */
export function checkBulkQuery(org: Org, query: Query): void {
  if (query.select === "count") {
    throw new SoqlError("FeatureNotEnabled", "Aggregate queries are not supported by the Bulk API");
  }
  if (query.offset > 0) throw new SoqlError("FeatureNotEnabled", "OFFSET is not supported by the Bulk API");
  const table = org.find(query.object.name);
  if (table === undefined) return;
  if (!table.bulk) {
    throw new SoqlError("INVALIDENTITY", `Entity '${table.name}' is not supported by the Bulk API.`);
  }
  for (const path of query.select) {
    const { spec } = bindPath(org, table, path, query.text);
    if (["address", "location", "base64"].includes(spec.type)) {
      throw new SoqlError("FeatureNotEnabled", `Cannot serialize value for '${spec.name}' in CSV format`);
    }
  }
}

/** Runs the query now; later changes do not reach the result. */
export function runJob(org: Org, query: Query, all: boolean, clock: FakeClock, seed: number): JobResult {
  if (query.select === "count") throw new Error("checkBulkQuery lets no COUNT() pass");
  const { table, rows, from, to } = matchRows(org, query, all, clock);
  const columns = query.select.map((path) => bindPath(org, table, path, query.text));
  const write = (row: Row) => `${columns.map(({ read, spec }) => cellCsv(read(row), spec.type)).join(",")}\n`;
  const lines = shuffled(rows.slice(from, to), seed).map(write);
  const names = query.select.map((path) => `"${path.names.join(".")}"`);
  return {
    header: `${names.join(",")}\n`,
    total: lines.length,
    page: (start, end) => lines.slice(start, end).join(""),
  };
}

function shuffled(rows: readonly Row[], seed: number): Row[] {
  const chunks: Row[][] = [];
  for (let at = 0; at < rows.length; at += CHUNK_ROWS) chunks.push(rows.slice(at, at + CHUNK_ROWS));
  const random = Prng.named(seed, "bulk chunks");
  for (let at = chunks.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    const [a, b] = [chunks[at], chunks[other]];
    if (a !== undefined && b !== undefined) [chunks[at], chunks[other]] = [b, a];
  }
  return chunks.flat();
}
