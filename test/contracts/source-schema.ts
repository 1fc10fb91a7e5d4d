import { z } from "zod";
import { ExactNumber, type Field, type Value } from "../../core/contracts/index.js";

/** Whether a value is null or of its field's type. */
export function fits(field: Field, value: Value): boolean {
  if (value === null) return true;
  switch (field.type) {
    case "string":
      return typeof value === "string" && (field.length === undefined || value.length <= field.length);
    case "integer":
      return Number.isInteger(value) || (value instanceof ExactNumber && /^-?\d+$/.test(value.text));
    case "decimal":
    case "double":
      return (typeof value === "number" && Number.isFinite(value)) || value instanceof ExactNumber;
    case "boolean":
      return typeof value === "boolean";
    case "date":
      return typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value);
    case "timestamp":
      return typeof value === "string" && !Number.isNaN(Date.parse(value.replace(/\+0000$/, "Z")));
    case "json":
      return true;
  }
}

/** Paths of the keys that this config has and its schema demands. */
export function requiredPaths(config: Readonly<Record<string, unknown>>, schema: z.ZodType): string[][] {
  const found: string[][] = [];
  const visit = (node: JsonSchema, value: unknown, path: string[]) => {
    if (typeof value !== "object" || value === null) return;
    const branches = [node, ...(node.anyOf ?? []), ...(node.oneOf ?? [])].filter((branch) =>
      isFor(branch, value),
    );
    for (const branch of branches) {
      for (const key of branch.required ?? []) if (key in value) found.push([...path, key]);
      for (const [key, inner] of Object.entries(branch.properties ?? {})) {
        visit(inner, Reflect.get(value, key), [...path, key]);
      }
    }
  };
  visit(z.toJSONSchema(schema, { io: "input" }) as JsonSchema, config, []);
  return found;
}

interface JsonSchema {
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly const?: unknown;
  readonly description?: string;
}

/** Of a union told apart by constants, only the branch of this value. */
function isFor(branch: JsonSchema, value: object): boolean {
  return Object.entries(branch.properties ?? {}).every(
    ([key, inner]) => inner.const === undefined || Reflect.get(value, key) === inner.const,
  );
}

/** A copy without the key at this path. */
export function without(
  config: Readonly<Record<string, unknown>>,
  path: readonly string[],
): Record<string, unknown> {
  const [key = "", ...rest] = path;
  const copy = { ...config };
  const inner = copy[key];
  if (rest.length === 0) delete copy[key];
  else if (typeof inner === "object" && inner !== null) copy[key] = without({ ...inner }, rest);
  return copy;
}

/** Keys without a description. */
export function undescribed(schema: z.ZodType): string[] {
  const missing: string[] = [];
  const visit = (node: JsonSchema, path: string) => {
    for (const [key, inner] of Object.entries(node.properties ?? {})) {
      if (!inner.description) missing.push(`${path}${key}`);
      visit(inner, `${path}${key}.`);
    }
    for (const branch of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) visit(branch, path);
  };
  visit(z.toJSONSchema(schema, { io: "input" }) as JsonSchema, "");
  return missing;
}
