/** `validate` rules, and the rule that key fields are never null, on mapped records. */
import {
  ExactNumber,
  type Field,
  type FieldType,
  type SourceRecord,
  type Value,
} from "../contracts/index.js";
import { compiledComparator } from "./compare.js";
import { decimalOf, parseDecimal } from "./decimal.js";
import { type Fault, shown } from "./fault.js";
import { textOf } from "./fit.js";
import type { RuleStep } from "./steps.js";
import { countCharacters } from "./text.js";

/** True: the record may pass. False: the fault says why not. */
export type Check = (record: SourceRecord) => boolean;

const NUMBERS: readonly FieldType[] = ["integer", "decimal", "double"];

/** -1, 0, 1; undefined for what is no number. */
function sign(value: Value): number | undefined {
  if (typeof value === "number") return Math.sign(value);
  const decimal = value instanceof ExactNumber ? decimalOf(value) : undefined;
  return decimal === undefined ? undefined : decimal.units < 0n ? -1 : decimal.units > 0n ? 1 : 0;
}

/** The test of one value that is not null, and what a failing one is told to be. A text: the rule does not suit the field. */
function testOf(
  step: RuleStep,
  field: Field,
): { readonly passes: (value: Value) => boolean; readonly expected: string } | string {
  const numeric = NUMBERS.includes(field.type);
  switch (step.rule) {
    case "notNull":
      return { passes: () => true, expected: "a value" };
    case "notZero":
      if (!numeric) return `expected a number field for rule notZero, ${field.name} is of type ${field.type}`;
      return { passes: (value) => sign(value) !== 0, expected: "a number other than 0" };
    case "notNegative":
      if (!numeric)
        return `expected a number field for rule notNegative, ${field.name} is of type ${field.type}`;
      return { passes: (value) => sign(value) !== -1, expected: "0 or more" };
    case "numeric":
      if (!numeric && field.type !== "string" && field.type !== "json")
        return `expected a number or text field for rule numeric, ${field.name} is of type ${field.type}`;
      return {
        passes: (value) =>
          typeof value === "string" ? parseDecimal(value.trim()) !== undefined : sign(value) !== undefined,
        expected: "a number",
      };
    case "in": {
      const comparators = step.values.map((value) => compiledComparator(field, value));
      const wrong = comparators.find((comparator) => typeof comparator === "string");
      if (typeof wrong === "string") return wrong;
      const compares = comparators.filter((comparator) => typeof comparator === "function");
      return {
        passes: (value) => compares.some((compare) => compare(value) === 0),
        expected: `one of ${step.values.map((value) => shown(value, false)).join(", ")}`,
      };
    }
    case "matches": {
      const pattern = new RegExp(step.pattern, "u");
      return { passes: (value) => pattern.test(textOf(value) ?? ""), expected: `a match of ${step.pattern}` };
    }
    case "maxLength":
      return {
        passes: (value) => {
          const text = textOf(value) ?? "";
          return text.length <= step.length || countCharacters(text) <= step.length;
        },
        expected: `at most ${step.length} characters`,
      };
  }
}

/** The check of one rule; a text: the rule does not suit the field. */
export function compileRule(step: RuleStep, field: Field, hidden: boolean, fault: Fault): Check | string {
  const test = testOf(step, field);
  if (typeof test === "string") return test;
  const { name } = field;
  const { passes, expected } = test;
  const nullPasses = step.rule !== "notNull";
  const rule = `${step.rule} on ${name}`;
  return (record) => {
    const value = record[name] ?? null;
    if (value === null ? nullPasses : passes(value)) return true;
    fault.set(rule, `${name} is ${shown(value, hidden)}, expected ${expected}`, step.onFail);
    return false;
  };
}

/** A row whose key is null can never be found again. */
export function compileKey(name: string, fault: Fault): Check {
  const rule = `notNull on ${name}`;
  return (record) => {
    if ((record[name] ?? null) !== null) return true;
    fault.set(rule, `${name} is null, expected a value: it is a key of the sink`);
    return false;
  };
}
