import type { Filter } from "../contracts/filter.js";
import type { AlarmMetric, SinkConnector, SourceConnector, WriteMode } from "../contracts/index.js";
import type { Field, Schema, SourceRecord } from "../contracts/record.js";
import type { Secret } from "../contracts/secrets.js";

/** One finding of the lint. */
export interface Problem {
  /** `FLOW_UNKNOWN_KEY`, stable. */
  readonly code: string;
  /** Path as the user would type it, relative to the project folder. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  /** `sinks[0].format`. */
  readonly keyPath: string;
  /** What was expected, with "did you mean ...?" where a valid name is near. */
  readonly message: string;
}

/** `${env:NAME}` and `${file:path}` already resolved to Secrets where they stand. */
export type ConfigValue =
  | string
  | number
  | boolean
  | null
  | Secret
  | ConfigValue[]
  | { [key: string]: ConfigValue };

export interface ConnectionConfig {
  readonly name: string;
  readonly connector: string;
  /** The entry without `connector` and `budget`, secrets resolved; the connector's configSchema accepts it. */
  readonly config: unknown;
  readonly role: "source" | "sink";
  /** How much of the account's limits may be used. */
  readonly budget?: ConnectionBudgetRule;
}

/** `budget` of a connection. */
export interface ConnectionBudgetRule {
  /** Share (0 to 1) of every limit that is left to other applications. */
  readonly reserve: number;
}

/** An entry of `buffer.alarms`. */
export interface AlarmRule {
  /** Pattern of queue names: `*` stands for any characters, `?` for one. */
  readonly queue: string;
  /** At least one; the alarm fires at the threshold and above. Milliseconds for `oldest`. */
  readonly thresholds: readonly { readonly metric: AlarmMetric; readonly threshold: number }[];
  /** File and line of the entry. */
  readonly place: string;
}

export interface BufferSettings {
  readonly type: "durable" | "memory" | "sqs";
  /** Whether a transaction ends with fsync. */
  readonly sync: "commit" | "none";
  readonly visibilityTimeoutMs: number;
  readonly maxReceiveCount: number;
  readonly retentionMs: number;
  /** Bytes of one message body at most; 256 KiB, up to 1 MiB. */
  readonly messageBytes: number;
  /** Extraction pauses while a sink queue holds more bytes than this. */
  readonly highWaterBytes: number;
  /** Undefined: sluice.yaml cannot be read as a whole, so nobody knows them. */
  readonly alarms: readonly AlarmRule[] | undefined;
}

/** What the daemon listens on. */
export interface ServerSettings {
  readonly host: string;
  readonly sqsPort: number;
}

export interface Project {
  /** Absolute folder of sluice.yaml. */
  readonly dir: string;
  /** Absolute. */
  readonly dataDir: string;
  readonly connections: ReadonlyMap<string, ConnectionConfig>;
  readonly flows: ReadonlyMap<string, Flow>;
  readonly buffer: BufferSettings;
  readonly server: ServerSettings;
  /** Everything wrong in any file. A flow with a problem is not in `flows`. */
  readonly problems: readonly Problem[];
}

export interface Reject {
  readonly onReject: "deadLetter" | "drop" | "failRun";
  /** Share (0-1) or count of fetched records that may be rejected before the run fails with exit code 4. */
  readonly maxRejected: { readonly share: number } | { readonly count: number };
}

export type Trigger =
  | { readonly type: "onDemand" }
  | {
      readonly type: "schedule";
      readonly cron?: string;
      readonly everyMs?: number;
      readonly timezone: string;
      readonly overlap: "skip" | "queue";
      readonly missed: "latest" | "all" | "skip";
      readonly disableAfter: number;
    }
  | { readonly type: "event"; readonly [key: string]: unknown }
  | { readonly type: "after"; readonly flow: string };

export interface FlowSink {
  readonly connection: string;
  /** The entry without `connection` and `where`, parsed by the connector's targetSchema. */
  readonly target: unknown;
  readonly mode: WriteMode;
  /** Mapped fields that match rows; for upsert. */
  readonly key: readonly string[];
  /** Position for messages: file and line of the entry. */
  readonly place: string;
}

/** One flow file, checked as far as that goes without asking the source. */
export interface Flow {
  readonly name: string;
  readonly description: string;
  /** Relative to the project folder. */
  readonly file: string;
  readonly source: {
    readonly connection: string;
    readonly stream: string;
    /** Undefined: incremental where the stream has a cursor. */
    readonly mode: "incremental" | "full" | undefined;
    readonly cursor: string | undefined;
    /** Epoch ms. */
    readonly start: number | undefined;
    readonly lookbackMs: number | undefined;
    /** Parsed by the connector's optionsSchema. */
    readonly options: unknown;
  };
  readonly trigger: Trigger;
  readonly filter: Filter | undefined;
  readonly errors: Reject;
  readonly sinks: readonly FlowSink[];
  /** Parsed map, validate: the inside of core/flow. */
  readonly steps: unknown;
}

/** Why a record was rejected. Travels with the dead letter. */
export interface Rejection {
  /** `source`: refused as it was read (Page.refused). */
  readonly stage: "source" | "filter" | "map" | "validate";
  /** `notNegative on amount`, `type integer on employees`. */
  readonly rule: string;
  /** One sentence with the offending value (masked where the flow masks or hashes the field). */
  readonly reason: string;
  readonly action: "deadLetter" | "drop" | "failRun";
}

/** What becomes of one source record. */
export type Outcome =
  | { readonly kind: "mapped"; readonly record: SourceRecord }
  | { readonly kind: "filtered" }
  | { readonly kind: "rejected"; readonly rejection: Rejection };

/** A flow compiled against its stream's schema: closures, built once per run. */
export interface Plan {
  /** Source fields and paths the flow uses (for projection). */
  readonly sourceFields: readonly string[];
  /** Mapped fields in order. */
  readonly schema: Schema;
  /** Filter, map, validate one record. Pure; never throws for any input record. Hot path: reuses outcome objects. */
  process(record: SourceRecord): Outcome;
  /**
   * One line of JSON without line end; ExactNumbers as bare digits. A record that holds a lone surrogate, in whatever field,
   * is rejected instead: only here are all its texts looked at. Hot path.
   */
  stringify(record: SourceRecord): string | Rejection;
  /** Short stable fingerprint of the mapped schema. */
  readonly schemaId: string;
}

export interface CompileInput {
  readonly flow: Flow;
  /** Fields of the stream, with relationship paths the flow names already resolved (under their path as name). */
  readonly fields: readonly Field[];
  /** Hears of a string field that holds something else, the first time; `found` says what, without its value. */
  readonly onUnlike?: (name: string, found: string) => void;
}

/** What flow loading needs of the connectors; the list stands in connectors/index.ts. */
export interface Connectors {
  readonly sources: ReadonlyMap<string, SourceConnector>;
  readonly sinks: ReadonlyMap<string, SinkConnector>;
}
