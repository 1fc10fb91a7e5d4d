import { ConfigError, type Store, type StoreTx } from "../contracts/index.js";
import type { ReadState } from "./extract.js";
import type { PreparedFlow } from "./prepare.js";
import type { RunOptions } from "./types.js";

/** Where a run begins to read, and the generation it belongs to. */
export interface ReadStart {
  readonly generation: string;
  /** The run that read the part before; undefined where this one begins anew. */
  readonly before: string | undefined;
  readonly read: Omit<ReadState, "stop">;
}

/**
 * - An unfinished read (killed, failed, cancelled) is resumed: same generation, from the last checkpoint.
 * - An incremental flow goes on behind its cursor; a full one begins anew.
 * - `full` begins anew whatever the checkpoint says; the sequence goes on, so that this read's records are newer.
 * - `from`/`to` (incremental only) read that window under a checkpoint of their own; the flow's does not move.
 * - Every read takes the next numbers of the one sequence of the flow: whatever is read later is newer.
 * - A flow that now reads another stream, mode or cursor begins anew.
 */
export function startOfRead(
  store: Store,
  prepared: PreparedFlow,
  run: string,
  options: RunOptions,
): ReadStart {
  const { flow, feed, mode } = prepared;
  const isBackfill = options.from !== undefined || options.to !== undefined;
  if (isBackfill && mode === "full") {
    throw new ConfigError(
      "FLOW_BACKFILL_FULL",
      `${flow.source.stream} is read in full: it has no window to read`,
      {
        place: `${flow.file} source.mode`,
        fix: "Leave --from and --to away, or read the stream with mode: incremental.",
      },
    );
  }
  const key = isBackfill ? `${flow.name}@${options.from ?? ""}..${options.to ?? ""}` : flow.name;
  const stored = store.checkpoint(key);
  const usable = stored !== undefined && stored.stream === feed && options.full !== true ? stored : undefined;
  const resumes = usable !== undefined && !usable.complete;
  const goesOn = resumes || (usable !== undefined && mode === "incremental");
  // A read that found nothing at all has left no cursor.
  const cursor = goesOn && usable.cursor !== null ? usable.cursor : undefined;
  return {
    generation: resumes ? usable.generation : run,
    before: resumes ? usable.run : undefined,
    read: {
      checkpoint: key,
      cursor,
      resumes: resumes && cursor !== undefined,
      isNew: cursor === undefined,
      nextSequence: nextSequence(store, flow.name),
      ...(options.from === undefined ? {} : { from: options.from }),
      ...(options.to === undefined ? {} : { to: options.to }),
    },
  };
}

/*
 * The sequence is the flow's and not a checkpoint's: a backfill between two runs must not hand out the same numbers.
 */
const sequenceKey = (flow: string) => `sequence/${flow}`;

function nextSequence(store: Store, flow: string): number {
  const value = store.get(sequenceKey(flow));
  return Math.max(typeof value === "number" ? value : 0, store.checkpoint(flow)?.nextSequence ?? 0);
}

/** Inside the transaction that stores what was numbered. */
export function putSequence(tx: StoreTx, flow: string, next: number): void {
  tx.put(sequenceKey(flow), next);
}
