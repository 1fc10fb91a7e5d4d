/**
 * The filter of a flow as one closure. A condition on a value that is not of its field's type is neither true nor
 * false: as long as the answer does not depend on it the record goes its way, otherwise it is rejected. Null and
 * missing are no such case: they make notEquals, notIn, notContains and isNull true and everything else false.
 */
import type { FilterOperator, SourceRecord, Value } from "../contracts/index.js";
import { type Comparator, compiledComparator } from "./compare.js";
import { type Fault, shown, typeNoun } from "./fault.js";
import { textOf } from "./fit.js";
import type { SourceField } from "./source-value.js";
import type { ConditionNode, FilterNode } from "./steps.js";

export const FALSE = 0;
export const TRUE = 1;
/** The value is not of its field's type; the fault says which. */
export const UNKNOWN = 2;
export type Truth = typeof FALSE | typeof TRUE | typeof UNKNOWN;

export type Test = (record: SourceRecord) => Truth;

export interface FilterInput {
  readonly fault: Fault;
  /** Finds the field of a condition, or reports and gives undefined. */
  readonly find: (node: ConditionNode) => SourceField | undefined;
  /** Reports what is wrong with a condition's value or operator. */
  readonly refuse: (node: ConditionNode, message: string) => void;
  readonly hidden: ReadonlySet<string>;
}

const truth = (holds: boolean): Truth => (holds ? TRUE : FALSE);

/**
 * All tests hold (`decisive` FALSE) or one of them does (`decisive` TRUE). When it stays open, the fault is that of the
 * first test that could not be judged, whatever a later group found and then did not need.
 */
function group(tests: readonly Test[], decisive: Truth, fault: Fault): Test {
  const otherwise = decisive === FALSE ? TRUE : FALSE;
  const count = tests.length;
  return (record) => {
    let open = false;
    let rule = "";
    let reason = "";
    for (let index = 0; index < count; index++) {
      const one = tests[index]?.(record);
      if (one === decisive) return decisive;
      if (one === UNKNOWN && !open) {
        open = true;
        rule = fault.rule;
        reason = fault.reason;
      }
    }
    if (!open) return otherwise;
    fault.set(rule, reason);
    return UNKNOWN;
  };
}

/** Reads the value, answers for null, and turns "not of this type" into UNKNOWN with its fault. */
function onValue(
  source: SourceField,
  input: FilterInput,
  onNull: Truth,
  decide: (value: Value) => Truth,
): Test {
  const { read, field, name } = source;
  const hidden = input.hidden.has(name);
  return (record) => {
    const value = read(record);
    if (value === null) return onNull;
    const result = decide(value);
    if (result === UNKNOWN)
      input.fault.set(
        `type ${field.type} on ${name}`,
        `filter: ${name} is ${shown(value, hidden)}, expected ${typeNoun(field.type)}`,
      );
    return result;
  };
}

/** Whether an order (negative, zero, positive; undefined for values that cannot be compared) satisfies the operator. */
const HOLDS: Partial<Record<FilterOperator, (order: number | undefined) => boolean>> = {
  equals: (order) => order === 0,
  notEquals: (order) => order !== 0,
  greaterThan: (order) => order !== undefined && order > 0,
  greaterThanOrEquals: (order) => order !== undefined && order >= 0,
  lessThan: (order) => order !== undefined && order < 0,
  lessThanOrEquals: (order) => order !== undefined && order <= 0,
};

function ordering(
  holds: (order: number | undefined) => boolean,
  compare: Comparator,
): (value: Value) => Truth {
  return (value) => {
    const order = compare(value);
    return order !== undefined && Number.isNaN(order) ? UNKNOWN : truth(holds(order));
  };
}

function oneOf(comparators: readonly Comparator[], found: Truth): (value: Value) => Truth {
  const missed = found === TRUE ? FALSE : TRUE;
  const count = comparators.length;
  return (value) => {
    for (let index = 0; index < count; index++) {
      const order = comparators[index]?.(value);
      if (order === 0) return found;
      if (order !== undefined && Number.isNaN(order)) return UNKNOWN;
    }
    return missed;
  };
}

/** Many texts are looked up rather than compared one by one. */
function oneOfTexts(texts: readonly string[], found: Truth): (value: Value) => Truth {
  const missed = found === TRUE ? FALSE : TRUE;
  const wanted = new Set(texts);
  return (value) => {
    const text = textOf(value);
    if (text === undefined) return UNKNOWN;
    return wanted.has(text) ? found : missed;
  };
}

function textTest(operator: FilterOperator, part: string, isJson: boolean): (value: Value) => Truth {
  const holds = (text: string): boolean =>
    operator === "startsWith"
      ? text.startsWith(part)
      : operator === "endsWith"
        ? text.endsWith(part)
        : text.includes(part) !== (operator === "notContains");
  return (value) => {
    if (typeof value === "string") return truth(holds(value));
    if (!isJson) {
      const text = textOf(value);
      return text === undefined ? UNKNOWN : truth(holds(text));
    }
    // A list contains its elements; it starts and ends with nothing.
    if (!Array.isArray(value)) return truth(operator === "notContains");
    const contained = value.some(
      (item) => item !== null && typeof item !== "object" && String(item) === part,
    );
    return truth(operator === "contains" ? contained : operator === "notContains" && !contained);
  };
}

const TEXT_OPERATORS: readonly FilterOperator[] = ["contains", "notContains", "startsWith", "endsWith"];

function condition(node: ConditionNode, input: FilterInput): Test | undefined {
  const source = input.find(node);
  if (source === undefined) return undefined;
  const { operator, value } = node;
  const { read, field } = source;
  if (operator === "isNull") return (record) => truth(read(record) === null);
  if (operator === "isNotNull") return (record) => truth(read(record) !== null);
  const negative = operator === "notEquals" || operator === "notIn" || operator === "notContains";
  const onNull = truth(negative);
  if (TEXT_OPERATORS.includes(operator)) {
    if (field.type !== "string" && field.type !== "json") {
      input.refuse(node, `expected a text field for ${operator}, ${node.field} is of type ${field.type}`);
      return undefined;
    }
    if (typeof value !== "string") {
      input.refuse(node, `expected a text for ${operator}: put the value in quotes`);
      return undefined;
    }
    return onValue(source, input, onNull, textTest(operator, value, field.type === "json"));
  }
  const literals = Array.isArray(value) ? value : [value ?? null];
  const comparators = literals.map((literal) => compiledComparator(field, literal));
  const wrong = comparators.find((comparator) => typeof comparator === "string");
  if (typeof wrong === "string") {
    input.refuse(node, wrong);
    return undefined;
  }
  const compares = comparators.filter((comparator) => typeof comparator === "function");
  const [first, second] = compares;
  if (operator === "in" || operator === "notIn") {
    const found = truth(operator === "in");
    const texts = literals.filter((literal) => typeof literal === "string");
    return onValue(
      source,
      input,
      onNull,
      field.type === "string" ? oneOfTexts(texts, found) : oneOf(compares, found),
    );
  }
  if (operator === "between" && first !== undefined && second !== undefined) {
    const from = ordering((order) => order !== undefined && order >= 0, first);
    const to = ordering((order) => order !== undefined && order <= 0, second);
    return onValue(source, input, onNull, (item) => {
      const low = from(item);
      return low === TRUE ? to(item) : low;
    });
  }
  const holds = HOLDS[operator];
  if (holds === undefined || first === undefined) return undefined;
  if (field.type === "boolean" && operator !== "equals" && operator !== "notEquals") {
    input.refuse(node, `expected equals or notEquals: ${node.field} is true or false and has no order`);
    return undefined;
  }
  return onValue(source, input, onNull, ordering(holds, first));
}

/** Undefined when something is wrong with the filter; it has been reported. */
export function compileFilter(node: FilterNode, input: FilterInput): Test | undefined {
  if (node.kind === "condition") return condition(node, input);
  if (node.kind === "not") {
    const inner = compileFilter(node.node, input);
    if (inner === undefined) return undefined;
    return (record) => {
      const result = inner(record);
      return result === UNKNOWN ? UNKNOWN : truth(result === FALSE);
    };
  }
  const tests = node.nodes.map((inner) => compileFilter(inner, input));
  const whole = tests.filter((test) => test !== undefined);
  if (whole.length < tests.length) return undefined;
  return group(whole, node.kind === "any" ? TRUE : FALSE, input.fault);
}
