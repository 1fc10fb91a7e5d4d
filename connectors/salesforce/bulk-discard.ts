import { type Clock, type Log, throwIfCancelled } from "../../core/contracts/index.js";
import type { BulkJobs } from "./bulk-jobs.js";

/** A server that does not answer must not hold up the end. */
const PATIENCE_MS = 3_000;

/** What stays there is deleted by Salesforce after seven days: not worth a failed run. */
export async function deleteJob(jobs: BulkJobs, id: string, log: Log, signal: AbortSignal): Promise<void> {
  try {
    await jobs.delete(id, signal);
  } catch (error) {
    throwIfCancelled(signal);
    log.info(`Bulk job ${id} was not deleted: ${textOf(error)}`);
  }
}

/** Ends a job whatever its state, and deletes it. Never rejects. */
export async function discardJob(jobs: BulkJobs, id: string, log: Log, signal: AbortSignal): Promise<void> {
  try {
    // One that still runs cannot be deleted; one that has ended cannot be aborted.
    await jobs.abort(id, signal).catch((error: unknown) => {
      log.debug(`Bulk job ${id} was not aborted: ${textOf(error)}`);
    });
    await jobs.delete(id, signal);
  } catch (error) {
    log.info(`Bulk job ${id} was not deleted: ${textOf(error)}`);
  }
}

/** Aborts a job that waits or runs. Never rejects. */
export async function abortJob(jobs: BulkJobs, id: string, log: Log, clock: Clock): Promise<void> {
  const patience = new Patience(clock);
  patience.begin();
  try {
    await jobs.abort(id, patience.signal);
  } catch (error) {
    log.info(`Bulk job ${id} was not aborted: ${textOf(error)}`);
  } finally {
    patience.end();
  }
}

/** For the last requests of a read, when its own signal may be aborted: its signal aborts some time after `begin`. */
export class Patience {
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  #stop: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  begin(): void {
    this.#stop ??= this.#clock.every(PATIENCE_MS, () => this.#abort.abort());
  }

  end(): void {
    this.#stop?.();
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
