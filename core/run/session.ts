import type { Environment, QueuesTx, RunState, Source, StoreTx } from "../contracts/index.js";
import type { Flow } from "../flow/types.js";
import type { Drift } from "./drift.js";
import type { HeldLease } from "./lease.js";
import type { BodyPool } from "./pack.js";
import type { PreparedFlow } from "./prepare.js";
import type { ProgressMeter } from "./progress.js";
import type { Place } from "./sinks.js";
import type { RunHost } from "./types.js";

/** What the parts of one run share. */
export interface Session {
  readonly host: RunHost;
  readonly flow: Flow;
  readonly prepared: PreparedFlow;
  readonly source: Source;
  readonly run: string;
  readonly generation: string;
  readonly lease: HeldLease;
  readonly meter: ProgressMeter;
  readonly pool: BodyPool;
  /** The sinks as the flow file has them now; filled as their lanes are made. */
  readonly places: Place[];
  /** Aborts everything at once: cancelled, lease lost, an invariant broken. */
  readonly signal: AbortSignal;
  /** Of a read that moves the flow's checkpoint. */
  readonly drift: Drift | undefined;
  /** No further message will be sent by this run. */
  readonly extraction: { done: boolean };
}

/** A transaction of the holder of the flow's lease. */
export function commit<T>(
  session: Pick<Session, "host" | "lease">,
  work: (tx: { readonly queues: QueuesTx; readonly store: StoreTx }) => T,
): Promise<T> {
  return session.host.environment.transaction((tx) => {
    session.lease.assertHeld(tx.store);
    return work(tx);
  });
}

export type { Environment, RunState };
