import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { type Cell, Digits } from "./cell.js";
import type { FieldSpec } from "./field.js";
import { type FakeClock, Org } from "./org.js";

/** Key prefixes of standard objects, so that references can be described though the folder lacks the object. */
const PREFIXES: Readonly<Record<string, string>> = {
  "001": "Account",
  "003": "Contact",
  "005": "User",
  "006": "Opportunity",
  "00Q": "Lead",
  "00E": "UserRole",
  "00e": "Profile",
  "00T": "Task",
  "00U": "Event",
  "012": "RecordType",
  "500": "Case",
  "701": "Campaign",
};
/** Objects without a recycle bin have no IsDeleted. */
const WITHOUT_IS_DELETED = new Set(["User", "RecordType"]);
/** Distinct texts of a column that are kept once; a column with more of them is left alone. */
const MAX_INTERNED = 20_000;
const ID = /^[0-9A-Za-z]{15}([0-9A-Za-z]{3})?$/;
const DATETIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})$/;

/** One column of a file, read and classified. */
interface FileColumn {
  readonly name: string;
  readonly cells: Cell[];
  readonly spec: FieldSpec;
}

/**
 * An org from a folder: one `<Object>.parquet`, `.ndjson` or `.jsonl` per object. Describe follows from the columns:
 * VARCHAR with ids becomes id or reference, other VARCHAR string or textarea by its longest value, BIGINT int,
 * DOUBLE and DECIMAL double with the scale found, and so on. Empty text stays empty text.
 */
export async function readOrgFolder(folder: string, clock: FakeClock): Promise<Org> {
  const files = (await readdir(folder)).filter((file) => /\.(parquet|ndjson|jsonl)$/.test(file)).sort();
  if (files.length === 0) throw new Error(`${folder} holds no .parquet, .ndjson or .jsonl file`);
  const org = new Org(clock);
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    const objects = new Map<string, FileColumn[]>();
    for (const file of files) {
      objects.set(basename(file, extname(file)), await readColumns(connection, join(folder, file)));
    }
    const prefixes = new Map(Object.entries(PREFIXES));
    for (const [object, columns] of objects) prefixes.set(keyPrefixOf(object, columns), object);
    for (const [object, columns] of objects) defineObject(org, object, columns, prefixes, clock);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
  return org;
}

function defineObject(
  org: Org,
  object: string,
  columns: readonly FileColumn[],
  prefixes: ReadonlyMap<string, string>,
  clock: FakeClock,
): void {
  const specs = columns.map((column) => withReference(column, prefixes));
  if (!specs.some((spec) => spec.name === "IsDeleted") && !WITHOUT_IS_DELETED.has(object)) {
    specs.splice(1, 0, { name: "IsDeleted", type: "boolean" });
  }
  if (!specs.some((spec) => spec.name === "SystemModstamp")) {
    specs.push({ name: "SystemModstamp", type: "datetime" });
  }
  const table = org.define({ name: object, keyPrefix: keyPrefixOf(object, columns), fields: specs });
  const byName = new Map(columns.map((column) => [column.name, column.cells]));
  const ids = byName.get("Id");
  if (ids === undefined) throw new Error(`${object} has no column Id`);
  const stamps = byName.get("SystemModstamp") ?? byName.get("LastModifiedDate") ?? byName.get("CreatedDate");
  const deleted = byName.get("IsDeleted");
  const stored = table.storedFields().map((name) => byName.get(name) ?? []);
  ids.forEach((id, n) => {
    if (typeof id !== "string") throw new Error(`${object} row ${n + 1} has no Id`);
    const stamp = stamps?.[n];
    table.load(
      id,
      typeof stamp === "number" ? stamp : Math.floor(clock.now() / 1000) * 1000,
      deleted?.[n] === true,
      stored.map((cells) => cells[n] ?? null),
    );
  });
}

function keyPrefixOf(object: string, columns: readonly FileColumn[]): string {
  const id = columns.find((column) => column.name === "Id")?.cells[0];
  if (typeof id === "string") return id.slice(0, 3);
  return Object.entries(PREFIXES).find(([, name]) => name === object)?.[0] ?? "a99";
}

/** References name the objects their ids belong to. */
function withReference({ spec, cells, name }: FileColumn, prefixes: ReadonlyMap<string, string>): FieldSpec {
  if (spec.type !== "reference") return spec;
  const found = new Set<string>();
  for (const cell of cells) if (typeof cell === "string" && cell !== "") found.add(cell.slice(0, 3));
  const relationshipName = name.endsWith("__c") ? name.replace(/c$/, "r") : name.replace(/Id$/, "");
  const referenceTo = [...found].flatMap((prefix) => prefixes.get(prefix) ?? []).sort();
  return {
    ...spec,
    relationshipName,
    referenceTo: referenceTo.length > 0 ? referenceTo : [relationshipName],
  };
}

async function readColumns(connection: DuckDBConnection, file: string): Promise<FileColumn[]> {
  const quoted = `'${file.replaceAll("'", "''")}'`;
  const source = file.endsWith(".parquet")
    ? `read_parquet(${quoted})`
    : `read_json(${quoted}, format = 'newline_delimited', sample_size = -1)`;
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
  const types = described.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
  const select = types.map(({ name, type }) => selected(name, type)).join(", ");
  const result = await connection.stream(`SELECT ${select} FROM ${source}`);
  const raw: DuckDBValue[][] = types.map(() => []);
  for (
    let chunk = await result.fetchChunk();
    chunk !== null && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    raw.forEach((values, at) => {
      for (const value of chunk?.getColumnValues(at) ?? []) values.push(value);
    });
  }
  return types.map(({ name, type }, at) => classify(name, type, raw[at] ?? []));
}

/** Every column comes out as text, boolean, number or null. */
function selected(name: string, type: string): string {
  const column = `"${name.replaceAll('"', '""')}"`;
  if (type.startsWith("TIMESTAMP")) return `epoch_us(${column})::VARCHAR`;
  if (type === "BOOLEAN" || type === "DOUBLE" || type === "VARCHAR") return column;
  if (type === "FLOAT") return `${column}::DOUBLE`;
  if (/^(DATE|TIME|DECIMAL|U?(TINY|SMALL|BIG|HUGE)?INT)/.test(type)) return `${column}::VARCHAR`;
  return `to_json(${column})::VARCHAR`;
}

function classify(name: string, type: string, raw: readonly DuckDBValue[]): FileColumn {
  if (type === "BOOLEAN") {
    return {
      name,
      cells: raw.map((value) => (value === null ? null : value === true)),
      spec: { name, type: "boolean", nillable: true },
    };
  }
  if (type.startsWith("TIMESTAMP")) {
    const cells = texts(raw).map((text) => (text === null ? null : Number(text) / 1000));
    return { name, cells, spec: { name, type: "datetime" } };
  }
  if (type === "DATE" || type === "TIME") {
    const cells = texts(raw).map((text) => (type === "DATE" || text === null ? text : timeText(text)));
    return { name, cells, spec: { name, type: type === "DATE" ? "date" : "time" } };
  }
  if (/INT/.test(type) && !type.startsWith("STRUCT")) {
    return { name, cells: texts(raw).map(numberCell), spec: { name, type: "int", precision: 18 } };
  }
  if (type === "DOUBLE" || type === "FLOAT") {
    const cells = raw.map((value) => (typeof value === "number" && Number.isFinite(value) ? value : null));
    return { name, cells, spec: { name, type: "double", ...precisionOf(cells) } };
  }
  if (type.startsWith("DECIMAL")) {
    const [, precision, scale] = /\((\d+),(\d+)\)/.exec(type) ?? [];
    const cells = texts(raw).map(numberCell);
    return {
      name,
      cells,
      spec: { name, type: "double", precision: Number(precision), scale: Number(scale) },
    };
  }
  return classifyText(name, interned(texts(raw)));
}

function classifyText(name: string, cells: (string | null)[]): FileColumn {
  if (name === "Id") return { name, cells, spec: { name, type: "id" } };
  const filled = cells.filter((text) => text !== null && text !== "");
  const every = (pattern: RegExp) => filled.length > 0 && filled.every((text) => pattern.test(text ?? ""));
  if (every(DATETIME)) {
    const times = cells.map((text) => (text === null || text === "" ? null : Date.parse(text)));
    return { name, cells: times, spec: { name, type: "datetime" } };
  }
  const named = /Id$/.test(name) || name.endsWith("__c");
  if (named && every(ID)) return { name, cells, spec: { name, type: "reference" } };
  const longest = cells.reduce((most, text) => Math.max(most, text?.length ?? 0), 0);
  const spec: FieldSpec =
    longest <= 255
      ? { name, type: "string", length: 255, nameField: name === "Name" }
      : { name, type: "textarea", length: longest <= 32_000 ? 32_000 : 131_072 };
  return { name, cells, spec };
}

function texts(raw: readonly DuckDBValue[]): (string | null)[] {
  return raw.map((value) => (value === null ? null : String(value)));
}

/** Equal texts become one string: an org's columns repeat their values a lot. */
function interned(values: (string | null)[]): (string | null)[] {
  const known = new Map<string, string>();
  return values.map((text) => {
    if (text === null) return null;
    const same = known.get(text);
    if (same !== undefined) return same;
    if (known.size < MAX_INTERNED) known.set(text, text);
    return text;
  });
}

function numberCell(text: string | null): Cell {
  if (text === null) return null;
  return text.replace(/\D/g, "").length > 15 ? new Digits(text) : Number(text);
}

/** Enough digits before and after the point for every value. */
function precisionOf(cells: readonly (number | null)[]): { precision: number; scale: number } {
  let whole = 1;
  let scale = 0;
  for (const cell of cells) {
    if (cell === null) continue;
    const [, digits = "", fraction = "", exponent = "0"] =
      /^-?(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(cell)) ?? [];
    whole = Math.max(whole, digits.length + Number(exponent));
    scale = Math.max(scale, fraction.length - Number(exponent));
  }
  return { precision: Math.max(18, whole + scale), scale };
}

function timeText(text: string): string {
  const [clock = text, fraction = ""] = text.split(".");
  return `${clock}.${fraction.padEnd(3, "0").slice(0, 3)}Z`;
}
