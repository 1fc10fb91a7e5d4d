/** A flow against its stream's fields: closures, built once per run. */
import { createHash } from "node:crypto";
import type { Schema, SourceRecord } from "../contracts/index.js";
import { Fault } from "./fault.js";
import { compileFilter, FALSE, type Test, UNKNOWN } from "./filter.js";
import { compileConstant, compileField, compileStar, type MapInput, type Target } from "./map.js";
import { didYouMean, nearestName } from "./nearest.js";
import { type Place, problemAt, problemsError } from "./problem.js";
import { recordWriter } from "./record-writer.js";
import { type Check, compileKey, compileRule } from "./rules.js";
import { SourceFields } from "./source-value.js";
import { type MapStep, type Named, type Steps, sourcePaths, stepsOf } from "./steps.js";
import type { CompileInput, Flow, Outcome, Plan, Problem } from "./types.js";

/** Names that Sluice adds itself (ORDER_COLUMN). */
const RESERVED = "_sluice_";

/** `__proto__` as a key would set the prototype of the mapped record. */
const isReserved = (name: string): boolean => name.startsWith(RESERVED) || name === "__proto__";

class Compiler {
  readonly problems: Problem[] = [];
  readonly fault: Fault;
  readonly #flow: Flow;
  readonly #steps: Steps;
  readonly #fields: SourceFields;
  readonly #starNames: readonly string[];
  readonly #input: MapInput;
  /** Mapped fields in order, and where each was asked for (undefined: by "*"). */
  readonly #targets = new Map<string, { readonly target: Target; readonly place: Place | undefined }>();
  /** Mapped fields whose entry has been reported: rules and keys on them are not reported as well. */
  readonly #broken = new Set<string>();
  readonly #used = new Set<string>();

  constructor({ flow, fields, onUnlike }: CompileInput) {
    this.#flow = flow;
    this.#steps = stepsOf(flow);
    this.#fields = new SourceFields(fields);
    const paths = new Set(sourcePaths(flow));
    this.#starNames = fields.map((field) => field.name).filter((name) => !paths.has(name));
    this.fault = new Fault(flow.errors.onReject);
    const hiding = this.#steps.map.filter((step) => step.kind === "field" && step.hide !== undefined);
    const hidden = new Set(
      hiding.flatMap((step) => (step.kind === "field" ? step.from.map(({ name }) => name) : [])),
    );
    this.#input = { fault: this.fault, hidden, onUnlike };
  }

  #refuse(place: Place, code: string, message: string): undefined {
    this.problems.push(problemAt(place, code, message));
    return undefined;
  }

  #find(name: string, place: Place) {
    const source = this.#fields.find(name);
    if (source !== undefined) return source;
    const { stream } = this.#flow.source;
    const hint = didYouMean(name, this.#fields.names());
    return this.#refuse(place, "FIELD_UNKNOWN", `the stream ${stream} has no field "${name}"${hint}`);
  }

  filter(): Test | undefined {
    const { filter } = this.#steps;
    if (filter === undefined) return undefined;
    return compileFilter(filter, {
      fault: this.fault,
      hidden: this.#input.hidden,
      find: (node) => {
        const source = this.#find(node.field, node.fieldPlace);
        if (source !== undefined) this.#used.add(source.project);
        return source;
      },
      refuse: (node, message) => this.#refuse(node.valuePlace, "FILTER_TYPE", message),
    });
  }

  #put(to: Named, target: Target): void {
    const { name, place } = to;
    const before = this.#targets.get(name);
    if (before?.place !== undefined) {
      const where = `${before.place.file}:${before.place.line}:${before.place.column}`;
      this.#refuse(place, "FIELD_DUPLICATE", `the mapped field "${name}" is also made at ${where}`);
      return;
    }
    if (isReserved(name)) {
      this.#refuse(place, "FIELD_RESERVED", `the name "${name}" is reserved: choose another one in "to"`);
      return;
    }
    // Setting an existing key keeps its position: an override stays in the column that "*" gave it.
    this.#targets.set(name, { target, place });
  }

  #made(step: { readonly to: Named; readonly place: Place }, target: Target | string): void {
    if (typeof target === "string") {
      this.#broken.add(step.to.name);
      this.#refuse(step.place, "MAP_TYPE", target);
    } else this.#put(step.to, target);
  }

  #step(step: MapStep): void {
    if (step.kind === "star") {
      for (const name of this.#starNames) {
        const source = this.#fields.find(name);
        if (source !== undefined)
          this.#targets.set(name, { target: compileStar(source, this.#input), place: undefined });
      }
    } else if (step.kind === "drop") {
      for (const { name, place } of step.fields) {
        if (this.#targets.delete(name) || this.#broken.has(name)) continue;
        const hint = didYouMean(name, this.#targets.keys());
        this.#refuse(place, "FIELD_UNKNOWN", `there is no mapped field "${name}" before this entry${hint}`);
      }
    } else if (step.kind === "value") {
      this.#made(step, compileConstant(step));
    } else {
      const sources = step.from.map(({ name, place }) => this.#find(name, place));
      const known = sources.filter((source) => source !== undefined);
      if (known.length < sources.length) {
        this.#broken.add(step.to.name);
        return;
      }
      this.#made(step, compileField(step, known, this.#input));
    }
  }

  /** Sinks fold names: `Id` and `id` would be one column. */
  #refuseFoldedDuplicates(): void {
    const byFolded = new Map<string, string>();
    for (const [name, { place }] of this.#targets) {
      const other = byFolded.get(name.toLowerCase());
      byFolded.set(name.toLowerCase(), name);
      if (other === undefined) continue;
      const at = place ?? this.#targets.get(other)?.place ?? this.#steps.map[0]?.place;
      if (at === undefined) continue;
      const message = `the mapped fields "${other}" and "${name}" differ only in case, which most sinks take for one column: drop or rename one`;
      this.#refuse(at, "FIELD_DUPLICATE", message);
    }
  }

  targets(): readonly Target[] {
    for (const step of this.#steps.map) this.#step(step);
    this.#refuseFoldedDuplicates();
    const first = this.#steps.map[0];
    if (this.#targets.size === 0 && this.problems.length === 0 && first !== undefined)
      this.#refuse(first.place, "MAP_EMPTY", "expected at least one mapped field: nothing is left to load");
    return [...this.#targets.values()].map(({ target }) => target);
  }

  #mapped({ name, place }: Named): Target | undefined {
    const entry = this.#targets.get(name);
    if (entry !== undefined) return entry.target;
    if (this.#broken.has(name)) return undefined;
    const names = [...this.#targets.keys(), ...this.#broken];
    const step = this.#steps.map.find(
      (one) => one.kind === "field" && one.from.some((from) => from.name === name),
    );
    const renamed = step?.kind === "field" && this.#targets.has(step.to.name) ? step.to.name : undefined;
    const hint =
      nearestName(name, names) === undefined && renamed !== undefined
        ? ` (it is mapped to "${renamed}")`
        : didYouMean(name, names);
    return this.#refuse(place, "FIELD_UNKNOWN", `there is no mapped field "${name}"${hint}`);
  }

  checks(): readonly Check[] {
    const checks: Check[] = [];
    for (const rule of this.#steps.rules) {
      const target = this.#mapped(rule.field);
      if (target === undefined) continue;
      const check = compileRule(rule, target.field, target.hidden, this.fault);
      if (typeof check === "string") this.#refuse(rule.place, "RULE_TYPE", check);
      else checks.push(check);
    }
    for (const key of this.#steps.keys) {
      const target = this.#mapped(key);
      if (target === undefined) continue;
      if (target.field.type === "json")
        this.#refuse(key.place, "KEY_TYPE", `expected a key that is no json, ${key.name} is of type json`);
      checks.push(compileKey(key.name, this.fault));
    }
    return checks;
  }

  sourceFields(targets: readonly Target[]): readonly string[] {
    for (const target of targets) for (const name of target.projects) this.#used.add(name);
    return [...this.#used];
  }
}

/** Twelve hexadecimal digits that stay the same as long as names, order and types of the columns do. */
function schemaIdOf({ fields }: Schema): string {
  const columns = fields.map(({ name, type, precision, scale }) => [
    name,
    type,
    precision ?? null,
    scale ?? null,
  ]);
  return createHash("sha256").update(JSON.stringify(columns)).digest("hex").slice(0, 12);
}

/** ConfigError FLOW_INVALID with one line per problem when the flow does not fit the stream. */
export function compileFlow(input: CompileInput): Plan {
  const compiler = new Compiler(input);
  const filter = compiler.filter();
  const targets = compiler.targets();
  const checks = compiler.checks();
  if (compiler.problems.length > 0) throw problemsError("FLOW_INVALID", compiler.problems);
  const { fault } = compiler;
  const schema: Schema = { fields: targets.map((target) => target.field) };
  const names = targets.map((target) => target.field.name);
  const gets = targets.map((target) => target.get);
  const width = targets.length;
  const columns = targets.map(({ field: { name, type }, hidden }) => ({ name, type, hidden }));
  const template: SourceRecord = Object.fromEntries(names.map((name) => [name, null]));
  const filtered: Outcome = { kind: "filtered" };
  const mapped: { kind: "mapped"; record: SourceRecord } = { kind: "mapped", record: {} };
  const rejected = (stage: "filter" | "map" | "validate"): Outcome => ({
    kind: "rejected",
    rejection: { stage, rule: fault.rule, reason: fault.reason, action: fault.action },
  });
  return {
    sourceFields: compiler.sourceFields(targets),
    schema,
    schemaId: schemaIdOf(schema),
    process: (record) => {
      if (filter !== undefined) {
        const truth = filter(record);
        if (truth === FALSE) return filtered;
        if (truth === UNKNOWN) return rejected("filter");
      }
      const out: SourceRecord = { ...template };
      for (let index = 0; index < width; index++) {
        const value = gets[index]?.(record);
        if (value === undefined) return rejected("map");
        out[names[index] ?? ""] = value;
      }
      for (const check of checks) if (!check(out)) return rejected("validate");
      mapped.record = out;
      return mapped;
    },
    stringify: recordWriter(columns, input.flow.errors.onReject),
  };
}
