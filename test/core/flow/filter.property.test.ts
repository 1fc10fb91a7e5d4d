/** Filters against a naive model, over random input. fast-check prints seed and path of a failure. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  FILTER_OPERATORS,
  type Field,
  type FilterOperator,
  type Value,
} from "../../../core/contracts/index.js";
import { plan } from "./project.js";

const FIELDS: readonly Field[] = [
  { name: "s", type: "string" },
  { name: "i", type: "integer" },
  { name: "d", type: "decimal", precision: 20, scale: 4 },
  { name: "b", type: "boolean" },
];

describe("filters", () => {
  type Leaf = {
    field: string;
    operator: FilterOperator;
    value: string | number | boolean | (string | number | boolean)[] | undefined;
  };
  type Tree = { all: Tree[] } | { any: Tree[] } | { not: Tree } | Leaf;

  const words = fc.constantFrom("", "a", "ab", "b", "B", "é", "😀");
  const numbers = fc.constantFrom(-1, 0, 0.1, 0.3, 1, 2, 1e3);
  const values = { s: words, i: fc.integer({ min: -2, max: 3 }), d: numbers, b: fc.boolean() };
  const TEXT: readonly FilterOperator[] = ["contains", "notContains", "startsWith", "endsWith"];
  const FLAGS: readonly FilterOperator[] = ["isNull", "isNotNull"];
  const LISTS: readonly FilterOperator[] = ["in", "notIn"];

  const leaf = fc
    .constantFrom("s" as const, "i" as const, "d" as const, "b" as const)
    .chain((field): fc.Arbitrary<Leaf> => {
      const operators = FILTER_OPERATORS.filter((operator) =>
        field === "s"
          ? true
          : TEXT.includes(operator)
            ? false
            : field !== "b" ||
              ["equals", "notEquals", "in", "notIn", "isNull", "isNotNull"].includes(operator),
      );
      const one: fc.Arbitrary<string | number | boolean> = values[field];
      return fc.constantFrom(...operators).chain((operator) => {
        const value: fc.Arbitrary<Leaf["value"]> = FLAGS.includes(operator)
          ? fc.constant(undefined)
          : LISTS.includes(operator)
            ? fc.array(one, { minLength: 1, maxLength: 3 })
            : operator === "between"
              ? fc.array(one, { minLength: 2, maxLength: 2 })
              : one;
        return value.map((given) => ({ field, operator, value: given }));
      });
    });
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc.array(tie("tree"), { minLength: 1, maxLength: 3 }).map((all) => ({ all })),
      fc.array(tie("tree"), { minLength: 1, maxLength: 3 }).map((any) => ({ any })),
      tie("tree").map((not) => ({ not })),
    ),
  }));

  /** JSON is YAML. */
  const yaml = (node: Tree): unknown => {
    if ("all" in node) return { all: node.all.map(yaml) };
    if ("any" in node) return { any: node.any.map(yaml) };
    if ("not" in node) return { not: yaml(node.not) };
    return { field: node.field, [node.operator]: node.value ?? true };
  };

  const order = (a: unknown, b: unknown): number => {
    if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
    return Number(a) - Number(b);
  };

  /** The naive reading of the reference. Undefined: the value is of the wrong type. */
  const holds = (node: Tree, row: Record<string, Value>): boolean | undefined => {
    if ("not" in node) {
      const inner = holds(node.not, row);
      return inner === undefined ? undefined : !inner;
    }
    if ("all" in node || "any" in node) {
      const decisive = "any" in node;
      const answers = ("any" in node ? node.any : node.all).map((inner) => holds(inner, row));
      if (answers.includes(decisive)) return decisive;
      return answers.includes(undefined) ? undefined : !decisive;
    }
    const { operator, value } = node;
    const actual = row[node.field] ?? null;
    if (operator === "isNull") return actual === null;
    if (operator === "isNotNull") return actual !== null;
    if (actual === null) return operator.startsWith("not");
    if (node.field === "b" ? typeof actual !== "boolean" : node.field !== "s" && typeof actual !== "number")
      return undefined;
    const [low, high] = Array.isArray(value) ? value : [value];
    switch (operator) {
      case "equals":
        return actual === value;
      case "notEquals":
        return actual !== value;
      case "greaterThan":
        return order(actual, value) > 0;
      case "greaterThanOrEquals":
        return order(actual, value) >= 0;
      case "lessThan":
        return order(actual, value) < 0;
      case "lessThanOrEquals":
        return order(actual, value) <= 0;
      case "between":
        return order(actual, low) >= 0 && order(actual, high) <= 0;
      case "in":
        return Array.isArray(value) && value.some((item) => item === actual);
      case "notIn":
        return Array.isArray(value) && !value.some((item) => item === actual);
      case "contains":
        return String(actual).includes(String(value));
      case "notContains":
        return !String(actual).includes(String(value));
      case "startsWith":
        return String(actual).startsWith(String(value));
      case "endsWith":
        return String(actual).endsWith(String(value));
    }
  };

  test("decide as the naive model does", () => {
    const maybe = (arbitrary: fc.Arbitrary<Value>) =>
      fc.oneof({ weight: 4, arbitrary }, { weight: 1, arbitrary: fc.constant(null) });
    const wrong = fc.constant<Value>("wrong type");
    const row = fc.record(
      {
        s: maybe(words),
        i: fc.oneof({ weight: 6, arbitrary: maybe(values.i) }, { weight: 1, arbitrary: wrong }),
        d: maybe(numbers),
        b: fc.oneof({ weight: 6, arbitrary: maybe(fc.boolean()) }, { weight: 1, arbitrary: wrong }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(tree, fc.array(row, { minLength: 1, maxLength: 20 }), (node, rows) => {
        const made = plan(`filter: ${JSON.stringify([yaml(node)])}\nmap: [{ from: s, to: s }]`, FIELDS);
        for (const input of rows) {
          const outcome = made.process(input);
          const answer = outcome.kind === "rejected" ? undefined : outcome.kind === "mapped";
          expect(answer).toBe(holds(node, input));
        }
      }),
      { numRuns: 150 },
    );
  });
});
