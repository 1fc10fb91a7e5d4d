import type { Value } from "./record.js";

/**
 * The filter of a flow after parsing: a tree of conditions. The engine always evaluates it on every record; a
 * source may push part of it down, as long as what it excludes would have been excluded here as well.
 */
export type Filter =
  | { readonly all: readonly Filter[] }
  | { readonly any: readonly Filter[] }
  | { readonly not: Filter }
  | Condition;

export interface Condition {
  /** A source field, or a path such as `Owner.Name`. */
  readonly field: string;
  readonly operator: FilterOperator;
  /** One value, a list for `in`, `notIn` and `between` (two), nothing for `isNull`, `isNotNull`. */
  readonly value?: Value;
}

export const FILTER_OPERATORS = [
  "equals",
  "notEquals",
  "greaterThan",
  "greaterThanOrEquals",
  "lessThan",
  "lessThanOrEquals",
  "between",
  "in",
  "notIn",
  "contains",
  "notContains",
  "startsWith",
  "endsWith",
  "isNull",
  "isNotNull",
] as const;
export type FilterOperator = (typeof FILTER_OPERATORS)[number];
