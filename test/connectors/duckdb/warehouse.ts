import { existsSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Schema } from "../../../core/contracts/index.js";
import { rowsOf } from "../../contracts/reader.js";
import type { Row } from "../../contracts/sample.js";

/** Opens the file as another tool would, while the sink does not hold it. */
async function withFile<T>(
  path: string,
  work: (query: (sql: string) => Promise<unknown[][]>) => Promise<T>,
): Promise<T> {
  const instance = await DuckDBInstance.create(path, { threads: "1" });
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    return await work(async (sql) => (await connection.runAndReadAll(sql)).getRowsJson());
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Rows of a query as JSON values: 64-bit integers and decimals as text. */
export function sqlOn(path: string, sql: string): Promise<unknown[][]> {
  return withFile(path, (query) => query(sql));
}

/** Canonical rows of a table; `[]` when there is no such file or table. */
export async function tableRows(path: string, schema: string, table: string, fields: Schema): Promise<Row[]> {
  if (!existsSync(path)) return [];
  return withFile(path, async (query) => {
    const found = await query(
      `SELECT 1 FROM duckdb_tables() WHERE schema_name = '${schema}' AND table_name = '${table}'`,
    );
    return found.length === 0
      ? []
      : rowsOf(fields, (columns) => query(`SELECT ${columns} FROM ${schema}.${table}`));
  });
}
