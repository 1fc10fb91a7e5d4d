import { type Page, throwIfCancelled } from "../../core/contracts/index.js";
import { Ahead } from "../../core/http/index.js";
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
      const next = stops ? undefined : new Ahead(step(state, either));
      yield page;
      throwIfCancelled(signal);
      if (next === undefined) return state;
      pending = next.coming ?? step(state, either);
    }
  } finally {
    left.abort();
  }
}
