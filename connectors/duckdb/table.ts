import { createHash } from "node:crypto";
import {
  ConfigError,
  type Field,
  ORDER_COLUMN,
  type Schema,
  type SchemaChange,
} from "../../core/contracts/index.js";
import {
  type Duckdb,
  decimalShape,
  duckdbType,
  quoteIdentifier,
  quoteLiteral,
} from "../../core/format/index.js";
import { type DuckdbTarget, type SchemaChangePolicy, STAGING_MARK } from "./config.js";

/** A table in the database. */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

export function quoteTable({ schema, table }: TableName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
}

/** Where a generation of `replace` is gathered. */
export function stagingTable({ schema, table }: TableName, generation: string): TableName {
  const hash = createHash("sha256").update(generation).digest("hex").slice(0, 12);
  return { schema, table: `${table}${STAGING_MARK}${hash}` };
}

/** A column as DuckDB names it; types as it writes them, `DECIMAL(18,2)`. */
export interface Column {
  readonly name: string;
  readonly type: string;
}

/** DuckDB's identifiers are the same when they differ in the case of ASCII letters only. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Columns of a table in order; undefined when there is no such table. */
export async function columnsOf(duckdb: Duckdb, { schema, table }: TableName): Promise<Column[] | undefined> {
  const rows = await duckdb.query(
    "SELECT column_name AS name, data_type AS type FROM duckdb_columns() WHERE database_name = current_database() AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2) ORDER BY column_index",
    { values: [schema, table] },
  );
  return rows.length === 0
    ? undefined
    : rows.map(({ name, type }) => ({ name: String(name), type: String(type) }));
}

/** Tables in which generations of a target are gathered. */
export async function stagingTables(duckdb: Duckdb, { schema, table }: TableName): Promise<TableName[]> {
  const rows = await duckdb.query(
    "SELECT table_name AS name FROM duckdb_tables() WHERE database_name = current_database() AND lower(schema_name) = lower($1) AND starts_with(lower(table_name), lower($2)) ORDER BY 1",
    { values: [schema, `${table}${STAGING_MARK}`] },
  );
  return rows.map(({ name }) => ({ schema, table: String(name) }));
}

/** What to do to a table, and what to tell. */
export interface TablePlan {
  readonly statements: readonly string[];
  readonly changes: readonly SchemaChange[];
}

/** ConfigError for names that DuckDB cannot tell apart, keys that are no columns or cannot be compared. */
export function checkSchema(schema: Schema, target: DuckdbTarget): void {
  const place = target.name;
  const seen = new Map<string, string>();
  for (const { name } of schema.fields) {
    const other = seen.get(foldName(name));
    if (other !== undefined)
      throw new ConfigError(
        "DUCKDB_COLUMN_CASE",
        `the columns "${other}" and "${name}" are the same to DuckDB, which ignores case`,
        {
          place,
          fix: `Map "${name}" to another name.`,
        },
      );
    if (name === "")
      throw new ConfigError("DUCKDB_COLUMN_NAME", "a column has no name", {
        place,
        fix: "Map the field to a name.",
      });
    seen.set(foldName(name), name);
  }
  for (const key of target.key) {
    const field = schema.fields.find(({ name }) => name === key);
    if (field === undefined)
      throw new ConfigError("DUCKDB_KEY", `the key "${key}" is no mapped field`, {
        place,
        fix: `Use one of ${schema.fields.flatMap(({ name }) => (name === ORDER_COLUMN ? [] : [name])).join(", ")}.`,
      });
    if (field.type === "json")
      throw new ConfigError("DUCKDB_KEY", `the key "${key}" is json, which has no equality`, {
        place,
        fix: "Map it to type string, or choose another key.",
      });
  }
}

export function createStatement(table: TableName, schema: Schema): string {
  const columns = schema.fields.map((field) => `${quoteIdentifier(field.name)} ${duckdbType(field)}`);
  return `CREATE TABLE ${quoteTable(table)} (${columns.join(", ")})`;
}

/** What brings an existing table to hold the fields. ConfigError where it cannot or must not. */
export function planTable(
  table: TableName,
  existing: readonly Column[],
  schema: Schema,
  policy: SchemaChangePolicy,
  place: string,
): TablePlan {
  const statements: string[] = [];
  const changes: SchemaChange[] = [];
  for (const field of schema.fields) {
    const column = existing.find(({ name }) => foldName(name) === foldName(field.name));
    const wanted = duckdbType(field);
    if (column === undefined) {
      // The order of versions is ours: an upsert cannot do without it.
      if (policy === "ignore" && field.name !== ORDER_COLUMN) continue;
      if (policy === "fail") throw refused(field.name, `has no column "${field.name}"`, place);
      statements.push(`ALTER TABLE ${quoteTable(table)} ADD COLUMN ${quoteIdentifier(field.name)} ${wanted}`);
      changes.push({ kind: "addColumn", column: field.name, text: `adds column ${field.name} ${wanted}` });
      continue;
    }
    const fit = fitType(field, column.type);
    if (fit === "holds") continue;
    if (fit === "clash")
      throw new ConfigError(
        "DUCKDB_COLUMN_TYPE",
        `column "${column.name}" is ${column.type} and the flow's ${field.name} is ${field.type} (${wanted})`,
        {
          place,
          fix: `Map ${field.name} to a type that ${column.type} holds or to another name, or change the table's column to VARCHAR.`,
        },
      );
    if (policy !== "evolve")
      throw refused(
        field.name,
        `has ${column.type} where ${fit.widenTo} is needed for "${field.name}"`,
        place,
      );
    statements.push(
      `ALTER TABLE ${quoteTable(table)} ALTER COLUMN ${quoteIdentifier(column.name)} TYPE ${fit.widenTo}`,
    );
    changes.push({
      kind: "widenColumn",
      column: column.name,
      text: `widens column ${column.name} from ${column.type} to ${fit.widenTo}`,
    });
  }
  return { statements, changes };
}

function refused(column: string, what: string, place: string): ConfigError {
  return new ConfigError(
    "DUCKDB_SCHEMA_CHANGE",
    `table ${place} ${what}, and schemaChange does not allow a change`,
    {
      place,
      fix: `Set schemaChange: evolve, change the table yourself, or leave ${column} out of the map.`,
    },
  );
}

type Fit = "holds" | "clash" | { readonly widenTo: string };

const INTEGERS_BELOW_BIGINT = ["TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"];
/** Digits of an int64. */
const BIGINT_DIGITS = 19;

/** Whether every value of a field fits a column of this type, unchanged. */
function fitType(field: Field, type: string): Fit {
  if (type === duckdbType(field) || type === "VARCHAR") return "holds";
  if (type === "TIMESTAMP WITH TIME ZONE" && field.type === "timestamp") return "holds";
  if (field.type === "integer") {
    if (type === "HUGEINT") return "holds";
    if (INTEGERS_BELOW_BIGINT.includes(type)) return { widenTo: "BIGINT" };
    const decimal = parseDecimal(type);
    return decimal !== undefined && decimal.precision - decimal.scale >= BIGINT_DIGITS ? "holds" : "clash";
  }
  if (field.type === "double" && type === "FLOAT") return { widenTo: "DOUBLE" };
  if (field.type === "decimal") {
    const column = parseDecimal(type);
    if (column === undefined) return "clash";
    const wanted = decimalShape(field);
    const scale = Math.max(column.scale, wanted.scale);
    const whole = Math.max(column.precision - column.scale, wanted.precision - wanted.scale);
    if (scale === column.scale && whole === column.precision - column.scale) return "holds";
    return whole + scale <= 38 ? { widenTo: `DECIMAL(${whole + scale},${scale})` } : "clash";
  }
  return "clash";
}

function parseDecimal(type: string): { readonly precision: number; readonly scale: number } | undefined {
  const match = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  return match === null ? undefined : { precision: Number(match[1]), scale: Number(match[2]) };
}

/** One column of an INSERT: where a value goes, and its expression over the columns of the load. */
export interface Assignment {
  readonly column: string;
  readonly field: Field;
  readonly expression: string;
}

/** The fields of a load that the table has columns for. ConfigError for one it lacks, unless `ignore` leaves it out. */
export function assignments(
  schema: Schema,
  columns: readonly Column[],
  policy: SchemaChangePolicy,
  place: string,
): Assignment[] {
  return schema.fields.flatMap((field) => {
    const column = columns.find(({ name }) => foldName(name) === foldName(field.name));
    if (column === undefined) {
      if (policy === "ignore") return [];
      throw new ConfigError("DUCKDB_COLUMN_MISSING", `table ${place} lost its column "${field.name}"`, {
        place,
        fix: "Add the column again, or run the flow anew so that it is added.",
      });
    }
    const name = quoteIdentifier(field.name);
    // As text a timestamp keeps the form it has in files.
    const expression =
      column.type === "VARCHAR" && field.type === "timestamp"
        ? `strftime(${name}, ${quoteLiteral("%Y-%m-%dT%H:%M:%S.%fZ")})`
        : name;
    return [{ column: column.name, field, expression }];
  });
}
