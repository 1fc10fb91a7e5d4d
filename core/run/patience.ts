import { CancelledError, type Clock } from "../contracts/index.js";

/** A signal that aborts `ms` after `signal` does, unless `end` was called before. */
export function patientSignal(
  signal: AbortSignal,
  ms: number,
  clock: Clock,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const over = new AbortController();
  const ended = new AbortController();
  const onAbort = () => {
    // Rejects when it has ended before: then nothing is left to abort.
    clock.sleep(ms, ended.signal).then(
      () => over.abort(signal.reason),
      () => undefined,
    );
  };
  signal.addEventListener("abort", onAbort, { once: true });
  const end = () => {
    signal.removeEventListener("abort", onAbort);
    ended.abort();
  };
  return { signal: over.signal, end };
}

/** `work`'s outcome, or CancelledError as soon as the signal aborts; `work` goes on. */
export function leaving<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(new CancelledError("CANCELLED", "cancelled", { cause: signal.reason }));
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
