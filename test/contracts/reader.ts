import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { LosslessNumber, parse } from "lossless-json";
import { ExactNumber, type Field, type Schema, type Value } from "../../core/contracts/index.js";
import { type Canonical, canonical, canonicalJson, type Row } from "./sample.js";

/*
 * Reads what a sink wrote back through SQL that shares nothing with the code under test, and brings every value into
 * the canonical form of sample.ts.
 */

let shared: Promise<DuckDBConnection> | undefined;

/** A DuckDB of this test process alone, with nothing in it. */
async function sharedConnection(): Promise<DuckDBConnection> {
  shared ??= DuckDBInstance.create(":memory:", { threads: "1" }).then((instance) => instance.connect());
  return shared;
}

/** Rows of `from`: a table function such as `read_parquet(...)`, or a table of the database file `database`. */
export async function readRows(from: string, schema: Schema, database?: string): Promise<Row[]> {
  if (database === undefined) return select(await sharedConnection(), from, schema);
  const instance = await DuckDBInstance.create(database, { threads: "1" });
  try {
    const connection = await instance.connect();
    try {
      return await select(connection, from, schema);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}

async function select(connection: DuckDBConnection, from: string, schema: Schema): Promise<Row[]> {
  await connection.run("SET TimeZone = 'UTC'");
  return rowsOf(schema, async (columns) => {
    const reader = await connection.runAndReadAll(`SELECT ${columns} FROM ${from}`);
    return reader.getRows();
  });
}

/**
 * Rows of jsonl files. Not by DuckDB, whose read_json turns bare decimals into doubles on the way, even where the
 * column is to be text.
 */
export function readJsonl(paths: readonly string[], schema: Schema): Row[] {
  return paths.flatMap((path) => {
    const bytes = readFileSync(path);
    const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
    if (text !== "" && !text.endsWith("\n")) throw new Error(`${path} ends within a line`);
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => jsonRow(schema, parse(line)));
  });
}

function jsonRow(schema: Schema, record: unknown): Row {
  if (record === null || typeof record !== "object") throw new TypeError("a line is not an object");
  const values = new Map<string, unknown>(Object.entries(record));
  return Object.fromEntries(
    schema.fields.map((field) => [field.name, canonical(field, toValue(values.get(field.name)))]),
  );
}

function toValue(value: unknown): Value {
  if (value instanceof LosslessNumber) return new ExactNumber(value.value);
  if (Array.isArray(value)) return value.map(toValue);
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value !== "object") throw new TypeError(`JSON holds a ${typeof value}`);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toValue(inner)]));
}

/** Runs `select` with a list of columns that yields plain values, and makes canonical rows of them. */
export async function rowsOf(
  schema: Schema,
  select: (columns: string) => Promise<readonly (readonly unknown[])[]>,
): Promise<Row[]> {
  const columns = schema.fields.map(expression).join(", ");
  const rows = await select(columns);
  return rows.map((values) =>
    Object.fromEntries(schema.fields.map((field, at) => [field.name, fromSql(field, values[at])])),
  );
}

/** Files of one format, as a DuckDB table function. */
export function filesOf(format: "parquet" | "csv", paths: readonly string[]): string {
  const list = `[${paths.map(literal).join(", ")}]`;
  if (format === "parquet") return `read_parquet(${list}, union_by_name = true, hive_partitioning = false)`;
  return `read_csv(${list}, header = true, all_varchar = true, union_by_name = true, allow_quoted_nulls = false, hive_partitioning = false, quote = '"', escape = '"', delim = ',')`;
}

function expression(field: Field): string {
  const name = `"${field.name.replaceAll('"', '""')}"`;
  const { precision = 38, scale = 9 } = field;
  switch (field.type) {
    case "integer":
      return `CAST(CAST(${name} AS BIGINT) AS VARCHAR)`;
    case "decimal":
      return `CAST(CAST(${name} AS DECIMAL(${precision},${scale})) AS VARCHAR)`;
    case "double":
      return `CAST(${name} AS DOUBLE)`;
    case "boolean":
      return `CAST(${name} AS BOOLEAN)`;
    case "date":
      return `strftime(CAST(${name} AS DATE), '%Y-%m-%d')`;
    case "timestamp":
      return `strftime(CAST(${name} AS TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%fZ')`;
    default:
      return `CAST(${name} AS VARCHAR)`;
  }
}

function fromSql(field: Field, value: unknown): Canonical {
  if (value === null || value === undefined) return null;
  if (field.type === "json") return canonicalJson(toValue(parse(String(value))));
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  throw new TypeError(`${field.name} came back as ${typeof value}`);
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
