import type { Store } from "../contracts/index.js";
import type { ReadState } from "./extract.js";
import type { PreparedFlow } from "./prepare.js";
import type { RunOptions } from "./types.js";

/** Where a run begins to read, and the generation it belongs to. */
export interface ReadStart {
  readonly generation: string;
  readonly read: Omit<ReadState, "stop">;
}

/**
 * - An unfinished read (killed, failed, cancelled) is resumed: same generation, from the last checkpoint.
 * - An incremental flow goes on behind its cursor; a full one begins anew.
 * - `full` begins anew whatever the checkpoint says; the sequence goes on, so that this read's records are newer.
 * - `from`/`to` read that window under a checkpoint of their own; the flow's does not move.
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
  const key = isBackfill ? `${flow.name}@${options.from ?? ""}..${options.to ?? ""}` : flow.name;
  const stored = store.checkpoint(key);
  const usable = stored !== undefined && stored.stream === feed && options.full !== true ? stored : undefined;
  const resumes = usable !== undefined && !usable.complete;
  const goesOn = resumes || (usable !== undefined && mode === "incremental");
  return {
    generation: resumes ? usable.generation : run,
    read: {
      checkpoint: key,
      cursor: goesOn ? usable.cursor : undefined,
      nextSequence: stored?.nextSequence ?? store.checkpoint(flow.name)?.nextSequence ?? 0,
      ...(options.from === undefined ? {} : { from: options.from }),
      ...(options.to === undefined ? {} : { to: options.to }),
    },
  };
}
