import { CancelledError } from "../contracts/index.js";

/**
 * Makes callers share one running call of `work`: whoever comes while it runs gets the same outcome. A caller whose
 * signal aborts leaves at once; the work itself is aborted when the last one has left.
 */
export function singleFlight<T>(
  work: (signal: AbortSignal) => Promise<T>,
): (signal?: AbortSignal) => Promise<T> {
  let flight: { readonly result: Promise<T>; readonly abort: AbortController; waiting: number } | undefined;

  const start = () => {
    const abort = new AbortController();
    const result = work(abort.signal).finally(() => {
      if (flight?.abort === abort) flight = undefined;
    });
    // Everyone may have left before it fails.
    result.catch(() => undefined);
    return { result, abort, waiting: 0 };
  };

  return (signal) =>
    new Promise<T>((resolve, reject) => {
      if (signal?.aborted) return reject(cancelled(signal));
      flight ??= start();
      const joined = flight;
      joined.waiting++;
      const leave = () => {
        joined.waiting--;
        signal?.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        leave();
        reject(cancelled(signal));
        if (joined.waiting > 0) return;
        if (flight === joined) flight = undefined;
        joined.abort.abort();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      joined.result.then(
        (value) => {
          leave();
          resolve(value);
        },
        (error: unknown) => {
          leave();
          reject(error);
        },
      );
    });
}

function cancelled(signal: AbortSignal | undefined): CancelledError {
  return new CancelledError("CANCELLED", "cancelled", { cause: signal?.reason });
}
