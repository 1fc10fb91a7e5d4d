import { z } from "zod";
import { ConfigError, type SourceRecord, type Value } from "../../contracts/index.js";
import { isObject, jsonOf } from "../../run/deadletters.js";

/** One `--set`: a field and its new value. */
export interface FieldValue {
  readonly path: string;
  readonly value: Value;
}

/** `field=value`, the value being JSON: a text stands in quotes, so that nothing is taken for what it is not. */
export const fieldEdit = z.string().transform((typed, context): FieldValue => {
  const at = typed.indexOf("=");
  const text = typed.slice(at + 1);
  const value = at > 0 ? jsonOf(Buffer.from(text)) : undefined;
  if (isValue(value)) return { path: typed.slice(0, at), value };
  const message =
    at > 0
      ? `expected field=value with a JSON value, such as ${typed.slice(0, at)}=${JSON.stringify(text)}, found ${typed}`
      : `expected field=value, found ${typed}`;
  context.issues.push({ code: "custom", input: typed, message });
  return z.NEVER;
});

function isValue(value: unknown): value is Value {
  return value !== undefined;
}

/**
 * A copy of the record with these fields changed and those taken away. `Owner.Name` reaches inside, unless a field has
 * that very name. ConfigError FIELD_UNKNOWN for a way that leads nowhere and for taking away what is not there.
 */
export function editedRecord(
  record: SourceRecord,
  set: readonly FieldValue[],
  unset: readonly string[],
): SourceRecord {
  let edited = record;
  for (const { path, value } of set) edited = changed(edited, path, path, value);
  for (const path of unset) edited = changed(edited, path, path, undefined);
  return edited;
}

/** `value` undefined: without the field. */
function changed(record: SourceRecord, path: string, whole: string, value: Value | undefined): SourceRecord {
  const dot = path.indexOf(".");
  if (Object.hasOwn(record, path) || dot === -1) {
    if (value !== undefined) return { ...record, [path]: value };
    const { [path]: gone, ...rest } = record;
    if (gone !== undefined) return rest;
    throw new ConfigError("FIELD_UNKNOWN", `the record has no field ${whole}`, {
      place: "--unset",
      fix: "`sluice dead-letters show <id>` shows it whole.",
    });
  }
  const name = path.slice(0, dot);
  const inner = record[name];
  if (isObject(inner)) return { ...record, [name]: changed(inner, path.slice(dot + 1), whole, value) };
  throw new ConfigError("FIELD_UNKNOWN", `the record has no object ${name} for ${whole} to be in`, {
    place: value === undefined ? "--unset" : "--set",
    fix: `Set the whole of it: --set '${name}={...}'.`,
  });
}
