import {
  type Clock,
  type Random,
  RateLimitError,
  SluiceError,
  throwIfCancelled,
} from "../contracts/index.js";

/** Tries of one sink call, first one included: about 25 s in all before a run gives a sink up. */
const ATTEMPTS = 7;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
/** Waits a sink may ask for in one call before the run gives it up. */
const LONGEST_WAIT_MS = 15 * 60_000;

/**
 * Calls a sink until it answers. TransientErrors are tried again with exponential backoff and full jitter; a rate
 * limit is waited for and spends no attempt; every other class is the caller's.
 */
export async function withRetry<T>(
  clock: Clock,
  random: Random,
  signal: AbortSignal,
  onWait: (wait: { reason: string; ms: number }) => void,
  call: () => Promise<T>,
): Promise<T> {
  let waited = 0;
  for (let attempt = 1; ; ) {
    throwIfCancelled(signal);
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      const backoff = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
      let ms: number;
      if (error instanceof RateLimitError && error.scope === "wait" && waited < LONGEST_WAIT_MS) {
        ms = error.retryAfterMs ?? backoff;
        waited += ms;
      } else if (error.kind === "transient" && attempt < ATTEMPTS) {
        ms = backoff * (0.5 + random.next() / 2);
        attempt++;
      } else throw error;
      onWait({ reason: error.message, ms });
      await clock.sleep(ms, signal);
    }
  }
}
