import { z } from "zod";
import { ConfigError, InvariantError, text } from "../contracts/index.js";
import { META_FOLDER } from "./layout.js";
import {
  type Compression,
  checkFileFormat,
  compressionOf,
  type FileFormat,
  type FormatEngine,
  fileFormatShape,
} from "./options.js";
import { type PartitionTerm, parsePartitionTerm } from "./partition.js";

/** What is wrong with a path below a bucket or folder, as a lint message; undefined: fine. */
export function pathProblem(path: string): string | undefined {
  if (path === "") return undefined;
  if (path.startsWith("/") || path.endsWith("/")) return "expected a path without / at its ends";
  if (/[\\\p{Cc}]/u.test(path)) return "expected a path without backslashes and control characters";
  for (const segment of path.split("/")) {
    if (segment === "") return "expected a path without empty parts";
    if (segment === "." || segment === "..") return 'expected a path without "." and ".." parts';
    if (segment === META_FOLDER) return `expected a path without "${META_FOLDER}", which holds manifests`;
  }
  return undefined;
}

/** A relative path with `/` between its parts that stays below where it starts. Parses to text. */
export function relativePath() {
  return text(
    z.string().superRefine((path, context) => {
      const message = pathProblem(path);
      if (message !== undefined) context.addIssue({ code: "custom", message });
    }),
  );
}

const entrySchema = z
  .strictObject({
    path: relativePath().describe("Where the files go, below the connection's own folder or prefix."),
    write: text(z.enum(["append", "replace"], "expected one of append, replace"))
      .default("append")
      .describe(
        "append: every run adds files. replace: a run that reads everything takes the place of the one before.",
      ),
    ...fileFormatShape,
  })
  .superRefine(checkFileFormat)
  .superRefine(({ partitionBy }, context) => {
    for (const [index, term] of partitionBy.entries()) {
      try {
        parsePartitionTerm(term);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const message = `expected a partition: ${error.fix ?? error.message}`;
        context.addIssue({ code: "custom", path: ["partitionBy", index], message });
      }
    }
  });

/** A parsed sink entry of a file sink. A class, so that a sink can tell one from what was never parsed. */
export class FileTarget {
  readonly path: string;
  readonly write: "append" | "replace";
  readonly format: FileFormat;
  readonly compression: Compression;
  readonly gzipLevel: number;
  readonly engine: FormatEngine;
  readonly partitionBy: readonly PartitionTerm[];
  /** Bytes of NDJSON at which a load, and so a file, is closed. */
  readonly fileSize: number;

  constructor(entry: z.output<typeof entrySchema>) {
    this.path = entry.path;
    this.write = entry.write;
    this.format = entry.format;
    this.compression = compressionOf(entry);
    this.gzipLevel = entry.gzipLevel;
    this.engine = entry.engine;
    this.partitionBy = entry.partitionBy.map(parsePartitionTerm);
    this.fileSize = entry.fileSize;
  }

  /** For Sink.open: InvariantError when the entry did not go through the schema. */
  static from(target: unknown): FileTarget {
    if (target instanceof FileTarget) return target;
    throw new InvariantError("TARGET_NOT_PARSED", "a file sink was opened without a parsed target");
  }
}

/** Schema of a flow's sink entry for every sink that writes files. Parses to a FileTarget. */
export const fileTargetSchema = entrySchema.transform((entry) => new FileTarget(entry));
