import { resolve } from "node:path";
import { z } from "zod";
import { InvariantError, integer, size, text, type WriteMode } from "../../core/contracts/index.js";

export const DEFAULT_PATH = ".sluice/warehouse.duckdb";

/** The connection in sluice.yaml. */
export const configSchema = z.strictObject({
  path: text()
    .default(DEFAULT_PATH)
    .describe("The database file, absolute or relative to sluice.yaml. It is made when it is not there."),
  memoryLimit: size({ min: "64MB" })
    .prefault("256MB")
    .describe("Memory DuckDB may use before it spills to temporary files."),
  threads: integer({ min: 1, max: 64 })
    .default(1)
    .describe("Threads of DuckDB. One loads more than 150,000 records of 1 KB a second."),
});
export type DuckdbConfig = z.output<typeof configSchema>;

/** Absolute path of the database file of a parsed connection; `projectDir` as in ConnectorContext. */
export function duckdbPath(config: Pick<DuckdbConfig, "path">, projectDir = "."): string {
  return resolve(projectDir, config.path);
}

const WRITE_MODES = ["append", "upsert", "replace"] as const satisfies readonly WriteMode[];
const SCHEMA_CHANGES = ["evolve", "fail", "ignore"] as const;
export type SchemaChangePolicy = (typeof SCHEMA_CHANGES)[number];

/** Marks tables of generations that are being gathered: `<table>__sluice_<hash>`. */
export const STAGING_MARK = "__sluice_";

const targetEntry = z.strictObject({
  table: text(
    z
      .string()
      .regex(
        /^[^.\p{Cc}]+(\.[^.\p{Cc}]+)?$/u,
        "expected a table such as sales.opportunities or opportunities",
      )
      .refine((name) => !name.includes(STAGING_MARK) && !/(^|\.)_sluice_/i.test(name), {
        error: `expected a table without ${STAGING_MARK} and not starting with _sluice_, which are Sluice's own`,
      }),
  ).describe("Table, or schema.table. Both are made when they are not there."),
  write: text(z.enum(WRITE_MODES, `expected one of ${WRITE_MODES.join(", ")}`))
    .default("append")
    .describe(
      "append: every record is a new row. upsert: the newest version of each key. replace: what one full read found.",
    ),
  key: z
    .array(text())
    .min(1, "expected at least one mapped field")
    .optional()
    .describe("Mapped fields that identify a row, for upsert."),
  schemaChange: text(z.enum(SCHEMA_CHANGES, `expected one of ${SCHEMA_CHANGES.join(", ")}`))
    .default("evolve")
    .describe(
      "When the flow's columns change. evolve: columns are added and widened. fail: the run stops. ignore: new columns are left out.",
    ),
});

/** A parsed sink entry of a DuckDB sink. */
export class DuckdbTarget {
  readonly schema: string;
  readonly table: string;
  readonly write: WriteMode;
  readonly key: readonly string[];
  readonly schemaChange: SchemaChangePolicy;

  constructor(entry: z.output<typeof targetEntry>) {
    const [first = "", second] = entry.table.split(".");
    this.schema = second === undefined ? "main" : first;
    this.table = second ?? first;
    this.write = entry.write;
    this.key = entry.key ?? [];
    this.schemaChange = entry.schemaChange;
  }

  /** For people. */
  get name(): string {
    return this.schema === "main" ? this.table : `${this.schema}.${this.table}`;
  }

  /** For Sink.open: InvariantError when the entry did not go through the schema. */
  static from(target: unknown): DuckdbTarget {
    if (target instanceof DuckdbTarget) return target;
    throw new InvariantError("TARGET_NOT_PARSED", "a duckdb sink was opened without a parsed target");
  }
}

/** Schema of a flow's sink entry. Parses to a DuckdbTarget. */
export const targetSchema = targetEntry
  .superRefine(({ write, key }, context) => {
    if (write === "upsert" && key === undefined)
      context.addIssue({
        code: "custom",
        path: ["key"],
        message: "expected the mapped fields that identify a row, such as [id], for write: upsert",
      });
    if (write !== "upsert" && key !== undefined)
      context.addIssue({ code: "custom", path: ["key"], message: `expected no key with write: ${write}` });
  })
  .transform((entry) => new DuckdbTarget(entry));
