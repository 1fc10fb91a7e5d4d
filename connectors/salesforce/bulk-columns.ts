import type { SourceRecord, Value } from "../../core/contracts/index.js";
import { type Convert, converterOf } from "./bulk-value.js";
import type { DescribedObject } from "./describe.js";
import type { ResolvedPath } from "./relationship.js";

/*
 * What a Bulk query selects, and how a row of its CSV becomes the record that the REST API would have answered:
 *
 * - A compound field (address, location) cannot be selected: its components are, and make up the object again.
 * - A field of a parent is a column `Owner.Name`, empty both for a parent without a name and for no parent at all.
 *   REST tells the two apart ({"Name": null} or null), so the parent's Id is selected beside it.
 */

/** Makes records of rows. `values`: texts by position, as the header has them. */
export type RowShape = (values: readonly string[]) => SourceRecord;

export interface BulkColumns {
  /** What is selected, each once. */
  readonly select: readonly string[];
  /** The shape for a page's header; undefined where a column is missing: the result of another query. */
  shape(header: readonly string[]): RowShape | undefined;
}

type Node =
  | { readonly kind: "value"; readonly name: string; readonly column: string; readonly convert: Convert }
  | { readonly kind: "compound"; readonly name: string; readonly parts: readonly Part[] }
  | { readonly kind: "parent"; readonly name: string; readonly idColumn: string; readonly nodes: Node[] };

interface Part {
  readonly key: string;
  /** Undefined: the org has no such component, which REST answers with null. */
  readonly column: string | undefined;
  readonly convert: Convert;
}

/** `paths`: the fields of the query in order, each as describe resolves it. */
export function bulkColumns(paths: ReadonlyMap<string, ResolvedPath>): BulkColumns {
  const root: Node[] = [];
  for (const [path, resolved] of paths) {
    const steps = path.split(".");
    const name = steps.pop() ?? "";
    let nodes = root;
    let prefix = "";
    for (const step of steps) {
      prefix += `${step}.`;
      const known = nodes.find((node) => node.kind === "parent" && node.name === step);
      const parent = known ?? { kind: "parent", name: step, idColumn: `${prefix}Id`, nodes: [] };
      if (known === undefined) nodes.push(parent);
      nodes = parent.kind === "parent" ? parent.nodes : nodes;
    }
    nodes.push(nodeOf(name, prefix, resolved));
  }
  const select = [...new Set(root.flatMap(columnsOf))];
  return { select, shape: (header) => shapeFor(root, header) };
}

function nodeOf(name: string, prefix: string, { field, owners }: ResolvedPath): Node {
  const [owner] = owners;
  if ((field.type === "address" || field.type === "location") && owner !== undefined) {
    return { kind: "compound", name, parts: partsOf(name, field.type, prefix, owner) };
  }
  return { kind: "value", name, column: prefix + name, convert: converterOf(field.type) };
}

/** In the order of the REST answers, which is the alphabet's. */
const ADDRESS_PARTS = [
  "city",
  "country",
  "countryCode",
  "geocodeAccuracy",
  "latitude",
  "longitude",
  "postalCode",
  "state",
  "stateCode",
  "street",
];
/** In the answer only where the org has state and country picklists. */
const PICKLIST_PARTS = new Set(["countryCode", "stateCode"]);

/** `BillingCity` of `BillingAddress`, `Site__City__s` of `Site__c`. */
function partsOf(compound: string, type: string, prefix: string, owner: DescribedObject): Part[] {
  const components = [...owner.fields.values()].filter((field) => field.compoundFieldName === compound);
  const parts = type === "location" ? ["latitude", "longitude"] : ADDRESS_PARTS;
  return parts.flatMap((key) => {
    const found = components.find((field) => keyOf(field.name, compound) === key);
    if (found === undefined && PICKLIST_PARTS.has(key)) return [];
    const column = found === undefined ? undefined : prefix + found.name;
    return [{ key, column, convert: converterOf(found?.type ?? "string") }];
  });
}

function keyOf(component: string, compound: string): string {
  const custom = compound.replace(/__c$/, "__");
  const stem = custom === compound ? compound.replace(/Address$/, "") : custom;
  const part = component.startsWith(stem) ? component.slice(stem.length).replace(/__s$/, "") : "";
  return part.charAt(0).toLowerCase() + part.slice(1);
}

function columnsOf(node: Node): string[] {
  switch (node.kind) {
    case "value":
      return [node.column];
    case "compound":
      return node.parts.flatMap(({ column }) => column ?? []);
    case "parent":
      return [node.idColumn, ...node.nodes.flatMap(columnsOf)];
  }
}

function shapeFor(root: readonly Node[], header: readonly string[]): RowShape | undefined {
  const positions = new Map(header.map((name, position) => [name.toLowerCase(), position]));
  if (positions.size !== header.length) return undefined;
  const missing = root.flatMap(columnsOf).some((column) => !positions.has(column.toLowerCase()));
  if (missing) return undefined;
  return objectReader(root, (column) => positions.get(column.toLowerCase()) ?? -1);
}

type Read = (values: readonly string[]) => Value;

/** A copy of a template has its keys from the start, which costs a fifth of adding them one by one. */
function objectReader(nodes: readonly Node[], positionOf: (column: string) => number): RowShape {
  const names = nodes.map(({ name }) => name);
  const reads = nodes.map((node) => reader(node, positionOf));
  const template: SourceRecord = Object.fromEntries(names.map((name) => [name, null]));
  return (values) => {
    const record = { ...template };
    for (let n = 0; n < names.length; n++) {
      const value = reads[n]!(values);
      if (value !== null) record[names[n]!] = value;
    }
    return record;
  };
}

function reader(node: Node, positionOf: (column: string) => number): Read {
  switch (node.kind) {
    case "value":
      return valueReader(positionOf(node.column), node.convert);
    case "compound": {
      const parts = node.parts.map(({ key, column, convert }) => ({
        key,
        read: column === undefined ? () => null : valueReader(positionOf(column), convert),
      }));
      return (values) => {
        const whole = Object.fromEntries(parts.map(({ key, read }) => [key, read(values)]));
        return Object.values(whole).every((value) => value === null) ? null : whole;
      };
    }
    case "parent": {
      const id = positionOf(node.idColumn);
      const shape = objectReader(node.nodes, positionOf);
      return (values) => (values[id] === "" ? null : shape(values));
    }
  }
}

function valueReader(position: number, convert: Convert): Read {
  return (values) => {
    const text = values[position];
    return text === undefined || text === "" ? null : convert(text);
  };
}
