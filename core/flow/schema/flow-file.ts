/** The flow file. This schema is what parsing, lint, flow.schema.json and the reference are made of. */
import { z } from "zod";
import { duration, text } from "../../contracts/index.js";
import { epochMs, normalizeTimestamp } from "../timestamp.js";
import { filterEntry } from "./filter.js";
import { mapEntry } from "./map.js";
import { trigger } from "./trigger.js";
import { errorsSection, validateRule } from "./validate.js";
import { connectionName, expecting, fieldName, flowName } from "./words.js";

const START = "expected a timestamp such as 2024-01-01T00:00:00Z";

const instant = text(
  z.string(START).transform((value, context) => {
    const canonical = normalizeTimestamp(value);
    if (canonical !== undefined) return epochMs(canonical);
    context.issues.push({ code: "custom", message: START, input: value });
    return z.NEVER;
  }),
);

export const sourceSection = z
  .strictObject(
    {
      connection: connectionName("Name of a connection in sluice.yaml whose connector is a source."),
      stream: text(
        z.string("expected the name of a stream").min(1, "expected the name of a stream"),
      ).describe(
        "What to read: an object (Salesforce), tickets, users, ...; `sluice discover <connection>` lists them.",
      ),
      mode: z
        .enum(["incremental", "full"])
        .optional()
        .describe(
          "incremental reads what changed since the last run; full reads everything. Default: incremental where the stream has a cursor.",
        ),
      cursor: fieldName().optional().describe("Field that orders changes; default the stream's own."),
      start: instant
        .optional()
        .describe("Lower bound of the first run, such as 2024-01-01T00:00:00Z; default everything."),
      lookback: duration({ max: "30d" })
        .optional()
        .describe(
          "How far behind the cursor to read again, for rows that became visible late; default per stream.",
        ),
      options: z
        .record(z.string(), z.unknown(), expecting("the connector's options as keys and values"))
        .optional()
        .describe("Options of the connector; see connectors/README.md."),
    },
    expecting("a source such as { connection: salesforce, stream: Opportunity }"),
  )
  .describe("Where the records come from.");

export const WRITE_MODES = ["append", "upsert", "replace"] as const;

/** What every sink entry has; the rest of its keys belong to the connector's targetSchema. */
export const sinkEntry = z
  .looseObject(
    {
      connection: connectionName("Name of a connection in sluice.yaml whose connector is a sink."),
      write: z
        .enum(WRITE_MODES)
        .optional()
        .describe(
          "append adds rows; upsert replaces the row with the same key; replace swaps the whole content after a full read. Default append.",
        ),
      key: z
        .array(fieldName(), expecting("a list of mapped fields"))
        .min(1, "expected at least one mapped field")
        .optional()
        .describe("Mapped fields that identify a row; needed by upsert."),
      where: z
        .record(z.string(), z.unknown(), expecting("a filter policy: fields with lists of allowed values"))
        .optional()
        .describe(
          "Which records go to this sink, as an SNS filter policy. Not supported yet in this version.",
        ),
    },
    expecting("a sink such as { connection: lake, path: opportunities }"),
  )
  .describe("One sink; further keys belong to its connector, see connectors/README.md.");

const aggregate = z
  .strictObject(
    {
      by: z
        .array(fieldName(), expecting("a list of mapped fields"))
        .describe("Mapped fields that form the groups."),
      measures: z
        .record(
          z.string(),
          z.union([
            z.literal("count"),
            z.partialRecord(z.enum(["count", "sum", "min", "max", "avg", "countDistinct"]), fieldName()),
          ]),
          expecting("measures such as { pipeline: { sum: amount } }"),
        )
        .describe("Name of each result and how it is computed."),
    },
    expecting("an aggregation such as { by: [stage], measures: { deals: count } }"),
  )
  .describe("One row per group per run. Not supported yet in this version.");

export const flowFile = z
  .strictObject(
    {
      name: flowName().describe(
        "Unique name: lower-case letters, digits, - and _ (never two - in a row), at most 40.",
      ),
      description: text(z.string("expected a text"))
        .default("")
        .describe("For people: what the flow is for."),
      source: sourceSection,
      trigger: trigger.prefault({ type: "onDemand" }),
      filter: z
        .array(filterEntry, expecting("a list of conditions"))
        .optional()
        .describe("Conditions on source fields; all must hold, other records are left out."),
      map: z
        .array(mapEntry, expecting('a list of map entries such as ["*"]'))
        .min(1, "expected at least one entry")
        .optional()
        .describe('Mapped fields in the order of the sink\'s columns. Left out: ["*"].'),
      validate: z
        .array(validateRule, expecting("a list of rules"))
        .optional()
        .describe("Rules on mapped fields; a record that breaks one is rejected."),
      aggregate: aggregate.optional(),
      errors: errorsSection.prefault({}),
      sinks: z
        .array(sinkEntry, expecting("a list of sinks"))
        .min(1, "expected at least one sink")
        .describe("Where the records go: one or more sinks, each with its own buffer."),
    },
    expecting("a flow: name, source, sinks, ..."),
  )
  .describe("A Sluice flow: one source, filters, a field map, validation, and one or more sinks.");

export type FlowFile = z.output<typeof flowFile>;
