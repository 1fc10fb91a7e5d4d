import { expect } from "vitest";
import type {
  FinishedRun,
  Load,
  LoadReceipt,
  Schema,
  Sink,
  SluiceError,
  Value,
  WriteMode,
} from "../../core/contracts/index.js";
import { plainRecord, type Row } from "./sample.js";

export interface SinkFeatures {
  readonly kind: "files" | "table";
  readonly writeModes: readonly WriteMode[];
  /** partitionBy works. */
  readonly partitions: boolean;
}

export interface TargetOptions {
  /** Path or table, made of `a-z0-9_`; every test has its own. */
  readonly name: string;
  readonly write: WriteMode;
  readonly key?: readonly string[];
  readonly partitionBy?: readonly string[];
}

/** Ends a call at a step of its work towards the outside, as a kill would. */
export interface Interruption {
  /** Aborted at the strike. */
  readonly signal: AbortSignal;
  /** The step was reached. */
  struck(): boolean;
  /** The outside works again. */
  lift(): void;
}

export interface RefusalCase {
  readonly title: string;
  /** Breaks the outside; returns what mends it. */
  readonly arm: () => (() => void) | Promise<() => void>;
  readonly kind: SluiceError["kind"];
  readonly code: string;
}

export interface SinkFixture {
  readonly features: SinkFeatures;
  /** A connection as a newly started process has it. The suite closes it. */
  connect(): Sink;
  /** A parsed target. */
  target(options: TargetOptions): unknown;
  /** All rows that a reader finds in the target now, by other means than the sink's own; `[]` when it does not exist. */
  rows(name: string, schema: Schema): Promise<Row[]>;
  /**
   * From the `step`-th operation on (0-based), either `before` it is applied or `after`, nothing reaches the outside
   * any more and the signal aborts. Undefined: the fixture cannot, with the reason in `whyNotInterrupted`.
   */
  interrupt?(step: number, when: "before" | "after"): Interruption;
  readonly whyNotInterrupted?: string;
  readonly refusals?: readonly RefusalCase[];
  close(): Promise<void>;
}

const STEPS_AT_MOST = 500;

export const ID_SCHEMA: Schema = { fields: [{ name: "id", type: "integer" }] };

/** Plain records with the ids `from` to `to`. */
export function records(from: number, to: number): Record<string, Value>[] {
  return Array.from({ length: to - from + 1 }, (_, at) => plainRecord(from + at));
}

/** The engine's account of a run, from what was written in it. */
export function finished(
  run: string,
  generation: string,
  complete: boolean,
  written: readonly { readonly load: Load; readonly receipt: LoadReceipt }[],
): FinishedRun {
  return {
    run,
    generation,
    complete,
    flow: written[0]?.load.flow ?? "accounts",
    loads: written.map(({ load }) => load.id),
    files: written.flatMap(({ receipt }) => receipt.files),
    records: written.reduce((sum, { receipt }) => sum + receipt.records, 0),
    startedAt: `${run.slice(0, 4)}-${run.slice(4, 6)}-${run.slice(6, 8)}T00:00:00.000Z`,
    endedAt: `${run.slice(0, 4)}-${run.slice(4, 6)}-${run.slice(6, 8)}T00:01:00.000Z`,
  };
}

/** Runs `attempt` with an interruption at step 0, 1, 2, ... until one is not reached any more. */
export async function eachStep(
  interrupt: (step: number, when: "before" | "after") => Interruption,
  when: "before" | "after",
  attempt: (interruption: () => Interruption) => Promise<boolean>,
): Promise<void> {
  for (let step = 0; step < STEPS_AT_MOST; step++) {
    try {
      if (!(await attempt(() => interrupt(step, when)))) {
        expect(step, "a call that reaches the outside has steps").toBeGreaterThan(0);
        return;
      }
    } catch (error) {
      throw new Error(`interrupted ${when} step ${step}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  }
  throw new Error(`more than ${STEPS_AT_MOST} steps`);
}

/** An interrupted call may fail or may have come through; both are fine. */
export async function settled(call: Promise<unknown>): Promise<void> {
  await Promise.allSettled([call]);
}
