import { hostname } from "node:os";
import {
  type Clock,
  type Environment,
  InvariantError,
  type Lease,
  type Random,
  type StoreTx,
  TransientError,
} from "../contracts/index.js";

const LEASE_MS = 30_000;
const HEARTBEAT_MS = 10_000;

/** Code of the error of who has lost a lease. */
export const LEASE_LOST = "LEASE_LOST";

/**
 * Exclusive right to run a flow, shared by all processes on a data directory. Held by renewing it; a killed holder on
 * this machine is noticed by its process id, one on another machine by the lease running out. Every transaction of
 * the holder calls `assertHeld`, so that a process that slept through its lease can write nothing any more.
 */
export class HeldLease {
  readonly #environment: Environment;
  readonly #clock: Clock;
  readonly #lease: Lease;
  #stop: () => void = () => undefined;

  private constructor(environment: Environment, clock: Clock, lease: Lease) {
    this.#environment = environment;
    this.#clock = clock;
    this.#lease = lease;
  }

  /** TransientError FLOW_RUNNING when another living process holds it. */
  static async acquire(
    environment: Environment,
    clock: Clock,
    random: Random,
    name: string,
    onLost: (error: Error) => void,
  ): Promise<HeldLease> {
    const now = clock.now();
    const lease: Lease = {
      name,
      owner: random.uuid(),
      pid: process.pid,
      host: hostname(),
      acquiredAt: now,
      expiresAt: now + LEASE_MS,
    };
    await environment.transaction((tx) => {
      const other = tx.store.lease(name);
      if (other !== undefined && other.expiresAt > now && isAlive(other)) {
        throw new TransientError(
          "FLOW_RUNNING",
          `${name.replace("/", " ")} is being run by process ${other.pid} on ${other.host} since ${new Date(other.acquiredAt).toISOString()}`,
          { place: name, fix: "Wait for that run to end, or stop that process." },
        );
      }
      tx.store.putLease(lease);
    });
    const held = new HeldLease(environment, clock, lease);
    held.#stop = clock.every(HEARTBEAT_MS, () => {
      held.#renew().catch(onLost);
    });
    return held;
  }

  async #renew(): Promise<void> {
    await this.#environment.transaction((tx) => {
      this.assertHeld(tx.store);
      tx.store.putLease({ ...this.#lease, expiresAt: this.#clock.now() + LEASE_MS });
    });
  }

  /**
   * Throws InvariantError LEASE_LOST when another process has taken over. Outside of a transaction (by default) it is
   * a look: what must not happen without the lease asks inside its own.
   */
  assertHeld(store: Pick<StoreTx, "lease"> = this.#environment.store): void {
    const current = store.lease(this.#lease.name);
    if (current?.owner !== this.#lease.owner) {
      throw new InvariantError(
        LEASE_LOST,
        `${this.#lease.name} was taken over by process ${current?.pid ?? "unknown"}: this process was stopped or starved for more than ${LEASE_MS / 1000} s`,
        { fix: "Nothing is lost; the other process goes on." },
      );
    }
  }

  async release(): Promise<void> {
    this.#stop();
    await this.#environment.transaction((tx) => {
      if (tx.store.lease(this.#lease.name)?.owner === this.#lease.owner)
        tx.store.deleteLease(this.#lease.name);
    });
  }
}

/** False only for a process of this machine that is certainly gone. */
export function isAlive(lease: Pick<Lease, "pid" | "host">): boolean {
  if (lease.host !== hostname() || lease.pid === process.pid) return true;
  try {
    process.kill(lease.pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
