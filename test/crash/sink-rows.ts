import { join } from "node:path";
import { DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";

/** The relation of what a flow has put into the folder `landed/<path>`. */
export function folderRelation(dir: string, path: string): string {
  return `read_parquet('${join(dir, "landed", path)}/**/*.parquet', union_by_name = true)`;
}

/** The relation of a table of the project's DuckDB file. */
export function tableRelation(name: string): string {
  return `warehouse."${name}"`;
}

/** What a query over the sinks of a project answers; read with DuckDB and nothing of the product. */
export async function sinkRows(dir: string, query: string): Promise<readonly (readonly DuckDBValue[])[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await connection.run(`ATTACH '${join(dir, "warehouse.duckdb")}' AS warehouse (READ_ONLY)`);
    const result = await connection.runAndReadAll(query);
    return result.getRows();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
