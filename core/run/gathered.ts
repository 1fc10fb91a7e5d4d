import type { Message } from "../contracts/index.js";

/**
 * The messages of the next load, in the order of their first receipt and each of them once. A message shows up again
 * when it stayed hidden for less time than it waits here: a sink that writes for long, a process that was stopped and
 * goes on, a heartbeat that failed. It is then the same message with a newer receipt, never a second one.
 */
export class Gathered {
  readonly #messages = new Map<string, Message>();
  #bytes = 0;
  #since = 0;

  /** `nowMs`: monotonic time, kept from the first message on. */
  add(message: Message, nowMs: number): void {
    if (this.#messages.size === 0) this.#since = nowMs;
    if (!this.#messages.has(message.messageId)) this.#bytes += message.bytes;
    this.#messages.set(message.messageId, message);
  }

  /** Hands over everything gathered and begins anew. */
  take(): Message[] {
    const messages = this.messages;
    this.#messages.clear();
    this.#bytes = 0;
    return messages;
  }

  get messages(): Message[] {
    return [...this.#messages.values()];
  }

  get first(): Message | undefined {
    return this.#messages.values().next().value;
  }

  get size(): number {
    return this.#messages.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Monotonic time of the oldest one's receipt. */
  get since(): number {
    return this.#since;
  }
}
