import {
  type Clock,
  type Environment,
  type Log,
  type Random,
  TransientError,
  throwIfCancelled,
} from "../contracts/index.js";
import { HeldLease, isAlive } from "./lease.js";

/** How often a process that waits for another one's work looks. */
const POLL_MS = 50;
/** Longer than a token request with all its tries may take. */
const MOST_WAIT_MS = 15 * 60_000;

/**
 * Waits until no other process holds the lease, and does `work` under it. CancelledError where `signal` aborts before; once
 * the lease is held `work` goes on to its end. TransientError LEASE_BUSY after a quarter of an hour.
 */
export async function withLease<T>(
  host: {
    readonly environment: Environment;
    readonly clock: Clock;
    readonly random: Random;
    readonly log: Log;
  },
  name: string,
  signal: AbortSignal,
  work: (lease: HeldLease) => Promise<T>,
): Promise<T> {
  const { environment, clock, random, log } = host;
  const onLost = (error: Error) => log.warn("a lease was not renewed", { name, error: error.message });
  const started = clock.monotonicMs();
  for (;;) {
    throwIfCancelled(signal);
    const holder = environment.store.lease(name);
    // A look first: asking for it is a transaction.
    const isFree = holder === undefined || holder.expiresAt <= clock.now() || !isAlive(holder);
    const lease = isFree ? await acquired(environment, clock, random, name, onLost) : undefined;
    if (lease !== undefined) {
      try {
        return await work(lease);
      } finally {
        await lease.release();
      }
    }
    if (clock.monotonicMs() - started > MOST_WAIT_MS) {
      throw new TransientError(
        "LEASE_BUSY",
        `process ${holder?.pid ?? "unknown"} on ${holder?.host ?? "this machine"} has held ${name} for too long`,
        { place: name, fix: "Stop that process, then run the flow again." },
      );
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/** Undefined where another process was first. */
async function acquired(...lease: Parameters<typeof HeldLease.acquire>): Promise<HeldLease | undefined> {
  try {
    return await HeldLease.acquire(...lease);
  } catch (error) {
    if (error instanceof TransientError && error.code === "FLOW_RUNNING") return undefined;
    throw error;
  }
}
