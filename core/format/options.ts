import { z } from "zod";
import { integer, size, text } from "../contracts/index.js";

/** File formats a flow may ask for. */
export const FORMATS = ["parquet", "jsonl", "csv"] as const;
export type FileFormat = (typeof FORMATS)[number];

export const COMPRESSIONS = ["none", "gzip", "snappy", "zstd"] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** Who writes: DuckDB (native) or parquetjs-lite and plain JavaScript (portable, slower). */
export const ENGINES = ["duckdb", "parquetjs"] as const;
export type FormatEngine = (typeof ENGINES)[number];

interface FormatFacts {
  readonly compressions: readonly Compression[];
  readonly defaultCompression: Compression;
}

/**
 * Parquet defaults to snappy although zstd is about a quarter smaller: every reader knows snappy, and Amazon
 * Redshift's COPY documents no other page codec.
 */
export const FORMAT_FACTS: Readonly<Record<FileFormat, FormatFacts>> = {
  parquet: { compressions: ["snappy", "zstd", "gzip", "none"], defaultCompression: "snappy" },
  jsonl: { compressions: ["gzip", "zstd", "none"], defaultCompression: "gzip" },
  csv: { compressions: ["gzip", "zstd", "none"], defaultCompression: "gzip" },
};

const SUFFIX: Readonly<Record<Compression, string>> = { none: "", gzip: ".gz", zstd: ".zst", snappy: "" };

/** `parquet`, `jsonl.gz`, `csv.zst`: without a leading dot. Parquet names no codec, since it is part of the file. */
export function fileExtension(format: FileFormat, compression: Compression): string {
  return format === "parquet" ? "parquet" : `${format}${SUFFIX[compression]}`;
}

/** Every ending that a file of some format and compression has. */
export const FILE_EXTENSIONS: readonly string[] = [
  ...new Set(
    FORMATS.flatMap((format) =>
      FORMAT_FACTS[format].compressions.map((codec) => fileExtension(format, codec)),
    ),
  ),
];

/**
 * Default gzip level. Over 1 KB records: level 1 leaves 222 bytes of each and takes 6.0 s of CPU time per million,
 * 2: 212 and 7.3, 3: 192 and 10, 4: 193 and 9.5, 6: 163 and 25.
 */
export const DEFAULT_GZIP_LEVEL = 4;

/** Default `fileSize`, as YAML has it. */
export const DEFAULT_FILE_SIZE = "128MB";

/** Keys of a file sink's target that concern the files themselves; spread into the sink's z.strictObject. */
export const fileFormatShape = {
  format: text(z.enum(FORMATS, `expected one of ${FORMATS.join(", ")}`))
    .default("parquet")
    .describe("File format: parquet, jsonl (one JSON object a line) or csv (RFC 4180 with a header line)."),
  compression: text(z.enum(COMPRESSIONS, `expected one of ${COMPRESSIONS.join(", ")}`))
    .optional()
    .describe("Parquet: snappy (default), zstd, gzip or none. jsonl and csv: gzip (default), zstd or none."),
  gzipLevel: integer({ min: 1, max: 9 })
    .default(DEFAULT_GZIP_LEVEL)
    .describe("gzip level of jsonl and csv files, 1 (fast) to 9 (small)."),
  partitionBy: z
    .array(text())
    .default([])
    .describe(
      "Folders by value, hive style: field, year(field), month(field), day(field) or hour(field), of mapped fields.",
    ),
  fileSize: size({ min: "64KB", max: "2GB" })
    .prefault(DEFAULT_FILE_SIZE)
    .describe("A file is closed when this much uncompressed JSON has gone into it."),
  engine: text(z.enum(ENGINES, `expected one of ${ENGINES.join(", ")}`))
    .default("duckdb")
    .describe("What writes the files: duckdb (native, fast) or parquetjs (portable JavaScript, slower)."),
};

/** The keys of fileFormatShape alone, after parsing: what `checkFileFormat` and `compressionOf` look at. */
export type FileFormatOptions = z.output<z.ZodObject<typeof fileFormatShape>>;

/** The file keys of a sink entry on their own, checked; for tests and for sinks that have no others. */
export const fileFormatSchema = z.strictObject(fileFormatShape).superRefine(checkFileFormat);

/** The compression asked for, or the format's default. */
export function compressionOf(options: Pick<FileFormatOptions, "format" | "compression">): Compression {
  return options.compression ?? FORMAT_FACTS[options.format].defaultCompression;
}

/** For `.superRefine` on a schema that holds fileFormatShape: refuses pairs that do not go together. */
export function checkFileFormat(
  options: Pick<FileFormatOptions, "format" | "compression" | "engine">,
  context: z.RefinementCtx,
): void {
  const compression = compressionOf(options);
  const possible = FORMAT_FACTS[options.format].compressions;
  if (!possible.includes(compression)) {
    context.addIssue({
      code: "custom",
      path: ["compression"],
      message: `expected one of ${possible.join(", ")} for format ${options.format}`,
    });
  } else if (options.engine === "parquetjs" && compression === "zstd") {
    context.addIssue({
      code: "custom",
      path: ["compression"],
      message: `expected one of ${possible.filter((name) => name !== "zstd").join(", ")}, since engine parquetjs cannot write zstd`,
    });
  }
}
