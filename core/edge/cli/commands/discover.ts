import { z } from "zod";
import type { Field, SourceField, StreamInfo, StreamSchema } from "../../../contracts/index.js";
import { defineCommand } from "../command.js";
import { sourceNamed } from "../connection.js";
import { EXIT } from "../exit-code.js";
import { optionalText } from "../input.js";
import type { Output } from "../output.js";
import { durationText, plural } from "../quantity.js";
import { table } from "../table.js";

export const discover = defineCommand({
  name: "discover",
  summary: "list the streams of a source, or the fields of one stream with types and cursor",
  arguments: [
    { name: "connection", form: "<connection>", description: "a source of sluice.yaml" },
    { name: "stream", form: "[stream]", description: "a stream of it" },
  ],
  examples: ["sluice discover salesforce", "sluice discover salesforce Opportunity"],
  input: z.object({ connection: z.string(), stream: optionalText }),
  async run({ connection, stream }, { shell, output, workspace }) {
    const project = await workspace.projectToConnect([connection]);
    sourceNamed(project, connection);
    const { connectSource } = await import("../../../run/index.js");
    const source = connectSource(await workspace.host(), connection);
    try {
      if (stream === undefined) {
        const streams = await source.discover(shell.signal);
        output.result(streams, () => streamsText(streams, output));
      } else {
        const schema = await source.describe(stream, shell.signal);
        output.result(schemaDocument(schema), () => schemaText(schema, output));
      }
    } finally {
      await source.close();
    }
    return EXIT.done;
  },
});

function streamsText(streams: readonly StreamInfo[], output: Output): string {
  const readable = streams.filter((stream) => stream.readable).length;
  const rows = table(
    streams,
    [
      { title: "stream", value: (stream) => stream.name },
      { title: "label", value: (stream) => stream.label, widest: 50 },
      {
        title: "readable",
        value: (stream) => (stream.readable ? "yes" : `no: ${stream.reason ?? "not allowed"}`),
        widest: 80,
      },
    ],
    output.title,
  );
  return `${rows}\n\n${plural(streams.length, "stream")}, ${readable} readable`;
}

function schemaDocument(schema: StreamSchema) {
  const { stream, primaryKey, cursors, defaultLookbackMs, fields } = schema;
  return { stream, primaryKey, cursors, defaultLookbackMs, fields };
}

function schemaText(schema: StreamSchema, output: Output): string {
  const [cursor, ...others] = schema.cursors;
  const rows = table(
    schema.fields,
    [
      { title: "field", value: (field) => field.name },
      { title: "type", value: typeText },
      { title: "remarks", value: (field) => remarks(field, schema).join(", "), widest: 70 },
    ],
    output.title,
  );
  return [
    `${output.paint("bold", schema.stream)}: ${plural(schema.fields.length, "field")}`,
    `key     ${schema.primaryKey.join(", ") || "none"}`,
    cursor === undefined
      ? "cursor  none: each run reads everything"
      : `cursor  ${cursor}${others.length === 0 ? "" : ` (or ${others.join(", ")})`}, lookback ${durationText(schema.defaultLookbackMs)}`,
    "",
    rows,
  ].join("\n");
}

/** `decimal(18,2)`, `string(255)`. */
function typeText({ type, precision, scale, length }: Field): string {
  if (type === "decimal" && precision !== undefined) return `decimal(${precision},${scale ?? 0})`;
  return type === "string" && length !== undefined ? `string(${length})` : type;
}

function remarks(field: SourceField, schema: StreamSchema): string[] {
  const { relationship } = field;
  return [
    ...(schema.primaryKey.includes(field.name) ? ["key"] : []),
    ...(field.name === schema.cursors[0] ? ["cursor"] : []),
    ...(relationship === undefined ? [] : [`${relationship.name}.* of ${relationship.to.join(" or ")}`]),
    ...(field.filterable ? [] : ["filtered here, not at the source"]),
    ...(field.calculated === true ? ["calculated: a change does not move the cursor"] : []),
  ];
}
