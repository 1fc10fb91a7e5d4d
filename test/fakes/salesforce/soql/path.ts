import type { Cell } from "../cell.js";
import type { FieldSpec } from "../field.js";
import type { Org } from "../org.js";
import type { Column, Row, Table } from "../table.js";
import { pointed, type SoqlError } from "./error.js";
import type { Path } from "./syntax.js";

/** One step from a row to its parent: `Owner` of `Owner.Name`. */
export interface ParentStep {
  /** As describe spells it. */
  readonly relationshipName: string;
  /** The objects the reference may point to. */
  readonly targets: readonly Table[];
  parentOf(row: Row): { readonly table: Table; readonly row: Row } | undefined;
}

/** A path of a query, resolved against the org. */
export interface BoundPath {
  readonly spec: FieldSpec;
  /** Field of the queried object itself, not of a parent. */
  readonly own: boolean;
  readonly steps: readonly ParentStep[];
  /** Null where a parent is missing. */
  read(row: Row): Cell;
}

/** Resolves `path` from `table`; refuses unknown columns and relationships with the service's own words. */
export function bindPath(org: Org, table: Table, path: Path, query: string): BoundPath {
  const steps: ParentStep[] = [];
  let sources: readonly Table[] = [table];
  for (const name of path.names.slice(0, -1)) {
    const step = bindStep(org, sources, name);
    if (step === undefined) {
      throw pointed(
        "INVALID_FIELD",
        query,
        path.at,
        `Didn't understand relationship '${name}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.`,
      );
    }
    steps.push(step);
    sources = step.targets;
  }
  const name = path.names.at(-1) ?? "";
  const columns = sources.map((source) => source.column(name));
  const column = columns.find((candidate) => candidate !== undefined);
  if (column === undefined) throw noSuchColumn(name, sources[0] ?? table, path, query);
  if (steps.length === 0) return { spec: column.spec, own: true, steps, read: column.read };
  const byTable = new Map<Table, Column>();
  sources.forEach((source, n) => {
    const found = columns[n];
    if (found !== undefined) byTable.set(source, found);
  });
  return {
    spec: column.spec,
    own: false,
    steps,
    read: (row) => {
      let at = row;
      let source = table;
      for (const step of steps) {
        const parent = step.parentOf(at);
        if (parent === undefined) return null;
        at = parent.row;
        source = parent.table;
      }
      return byTable.get(source)?.read(at) ?? null;
    },
  };
}

function bindStep(org: Org, sources: readonly Table[], name: string): ParentStep | undefined {
  const wanted = name.toLowerCase();
  for (const source of sources) {
    const column = source.columns().find((c) => c.spec.relationshipName?.toLowerCase() === wanted);
    if (column === undefined) continue;
    const targets = (column.spec.referenceTo ?? []).flatMap((object) => org.find(object) ?? []);
    if (targets.length === 0) return undefined;
    return {
      relationshipName: column.spec.relationshipName ?? name,
      targets,
      parentOf: (row) => {
        const id = column.read(row);
        if (typeof id !== "string") return undefined;
        for (const target of targets) {
          const parent = target.get(id);
          if (parent !== undefined) return { table: target, row: parent };
        }
        return undefined;
      },
    };
  }
  return undefined;
}

function noSuchColumn(name: string, table: Table, path: Path, query: string): SoqlError {
  return pointed(
    "INVALID_FIELD",
    query,
    path.at,
    `No such column '${name}' on entity '${table.name}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.`,
  );
}
