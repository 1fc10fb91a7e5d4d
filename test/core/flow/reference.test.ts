import { describe, expect, test } from "vitest";
import { connectorsPage, flowJsonSchema, flowsPage, projectJsonSchema } from "../../../core/flow/index.js";
import { isObject, type Json } from "../../../core/flow/json-schema.js";
import { connectors } from "./project.js";

const schema = flowJsonSchema(connectors);

/** The schema at a path of property names; `[]` goes into a list. */
function at(...path: readonly string[]): Json | undefined {
  let here: Json | undefined = schema;
  for (const key of path) {
    if (!isObject(here)) return undefined;
    here = key === "[]" ? here.items : isObject(here.properties) ? here.properties[key] : undefined;
  }
  return here;
}

/** Paths of properties without description. */
function undescribed(json: Json | undefined, path = ""): string[] {
  if (Array.isArray(json)) return json.flatMap((item) => undescribed(item, path));
  if (!isObject(json)) return [];
  const properties = isObject(json.properties) ? Object.entries(json.properties) : [];
  return [
    ...properties.flatMap(([key, value]) => [
      ...(isObject(value) &&
      (value.description !== undefined || value.$ref !== undefined || value.anyOf !== undefined)
        ? []
        : [`${path}.${key}`]),
      ...undescribed(value, `${path}.${key}`),
    ]),
    ...["items", "anyOf", "oneOf", "additionalProperties", "$defs"].flatMap((key) =>
      key === "$defs" && isObject(json.$defs)
        ? Object.values(json.$defs).flatMap((definition) => undescribed(definition, `${path}#`))
        : undescribed(json[key], path),
    ),
  ];
}

describe("flow.schema.json", () => {
  test("names what a flow must have, and refuses other keys", () => {
    expect(schema).toMatchObject({
      type: "object",
      required: ["name", "source", "sinks"],
      additionalProperties: false,
    });
    expect(at("sinks", "[]")).toMatchObject({ required: ["connection"], additionalProperties: false });
  });

  test("has the keys of every connector, with the connector they belong to", () => {
    expect(at("source", "options", "deleted")).toMatchObject({
      enum: ["include", "exclude"],
      default: "exclude",
      description: "crm, desk: Deleted records.",
    });
    expect(at("sinks", "[]", "table")).toMatchObject({ description: "tables: Table." });
    expect(at("sinks", "[]", "fileSize")).toMatchObject({ type: "string", default: "128MB" });
    // Keys that every sink has keep the words of the flow file.
    expect(at("sinks", "[]", "write")).toMatchObject({ enum: ["append", "upsert", "replace"] });
  });

  test("a group of conditions holds conditions again", () => {
    expect(at("filter", "[]")).toEqual({ $ref: "#/$defs/condition" });
    expect(schema.$defs).toMatchObject({
      condition: {
        properties: { any: { items: { $ref: "#/$defs/condition" } }, not: { $ref: "#/$defs/condition" } },
      },
    });
  });

  test("every key is described", () => {
    expect(undescribed(schema)).toEqual([]);
  });

  test("marks and ids of ours do not leak into it", () => {
    const text = JSON.stringify(schema);
    expect(text).not.toMatch(/"secret":true/);
    expect(text).not.toMatch(/"id":"condition"/);
  });

  test("forms and patterns let placeholders through, as the lint does", () => {
    const lookback = at("source", "lookback");
    const pattern =
      isObject(lookback) && typeof lookback.pattern === "string" ? new RegExp(lookback.pattern) : /never/;
    expect(pattern.test("10m")).toBe(true);
    expect(pattern.test(`\${env:LOOKBACK}`)).toBe(true);
    expect(pattern.test("10")).toBe(false);
    expect(JSON.stringify(projectJsonSchema(connectors))).not.toContain('"format":"uri"');
  });
});

describe("sluice.schema.json", () => {
  test("a connection has the keys of its connector", () => {
    const project = projectJsonSchema(connectors);
    expect(project).toMatchObject({
      properties: {
        connections: {
          additionalProperties: {
            oneOf: [
              {
                properties: { connector: { const: "crm" }, pageSize: { type: "integer", default: 2000 } },
                required: ["connector", "instanceUrl", "auth"],
                additionalProperties: false,
              },
              { properties: { connector: { const: "desk" } }, required: ["connector"] },
              { properties: { connector: { const: "files" }, path: { description: "Folder." } } },
              { properties: { connector: { const: "tables" } } },
            ],
          },
        },
      },
    });
    expect(undescribed(project)).toEqual([]);
  });
});

describe("the reference pages", () => {
  /** Padding of the columns taken out. */
  const unpadded = (page: string) => page.replaceAll(/ +\|/g, " |");
  const flows = unpadded(flowsPage(connectors, [{ file: "a.yaml", description: "Either | or" }]));
  const connectorsText = unpadded(connectorsPage(connectors));

  test("flows/README.md has a row for every key, with its default", () => {
    for (const key of ["name", "lookback", "disableAfter", "greaterThan", "truncate", "onFail", "highWater"])
      expect(flows).toMatch(new RegExp(`^\\| \`${key}\` \\|`, "m"));
    expect(flows).toContain(
      "| `highWater` | size | Reading pauses while a sink's queue holds more bytes than this. Default `1GiB`. |",
    );
    expect(flows).toContain("| [a.yaml](a.yaml) | Either \\| or |");
    expect(flows).toContain("### `trigger`: type schedule");
    expect(flows).toContain("`crm`, `desk`");
  });

  test("connectors/README.md has every connector's connection, options and target", () => {
    expect(connectorsText).toContain("### CRM (`connector: crm`)");
    expect(connectorsText).toContain("Limits: 2,000 records per call.");
    expect(connectorsText).toContain("##### `auth`: type jwt");
    expect(connectorsText).toContain("| `privateKey` | secret | **required.** Key. |");
    expect(connectorsText).toContain("| `timeout` | duration | Timeout of a request. Default `30s`. |");
    expect(connectorsText).toContain("Write modes: `append`, `upsert`.");
    expect(connectorsText).toContain("Streams: `tickets`, `users`.");
  });

  test("tables are tables: no cell breaks its row", () => {
    for (const line of `${flows}\n${connectorsText}`.split("\n").filter((row) => row.startsWith("| `")))
      expect(line.replaceAll("\\|", "").match(/\|/g)).toHaveLength(4);
  });
});
