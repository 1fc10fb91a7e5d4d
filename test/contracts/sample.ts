import { ExactNumber, type Field, type Load, type Schema, type Value } from "../../core/contracts/index.js";

/** What a reader of a sink should find for a value, whatever the sink: see `canonical`. */
export type Canonical = string | number | boolean | null | Canonical[] | { [name: string]: Canonical };
export type Row = Record<string, Canonical>;

export interface LoadOptions {
  readonly number?: number;
  readonly flow?: string;
  readonly run?: string;
  readonly generation?: string;
  readonly schema?: Schema;
  /** Records the load claims to hold; default as many as it does. */
  readonly claims?: number;
  /** Called before each chunk with its index. */
  readonly onChunk?: (index: number) => void | Promise<void>;
  /** Lines in one chunk; default 2, so that even small loads have several. */
  readonly chunkLines?: number;
}

/** A load as the engine makes it. Its id follows from flow, run and number; the same arguments give the same bytes. */
export function loadOf(records: readonly Record<string, Value>[], options: LoadOptions = {}): Load {
  const { number = 0, flow = "accounts", run = "20260101T000000000Z-0001", schema = SCHEMA } = options;
  const lines = records.map((record) => `${line(schema, record)}\n`);
  const { chunkLines = 2 } = options;
  return {
    id: `${flow}-${run}-0-${String(number).padStart(5, "0")}`,
    flow,
    run,
    generation: options.generation ?? run,
    records: options.claims ?? records.length,
    bytes: lines.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    schema,
    async *chunks() {
      for (let at = 0; at < lines.length; at += chunkLines) {
        await options.onChunk?.(at / chunkLines);
        yield Buffer.from(lines.slice(at, at + chunkLines).join(""));
      }
    },
  };
}

/** One record as the flow's plan writes it: every field present, ExactNumbers as bare digits. */
export function line(schema: Schema, record: Record<string, Value>): string {
  const pairs = schema.fields.map(({ name }) => `${JSON.stringify(name)}:${json(record[name] ?? null)}`);
  return `{${pairs.join(",")}}`;
}

function json(value: Value): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(json).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${json(inner)}`);
  return `{${pairs.join(",")}}`;
}

/** All eight types and names that break careless quoting. */
export const SCHEMA: Schema = {
  fields: [
    { name: "id", type: "integer" },
    { name: "name", type: "string" },
    { name: "amount", type: "decimal", precision: 18, scale: 2 },
    { name: "huge", type: "decimal", precision: 38, scale: 9 },
    { name: "weight", type: "double" },
    { name: "active", type: "boolean" },
    { name: "close_date", type: "date" },
    { name: "modified_at", type: "timestamp" },
    { name: "extra", type: "json" },
    { name: 'quo"te; DROP TABLE x --', type: "string" },
    { name: "it's", type: "string" },
    { name: "Ünï 日本", type: "string" },
    { name: "Owner.Name", type: "string" },
    { name: "select", type: "string" },
  ],
};

/** A record with plain values in every field; `id` tells it from others. */
export function plainRecord(id: number, more: Record<string, Value> = {}): Record<string, Value> {
  return {
    id,
    name: `Account ${id}`,
    amount: 1000.25 + id,
    huge: id,
    weight: id / 8,
    active: id % 2 === 0,
    close_date: `2026-0${1 + (id % 9)}-15`,
    modified_at: `2026-01-01T00:00:0${id % 10}.000Z`,
    extra: { id, tags: ["a", "b"] },
    'quo"te; DROP TABLE x --': "q",
    "it's": "apostrophe",
    "Ünï 日本": "name",
    "Owner.Name": "Ada",
    select: "keyword",
    ...more,
  };
}

/** Values that writers get wrong: the ends of the ranges, nulls, text that looks like something else. */
export const EDGE_RECORDS: readonly Record<string, Value>[] = [
  {
    id: new ExactNumber("9223372036854775807"),
    amount: new ExactNumber("9999999999999999.99"),
    weight: 5e-324,
  },
  {
    id: new ExactNumber("-9223372036854775808"),
    amount: new ExactNumber("-9999999999999999.99"),
    weight: -1.5e308,
  },
  { id: 3, huge: new ExactNumber("12345678901234567890123456789.123456789"), weight: 0.1 },
  { id: 4, amount: new ExactNumber("0.005"), huge: new ExactNumber("-0.0000000005") },
  { id: 5, name: "", active: false, extra: {} },
  { id: 6, name: "line\nbreak\r\nand\ttab, \"quotes\" and 'apostrophes', \\ backslash, comma; semicolon" },
  {
    id: 7,
    name: "emoji 👩‍👩‍👧‍👦 and \u{1f600}, astral 𝒳, combining é, bidi \u202e, zero\u200bwidth, ls\u2028",
  },
  { id: 8, name: "NULL", select: "null", "it's": "\\N", "Owner.Name": "NaN" },
  { id: 9, name: " leading and trailing ", select: "=1+1" },
  { id: 10, close_date: "0001-01-01", modified_at: "0001-01-01T00:00:00.000Z" },
  { id: 11, close_date: "9999-12-31", modified_at: "9999-12-31T23:59:59.999Z" },
  { id: 12, close_date: "2024-02-29", modified_at: "2026-03-29T01:30:00.123456Z" },
  { id: 13, close_date: "1969-12-31", modified_at: "1969-12-31T23:59:59.999999Z" },
  { id: 14, extra: [1, "two", null, { three: [true, "\u{1f680}"] }] },
  { id: 15, extra: "a json string" },
  { id: 16, extra: { n: new ExactNumber("9007199254740993"), "": 1, 'k"ey': "\n" } },
  { id: 17, name: "x".repeat(70_000) },
  { id: 18 },
];

/** What readers must find for a record: one canonical form per type, null where absent. */
export function canonicalRow(schema: Schema, record: Record<string, Value>): Row {
  return Object.fromEntries(
    schema.fields.map((field) => [field.name, canonical(field, record[field.name] ?? null)]),
  );
}

/**
 * integer and decimal: digits as text, decimals with all digits of their scale; timestamp: ISO text with six digits
 * of fraction; json: numbers as text marked `#`; the rest as they are.
 */
export function canonical(field: Field, value: Value): Canonical {
  if (value === null) return null;
  switch (field.type) {
    case "integer":
      return String(value);
    case "decimal":
      return fixed(String(value), field.scale ?? 9);
    case "timestamp":
      return String(value).replace(/\.(\d+)Z$/, (_, digits: string) => `.${digits.padEnd(6, "0")}Z`);
    case "json":
      return canonicalJson(value);
    case "double":
      return Number(value);
    default:
      return typeof value === "object" ? String(value) : value;
  }
}

export function canonicalJson(value: Value): Canonical {
  if (value instanceof ExactNumber || typeof value === "number") return `#${value}`;
  if (Array.isArray(value)) return value.map(canonicalJson);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, canonicalJson(inner)]));
}

/** Rounds half away from zero, as warehouses do. */
function fixed(text: string, scale: number): string {
  const [, sign = "", whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  const kept = BigInt(whole + fraction.slice(0, scale).padEnd(scale, "0"));
  const up = Number(fraction[scale] ?? 0) >= 5 ? 1n : 0n;
  const digits = String(kept + up).padStart(scale + 1, "0");
  const value = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return `${/[1-9]/.test(value) ? sign : ""}${value}`;
}

/** Rows in an order that does not depend on the sink. */
export function sorted(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
