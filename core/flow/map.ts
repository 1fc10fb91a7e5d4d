/** The map of a flow as one getter per mapped field. */
import { createHmac } from "node:crypto";
import {
  ExactNumber,
  type Field,
  type FieldType,
  type SourceRecord,
  type Value,
} from "../contracts/index.js";
import { calculate, resultType } from "./arithmetic.js";
import { type Fault, shown, typeNoun } from "./fault.js";
import { converter, fitter, textOf } from "./fit.js";
import { found } from "./issue.js";
import type { SourceField } from "./source-value.js";
import type { FieldStep, MapStep } from "./steps.js";
import { countCharacters, maskText, truncateText } from "./text.js";
import type { CompileInput } from "./types.js";

/** The mapped value; undefined: the record is rejected and the fault says why. */
export type Get = (record: SourceRecord) => Value | undefined;

export interface Target {
  readonly field: Field;
  readonly get: Get;
  /** What the source is asked for. */
  readonly projects: readonly string[];
  /** Made of a field that the flow masks or hashes: its values never appear in reasons. */
  readonly hidden: boolean;
}

export interface MapInput {
  readonly fault: Fault;
  readonly hidden: ReadonlySet<string>;
  readonly onUnlike: CompileInput["onUnlike"];
}

/** A change of one value, never called with null; undefined: rejected, fault set. */
type Change = (value: Value) => Value | undefined;

/** The value as the source declares it, or rejected. */
function checked(source: SourceField, input: MapInput): Get {
  const { read, field, name } = source;
  const fit = fitter(field);
  const hidden = input.hidden.has(name);
  const mismatch = (value: Value): undefined =>
    input.fault.set(
      `type ${field.type} on ${name}`,
      `${name} is ${shown(value, hidden)}, expected ${typeNoun(field.type, field.precision, field.scale)}`,
    );
  if (field.type === "string") {
    let isNoted = false;
    return (record) => {
      const value = read(record);
      if (typeof value === "string" || value === null) return value;
      if (!isNoted) input.onUnlike?.(name, kindOf(value));
      isNoted = true;
      const text = textOf(value);
      return text === undefined ? mismatch(value) : text;
    };
  }
  return (record) => {
    const value = read(record);
    if (value === null) return null;
    const fitting = fit(value);
    return fitting === undefined ? mismatch(value) : fitting;
  };
}

function kindOf(value: Value): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "boolean") return "true or false";
  return typeof value === "number" || value instanceof ExactNumber ? "a number" : "a mapping of keys";
}

function joined(gets: readonly Get[], separator: string): Get {
  return (record) => {
    let text: string | null = null;
    for (const get of gets) {
      const value = get(record);
      if (value === undefined) return undefined;
      const part = value === null ? undefined : textOf(value);
      if (part !== undefined) text = text === null ? part : text + separator + part;
    }
    return text;
  };
}

function calculated(step: FieldStep, gets: readonly Get[], field: Field, input: MapInput): Get {
  if (step.combine === undefined || !("arithmetic" in step.combine)) return () => null;
  const operation = step.combine.arithmetic;
  const fit = fitter(field);
  const rule = `arithmetic ${operation} on ${step.to.name}`;
  return (record) => {
    const values: (number | ExactNumber)[] = [];
    let isNull = false;
    for (const get of gets) {
      const value = get(record);
      if (value === undefined) return undefined;
      if (typeof value === "number" || value instanceof ExactNumber) values.push(value);
      else isNull = true;
    }
    if (isNull) return null;
    const result = calculate(operation, values);
    if (result === undefined) return input.fault.set(rule, `${step.to.name}: division by zero`);
    const fitting = fit(result);
    if (fitting !== undefined) return fitting;
    return input.fault.set(
      rule,
      `${step.to.name}: the result is not ${typeNoun(field.type, field.precision, field.scale)}`,
    );
  };
}

/** Mask, hash and truncate: always a text. */
function textChanges(step: FieldStep): Change[] {
  const changes: Change[] = [];
  const { hide, truncate } = step;
  if (hide !== undefined && "mask" in hide) {
    const { mask } = hide;
    changes.push((value) => maskText(textOf(value) ?? "", mask));
  }
  if (hide !== undefined && "hash" in hide) {
    const secret = hide.hash;
    changes.push((value) =>
      createHmac("sha256", secret.open())
        .update(textOf(value) ?? "", "utf8")
        .digest("hex"),
    );
  }
  if (truncate !== undefined) changes.push((value) => truncateText(textOf(value) ?? "", truncate));
  return changes;
}

function converted(
  step: FieldStep,
  from: FieldType,
  to: FieldType,
  hidden: boolean,
  input: MapInput,
): Change | string {
  const convert = converter(from, to);
  const name = step.from.map((source) => source.name).join(", ");
  if (convert === undefined)
    return `expected another type: ${from} cannot become ${to} (${name} is of type ${from})`;
  return (value) => {
    const result = convert(value);
    if (result !== undefined) return result;
    return input.fault.set(
      `type ${to} on ${step.to.name}`,
      `${step.to.name}: ${shown(value, hidden)} cannot become ${typeNoun(to)}`,
    );
  };
}

function piped(get: Get, changes: readonly Change[]): Get {
  if (changes.length === 0) return get;
  return (record) => {
    let value = get(record);
    for (const change of changes) {
      if (value === null || value === undefined) return value;
      value = change(value);
    }
    return value;
  };
}

const plainType = (type: FieldType): Pick<Field, "type"> => ({ type });

/** One entry with `from`. A text: why its fields and tasks do not go together. */
export function compileField(
  step: FieldStep,
  sources: readonly SourceField[],
  input: MapInput,
): Target | string {
  const [first] = sources;
  if (first === undefined) return "expected a source field";
  const gets = sources.map((source) => checked(source, input));
  const hidden = sources.some((source) => input.hidden.has(source.name));
  let type: Omit<Field, "name"> = { ...first.field };
  let get: Get = gets[0] ?? (() => null);
  if (step.combine !== undefined && "join" in step.combine) {
    get = joined(gets, step.combine.join);
    type = plainType("string");
  } else if (step.combine !== undefined) {
    const other = sources.find(({ field }) => !["integer", "decimal", "double"].includes(field.type));
    if (other !== undefined)
      return `expected number fields for arithmetic, ${other.name} is of type ${other.field.type}`;
    const result = resultType(
      step.combine.arithmetic,
      sources.map((source) => source.field),
    );
    get = calculated(step, gets, { name: step.to.name, ...result }, input);
    type = result;
  }
  const changes = textChanges(step);
  if (changes.length > 0) {
    const length =
      step.hide !== undefined && "hash" in step.hide ? 64 : type.type === "string" ? type.length : undefined;
    const longest = Math.min(length ?? Number.POSITIVE_INFINITY, step.truncate ?? Number.POSITIVE_INFINITY);
    type = { ...plainType("string"), ...(Number.isFinite(longest) ? { length: longest } : {}) };
  }
  if (step.type !== undefined && step.type !== type.type) {
    const change = converted(step, type.type, step.type, hidden, input);
    if (typeof change === "string") return change;
    changes.push(change);
    type = plainType(step.type);
  }
  return {
    field: { ...type, name: step.to.name },
    get: piped(get, changes),
    projects: sources.map((source) => source.project),
    hidden,
  };
}

/** A field of "*": as the source has it. */
export function compileStar(source: SourceField, input: MapInput): Target {
  return {
    field: source.field,
    get: checked(source, input),
    projects: [source.project],
    hidden: input.hidden.has(source.name),
  };
}

function typeOfConstant(value: Value): FieldType {
  if (typeof value === "boolean") return "boolean";
  if (typeof value !== "number" && !(value instanceof ExactNumber)) return "string";
  return fitter({ type: "integer" })(value) === undefined ? "decimal" : "integer";
}

/** A constant. A text: why it cannot have the type asked for. */
export function compileConstant(step: Extract<MapStep, { kind: "value" }>): Target | string {
  const own = typeOfConstant(step.value);
  const type = step.type ?? own;
  const value = type === own ? step.value : converter(own, type)?.(step.value);
  const fitting = value === undefined || value === null ? undefined : fitter({ type })(value);
  if (fitting === undefined) return `expected ${typeNoun(type)}, found ${found(step.value)}`;
  const length = typeof fitting === "string" && type === "string" ? { length: countCharacters(fitting) } : {};
  return { field: { name: step.to.name, type, ...length }, get: () => fitting, projects: [], hidden: false };
}
