import {
  AuthError,
  type Clock,
  ConfigError,
  type Log,
  type ReadRequest,
} from "../../core/contracts/index.js";
import type { SalesforceApi } from "./api.js";
import { earliest, isoOf, type Stamp, stampOf, type WindowEnd } from "./cursor.js";
import type { DescribedObject } from "./describe.js";
import { REPLICATION_DATE, TOO_MANY_IDS } from "./errors.js";

/*
 * Where a window may end. A record is stamped when its transaction touches it and seen when the transaction commits, so
 * "everything up to now" is a promise that only Salesforce can make: getUpdated answers a latestDateCovered, which it
 * holds back to the beginning of the longest running transaction. ("GetUpdatedResult", SOAP API Developer Guide)
 */

const MINUTE = 60_000;
/** Kept from now where Salesforce names no end: what a transaction takes at most, as far as one can tell. */
export const HOLD_BACK_MS = 5 * MINUTE;
/** No transaction is as old as this. */
const SETTLED_AFTER_MS = 24 * 60 * MINUTE;
/** Only the date is wanted, so the span is small: its ids come along. */
const SPAN_MS = 10 * MINUTE;

interface EndContext {
  readonly api: SalesforceApi;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The frozen end of a new window: now by whichever clock is behind, but not behind latestDateCovered, rounded down to
 * the second. With the clock of Salesforce ahead nothing is lost; with ours ahead a record could change during the
 * read and still stay inside. `settleMs`: how far the flow stays behind now by its own will.
 */
export async function windowEnd(
  context: EndContext,
  object: DescribedObject,
  request: ReadRequest,
  settleMs: number,
): Promise<WindowEnd> {
  const now = context.clock.now() - context.api.behindMs;
  const wanted = request.to ?? now - settleMs;
  if (wanted <= now - SETTLED_AFTER_MS) return { to: stampOf(wanted), settled: true };
  const covered = object.replicateable
    ? await latestDateCovered(context, object, now, request.signal)
    : undefined;
  if (covered !== undefined) return { to: earliest(stampOf(Math.min(wanted, now)), covered), settled: true };
  return { to: stampOf(Math.min(wanted, now - HOLD_BACK_MS)), settled: false };
}

/** Undefined where Salesforce does not say, which is logged. */
async function latestDateCovered(
  { api, log }: EndContext,
  object: DescribedObject,
  now: number,
  signal: AbortSignal,
): Promise<Stamp | undefined> {
  const minute = Math.floor(now / MINUTE) * MINUTE;
  // Seconds are cut off, so that only the next minute reaches up to now. Should an end in the future be refused, or a
  // bulk update have filled the span, less is asked for.
  const spans = [
    [minute - SPAN_MS, minute + MINUTE],
    [minute - SPAN_MS, minute],
    [minute - MINUTE, minute],
  ] as const;
  for (const [start, end] of spans) {
    try {
      const answer = await api.replication(object.name, "updated", start, end, signal);
      // Not given: the whole span is covered.
      return answer.latestDateCovered === undefined ? stampOf(end) : stampOf(answer.latestDateCovered);
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof AuthError) || !isRefusal(error)) throw error;
      log.debug(`${object.name}: getUpdated refused ${isoOf(stampOf(start))}`, { code: error.code });
      if (error.code !== REPLICATION_DATE && error.code !== TOO_MANY_IDS) break;
    }
  }
  log.info(
    `${object.name}: Salesforce names no date up to which changes are complete; 5 minutes are left out`,
  );
  return undefined;
}

const REFUSALS = new Set([
  REPLICATION_DATE,
  TOO_MANY_IDS,
  "SALESFORCE_INVALID_TYPE",
  "SALESFORCE_UNSUPPORTED",
  "SALESFORCE_NOT_FOUND",
  "SALESFORCE_FORBIDDEN",
]);

/** Of this object or span, not of the connection as a whole. */
export function isRefusal(error: ConfigError | AuthError): boolean {
  return REFUSALS.has(error.code);
}
