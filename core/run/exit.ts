import { type ErrorClass, RecordError, type RunState, SluiceError } from "../contracts/index.js";
import type { Reject } from "../flow/types.js";

const EXIT_CODES: Readonly<Record<ErrorClass, number>> = {
  config: 2,
  auth: 3,
  rateLimit: 1,
  transient: 1,
  record: 1,
  cancelled: 130,
  invariant: 1,
};

/** Exit code of the command line for an error: 2 configuration, 3 authentication, 130 cancelled, 1 everything else. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof RecordError && error.code === TOO_MANY_REJECTED) return 4;
  return error instanceof SluiceError ? EXIT_CODES[error.kind] : 1;
}

const TOO_MANY_REJECTED = "TOO_MANY_REJECTED";

/** What a run beyond its allowance of rejected records fails with, after everything else was loaded. */
export function beyondAllowance(state: RunState, errors: Reject): RecordError | undefined {
  const { fetched, dropped, deadLettered } = state.records;
  const rejected = dropped + deadLettered;
  const { maxRejected } = errors;
  const allowed = "count" in maxRejected ? maxRejected.count : maxRejected.share * fetched;
  if (rejected <= allowed) return undefined;
  const stated = "count" in maxRejected ? `${maxRejected.count}` : `${maxRejected.share * 100}%`;
  return new RecordError(
    TOO_MANY_REJECTED,
    `${rejected} of ${fetched} records were rejected, errors.maxRejected allows ${stated}; all others are loaded`,
    { place: state.flow, fix: `See why: sluice dead-letters list --flow ${state.flow}` },
  );
}
