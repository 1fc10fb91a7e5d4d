import { InvariantError, type Load, ORDER_COLUMN, RecordError } from "../../core/contracts/index.js";
import { type Duckdb, type NdjsonSegment, quoteIdentifier } from "../../core/format/index.js";
import type { DuckdbTarget } from "./config.js";
import { type Assignment, quoteTable, type TableName } from "./table.js";

const INCOMING = '"temp"."_sluice_incoming"';
const POSITION = '"_sluice_position"';

/**
 * Upserts a segment inside the open transaction: of each key's versions in the load the one with the greatest order
 * (of equal ones the last) takes the place of a row with a smaller order, or of none. A row with an equal or greater
 * order stays. Rows without an order are not ours and count as older.
 *
 * By delete and insert, without an index on the key: DuckDB holds indexes in memory whole, while these joins build on
 * the load and only stream the table's key and order.
 */
export async function upsertSegment(
  duckdb: Duckdb,
  segment: NdjsonSegment,
  target: DuckdbTarget,
  table: TableName,
  columns: readonly Assignment[],
  signal: AbortSignal,
): Promise<void> {
  const keys = target.key.map((name) => columnOf(columns, name, target));
  const order = columnOf(columns, ORDER_COLUMN, target);
  const keyList = keys.map(quoteIdentifier).join(", ");
  const orderName = quoteIdentifier(order);
  const values = columns
    .map(({ column, expression }) => `${expression} AS ${quoteIdentifier(column)}`)
    .join(", ");
  await duckdb.query(
    `CREATE OR REPLACE TEMP TABLE _sluice_incoming AS SELECT ${values}, row_number() OVER () AS ${POSITION} FROM (${segment.select()})`,
    { signal },
  );
  await refuseNullKeys(duckdb, keys, target);
  await duckdb.query(
    `DELETE FROM ${INCOMING} WHERE ${POSITION} NOT IN (SELECT arg_max(${POSITION}, (${orderName}, ${POSITION})) FROM ${INCOMING} GROUP BY ${keyList})`,
    { signal },
  );
  const same = keys.map((key) => `t.${quoteIdentifier(key)} = s.${quoteIdentifier(key)}`).join(" AND ");
  const into = quoteTable(table);
  const older = `(t.${orderName} IS NULL OR t.${orderName} < s.${orderName})`;
  await duckdb.query(`DELETE FROM ${into} AS t USING ${INCOMING} AS s WHERE ${same} AND ${older}`, {
    signal,
  });
  const names = columns.map(({ column }) => quoteIdentifier(column));
  await duckdb.query(
    `INSERT INTO ${into} (${names.join(", ")}) SELECT ${names.map((name) => `s.${name}`).join(", ")} FROM ${INCOMING} AS s WHERE NOT EXISTS (SELECT 1 FROM ${into} AS t WHERE ${same}) ORDER BY s.${POSITION}`,
    { signal },
  );
  await duckdb.query(`DROP TABLE ${INCOMING}`);
}

/** Appends a segment inside the open transaction, in its order. InvariantError when rows went missing. */
export async function appendSegment(
  duckdb: Duckdb,
  segment: NdjsonSegment,
  load: Load,
  table: TableName,
  columns: readonly Assignment[],
  signal: AbortSignal,
): Promise<void> {
  const names = columns.map(({ column }) => quoteIdentifier(column)).join(", ");
  const values = columns.map(({ expression }) => expression).join(", ");
  const [row] = await duckdb.query(
    `INSERT INTO ${quoteTable(table)} (${names}) SELECT ${values} FROM (${segment.select()})`,
    { signal },
  );
  const inserted = Number(row?.Count);
  if (inserted !== load.records)
    throw new InvariantError(
      "DUCKDB_ROW_COUNT",
      `load ${load.id} has ${load.records} records and ${inserted} rows were inserted`,
      { place: table.table },
    );
}

function columnOf(columns: readonly Assignment[], field: string, target: DuckdbTarget): string {
  const found = columns.find((column) => column.field.name === field);
  if (found === undefined)
    throw new InvariantError("DUCKDB_UPSERT_COLUMN", `a load for ${target.name} has no field ${field}`, {
      place: target.name,
    });
  return found.column;
}

async function refuseNullKeys(duckdb: Duckdb, keys: readonly string[], target: DuckdbTarget): Promise<void> {
  for (const key of keys) {
    const [row] = await duckdb.query(
      `SELECT ${POSITION}::VARCHAR AS position FROM ${INCOMING} WHERE ${quoteIdentifier(key)} IS NULL ORDER BY ${POSITION} LIMIT 1`,
    );
    if (row !== undefined)
      throw new RecordError(
        "DUCKDB_KEY_NULL",
        `${key}: null in a key of ${target.name} (record ${String(row.position)} of the load)`,
        {
          place: target.name,
          fix: `Validate ${key} with notNull, or choose a key that every record has.`,
        },
      );
  }
}
