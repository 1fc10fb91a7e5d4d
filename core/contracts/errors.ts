/**
 * Errors are classed by what happens next (style.md, "Errors that say what to do"). Each carries a stable
 * `code`, the `place` it concerns (file:line:column, stream, sink target) and the `fix`: what the reader can do.
 */
export type ErrorClass = "config" | "auth" | "rateLimit" | "transient" | "record" | "cancelled" | "invariant";

export interface ErrorDetails {
  /** Where: `flows/a.yaml:3:5 source.stream`, `salesforce Opportunity`, `s3://bucket/key`. */
  readonly place?: string;
  /** What the reader can do about it: one imperative sentence. */
  readonly fix?: string;
  readonly cause?: unknown;
}

export abstract class SluiceError extends Error {
  abstract readonly kind: ErrorClass;
  /** Stable, upper snake case, e.g. `SALESFORCE_INVALID_FIELD`. */
  readonly code: string;
  readonly place: string | undefined;
  readonly fix: string | undefined;
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.place = details.place;
    this.fix = details.fix;
  }
}

/** The author of the flow or of sluice.yaml must change something. Nothing is retried. Exit code 2. */
export class ConfigError extends SluiceError {
  readonly kind = "config";
}

/** The owner of the account must act: a revoked grant, a wrong password, a missing right. Exit code 3. */
export class AuthError extends SluiceError {
  readonly kind = "auth";
}

/** The other side asks us to wait. Spends no attempt. */
export class RateLimitError extends SluiceError {
  readonly kind = "rateLimit";
  /** Milliseconds to wait before the next try; undefined where the other side does not say. */
  readonly retryAfterMs: number | undefined;
  /** `wait`: seconds, inside the run. `park`: hours (a daily quota): end the run, resumable. */
  readonly scope: "wait" | "park";
  constructor(
    code: string,
    message: string,
    details: ErrorDetails & { retryAfterMs?: number; scope?: "wait" | "park" } = {},
  ) {
    super(code, message, details);
    this.retryAfterMs = details.retryAfterMs;
    this.scope = details.scope ?? "wait";
  }
}

/** Nobody must act: retried with bounded backoff; when the attempts are spent the run fails, resumable. */
export class TransientError extends SluiceError {
  readonly kind = "transient";
}

/** The owner of the data must act: that record is dead-lettered with its reason and the run goes on. */
export class RecordError extends SluiceError {
  readonly kind = "record";
}

/** The user or a signal asked to stop. Everything is left resumable. Exit code 130. */
export class CancelledError extends SluiceError {
  readonly kind = "cancelled";
}

/** A promise of Sluice itself is broken: stop loudly. */
export class InvariantError extends SluiceError {
  readonly kind = "invariant";
}

/** `true`, or throws InvariantError. Use on both sides of a boundary. */
export function invariant(holds: boolean, code: string, message: string): asserts holds {
  if (!holds) throw new InvariantError(code, message);
}

/** Throws CancelledError when the signal is aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError("CANCELLED", "cancelled", { cause: signal.reason });
}
