/**
 * Keeps the producers of a process from running away from its consumers: each waits while as many messages as may be
 * have been sent and not deleted. Consumers spend two requests where producers spend one.
 */
export class Backlog {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #messages = 0;
  #open = false;

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when so many messages may be sent, or when the backlog was opened. */
  async enter(messages: number): Promise<void> {
    while (this.#messages >= this.#most && !this.#open)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#messages += messages;
  }

  leave(messages: number): void {
    this.#messages -= messages;
    if (this.#messages < this.#most) this.#waiting.shift()?.();
  }

  /** Lets everyone go: the load is over. */
  open(): void {
    this.#open = true;
    for (const resume of this.#waiting.splice(0)) resume();
  }
}
