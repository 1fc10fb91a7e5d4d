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
 * The segment is read twice, first for its keys and orders alone: those that win are kept by their position, and only
 * their rows are inserted then. By delete and insert, without an index on the key: DuckDB holds indexes in memory
 * whole, while these joins build on the load's keys and only stream the table's key and order.
 */
export async function upsertSegment(
  duckdb: Duckdb,
  segment: NdjsonSegment,
  target: DuckdbTarget,
  table: TableName,
  columns: readonly Assignment[],
  signal: AbortSignal,
): Promise<void> {
  const keys = target.key.map((name) => assignmentOf(columns, name, target));
  const order = assignmentOf(columns, ORDER_COLUMN, target);
  const into = quoteTable(table);
  const orderName = quoteIdentifier(order.column);
  const same = keys
    .map(({ column }) => `t.${quoteIdentifier(column)} = s.${quoteIdentifier(column)}`)
    .join(" AND ");
  const numbered = (expressions: readonly string[]) =>
    `(SELECT ${[...expressions, `row_number() OVER () AS ${POSITION}`].join(", ")} FROM (${segment.select()}))`;
  const named = ({ expression, column }: Assignment) => `${expression} AS ${quoteIdentifier(column)}`;
  const run = (sql: string) => duckdb.query(sql, { signal });

  await run(`CREATE OR REPLACE TEMP TABLE _sluice_incoming AS FROM ${numbered([...keys, order].map(named))}`);
  await refuseNullKeys(duckdb, keys, target);
  await run(
    `DELETE FROM ${INCOMING} WHERE ${POSITION} NOT IN (SELECT arg_max(${POSITION}, (${orderName}, ${POSITION})) FROM ${INCOMING} GROUP BY ${keys.map(({ column }) => quoteIdentifier(column)).join(", ")})`,
  );
  await run(
    `DELETE FROM ${into} AS t USING ${INCOMING} AS s WHERE ${same} AND (t.${orderName} IS NULL OR t.${orderName} < s.${orderName})`,
  );
  // What the table still holds of these keys is as new or newer.
  await run(`DELETE FROM ${INCOMING} AS s USING ${into} AS t WHERE ${same}`);
  const names = columns.map(({ column }) => quoteIdentifier(column)).join(", ");
  await run(
    `INSERT INTO ${into} (${names}) SELECT ${names} FROM ${numbered(columns.map(named))} WHERE ${POSITION} IN (SELECT ${POSITION} FROM ${INCOMING})`,
  );
  await run(`DROP TABLE ${INCOMING}`);
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

function assignmentOf(columns: readonly Assignment[], field: string, target: DuckdbTarget): Assignment {
  const found = columns.find((column) => column.field.name === field);
  if (found === undefined)
    throw new InvariantError("DUCKDB_UPSERT_COLUMN", `a load for ${target.name} has no field ${field}`, {
      place: target.name,
    });
  return found;
}

async function refuseNullKeys(
  duckdb: Duckdb,
  keys: readonly Assignment[],
  target: DuckdbTarget,
): Promise<void> {
  for (const { column, field } of keys) {
    const [row] = await duckdb.query(
      `SELECT ${POSITION}::VARCHAR AS position FROM ${INCOMING} WHERE ${quoteIdentifier(column)} IS NULL ORDER BY ${POSITION} LIMIT 1`,
    );
    if (row !== undefined)
      throw new RecordError(
        "DUCKDB_KEY_NULL",
        `${field.name}: null in a key of ${target.name} (record ${String(row.position)} of the load)`,
        {
          place: target.name,
          fix: `Validate ${field.name} with notNull, or choose a key that every record has.`,
        },
      );
  }
}
