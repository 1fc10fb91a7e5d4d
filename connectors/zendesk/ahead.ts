import { type Page, TransientError, throwIfCancelled } from "../../core/contracts/index.js";
import type { State } from "./cursor.js";
import type { Step } from "./reading.js";

/**
 * The pages from a state on. The next one is asked for before the last one is handed on, so that waiting for Zendesk and
 * working on a page go on at the same time; at most one page is held beside the one in work. What failed in passing
 * before its turn is asked for again then. Leaving the loop ends the request under way.
 */
export async function* readAhead<S extends State>(
  first: S,
  step: (state: S, signal: AbortSignal) => Promise<Step<S>>,
  signal: AbortSignal,
): AsyncGenerator<Page, S> {
  const left = new AbortController();
  const either = AbortSignal.any([signal, left.signal]);
  try {
    let pending = step(first, either);
    for (;;) {
      const { page, state, stops = state.done } = await pending;
      let failed = false;
      const next = stops ? undefined : step(state, either);
      next?.catch((error: unknown) => {
        failed = error instanceof TransientError;
      });
      yield page;
      throwIfCancelled(signal);
      if (next === undefined) return state;
      pending = failed ? step(state, either) : next;
    }
  } finally {
    left.abort();
  }
}
