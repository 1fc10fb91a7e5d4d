import type { ZodType } from "zod";
import type { Schema } from "./record.js";
import type { CheckReport, ConnectorContext } from "./source.js";

export type WriteMode = "append" | "upsert" | "replace";

export interface SinkSpec {
  /** The `connector:` value of sluice.yaml. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Schema of the connection in sluice.yaml (without `connector`). */
  readonly configSchema: ZodType;
  /** Schema of a flow's sink entry, without `connection` and `where`. */
  readonly targetSchema: ZodType;
  readonly capabilities: SinkCapabilities;
}

export interface SinkCapabilities {
  readonly kind: "files" | "table";
  readonly writeModes: readonly WriteMode[];
  /** Loads close at this many bytes of NDJSON unless the target says otherwise (fileSize). */
  readonly loadBytes: number;
}

/** The hidden column of upserts: the record's order (cursor value, then sequence); a smaller one never overwrites a larger. */
export const ORDER_COLUMN = "_sluice_order";

/**
 * A fixed set of messages with a durable id, recorded before the sink sees it. After a crash the same load comes
 * again: same id, same bytes, same order.
 */
export interface Load {
  /** Sortable, safe in file names: `<flow>-<run>-<n>`. Unique for ever. */
  readonly id: string;
  readonly flow: string;
  readonly run: string;
  /** The read it belongs to (Checkpoint.generation); `replace` gathers a whole generation before it swaps. */
  readonly generation: string;
  /** An earlier run began it: whatever that run left of it may have been written with other settings of the target. */
  readonly resumed?: boolean;
  readonly records: number;
  /** Bytes of NDJSON. */
  readonly bytes: number;
  /** Columns of the records; for an upsert including ORDER_COLUMN. */
  readonly schema: Schema;
  /** The NDJSON text, in order, in chunks that end at line ends. May be read more than once. */
  chunks(): AsyncIterable<Buffer>;
}

export interface WrittenFile {
  /** Full address: `s3://bucket/key`, or an absolute path. */
  readonly path: string;
  readonly records: number;
  readonly bytes: number;
}

export interface LoadReceipt {
  /** Rows now in the sink because of this load, counted by the sink; must equal load.records (or the engine stops). */
  readonly records: number;
  /** Bytes written (files) or staged. */
  readonly bytes: number;
  readonly files: readonly WrittenFile[];
  /** The load had been applied before and this call changed nothing. */
  readonly repeated: boolean;
}

export interface FinishedRun {
  readonly run: string;
  readonly generation: string;
  /** The generation was read to its end and every load of it is closed: `replace` swaps now. */
  readonly complete: boolean;
  readonly flow: string;
  readonly loads: readonly string[];
  readonly files: readonly WrittenFile[];
  readonly records: number;
  /** ISO text. */
  readonly startedAt: string;
  readonly endedAt: string;
}

export interface SchemaChange {
  readonly kind: "createTable" | "addColumn" | "widenColumn";
  readonly column?: string;
  /** One sentence for a person. */
  readonly text: string;
}

export interface PrepareRequest {
  readonly flow: string;
  readonly run: string;
  readonly generation: string;
  readonly schema: Schema;
  readonly signal: AbortSignal;
  /** True: say what would change, change nothing (`sluice plan`). */
  readonly dryRun?: boolean;
}

/** One flow's target in one sink. */
export interface SinkWriter {
  /** For people and `sluice run --json`: `sales.opportunities`, `s3://bucket/prefix`. */
  readonly target: string;
  readonly mode: WriteMode;
  /** Loads close at this many bytes of NDJSON. */
  readonly loadBytes: number;
  /** Creates or evolves the target. Idempotent. ConfigError when the schema cannot be reconciled. */
  prepare(request: PrepareRequest): Promise<readonly SchemaChange[]>;
  /**
   * Idempotent by load.id: called again after any crash or lost answer, the final content is the same.
   * RecordError: the data itself is refused, nothing of the load is applied (the engine splits it to find the record).
   * TransientError / RateLimitError: try again. ConfigError / AuthError: the run fails and the messages stay queued.
   */
  write(load: Load, signal: AbortSignal): Promise<LoadReceipt>;
  /** Once all loads of a run are closed: the run's manifest, and on `complete` the swap of what is replaced. Idempotent. */
  finish(run: FinishedRun, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** A connection to one sink. */
export interface Sink {
  check(signal: AbortSignal): Promise<CheckReport>;
  /** `target` is already parsed by spec.targetSchema. */
  open(target: unknown, flow: string): SinkWriter;
  /** For `sluice query`: absolute path of the DuckDB database that holds this connection's tables, where it is one. */
  readonly databaseFile?: string;
  /** For `sluice query`: content of a file that a load wrote (WrittenFile.path), where those are not local paths. */
  download?(path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface SinkConnector {
  readonly spec: SinkSpec;
  /** `config` as the user wrote it, secrets resolved; spec.configSchema accepts it. Opens nothing on the network. */
  connect(config: unknown, context: ConnectorContext): Sink;
}
