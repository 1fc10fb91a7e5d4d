import { ConfigError, InvariantError } from "../../contracts/index.js";
import type { AccessKey, SqsEndpoint } from "../../queue/wire/index.js";
import { type RunHost, runFlow, Scheduler } from "../../run/index.js";
import { AlarmTick } from "./alarm-tick.js";
import { daemonLease } from "./daemon-lease.js";

export interface DaemonOptions {
  readonly host: RunHost;
  readonly signal: AbortSignal;
  /** Undefined: the queues are not served. */
  readonly sqs: SqsOptions | undefined;
  /** It listens; `url` of the SQS endpoint, where there is one. */
  readonly onReady: (url: string | undefined) => void;
}

export interface SqsOptions {
  readonly host: string;
  readonly port: number;
  readonly keys: readonly AccessKey[];
  /** Undefined: the buffer is in memory. */
  readonly dataDir: string | undefined;
}

/**
 * Serves the queues, starts flows by their triggers and looks at the alarms until the signal aborts; then runs are
 * cancelled, resumable, and everything that was begun here is closed. The environment stays the caller's. Rejects when it
 * cannot begin or go on; then, too, it has closed everything.
 */
export async function runDaemon({ host, signal, sqs, onReady }: DaemonOptions): Promise<void> {
  const broken = new AbortController();
  const lease = await daemonLease(host, signal, (error) => {
    if (error instanceof InvariantError) broken.abort(error);
    else host.log.warn("the lease of the daemon was not renewed", { error: error.message });
  });
  try {
    const endpoint = sqs && (await serve(host, sqs));
    try {
      onReady(endpoint?.url);
      warnOfEvents(host);
      const alarms = new AlarmTick(host, (error) => broken.abort(error));
      try {
        const both = AbortSignal.any([signal, broken.signal]);
        await new Scheduler(host, { signal: both, run: runFlow }).run();
      } finally {
        await alarms.close();
      }
    } finally {
      await endpoint?.close();
    }
  } finally {
    await lease.release();
  }
  if (broken.signal.aborted) throw broken.signal.reason;
}

/** What the endpoint's errors come to here: its own words name the options of `queue serve`. */
const FIXES: Readonly<Record<string, string>> = {
  PORT_IN_USE:
    "Stop it, or choose another with server.sqsPort in sluice.yaml or --sqs-port; --no-sqs goes without.",
  PORT_NOT_ALLOWED: "Choose a port above 1023 with server.sqsPort in sluice.yaml or --sqs-port.",
  ADDRESS_NOT_AVAILABLE: "Give one as server.host in sluice.yaml, such as 127.0.0.1 or 0.0.0.0.",
  NOT_LOOPBACK:
    "Set SLUICE_SQS_ACCESS_KEY_ID and SLUICE_SQS_SECRET_ACCESS_KEY, or leave server.host out of sluice.yaml.",
};

async function serve({ environment, clock, random, log }: RunHost, sqs: SqsOptions): Promise<SqsEndpoint> {
  const { startSqsEndpoint } = await import("../../queue/wire/index.js");
  const { host, port, keys, dataDir } = sqs;
  const { queues } = environment;
  const own = dataDir === undefined ? {} : { dataDir };
  try {
    return await startSqsEndpoint({ queues, clock, random, log, host, port, keys, cooldowns: true, ...own });
  } catch (error) {
    const fix = error instanceof ConfigError ? FIXES[error.code] : undefined;
    if (!(error instanceof ConfigError) || fix === undefined) throw error;
    const place = error.place?.startsWith("--") === true ? "server.host" : error.place;
    throw new ConfigError(error.code, error.message, {
      fix,
      ...(place === undefined ? {} : { place }),
      ...(error.cause === undefined ? {} : { cause: error.cause }),
    });
  }
}

function warnOfEvents({ project, log }: RunHost): void {
  for (const { name, trigger } of project.flows.values()) {
    if (trigger.type === "event")
      log.warn("events are not served yet: the flow runs when `sluice run` asks for it", { flow: name });
  }
}
