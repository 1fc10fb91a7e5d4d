/** What happened to a message, as its senders and receivers saw it. */
export type Happening =
  | "send asked"
  | "send acknowledged"
  | "received"
  | "received from the dead letters"
  | "delete asked"
  | "delete acknowledged"
  | "delete refused"
  | "timeout change asked"
  | "timeout change acknowledged"
  | "overtaken";

interface Event {
  readonly what: Happening;
  /** Epoch ms. */
  readonly at: number;
  /** Which life of the server: the number of kills before. */
  readonly life: number;
}

/** One message and all that is known of it. Times are epoch ms as the clients read them. */
export class Letter {
  readonly name: string;
  readonly body: string;
  readonly delayMs: number;
  /** FIFO queues only. */
  readonly group: string | undefined;
  /** Rises within a group. */
  readonly number: number;
  readonly sendAskedAt: number;
  sent = false;
  /** Likely to be in a queue: what producers go by. */
  open = true;
  messageId: string | undefined;
  /**
   * Its last receiver holds it for certain from here to there: from the answer on, until the timeout counted from the
   * question. A cut answer leaves it unknown whether anyone does.
   */
  heldFrom = 0;
  heldUntil = 0;
  /** Some delete was asked for and not refused; whether it was done may be unknown. */
  deleteAsked = false;
  /** No receive asked for later may give it: from the queue it was sent to, from the dead letters, from either. */
  goneFromQueueAt = Number.POSITIVE_INFINITY;
  goneFromDeadAt = Number.POSITIVE_INFINITY;
  #why = "";
  readonly #story: Event[] = [];

  constructor(options: {
    readonly name: string;
    readonly body: string;
    readonly delayMs: number;
    readonly group: string | undefined;
    readonly number: number;
    readonly at: number;
  }) {
    this.name = options.name;
    this.body = options.body;
    this.delayMs = options.delayMs;
    this.group = options.group;
    this.number = options.number;
    this.sendAskedAt = options.at;
  }

  /** Why it may not be received any more. */
  get why(): string {
    return this.#why;
  }

  note(what: Happening, at: number, life: number): void {
    this.#story.push({ what, at, life });
  }

  isHeld(from: number, to: number): boolean {
    return this.heldFrom <= from && to < this.heldUntil;
  }

  goneFromQueue(at: number, why: string): void {
    if (at >= this.goneFromQueueAt) return;
    this.goneFromQueueAt = at;
    this.#why = why;
  }

  goneFromDead(at: number, why: string): void {
    if (at >= this.goneFromDeadAt) return;
    this.goneFromDeadAt = at;
    this.#why = why;
  }

  /** What happened, in order; times from the send on. */
  story(): string {
    const lines = this.#story.map(
      ({ what, at, life }) => `      ${String(at - this.sendAskedAt).padStart(8)} ms  life ${life}  ${what}`,
    );
    const where = this.group === undefined ? "" : `, number ${this.number} of group ${this.group}`;
    return [
      `    ${this.name} (${this.messageId ?? "id unknown"}${where}, delay ${this.delayMs} ms)`,
      ...lines,
    ].join("\n");
  }
}
