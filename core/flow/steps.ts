/** Filter, map and validation of a flow as read from its file, each part with the place it stands at. */
import {
  type FieldType,
  type FilterOperator,
  InvariantError,
  type Secret,
  type Value,
} from "../contracts/index.js";
import type { Place } from "./problem.js";
import type { ARITHMETIC } from "./schema/map.js";
import type { RejectAction, RuleName } from "./schema/validate.js";
import type { Mask } from "./text.js";
import type { Flow } from "./types.js";

export type FilterNode =
  | { readonly kind: "all"; readonly nodes: readonly FilterNode[] }
  | { readonly kind: "any"; readonly nodes: readonly FilterNode[] }
  | { readonly kind: "not"; readonly node: FilterNode }
  | ConditionNode;

export interface ConditionNode {
  readonly kind: "condition";
  readonly field: string;
  readonly operator: FilterOperator;
  /** A list for in, notIn and between; undefined for isNull and isNotNull. */
  readonly value: Value | undefined;
  readonly fieldPlace: Place;
  readonly valuePlace: Place;
}

/** A name and where it stands. */
export interface Named {
  readonly name: string;
  readonly place: Place;
}

export interface FieldStep {
  readonly kind: "field";
  readonly from: readonly Named[];
  readonly to: Named;
  readonly combine:
    | { readonly join: string }
    | { readonly arithmetic: (typeof ARITHMETIC)[number] }
    | undefined;
  readonly hide: { readonly mask: Mask } | { readonly hash: Secret } | undefined;
  readonly truncate: number | undefined;
  readonly type: FieldType | undefined;
  readonly place: Place;
}

export type MapStep =
  | { readonly kind: "star"; readonly place: Place }
  | { readonly kind: "drop"; readonly fields: readonly Named[]; readonly place: Place }
  | {
      readonly kind: "value";
      readonly to: Named;
      readonly value: Value;
      readonly type: FieldType | undefined;
      readonly place: Place;
    }
  | FieldStep;

export interface RuleStep {
  readonly field: Named;
  readonly rule: RuleName;
  readonly values: readonly Value[];
  readonly pattern: string;
  readonly length: number;
  readonly onFail: RejectAction;
  readonly place: Place;
}

/** What a flow's `steps` really is. A class, so that whoever gets `unknown` back can check instead of cast. */
export class Steps {
  readonly filter: FilterNode | undefined;
  readonly map: readonly MapStep[];
  readonly rules: readonly RuleStep[];
  /** Keys of the sinks that upsert. */
  readonly keys: readonly Named[];
  constructor(
    filter: FilterNode | undefined,
    map: readonly MapStep[],
    rules: readonly RuleStep[],
    keys: readonly Named[],
  ) {
    this.filter = filter;
    this.map = map;
    this.rules = rules;
    this.keys = keys;
  }
}

export function stepsOf(flow: Flow): Steps {
  if (flow.steps instanceof Steps) return flow.steps;
  throw new InvariantError("FLOW_STEPS", `the flow ${flow.name} was not made by loadProject`);
}

function conditions(node: FilterNode | undefined): readonly ConditionNode[] {
  if (node === undefined) return [];
  if (node.kind === "condition") return [node];
  return node.kind === "not" ? conditions(node.node) : node.nodes.flatMap(conditions);
}

/** Source fields and paths that the flow names, in order of mention; `all`: it also takes every field ("*"). */
export function sourceNames(flow: Flow): { readonly names: readonly string[]; readonly all: boolean } {
  const steps = stepsOf(flow);
  const names = new Set(conditions(steps.filter).map((condition) => condition.field));
  for (const step of steps.map) if (step.kind === "field") for (const { name } of step.from) names.add(name);
  return { names: [...names], all: steps.map.some((step) => step.kind === "star") };
}

/**
 * Dotted paths that the flow names (`Owner.Name`): resolve those that are no fields of the stream, and hand the
 * result to compileFlow as fields under the path as name. Paths into json fields need no resolving: give the stream's
 * fields to have them left out.
 */
export function sourcePaths(
  flow: Flow,
  fields: readonly { readonly name: string; readonly type: FieldType }[] = [],
): string[] {
  const known = new Set(fields.map((field) => field.name));
  const json = fields.filter((field) => field.type === "json").map((field) => `${field.name}.`);
  return sourceNames(flow).names.filter(
    (name) => name.includes(".") && !known.has(name) && !json.some((prefix) => name.startsWith(prefix)),
  );
}
