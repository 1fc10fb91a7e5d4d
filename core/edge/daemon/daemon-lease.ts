import { hostname } from "node:os";
import { TransientError } from "../../contracts/index.js";
import { HeldLease, type RunHost } from "../../run/index.js";

const NAME = "daemon";

type Host = Pick<RunHost, "environment" | "clock" | "random" | "log">;

/**
 * The right to be the daemon of a data directory: two would start flows twice. TransientError DAEMON_RUNNING when another
 * process is it.
 */
export async function daemonLease(
  host: Host,
  signal: AbortSignal,
  onLost: (error: Error) => void,
): Promise<HeldLease> {
  const { environment, clock, random, log } = host;
  for (;;) {
    const holder = environment.store.lease(NAME);
    // In a container every daemon has the same process id: this is what a killed one has left.
    const isOurs = holder?.pid === process.pid && holder.host === hostname();
    const waitMs = isOurs ? holder.expiresAt - clock.now() : 0;
    if (waitMs > 0) {
      log.info("waits for the lease of a daemon that was killed", { ms: waitMs });
      await clock.sleep(waitMs, signal);
    }
    try {
      return await HeldLease.acquire(environment, clock, random, NAME, onLost);
    } catch (error) {
      if (!(error instanceof TransientError) || error.code !== "FLOW_RUNNING") throw error;
      if (isOurs) continue;
      throw new TransientError(
        "DAEMON_RUNNING",
        `process ${holder?.pid ?? "unknown"} on ${holder?.host ?? "this machine"} is the daemon of this data directory`,
        {
          place: "dataDir",
          fix: "One daemon serves a data directory: stop that one first.",
          cause: error,
        },
      );
    }
  }
}
