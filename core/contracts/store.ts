import type { Queues, QueuesTx } from "./queue.js";
import type { Schema, Value } from "./record.js";
import type { WriteMode, WrittenFile } from "./sink.js";

export interface RecordCounts {
  /** New records read from the source. */
  fetched: number;
  filtered: number;
  dropped: number;
  deadLettered: number;
  loaded: number;
  queued: number;
}

export type RunStatus = "running" | "succeeded" | "failed" | "cancelled";

export interface RunError {
  readonly class: string;
  readonly code: string;
  readonly message: string;
  readonly place?: string;
  readonly fix?: string;
  /** ISO text: the run is parked, since a limit of hours is used up; there is no use in running before. */
  readonly retryAt?: string;
}

/** The history of one execution of a flow. Never deleted by a run. */
export interface RunState {
  readonly flow: string;
  /** Sortable by start: `20261122T073604123Z-<8 hex>`. */
  readonly run: string;
  /** The read it belongs to: the run that began it. */
  readonly generation: string;
  /** This run brought its generation's read to the end. */
  readonly readComplete: boolean;
  readonly trigger: string;
  readonly status: RunStatus;
  /** ISO text. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly window: { readonly from: string | null; readonly to: string | null };
  readonly records: RecordCounts;
  /** Refused by map or validate; part of `records`, which adds what the sinks refused. */
  readonly rejected: { readonly dropped: number; readonly deadLettered: number };
  /** Re-read behind the cursor or after a crash and skipped: already stored. Not part of `fetched`. */
  readonly repeated: number;
  readonly bytes: number;
  readonly pages: number;
  readonly sinks: readonly SinkState[];
  readonly apiCalls: number;
  readonly error: RunError | null;
}

export interface SinkState {
  readonly connection: string;
  readonly target: string;
  readonly queue: string;
  /** How the run was to write; undefined in histories of older versions. */
  readonly mode?: WriteMode;
  readonly loads: number;
  readonly records: number;
  readonly bytes: number;
  readonly files: readonly WrittenFile[];
  /** Records of this sink dead-lettered at delivery. */
  readonly deadLettered: number;
  /** Records sent to this sink's queue by this run: sent = records + deadLettered + dropped + still queued. */
  readonly sent: number;
  /** Records purged or expired in this sink's queue. */
  readonly dropped: number;
  /** Loads opened so far: the number in the next load's id. */
  readonly opened: number;
  /** The sink was told that the run is complete (manifest, swap). */
  readonly finished: boolean;
}

export interface Checkpoint {
  readonly flow: string;
  /** Stream and mode it belongs to; another stream starts anew. */
  readonly stream: string;
  readonly cursor: Value;
  /** Sequence number of the next record: the second part of its order. */
  readonly nextSequence: number;
  readonly updatedAt: string;
  /** The run that wrote it last. */
  readonly run: string;
  /** The read it belongs to: the run that began it. A run that resumes an unfinished read continues its generation. */
  readonly generation: string;
  /** The read came to its end; the next run begins a new generation. */
  readonly complete: boolean;
}

export interface LoadState {
  readonly id: string;
  readonly flow: string;
  readonly run: string;
  readonly generation: string;
  readonly queue: string;
  readonly connection: string;
  readonly messageIds: readonly string[];
  readonly records: number;
  readonly bytes: number;
  readonly schema: Schema;
  readonly openedAt: string;
}

export interface Lease {
  readonly name: string;
  readonly owner: string;
  readonly pid: number;
  readonly host: string;
  /** Epoch ms. */
  readonly acquiredAt: number;
  readonly expiresAt: number;
}

/** What an alarm of `buffer.alarms` watches: messages, records or bytes held, age of the oldest message, dead letters. */
export const ALARM_METRICS = ["messages", "records", "bytes", "oldest", "deadLetters"] as const;
export type AlarmMetric = (typeof ALARM_METRICS)[number];

/** A move of an alarm between its states. */
export interface AlarmChange {
  readonly state: "ok" | "firing";
  /** ISO text. */
  readonly at: string;
  /** As measured then, in the threshold's unit; null: the alarm or its queue is gone. */
  readonly value: number | null;
}

/** What is remembered of one threshold on one queue; there is none for an alarm that has never fired. */
export interface AlarmState {
  /** Of its queue, metric and threshold: a changed threshold is another alarm. */
  readonly id: string;
  readonly queue: string;
  readonly metric: AlarmMetric;
  /** Messages, records, bytes; milliseconds for `oldest`. */
  readonly threshold: number;
  /** Oldest first, never empty; a bounded number of the newest. The last one is the present state. */
  readonly changes: readonly AlarmChange[];
}

/** Reads see the last committed state, of every process on the data directory. */
export interface Store {
  checkpoint(flow: string): Checkpoint | undefined;
  run(flow: string, run: string): RunState | undefined;
  /** Newest first. */
  runs(options: { readonly flow?: string; readonly limit: number }): RunState[];
  /** Runs recorded as running (alive or killed). */
  unfinishedRuns(flow: string): RunState[];
  openLoads(flow: string): LoadState[];
  lease(name: string): Lease | undefined;
  /** By id. */
  alarms(): AlarmState[];
  /** Small values under a name: tokens, sink states. */
  get(key: string): Value | undefined;
}

/** Synchronous, inside Environment.transaction. Reads see the transaction's own writes. */
export interface StoreTx {
  checkpoint(flow: string): Checkpoint | undefined;
  putCheckpoint(checkpoint: Checkpoint): void;
  deleteCheckpoint(flow: string): void;
  run(flow: string, run: string): RunState | undefined;
  putRun(run: RunState): void;
  putLoad(load: LoadState): void;
  openLoad(flow: string, id: string): LoadState | undefined;
  deleteLoad(flow: string, id: string): void;
  /** Cursor value stored for a record of the lookback overlap, if any. `key` is the record's primary key as text. */
  seen(flow: string, key: string): string | undefined;
  remember(flow: string, key: string, version: string): void;
  /** Forgets what is below `version`. */
  forgetBelow(flow: string, version: string): void;
  lease(name: string): Lease | undefined;
  putLease(lease: Lease): void;
  deleteLease(name: string): void;
  alarms(): AlarmState[];
  putAlarm(alarm: AlarmState): void;
  deleteAlarm(id: string): void;
  get(key: string): Value | undefined;
  put(key: string, value: Value): void;
  delete(key: string): void;
}

/** One data directory: the queues and the store, and transactions over both. */
export interface Environment {
  readonly queues: Queues;
  readonly store: Store;
  /**
   * Runs `work` synchronously inside one atomic transaction and resolves when it is durable; a throw inside undoes
   * everything. Concurrent calls are grouped into one commit.
   */
  transaction<T>(work: (tx: { readonly queues: QueuesTx; readonly store: StoreTx }) => T): Promise<T>;
  close(): Promise<void>;
}
