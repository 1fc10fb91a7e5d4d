/** Files from loads: NDJSON text in, jsonl, csv or Parquet files out. See writeFiles. */

export { segmentError } from "./copy.js";
export { DigitGuard } from "./digits.js";
export { closeSharedDuckdb, Duckdb, type DuckdbSettings, openDuckdb, sharedDuckdb } from "./duckdb.js";
export { duckdbError, fileError } from "./failure.js";
export type { Creation, FileMark, FileStore, StoredText } from "./filestore.js";
export { FileTarget, fileTargetSchema, relativePath } from "./filetarget.js";
export { type FileSinkOptions, FileSinkWriter } from "./filewriter.js";
export { type KeyLimits, Layout, META_FOLDER } from "./layout.js";
export { type Manifest, type ManifestFile, parseManifest } from "./manifest.js";
export {
  COMPRESSIONS,
  type Compression,
  checkFileFormat,
  compressionOf,
  DEFAULT_FILE_SIZE,
  ENGINES,
  type FileFormat,
  type FileFormatOptions,
  FORMATS,
  type FormatEngine,
  fileExtension,
  fileFormatSchema,
  fileFormatShape,
} from "./options.js";
export {
  checkPartitionTerms,
  HIVE_NULL,
  type PartitionTerm,
  type PartitionUnit,
  type PartitionValue,
  parsePartitionTerm,
  partitionFolder,
} from "./partition.js";
export type { FormatRequest, FormattedFile } from "./request.js";
export { NdjsonSegment } from "./segment.js";
export { decimalShape, duckdbColumns, duckdbType, quoteIdentifier, quoteLiteral } from "./sql.js";
export { writeFiles } from "./write.js";
