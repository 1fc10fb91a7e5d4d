/** Exact arithmetic over number fields. */
import type { ExactNumber, Field, Value } from "../contracts/index.js";
import { add, type Decimal, decimalOf, decimalValue, divide, multiply, subtract } from "./decimal.js";
import { DEFAULT_PRECISION, DEFAULT_SCALE } from "./fit.js";
import type { ARITHMETIC } from "./schema/map.js";

export type Operation = (typeof ARITHMETIC)[number];

/** Most digits after the point of a derived decimal type. */
const MAX_SCALE = 18;

const OPERATIONS: Readonly<Record<Operation, (a: Decimal, b: Decimal) => Decimal | undefined>> = {
  add,
  subtract,
  multiply,
  divide,
};

/** Integers give an integer (but for division), a double gives a double, all else a decimal that keeps the digits. */
export function resultType(
  operation: Operation,
  operands: readonly Field[],
): Pick<Field, "type" | "precision" | "scale"> {
  if (operands.some((field) => field.type === "double")) return { type: "double" };
  if (operation !== "divide" && operands.every((field) => field.type === "integer"))
    return { type: "integer" };
  const scales = operands.map((field) => (field.type === "decimal" ? (field.scale ?? DEFAULT_SCALE) : 0));
  const scale =
    operation === "multiply"
      ? scales.reduce((sum, one) => sum + one, 0)
      : Math.max(...scales, operation === "divide" ? DEFAULT_SCALE : 0);
  return { type: "decimal", precision: DEFAULT_PRECISION, scale: Math.min(scale, MAX_SCALE) };
}

/** The two doubles' result where it is certainly exact: whole numbers that stay below 2^53. */
function quickly(operation: Operation, a: number, b: number): number | undefined {
  if (!Number.isSafeInteger(a) || !Number.isSafeInteger(b)) return undefined;
  const result =
    operation === "add"
      ? a + b
      : operation === "subtract"
        ? a - b
        : operation === "multiply"
          ? a * b
          : Number.NaN;
  return Number.isSafeInteger(result) ? result : undefined;
}

/** From left to right, none of the values null. Undefined: division by zero. */
export function calculate(
  operation: Operation,
  values: readonly (number | ExactNumber)[],
): Value | undefined {
  let result: number | ExactNumber | undefined = values[0];
  for (let index = 1; index < values.length && result !== undefined; index++) {
    const next = values[index] ?? 0;
    const quick =
      typeof result === "number" && typeof next === "number" ? quickly(operation, result, next) : undefined;
    if (quick !== undefined) {
      result = quick;
      continue;
    }
    const a = decimalOf(result);
    const b = decimalOf(next);
    const exact: Decimal | undefined =
      a === undefined || b === undefined ? undefined : OPERATIONS[operation](a, b);
    result = exact === undefined ? undefined : decimalValue(exact);
  }
  return result;
}
