import type { ServerResponse } from "node:http";

/**
 * The requests that are being answered. A call's signal aborts when its client leaves or when the endpoint closes;
 * most calls never ask for one.
 */
export class OpenCalls {
  readonly #waiting = new Set<AbortController>();
  #closing = false;

  get closing(): boolean {
    return this.#closing;
  }

  signalFor(response: ServerResponse): AbortSignal {
    const controller = new AbortController();
    if (this.#closing || response.destroyed) {
      controller.abort();
      return controller.signal;
    }
    this.#waiting.add(controller);
    response.once("close", () => {
      this.#waiting.delete(controller);
      // After a complete answer nobody listens any more.
      if (!response.writableEnded) controller.abort();
    });
    return controller.signal;
  }

  /** Ends the long polls: they answer that there is nothing. */
  close(): void {
    this.#closing = true;
    for (const controller of this.#waiting) controller.abort();
  }
}
