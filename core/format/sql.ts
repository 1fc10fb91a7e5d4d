import type { Field, Schema } from "../contracts/index.js";

/** Digits of a decimal whose source does not say. */
export const DEFAULT_PRECISION = 38;
export const DEFAULT_SCALE = 9;

/** A quoted SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A quoted SQL string. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Precision and scale of a decimal field: 1-38 digits, scale no larger than the precision. */
export function decimalShape(field: Field): { readonly precision: number; readonly scale: number } {
  const precision = Math.min(Math.max(field.precision ?? DEFAULT_PRECISION, 1), 38);
  return {
    precision,
    scale: Math.min(Math.max(field.scale ?? Math.min(DEFAULT_SCALE, precision), 0), precision),
  };
}

/** The DuckDB type that holds a field. */
export function duckdbType(field: Field): string {
  switch (field.type) {
    case "string":
      return "VARCHAR";
    case "integer":
      return "BIGINT";
    case "decimal": {
      const { precision, scale } = decimalShape(field);
      return `DECIMAL(${precision},${scale})`;
    }
    case "double":
      return "DOUBLE";
    case "boolean":
      return "BOOLEAN";
    case "date":
      return "DATE";
    case "timestamp":
      return "TIMESTAMPTZ";
    case "json":
      return "JSON";
  }
}

/**
 * The `columns` argument of read_json. Decimals are read as text and cast by `selectList`: read_json turns a bare
 * decimal into a double on its way (12345678901234567890123456789.1 came out as 12345678901234567525491324606.8).
 * `textTimes` leaves dates and timestamps as the text they are, for CSV.
 */
export function duckdbColumns(schema: Schema, textTimes = false): string {
  const columns = schema.fields.map((field) => {
    const asText =
      field.type === "decimal" || (textTimes && (field.type === "date" || field.type === "timestamp"));
    return `${quoteLiteral(field.name)}: ${quoteLiteral(asText ? "VARCHAR" : duckdbType(field))}`;
  });
  return `{${columns.join(", ")}}`;
}

/** Starts the text of a json value that was wrapped to keep its digits (NdjsonSegment). */
export const EXACT_JSON_MARK = "sluice-exact-json:";

/** The select list over read_json that gives every field its SQL type. `wrapped`: json values may be wrapped. */
export function selectList(schema: Schema, wrapped: boolean): string {
  return schema.fields
    .map((field) => {
      const name = quoteIdentifier(field.name);
      if (field.type === "decimal") return `${decimalCast(name, field)} AS ${name}`;
      if (field.type === "json" && wrapped) {
        const text = `(${name} ->> '$')`;
        const mark = quoteLiteral(EXACT_JSON_MARK);
        return `CASE WHEN starts_with(${text}, ${mark}) THEN CAST(substr(${text}, ${EXACT_JSON_MARK.length + 1}) AS JSON) ELSE ${name} END AS ${name}`;
      }
      return name;
    })
    .join(", ");
}

/**
 * Text to DECIMAL, half away from zero. Into more than 18 digits that cast costs 8 us a value in DuckDB 1.5; almost
 * all values fit 18 digits, for which it costs next to nothing, so those go first.
 */
function decimalCast(name: string, field: Field): string {
  const { precision, scale } = decimalShape(field);
  const full = `CAST(${name} AS DECIMAL(${precision},${scale}))`;
  if (precision <= 18 || scale > 15) return full;
  return `COALESCE(CAST(TRY_CAST(${name} AS DECIMAL(18,${scale})) AS DECIMAL(${precision},${scale})), ${full})`;
}
