import type { Random } from "../../../core/contracts/index.js";
import type { SqsMessage } from "../../bench/queue/sqs-client.js";
import type { Ledger, Received } from "./ledger.js";
import type { Letter } from "./letter.js";
import { CUT, type Served } from "./served.js";

export interface ConsumerOptions {
  readonly queueUrl: string;
  readonly from: Received["from"];
  readonly fifo: boolean;
  readonly timeoutMs: number;
  readonly served: Served;
  readonly ledger: Ledger;
  readonly random: Random;
}

interface Held {
  readonly letter: Letter;
  readonly handle: string;
  /** An earlier delete of it is unknown. */
  readonly alone: boolean;
}

/** A cut receive of a FIFO queue is sometimes asked again with the same ReceiveRequestAttemptId. */
const REPEATED_SHARE = 0.5;
/** What becomes of a message: it is deleted, given another timeout, or left until its timeout ends. */
const DELETED_SHARE = 0.7;
const CHANGED_SHARE = 0.2;

export class Consumer {
  readonly #options: ConsumerOptions;

  constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  /** While `mayFail` some messages are not deleted, and end among the dead letters. */
  async run(goesOn: () => boolean, mayFail: () => boolean): Promise<void> {
    const { random } = this.#options;
    while (goesOn()) {
      const held = await this.#receive();
      const deleted: Held[] = [];
      const changed: Held[] = [];
      for (const each of held) {
        const chance = mayFail() ? random.next() : 0;
        if (chance < DELETED_SHARE) deleted.push(each);
        else if (chance < DELETED_SHARE + CHANGED_SHARE) changed.push(each);
      }
      await this.#change(changed);
      await this.#delete(deleted);
    }
  }

  async #receive(): Promise<Held[]> {
    const { queueUrl, from, fifo, timeoutMs, served, ledger, random } = this.#options;
    const input = {
      QueueUrl: queueUrl,
      MaxNumberOfMessages: 1 + Math.floor(random.next() * 10),
      WaitTimeSeconds: random.next() < 0.5 ? 1 : 0,
      ...(fifo && { ReceiveRequestAttemptId: random.uuid() }),
    };
    for (;;) {
      const askedAt = Date.now();
      const answer = await served.call("ReceiveMessage", input);
      const answeredAt = Date.now();
      if (answer === CUT) {
        if (fifo && random.next() < REPEATED_SHARE) continue;
        return [];
      }
      const messages = answer.Messages ?? [];
      const letters = ledger.received({ from, askedAt, answeredAt, timeoutMs, messages });
      if (messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      return letters.flatMap((letter) => heldOf(letter, messages));
    }
  }

  async #delete(held: readonly Held[]): Promise<void> {
    if (held.length === 0) return;
    const { queueUrl, from, fifo, served, ledger } = this.#options;
    const askedAt = Date.now();
    for (const { letter } of held) ledger.deleting(letter, askedAt);
    const answer = await served.call("DeleteMessageBatch", {
      QueueUrl: queueUrl,
      Entries: held.map(({ handle }, index) => ({ Id: String(index), ReceiptHandle: handle })),
    });
    if (answer === CUT) return;
    const at = Date.now();
    for (const { Id } of answer.Successful ?? []) {
      const each = held[Number(Id)];
      if (each) ledger.deleted(each.letter, from, at);
    }
    for (const { Id, Code, Message = "" } of answer.Failed ?? []) {
      const each = held[Number(Id)];
      if (!each) continue;
      if (fifo) ledger.deleteRefused(each.letter, at, each.alone);
      else ledger.find(`a delete was refused: ${Code} ${Message}`, each.letter);
    }
  }

  async #change(held: readonly Held[]): Promise<void> {
    if (held.length === 0) return;
    const { queueUrl, served, ledger, random } = this.#options;
    const seconds = random.next() < 0.5 ? 0 : 1;
    const askedAt = Date.now();
    for (const { letter } of held) ledger.changing(letter, seconds * 1_000, askedAt);
    const answer = await served.call("ChangeMessageVisibilityBatch", {
      QueueUrl: queueUrl,
      Entries: held.map(({ handle }, index) => ({
        Id: String(index),
        ReceiptHandle: handle,
        VisibilityTimeout: seconds,
      })),
    });
    if (answer === CUT) return;
    for (const { Id } of answer.Successful ?? []) {
      const each = held[Number(Id)];
      if (each) ledger.changed(each.letter, Date.now());
    }
  }
}

function heldOf(letter: Letter, messages: readonly SqsMessage[]): Held[] {
  const handle = messages.find(({ MessageId }) => MessageId === letter.messageId)?.ReceiptHandle;
  return handle === undefined ? [] : [{ letter, handle, alone: !letter.deleteAsked }];
}
