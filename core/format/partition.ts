import { ConfigError, type FieldType, type Schema } from "../contracts/index.js";

/** Time units a partition may cut a date or timestamp to, UTC. */
export const PARTITION_UNITS = ["year", "month", "day", "hour"] as const;
export type PartitionUnit = (typeof PARTITION_UNITS)[number];

/**
 * One entry of `partitionBy`. `name` is the folder's key: the field's own name for `field`, and `<field>_<unit>` for
 * `unit(field)`, so that the folder never hides the finer column of the files. The files keep the field's column.
 */
export interface PartitionTerm {
  readonly field: string;
  readonly unit?: PartitionUnit;
  readonly name: string;
}

/** One level of a file's folder. `value` null: the field was null. */
export interface PartitionValue {
  readonly name: string;
  readonly value: string | null;
}

/** What Hive, Spark, Athena and DuckDB take for null. */
export const HIVE_NULL = "__HIVE_DEFAULT_PARTITION__";

const TERM = /^(year|month|day|hour)\(\s*(.+?)\s*\)$/;

/** `stage`, `day(close_date)`. ConfigError for a unit that does not exist. */
export function parsePartitionTerm(text: string): PartitionTerm {
  const trimmed = text.trim();
  const match = TERM.exec(trimmed);
  const unit = PARTITION_UNITS.find((name) => name === match?.[1]);
  const field = match?.[2];
  if (unit !== undefined && field !== undefined) return { field, unit, name: `${field}_${unit}` };
  if (trimmed === "" || /^[A-Za-z]+\(.*\)$/.test(trimmed)) {
    throw new ConfigError("PARTITION_TERM", `"${text}" is not a partition`, {
      place: "partitionBy",
      fix: `Write a field, or one of ${PARTITION_UNITS.map((name) => `${name}(field)`).join(", ")}.`,
    });
  }
  return { field: trimmed, name: trimmed };
}

/** Types that make sensible folder names as they are. */
const PARTITIONABLE: readonly FieldType[] = ["string", "integer", "boolean", "date"];

/** ConfigError for unknown fields, units on what is no date or timestamp, hour of a date, values without a clear text. */
export function checkPartitionTerms(terms: readonly PartitionTerm[], schema: Schema): void {
  const names = new Set<string>();
  for (const term of terms) {
    checkPartitionTerm(term, schema);
    const folded = term.name.toLowerCase();
    if (names.has(folded))
      throw termError(term, `two partitions are called "${term.name}"`, "Name each partition once.");
    names.add(folded);
  }
}

function checkPartitionTerm(term: PartitionTerm, schema: Schema): void {
  const { field: name, unit } = term;
  const field = schema.fields.find((candidate) => candidate.name === name);
  if (field === undefined)
    throw termError(
      term,
      `cannot partition by "${name}", which is no mapped field`,
      `Use one of ${schema.fields.map((candidate) => candidate.name).join(", ")}.`,
    );
  if (unit === undefined) {
    if (PARTITIONABLE.includes(field.type)) return;
    throw termError(
      term,
      `cannot partition by "${name}" of type ${field.type}`,
      field.type === "timestamp"
        ? `Use year(), month(), day() or hour() of ${name}.`
        : `Partition by a field of type ${PARTITIONABLE.join(", ")}.`,
    );
  }
  if (field.type !== "date" && field.type !== "timestamp")
    throw termError(
      term,
      `${unit}(${name}) needs a date or timestamp, "${name}" is ${field.type}`,
      "Map the field to type date or timestamp.",
    );
  if (unit === "hour" && field.type === "date")
    throw termError(term, `"${name}" is a date and has no hour`, `Use day(${name}).`);
  if (schema.fields.some((other) => other.name.toLowerCase() === term.name.toLowerCase()))
    throw termError(
      term,
      `the folder name "${term.name}" of ${unit}(${name}) is also a mapped field`,
      `Rename the field, or partition by "${term.name}" itself.`,
    );
}

function termError({ field, unit }: PartitionTerm, message: string, fix: string): ConfigError {
  return new ConfigError("PARTITION_FIELD", message, {
    place: `partitionBy ${unit === undefined ? field : `${unit}(${field})`}`,
    fix,
  });
}

const UNIT_LENGTH: Readonly<Record<PartitionUnit, number>> = { year: 4, month: 7, day: 10, hour: 13 };

/**
 * The folder text of a value. Dates and timestamps are UTC text of fixed width (`2026-10-01T12:00:00.000Z`), so a
 * unit is a prefix: 2026, 2026-10, 2026-10-01, 2026-10-01T12.
 */
export function partitionText(term: PartitionTerm, value: string): string {
  return term.unit === undefined ? value : value.slice(0, UNIT_LENGTH[term.unit]);
}

/**
 * `stage=Closed%20Won/close_date_day=2026-10-01`, without slashes at the ends. Every character outside
 * A-Z a-z 0-9 - _ . is percent-encoded as UTF-8, which DuckDB, Spark and Hive decode; null is HIVE_NULL.
 *
 * Readers that guess types may turn a folder's `01234` into a number: in DuckDB read with `hive_types_autocast = false`,
 * or with `hive_partitioning = false`, since the column is in the files as well.
 */
export function partitionFolder(partition: readonly PartitionValue[]): string {
  return partition.map(({ name, value }) => `${encodeSegment(name)}=${folderValue(value)}`).join("/");
}

/** A text that reads like null gets an escape more than it needs, so that it has a folder of its own. */
function folderValue(value: string | null): string {
  if (value === null) return HIVE_NULL;
  return value === HIVE_NULL ? `%5F${HIVE_NULL.slice(1)}` : encodeSegment(value);
}

/** One side of `name=value`. */
export function encodeSegment(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
