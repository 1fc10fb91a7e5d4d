import type { BatchOutcome, Message, Queues, SendEntry, SentMessage } from "../../core/contracts/index.js";
import type { VirtualClock } from "../virtual-clock.js";

/** What the suite works on; `clock` is the one the queues were made with. */
export interface QueueSubject {
  readonly queues: Queues;
  readonly clock: VirtualClock;
  close(): Promise<void>;
  /** Closes and opens again over the same data; only with the feature `persistent`. */
  reopen?(): Promise<QueueSubject>;
}

export interface QueueFeatures {
  /** Outlives a close. */
  readonly persistent: boolean;
}

/** Retention of the queue `q`, seconds. */
export const RETENTION_S = 3600;

/** The subject of the test that runs, with an empty queue `q`, and the few operations that every test needs. */
export class QueueBench {
  readonly features: QueueFeatures;
  readonly #make: () => Promise<QueueSubject>;
  #subject: QueueSubject | undefined;

  constructor(make: () => Promise<QueueSubject>, features: QueueFeatures) {
    this.#make = make;
    this.features = features;
  }

  async open(): Promise<void> {
    this.#subject = await this.#make();
    await this.queues.createQueue("q", { MessageRetentionPeriod: RETENTION_S });
  }

  close(): Promise<void> {
    return this.#current.close();
  }

  async reopen(): Promise<void> {
    if (!this.#current.reopen) throw new Error("a persistent subject must be able to reopen");
    this.#subject = await this.#current.reopen();
  }

  get queues(): Queues {
    return this.#current.queues;
  }

  get clock(): VirtualClock {
    return this.#current.clock;
  }

  readonly send = (...bodies: string[]): Promise<SentMessage[]> =>
    this.queues.send(
      "q",
      bodies.map((body) => ({ body })),
    );

  /** One batch to one group. */
  readonly sendGroup = (queue: string, groupId: string, ...bodies: string[]): Promise<SentMessage[]> =>
    this.queues.send(
      queue,
      bodies.map((body) => ({ body, groupId })),
    );

  /** The one message of a batch of one. */
  readonly sendOne = async (queue: string, entry: SendEntry): Promise<SentMessage> => {
    const [sent] = await this.queues.send(queue, [entry]);
    if (!sent) throw new Error("expected one message to be sent");
    return sent;
  };

  readonly receive = (
    maxNumberOfMessages = 10,
    visibilityTimeoutMs?: number,
    queue = "q",
  ): Promise<Message[]> =>
    this.queues.receive(queue, {
      maxNumberOfMessages,
      ...(visibilityTimeoutMs === undefined ? {} : { visibilityTimeoutMs }),
    });

  /** Receives the one message that must be there. */
  readonly one = async (...args: Parameters<QueueBench["receive"]>): Promise<Message> => {
    const [message] = await this.receive(...args);
    if (!message) throw new Error("expected a message");
    return message;
  };

  readonly texts = (messages: readonly { body(): Buffer }[]): string[] =>
    messages.map((message) => message.body().toString());

  /** Bodies of what a receive gives. */
  readonly bodies = async (...args: Parameters<QueueBench["receive"]>): Promise<string[]> =>
    this.texts(await this.receive(...args));

  /** The error of a change of visibility, if any. */
  readonly change = async (
    receiptHandle: string,
    visibilityTimeoutMs: number,
    queue = "q",
  ): Promise<BatchOutcome["error"]> =>
    (await this.queues.changeVisibility(queue, [{ receiptHandle, visibilityTimeoutMs }]))[0]?.error;

  /** The error of a delete, if any. */
  readonly remove = async (queue: string, message: Message): Promise<BatchOutcome["error"]> =>
    (await this.queues.delete(queue, [message.receiptHandle]))[0]?.error;

  /**
   * Moves time in steps of at most `stepMs` and lets what works in the background finish after each: transactions end
   * in the order in which they were begun, so ours ends behind those that the step set off.
   */
  readonly pass = async (ms: number, stepMs = 100): Promise<void> => {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(left, stepMs));
      for (let i = 0; i < 3; i++) await this.queues.setQueueAttributes("q", {});
    }
  };

  /** Visible, in flight, delayed. */
  readonly counts = (queue = "q"): number[] => {
    const depth = this.queues.depth(queue);
    return [
      depth.ApproximateNumberOfMessages,
      depth.ApproximateNumberOfMessagesNotVisible,
      depth.ApproximateNumberOfMessagesDelayed,
    ];
  };

  get #current(): QueueSubject {
    if (!this.#subject) throw new Error("no test is running");
    return this.#subject;
  }
}
