import { cellJson } from "../cell.js";
import type { Org } from "../org.js";
import type { Row, Table } from "../table.js";
import { type BoundPath, bindPath, type ParentStep } from "./path.js";
import type { Path } from "./syntax.js";

/** Writes one row as the JSON text of a record. */
export type RowWriter = (row: Row) => string;

interface Parent {
  readonly step: ParentStep;
  readonly entries: Entry[];
}
type Entry = { readonly field: BoundPath; readonly name: string } | { readonly parent: Parent };

/** `version` appears in `attributes.url`: `67.0`. */
export function compileWriter(
  org: Org,
  table: Table,
  select: readonly Path[],
  version: string,
  query: string,
): RowWriter {
  const root: Entry[] = [];
  for (const path of select) {
    const bound = bindPath(org, table, path, query);
    let entries = root;
    for (const step of bound.steps) {
      const known = entries.find(
        (entry): entry is { parent: Parent } =>
          "parent" in entry && entry.parent.step.relationshipName === step.relationshipName,
      );
      const parent = known?.parent ?? { step, entries: [] };
      if (known === undefined) entries.push({ parent });
      entries = parent.entries;
    }
    entries.push({ field: bound, name: bound.spec.name });
  }
  return writerOf(table, root, version);
}

function writerOf(table: Table, entries: readonly Entry[], version: string): RowWriter {
  const head = `{"attributes":{"type":"${table.name}","url":"/services/data/v${version}/sobjects/${table.name}/`;
  const members = entries.map((entry) => memberOf(table, entry, version));
  return (row) => {
    let text = `${head}${row.id}"}`;
    for (const member of members) text += member(row);
    return `${text}}`;
  };
}

/** One `,"Name":value`. */
function memberOf(table: Table, entry: Entry, version: string): (row: Row) => string {
  if ("field" in entry) {
    const label = `,${JSON.stringify(entry.name)}:`;
    // A parent's field is read from the parent's own row, so only the last name of the path counts here.
    const column = table.column(entry.name);
    const type = column?.spec.type ?? "string";
    if (column === undefined) return () => `${label}null`;
    return (row) => label + cellJson(column.read(row), type);
  }
  const { step, entries } = entry.parent;
  const label = `,${JSON.stringify(step.relationshipName)}:`;
  const writers = new Map(step.targets.map((target) => [target, writerOf(target, entries, version)]));
  return (row) => {
    const parent = step.parentOf(row);
    const writer = parent === undefined ? undefined : writers.get(parent.table);
    return label + (parent === undefined || writer === undefined ? "null" : writer(parent.row));
  };
}
