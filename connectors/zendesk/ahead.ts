import { type Page, throwIfCancelled } from "../../core/contracts/index.js";
import type { State } from "./cursor.js";
import type { Step } from "./reading.js";

/**
 * The pages from a state on. The next one is asked for before the last one is handed on, so that waiting for Zendesk and
 * working on a page go on at the same time; at most one page is held beside the one in work. Leaving the loop ends the
 * request under way.
 */
export async function* readAhead<S extends State>(
  first: S,
  step: (state: S, signal: AbortSignal) => Promise<Step<S>>,
  signal: AbortSignal,
): AsyncGenerator<Page, S> {
  const left = new AbortController();
  const either = AbortSignal.any([signal, left.signal]);
  const start = (state: S) => {
    const pending = step(state, either);
    // Nobody may come back for it.
    pending.catch(() => undefined);
    return pending;
  };
  try {
    let pending = start(first);
    for (;;) {
      const { page, state, stops = state.done } = await pending;
      if (!stops) pending = start(state);
      yield page;
      throwIfCancelled(signal);
      if (stops) return state;
    }
  } finally {
    left.abort();
  }
}
