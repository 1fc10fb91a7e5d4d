/** The parsed filter, map and validate lists of a flow file as steps that know where they stand. */
import { FILTER_OPERATORS, type Filter } from "../contracts/index.js";
import type { FilterEntry } from "./schema/filter.js";
import type { FlowFile } from "./schema/flow-file.js";
import type { MapTask } from "./schema/map.js";
import type { FilterNode, MapStep, Named, RuleStep } from "./steps.js";
import type { YamlFile } from "./yaml-file.js";

type Path = readonly PropertyKey[];

function readFilterEntry(entry: FilterEntry, path: Path, file: YamlFile): FilterNode {
  for (const kind of ["all", "any"] as const) {
    const group = entry[kind];
    if (group !== undefined)
      return {
        kind,
        nodes: group.map((inner, index) => readFilterEntry(inner, [...path, kind, index], file)),
      };
  }
  if (entry.not !== undefined)
    return { kind: "not", node: readFilterEntry(entry.not, [...path, "not"], file) };
  const operator = FILTER_OPERATORS.find((name) => entry[name] !== undefined) ?? "isNotNull";
  const value = entry[operator];
  const condition = {
    kind: "condition" as const,
    field: entry.field ?? "",
    fieldPlace: file.valuePlace([...path, "field"]),
    valuePlace: file.valuePlace([...path, operator]),
  };
  if (operator !== "isNull" && operator !== "isNotNull") return { ...condition, operator, value };
  const isNull = (operator === "isNull") === (value === true);
  return { ...condition, operator: isNull ? "isNull" : "isNotNull", value: undefined };
}

export function readFilter(flow: FlowFile, file: YamlFile): FilterNode | undefined {
  if (flow.filter === undefined || flow.filter.length === 0) return undefined;
  const nodes = flow.filter.map((entry, index) => readFilterEntry(entry, ["filter", index], file));
  return { kind: "all", nodes };
}

/** The filter as sources see it for push-down. */
export function plainFilter(node: FilterNode): Filter {
  if (node.kind === "not") return { not: plainFilter(node.node) };
  if (node.kind === "any") return { any: node.nodes.map(plainFilter) };
  if (node.kind !== "condition") return { all: node.nodes.map(plainFilter) };
  const { field, operator, value } = node;
  return value === undefined ? { field, operator } : { field, operator, value };
}

function named(value: string | readonly string[], path: Path, file: YamlFile): Named[] {
  if (typeof value === "string") return [{ name: value, place: file.valuePlace(path) }];
  return value.map((name, index) => ({ name, place: file.valuePlace([...path, index]) }));
}

function readTask(task: MapTask, path: Path, file: YamlFile): MapStep {
  const place = file.valuePlace(path);
  if (task.drop !== undefined)
    return { kind: "drop", fields: named(task.drop, [...path, "drop"], file), place };
  const from = named(task.from ?? [], [...path, "from"], file);
  const to = {
    name: task.to ?? from[0]?.name ?? "",
    place: file.valuePlace([...path, task.to === undefined ? "from" : "to"]),
  };
  if (task.value !== undefined) return { kind: "value", to, value: task.value, type: task.type, place };
  const { mask } = task;
  return {
    kind: "field",
    from,
    to,
    combine:
      task.join !== undefined
        ? { join: task.join }
        : task.arithmetic !== undefined
          ? { arithmetic: task.arithmetic }
          : undefined,
    hide:
      task.hash !== undefined
        ? { hash: task.hash.secret }
        : mask === undefined
          ? undefined
          : {
              mask:
                mask === "all"
                  ? "all"
                  : mask.first === undefined
                    ? { last: mask.last ?? 0 }
                    : { first: mask.first },
            },
    truncate: task.truncate,
    type: task.type,
    place,
  };
}

export function readMap(flow: FlowFile, file: YamlFile): MapStep[] {
  if (flow.map === undefined) return [{ kind: "star", place: file.keyPlace([]) }];
  return flow.map.map((entry, index) => {
    const path = ["map", index];
    return entry === "*" ? { kind: "star", place: file.valuePlace(path) } : readTask(entry, path, file);
  });
}

export function readRules(flow: FlowFile, file: YamlFile): RuleStep[] {
  return (flow.validate ?? []).map((entry, index) => {
    const path = ["validate", index];
    return {
      field: { name: entry.field, place: file.valuePlace([...path, "field"]) },
      rule: entry.rule,
      values: entry.values ?? [],
      pattern: entry.pattern ?? "",
      length: entry.length ?? 0,
      onFail: entry.onFail ?? flow.errors.onReject,
      place: file.valuePlace(path),
    };
  });
}
