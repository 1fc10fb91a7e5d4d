/** Reading a field or path out of a source record. */
import type { Field, SourceRecord, Value } from "../contracts/index.js";
import { ExactNumber } from "../contracts/index.js";

/** Null for a missing field. */
export type Read = (record: SourceRecord) => Value;

/** A name or path of a flow, found in the stream's fields. */
export interface SourceField {
  /** What the flow wrote. */
  readonly name: string;
  /** Type of the value there; json for a path into a json field. */
  readonly field: Field;
  /** What the source is asked for. */
  readonly project: string;
  readonly read: Read;
}

function step(value: Value, key: string): Value {
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) return null;
  if (Array.isArray(value)) return /^\d{1,9}$/.test(key) ? (value[Number(key)] ?? null) : null;
  return Object.hasOwn(value, key) ? (value[key] ?? null) : null;
}

function reader(name: string): Read {
  if (!name.includes(".")) {
    // A missing `constructor` would be found on Object.prototype.
    if (name in Object.prototype) return (record) => step(record, name);
    return (record) => record[name] ?? null;
  }
  const [first = "", ...rest] = name.split(".");
  return (record) => {
    if (Object.hasOwn(record, name)) return record[name] ?? null;
    let value = step(record, first);
    for (const key of rest) {
      if (value === null) return null;
      value = step(value, key);
    }
    return value;
  };
}

/** Looks names up among the stream's fields. */
export class SourceFields {
  readonly #byName: ReadonlyMap<string, Field>;
  constructor(fields: readonly Field[]) {
    this.#byName = new Map(fields.map((field) => [field.name, field]));
  }

  /** Undefined for a name that is neither a field, nor a resolved path, nor a path into a json field. */
  find(name: string): SourceField | undefined {
    const field = this.#byName.get(name);
    if (field !== undefined) return { name, field, project: name, read: reader(name) };
    for (let end = name.lastIndexOf("."); end > 0; end = name.lastIndexOf(".", end - 1)) {
      const parent = this.#byName.get(name.slice(0, end));
      if (parent?.type === "json")
        return { name, field: { name, type: "json" }, project: parent.name, read: reader(name) };
    }
    return undefined;
  }

  names(): string[] {
    return [...this.#byName.keys()];
  }
}
