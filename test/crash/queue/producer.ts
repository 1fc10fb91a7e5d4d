import type { Random } from "../../../core/contracts/index.js";
import type { Ledger } from "./ledger.js";
import { Letter } from "./letter.js";
import { CUT, type Served } from "./served.js";

export interface ProducerOptions {
  readonly name: string;
  readonly queueUrl: string;
  /** FIFO: groups that nobody else sends to; none: a standard queue. */
  readonly groups: readonly string[];
  readonly served: Served;
  readonly ledger: Ledger;
  readonly random: Random;
  /** Letters in its queues, at most: so that receivers keep up. */
  readonly mostAhead: number;
}

/** Some bodies lie in their pack, some apart from it, a few are claim checks (core/queue/bodies.ts). */
const SIZES = [60, 200, 1_000, 3_000, 6_000, 30_000];
const CLAIM_CHECK_BYTES = 270_000;
const LONGEST_BATCH_BYTES = 700_000;

/** Sends batches one after the other, each after the one before was acknowledged or cut. */
export class Producer {
  readonly #options: ProducerOptions;
  readonly #numbers = new Map<string, number>();
  #repeated: { readonly letters: readonly Letter[]; readonly kills: number } | undefined;
  #sent = 0;

  constructor(options: ProducerOptions) {
    this.#options = options;
  }

  async run(goesOn: () => boolean): Promise<void> {
    const { ledger, mostAhead, groups } = this.#options;
    while (goesOn()) {
      if (ledger.open > mostAhead) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      const letters = this.#batch();
      for (const letter of letters) ledger.sending(letter);
      // A cut send to a standard queue is not repeated: its messages may be there or not, but once at most. To a FIFO
      // queue it is, until it is acknowledged: the deduplication id must keep it from arriving twice.
      let sent = await this.#send(letters);
      while (!sent && groups.length > 0) sent = await this.#send(letters);
      if (!sent) for (const letter of letters) ledger.givenUp(letter);
      if (groups.length > 0) await this.#sendAgain(letters);
    }
  }

  /** FIFO: an acknowledged batch once more, often of an earlier life. It must not arrive twice. */
  async #sendAgain(letters: readonly Letter[]): Promise<void> {
    if (this.#repeated === undefined) this.#repeated = { letters, kills: this.#options.served.kills };
    const { letters: before, kills } = this.#repeated;
    if (kills === this.#options.served.kills && this.#below(10) > 0) return;
    this.#repeated = undefined;
    await this.#send(before);
  }

  /** False when it was cut. */
  async #send(letters: readonly Letter[]): Promise<boolean> {
    const { served, ledger, queueUrl } = this.#options;
    const answer = await served.call("SendMessageBatch", {
      QueueUrl: queueUrl,
      Entries: letters.map(({ name, body, delayMs, group }, index) => ({
        Id: String(index),
        MessageBody: body,
        ...(group === undefined
          ? { DelaySeconds: delayMs / 1_000 }
          : { MessageGroupId: group, MessageDeduplicationId: name }),
      })),
    });
    if (answer === CUT) return false;
    const at = Date.now();
    for (const { Id, Message = "" } of answer.Failed ?? [])
      ledger.find(`entry ${Id} was refused: ${Message}`);
    for (const { Id, MessageId = "" } of answer.Successful ?? []) {
      const letter = letters[Number(Id)];
      if (letter) ledger.sent(letter, MessageId, at);
    }
    return true;
  }

  #batch(): Letter[] {
    const letters: Letter[] = [];
    let bytes = 0;
    for (let left = 1 + this.#below(10); left > 0; left--) {
      const letter = this.#letter();
      bytes += letter.body.length;
      if (letters.length > 0 && bytes > LONGEST_BATCH_BYTES) break;
      letters.push(letter);
    }
    return letters;
  }

  #letter(): Letter {
    const { name, groups } = this.#options;
    const group = groups[this.#below(groups.length)];
    const number = (this.#numbers.get(group ?? "") ?? 0) + 1;
    this.#numbers.set(group ?? "", number);
    const own = `${name}.${this.#sent++}`;
    const size = this.#below(200) === 0 ? CLAIM_CHECK_BYTES : (SIZES[this.#below(SIZES.length)] ?? 0);
    return new Letter({
      name: own,
      body: `${own} `.padEnd(size, `${own},`),
      delayMs: group === undefined && this.#below(8) === 0 ? 1_000 : 0,
      group,
      number,
      at: Date.now(),
    });
  }

  #below(n: number): number {
    return Math.floor(this.#options.random.next() * n);
  }
}
