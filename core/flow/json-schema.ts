/** flow.schema.json and sluice.schema.json: what editors use to complete and check. Made of the same zod schemas as the lint. */
import { z } from "zod";
import { flowFile } from "./schema/flow-file.js";
import { projectFile } from "./schema/project-file.js";
import type { Connectors } from "./types.js";

export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A copy as plain JSON, checked on the way: z.toJSONSchema's type allows more than it makes. */
function plain(value: unknown): Json {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return null;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => item !== undefined && !key.startsWith("~"))
      .map(([key, item]) => [key, plain(item)]),
  );
}

/** The JSON Schema of what stands in YAML for this zod schema, without `$schema`. */
export function jsonSchemaOf(schema: z.ZodType): JsonObject {
  const made = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      // zod leaves out the default of a schema that transforms; where its type is that of the YAML it is right all the same.
      if (zodSchema instanceof z.ZodDefault) {
        const value: unknown = zodSchema.def.defaultValue;
        if (typeof value === jsonSchema.type || (typeof value === "number" && jsonSchema.type === "integer"))
          jsonSchema.default = plain(value);
        if (typeof value === "string" && jsonSchema.enum !== undefined) jsonSchema.default = value;
      }
    },
  });
  const { $schema: _dialect, ...rest } = made;
  const json = plain(rest);
  return isObject(json) ? json : {};
}

/** Keys that several connectors have, each told apart by connector where they differ. */
function mergeKeys(
  schemas: readonly { readonly connector: string; readonly json: JsonObject }[],
): JsonObject {
  const keys = new Map<string, { readonly json: Json; readonly connectors: string[] }[]>();
  for (const { connector, json } of schemas) {
    for (const [key, value] of Object.entries(isObject(json.properties) ? json.properties : {})) {
      const variants = keys.get(key) ?? [];
      keys.set(key, variants);
      const same = variants.find((variant) => JSON.stringify(variant.json) === JSON.stringify(value));
      if (same === undefined) variants.push({ json: value, connectors: [connector] });
      else same.connectors.push(connector);
    }
  }
  const merged: JsonObject = {};
  for (const [key, variants] of keys) {
    const told = variants.map(({ json, connectors }) => {
      if (!isObject(json)) return json;
      const description = typeof json.description === "string" ? json.description : "";
      return { ...json, description: `${connectors.join(", ")}: ${description}` };
    });
    merged[key] = told.length === 1 && told[0] !== undefined ? told[0] : { anyOf: told };
  }
  return merged;
}

function property(schema: JsonObject, ...path: readonly string[]): JsonObject {
  let here: JsonObject = schema;
  for (const key of path) {
    const next = here[key];
    if (!isObject(next)) return {};
    here = next;
  }
  return here;
}

/**
 * For editors: without our `secret` marks and the `id` that only names a definition, and open to `${env:NAME}` and
 * `${file:path}` where a text must have a form.
 */
function forEditors(value: Json): Json {
  if (Array.isArray(value)) return value.map(forEditors);
  if (!isObject(value)) return value;
  const kept: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if ((key === "secret" && item === true) || (key === "id" && typeof item === "string")) continue;
    if (key === "format" && item === "uri") continue;
    if (key === "pattern" && typeof item === "string") kept.pattern = `${item}|\\$\\{(env|file):`;
    else kept[key] = forEditors(item);
  }
  return kept;
}

/** The whole of flow.schema.json, with the keys of every connector's options and targets. */
export function flowJsonSchema(connectors: Connectors): JsonObject {
  const schema = jsonSchemaOf(flowFile);
  const options = property(schema, "properties", "source", "properties", "options");
  delete options.propertyNames;
  options.properties = mergeKeys(
    [...connectors.sources.values()].map(({ spec }) => ({
      connector: spec.name,
      json: jsonSchemaOf(spec.optionsSchema),
    })),
  );
  options.additionalProperties = false;
  const sink = property(schema, "properties", "sinks", "items");
  sink.properties = {
    ...mergeKeys(
      [...connectors.sinks.values()].map(({ spec }) => ({
        connector: spec.name,
        json: jsonSchemaOf(spec.targetSchema),
      })),
    ),
    // The common keys last: their words are for every connector.
    ...property(sink, "properties"),
  };
  sink.additionalProperties = false;
  return titled("Sluice flow", schema);
}

function titled(title: string, schema: JsonObject): JsonObject {
  const marked = forEditors(schema);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title,
    ...(isObject(marked) ? marked : {}),
  };
}

/** The whole of sluice.schema.json: a connection has the keys of its connector. */
export function projectJsonSchema(connectors: Connectors): JsonObject {
  const schema = jsonSchemaOf(projectFile);
  const connections = property(schema, "properties", "connections");
  const budget = property(connections, "additionalProperties", "properties", "budget");
  connections.additionalProperties = {
    type: "object",
    required: ["connector"],
    oneOf: [...connectors.sources.values(), ...connectors.sinks.values()].map(({ spec }) => {
      // Only a source has limits to keep to.
      const shared: JsonObject = connectors.sources.has(spec.name) ? { budget } : {};
      const config = jsonSchemaOf(spec.configSchema);
      return {
        ...config,
        description: spec.description,
        properties: {
          connector: { const: spec.name, description: spec.title },
          ...property(config, "properties"),
          ...shared,
        },
        required: ["connector", ...(Array.isArray(config.required) ? config.required : [])],
      };
    }),
  };
  return titled("sluice.yaml", schema);
}
