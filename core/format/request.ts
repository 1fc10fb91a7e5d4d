import type { Load } from "../contracts/index.js";
import type { Compression, FileFormat, FormatEngine } from "./options.js";
import type { PartitionTerm, PartitionValue } from "./partition.js";

/** What to write, and where. */
export interface FormatRequest {
  readonly load: Load;
  readonly format: FileFormat;
  readonly compression: Compression;
  readonly engine: FormatEngine;
  readonly partitionBy: readonly PartitionTerm[];
  /** An empty folder of the caller's own; finished files and, while working, temporary ones. */
  readonly dir: string;
  readonly signal: AbortSignal;
  /** jsonl; 1-9. Default DEFAULT_GZIP_LEVEL. */
  readonly gzipLevel?: number;
  /** Parquet: rows of a row group at most. Default 20,480; rounded up to a multiple of 2,048. */
  readonly rowGroupRows?: number;
}

/** One finished file of a load. The same load and settings give the same files, byte for byte. */
export interface FormattedFile {
  /** Absolute, inside `dir`. */
  readonly path: string;
  /** In the order of `partitionBy`; empty when there is none. Unique among the files of a load. */
  readonly partition: readonly PartitionValue[];
  readonly records: number;
  readonly bytes: number;
  /** Without a leading dot: `parquet`, `jsonl.gz`. */
  readonly extension: string;
}
