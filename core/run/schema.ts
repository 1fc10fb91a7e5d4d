import {
  FIELD_TYPES,
  type Field,
  type Schema,
  type Store,
  type StoreTx,
  type Value,
} from "../contracts/index.js";

/*
 * Columns of mapped records, by the schema id that messages carry. A message may be delivered by a later run whose flow
 * maps other columns, so every run writes its own down before it sends anything.
 */

const schemaKey = (schemaId: string, ordered: boolean) =>
  `schema/${schemaId}/${ordered ? "ordered" : "plain"}`;

export function putSchema(tx: StoreTx, schemaId: string, ordered: boolean, schema: Schema): void {
  tx.put(schemaKey(schemaId, ordered), { fields: schema.fields.map((field): Value => ({ ...field })) });
}

/** Undefined when no run has written it down, or what is stored is no schema. */
export function storedSchema(store: Store, schemaId: string, ordered: boolean): Schema | undefined {
  const value = store.get(schemaKey(schemaId, ordered));
  if (value === null || typeof value !== "object" || !("fields" in value) || !Array.isArray(value.fields)) {
    return undefined;
  }
  return { fields: value.fields.flatMap((field) => parseField(field) ?? []) };
}

function parseField(value: Value): Field | undefined {
  if (value === null || typeof value !== "object" || !("name" in value)) return undefined;
  const type = FIELD_TYPES.find((known) => known === value.type);
  if (type === undefined || typeof value.name !== "string") return undefined;
  return {
    name: value.name,
    type,
    ...(typeof value.precision === "number" ? { precision: value.precision } : {}),
    ...(typeof value.scale === "number" ? { scale: value.scale } : {}),
    ...(typeof value.length === "number" ? { length: value.length } : {}),
  };
}
