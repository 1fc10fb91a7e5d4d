import type { Cell } from "./cell.js";
import { cellCsv, cellJson, datetimeText } from "./cell.js";
import type { FieldSpec } from "./field.js";
import { id18, recordId } from "./ids.js";
import { Prng } from "./prng.js";
import type { Row, Table } from "./table.js";

export const BENCH_OBJECT = "Bench__c";
export const BENCH_PREFIX = "a0B";

export const BENCH_FIELDS: readonly FieldSpec[] = [
  { name: "Id", type: "id" },
  { name: "IsDeleted", type: "boolean" },
  { name: "Name", type: "string", length: 80, nameField: true },
  { name: "OwnerId", type: "reference", referenceTo: ["User"], relationshipName: "Owner" },
  { name: "CreatedDate", type: "datetime" },
  { name: "LastModifiedDate", type: "datetime" },
  { name: "SystemModstamp", type: "datetime" },
  { name: "External_Ref__c", type: "string", length: 40, externalId: true },
  { name: "Status__c", type: "picklist", picklist: ["New", "Open", "In progress", "Closed"] },
  { name: "Amount__c", type: "currency", precision: 18, scale: 2 },
  { name: "Quantity__c", type: "double", precision: 16, scale: 3 },
  { name: "Discount__c", type: "percent", precision: 5, scale: 2 },
  { name: "Close_Date__c", type: "date" },
  { name: "Active__c", type: "boolean" },
  { name: "Email__c", type: "email" },
  { name: "Notes__c", type: "string", length: 255 },
  { name: "Description__c", type: "textarea", length: 32_000 },
];

/** Fields whose value differs from record to record, beyond what a template holds. */
export const NUMBERED_FIELDS: ReadonlySet<string> = new Set(["Id", "Name", "External_Ref__c"]);
export const STAMPED_FIELDS: ReadonlySet<string> = new Set(["SystemModstamp", "LastModifiedDate"]);

/** The record's number, nine digits, wherever a template says so. Digits never change an id's suffix. */
export const NUMBER_WIDTH = 9;
const ID_HEAD = `${BENCH_PREFIX}5g0`;
const ID_TAIL = id18(`${ID_HEAD}${"0".repeat(NUMBER_WIDTH)}`).slice(15);

export function benchId(n: number): string {
  return `${ID_HEAD}${String(n).padStart(NUMBER_WIDTH, "0")}${ID_TAIL}`;
}

/** One of the distinct rows that repeat through the object; key fields hold the values of number 0. */
export function templateRow(table: Table, position: number, recordBytes: number, stamp: number): Row {
  const random = Prng.named(position, "bench record");
  const values: Record<string, Cell> = {
    Name: "",
    OwnerId: recordId("005", random.below(20)),
    CreatedDate: stamp - 86_400_000 * (1 + random.below(1000)),
    External_Ref__c: "",
    Status__c: random.pick(["New", "Open", "In progress", "Closed"]),
    Amount__c: random.chance(0.1) ? null : Math.round(random.next() * 1e8) / 100,
    Quantity__c: random.chance(0.3) ? null : Math.round(random.next() * 1e6) / 1000,
    Discount__c: random.chance(0.5) ? null : random.below(10_000) / 100,
    Close_Date__c: datetimeText(stamp + 86_400_000 * random.below(700)).slice(0, 10),
    Active__c: random.chance(0.7),
    Email__c: random.chance(0.2) ? null : `person${random.below(1e6)}@example.com`,
    Notes__c: random.chance(0.6)
      ? null
      : random.pick(["Grüße aus Köln", 'quoted "text"', "line one\nline two", "日本語"]),
    Description__c: "",
  };
  const cells = table.storedFields().map((name) => values[name] ?? null);
  const row: Row = { id: benchId(0), stamp, deleted: false, gone: false, cells };
  const at = table.column("Description__c")?.at;
  if (at !== undefined) {
    const missing =
      recordBytes -
      recordTemplate(
        table,
        row,
        table.columns().map((c) => c.spec.name),
        "67.0",
      ).text.length;
    row.cells[at] = filler(random, Math.max(0, missing - 12 + random.below(24)));
  }
  return row;
}

/** The JSON of a record with the places to fill in: offsets in bytes. */
export interface RecordTemplate {
  readonly text: Buffer;
  readonly numberAt: readonly number[];
  readonly stampAt: readonly number[];
}

/** `names` in the order of the query; `version` is part of `attributes.url`. */
export function recordTemplate(
  table: Table,
  row: Row,
  names: readonly string[],
  version: string,
): RecordTemplate {
  const numberAt: number[] = [];
  const stampAt: number[] = [];
  const zeros = "0".repeat(NUMBER_WIDTH);
  let text = `{"attributes":{"type":"${table.name}","url":"/services/data/v${version}/sobjects/${table.name}/${ID_HEAD}`;
  const bytes = () => Buffer.byteLength(text);
  const number = () => {
    numberAt.push(bytes());
    text += zeros;
  };
  number();
  text += `${ID_TAIL}"}`;
  for (const name of names) {
    text += `,"${name}":`;
    if (name === "Id") {
      text += `"${ID_HEAD}`;
      number();
      text += `${ID_TAIL}"`;
    } else if (NUMBERED_FIELDS.has(name)) {
      text += name === "Name" ? '"Bench record ' : '"REF-';
      number();
      text += '"';
    } else if (STAMPED_FIELDS.has(name)) {
      text += '"';
      stampAt.push(bytes());
      text += `${datetimeText(row.stamp)}"`;
    } else {
      const column = table.column(name);
      text += column === undefined ? "null" : cellJson(column.read(row), column.spec.type);
    }
  }
  return { text: Buffer.from(`${text}}`), numberAt, stampAt };
}

/** The same record as a row of a CSV, without its line end. */
export function csvTemplate(table: Table, row: Row, names: readonly string[]): RecordTemplate {
  const numberAt: number[] = [];
  const stampAt: number[] = [];
  const pieces: Buffer[] = [];
  let length = 0;
  const add = (text: string) => {
    const bytes = Buffer.from(text);
    pieces.push(bytes);
    length += bytes.length;
  };
  const number = (before: string, after: string) => {
    add(before);
    numberAt.push(length);
    add("0".repeat(NUMBER_WIDTH) + after);
  };
  names.forEach((name, n) => {
    if (n > 0) add(",");
    if (name === "Id") number(`"${ID_HEAD}`, `${ID_TAIL}"`);
    else if (NUMBERED_FIELDS.has(name)) number(name === "Name" ? '"Bench record ' : '"REF-', '"');
    else if (STAMPED_FIELDS.has(name)) {
      add('"');
      stampAt.push(length);
      add(`${datetimeText(row.stamp).replace("+0000", "Z")}"`);
    } else {
      const column = table.column(name);
      add(column === undefined ? '""' : cellCsv(column.read(row), column.spec.type));
    }
  });
  return { text: Buffer.concat(pieces), numberAt, stampAt };
}

const WORDS =
  "pipeline renewal quarterly contract invoice delivery customer meeting proposal budget decision review".split(
    " ",
  );

function filler(random: Prng, length: number): string {
  let text = "";
  while (text.length < length) text += `${random.pick(WORDS)} `;
  return text.slice(0, length);
}
