/** Reference pages out of the schemas: one table per object, one row per key. */
import type { SourceSpec } from "../contracts/index.js";
import { isObject, type Json, type JsonObject, jsonSchemaOf } from "./json-schema.js";
import { markdownTable } from "./markdown.js";
import { flowFile } from "./schema/flow-file.js";
import { projectFile } from "./schema/project-file.js";
import type { Connectors } from "./types.js";

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const listOf = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

/** The definitions that `$ref` points to. */
type Definitions = JsonObject;

function resolved(json: Json | undefined, definitions: Definitions): JsonObject {
  if (!isObject(json)) return {};
  const name = textOf(json.$ref).replace("#/$defs/", "");
  const target = name === "" ? undefined : definitions[name];
  return isObject(target) ? { ...target, $ref: `#/$defs/${name}` } : json;
}

/** `duration`, `parquet, jsonl or csv`, `list of text`. */
function typeText(json: JsonObject, definitions: Definitions): string {
  const title = textOf(json.title);
  if (title !== "") return title;
  if (json.const !== undefined) return `\`${String(json.const)}\``;
  const values = listOf(json.enum).map((value) => `\`${String(value)}\``);
  if (values.length > 0) return values.join(", ");
  const options = [...listOf(json.anyOf), ...listOf(json.oneOf)].map((option) =>
    typeText(resolved(option, definitions), definitions),
  );
  if (options.length > 0) return [...new Set(options)].join(" or ");
  if (json.type === "array") return `list of ${typeText(resolved(json.items, definitions), definitions)}`;
  if (Array.isArray(json.type))
    return json.type.map((type) => (type === "string" ? "text" : String(type))).join(", ");
  if (json.type === "string") return "text";
  if (json.type === "object") return json.$ref === undefined ? "mapping" : "entry";
  return textOf(json.type) || "any";
}

/** The objects inside a schema that deserve a table of their own, with the word that tells them apart. */
function objectsIn(
  json: JsonObject,
  definitions: Definitions,
): { readonly json: JsonObject; readonly kind: string }[] {
  if (isObject(json.properties)) return [{ json, kind: "" }];
  if (json.type === "array") return objectsIn(resolved(json.items, definitions), definitions);
  if (json.type === "object" && isObject(json.additionalProperties))
    return objectsIn(resolved(json.additionalProperties, definitions), definitions);
  return [...listOf(json.anyOf), ...listOf(json.oneOf)].flatMap((option) => {
    const inner = resolved(option, definitions);
    const kind = isObject(inner.properties) ? resolved(inner.properties.type, definitions).const : undefined;
    return objectsIn(inner, definitions).map((found) => ({
      json: found.json,
      kind: textOf(kind) || found.kind,
    }));
  });
}

interface Section {
  readonly path: string;
  readonly level: number;
  readonly seen: readonly string[];
}

/** The table of an object and, behind it, those of the objects inside. */
function sections(object: JsonObject, definitions: Definitions, section: Section): string[] {
  const properties = isObject(object.properties) ? object.properties : {};
  const required = listOf(object.required);
  const rows: string[][] = [];
  const inside: string[] = [];
  for (const [key, value] of Object.entries(properties)) {
    const json = resolved(value, definitions);
    const own =
      isObject(value) && textOf(value.description) !== ""
        ? textOf(value.description)
        : textOf(json.description);
    const fallback = json.default;
    const shownDefault =
      fallback === undefined || isObject(fallback) || fallback === ""
        ? ""
        : ` Default \`${String(fallback)}\`.`;
    const need = required.includes(key) ? "**required.** " : "";
    rows.push([`\`${key}\``, typeText(json, definitions), `${need}${own}${shownDefault}`]);
    const reference = textOf(json.$ref);
    if (reference !== "" && section.seen.includes(reference)) continue;
    const path = section.path === "" ? key : `${section.path}.${key}`;
    const suffix = json.type === "array" ? "[]" : "";
    for (const found of objectsIn(json, definitions)) {
      const foundReference = textOf(found.json.$ref);
      if (foundReference !== "" && section.seen.includes(foundReference)) continue;
      const place =
        json.type === "object" && !isObject(json.properties) ? `${path}.<name>` : `${path}${suffix}`;
      const heading = `${"#".repeat(section.level)} \`${place}\`${found.kind === "" ? "" : `: type ${found.kind}`}`;
      const seen = [...section.seen, reference, foundReference].filter((name) => name !== "");
      const inner = sections(found.json, definitions, {
        path: `${path}${suffix}`,
        level: section.level,
        seen,
      });
      inside.push(heading, textOf(found.json.description), ...inner);
    }
  }
  const table = rows.length === 0 ? "No keys." : markdownTable(["key", "type", "what it does"], rows);
  return [table, ...inside.filter((text) => text !== "")];
}

function tables(schema: Parameters<typeof jsonSchemaOf>[0], level: number): string {
  const json = jsonSchemaOf(schema);
  const definitions = isObject(json.$defs) ? json.$defs : {};
  const found = objectsIn(json, definitions);
  if (found.length === 0) return "No keys.";
  return found
    .flatMap(({ json: object }) => sections(object, definitions, { path: "", level, seen: [] }))
    .join("\n\n");
}

const names = (connectors: Iterable<string>): string =>
  [...connectors].map((name) => `\`${name}\``).join(", ");

/** The limits that are kept to, in words. */
function bucketsText({ buckets }: SourceSpec): string | undefined {
  if (buckets === undefined) return undefined;
  const list = buckets.map(({ title, limit }) =>
    limit === undefined ? title : `${limit.toLocaleString("en-US")} ${title}`,
  );
  return `Kept to by all runs of the data directory together, less the \`budget.reserve\` of the connection: ${list.join(", ")}.`;
}

/** The keys of flow files and of sluice.yaml, for flows/README.md. */
export function flowReference(connectors: Connectors): string {
  return [
    "## Reference: the flow file",
    tables(flowFile, 3),
    `The keys of \`source.options\` belong to the source's connector (${names(connectors.sources.keys())}), further keys of a sink to the sink's (${names(connectors.sinks.keys())}): see [connectors/README.md](../connectors/README.md).`,
    "## Reference: sluice.yaml",
    tables(projectFile, 3),
  ].join("\n\n");
}

/** Every connector with the keys of its connection, options and target, for connectors/README.md. */
export function connectorReference(connectors: Connectors): string {
  const parts: string[] = [];
  parts.push("## Sources");
  for (const { spec } of connectors.sources.values()) {
    const streams =
      spec.streams === "dynamic"
        ? "those of the account: `sluice discover <connection>` lists them"
        : spec.streams.map((name) => `\`${name}\``).join(", ");
    parts.push(`### ${spec.title} (\`connector: ${spec.name}\`)`, spec.description);
    if (spec.limits !== undefined) parts.push(`Limits: ${spec.limits.replace(/\.$/, "")}.`);
    const buckets = bucketsText(spec);
    if (buckets !== undefined) parts.push(buckets);
    parts.push(`Streams: ${streams}.`);
    parts.push(`#### ${spec.title}: connection in sluice.yaml`, tables(spec.configSchema, 5));
    parts.push(`#### ${spec.title}: \`source.options\` of a flow`, tables(spec.optionsSchema, 5));
  }
  parts.push("## Sinks");
  for (const { spec } of connectors.sinks.values()) {
    parts.push(`### ${spec.title} (\`connector: ${spec.name}\`)`, spec.description);
    parts.push(`Write modes: ${spec.capabilities.writeModes.map((mode) => `\`${mode}\``).join(", ")}.`);
    parts.push(`#### ${spec.title}: connection in sluice.yaml`, tables(spec.configSchema, 5));
    parts.push(`#### ${spec.title}: sink entry of a flow`, tables(spec.targetSchema, 5));
  }
  return parts.join("\n\n");
}
