import type { SqsMessage } from "../../bench/queue/sqs-client.js";
import type { Letter } from "./letter.js";

export interface Received {
  /** The queue the letters were sent to, or its dead-letter queue. */
  readonly from: "queue" | "dead";
  /** Epoch ms of the question and of the answer: the server gave the messages out somewhere between. */
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly timeoutMs: number;
  readonly messages: readonly SqsMessage[];
}

/** Findings are told with their story; more than this only repeat themselves. */
const MOST_FINDINGS = 20;
/** A clock read in two processes at the same instant may differ by a rounding. */
const ROUNDING_MS = 2;

/**
 * What the clients of one queue (and its dead-letter queue) know, and what follows from it:
 *
 *   - a send that was acknowledged is found again: deleted by a receiver, or there at the end;
 *   - what a delete was acknowledged for is not given out by a receive asked for later;
 *   - while a receiver holds a message for certain, nobody else gets it, and in a FIFO queue nobody gets what stands
 *     behind it in its group;
 *   - in a FIFO queue a message is given out only together with, or behind, all that were sent before it to its group:
 *     one that was passed over is gone from the queue, deleted or among the dead letters, and never comes back;
 *   - a name keeps its message id: a send repeated with its deduplication id makes no second message;
 *   - bodies are what was sent, and none comes before its delay is over.
 *
 * What a cut request did is unknown, and either is allowed.
 */
export class Ledger {
  readonly #letters = new Map<string, Letter>();
  /** FIFO: letters that may be in the queue yet, in order, by group. */
  readonly #groups = new Map<string, Letter[]>();
  readonly #findings: string[] = [];
  readonly #life: () => number;
  #open = 0;
  deliveries = 0;
  sends = 0;
  deletes = 0;
  deaths = 0;

  constructor(life: () => number) {
    this.#life = life;
  }

  get findings(): readonly string[] {
    return this.#findings;
  }

  get letters(): number {
    return this.#letters.size;
  }

  /** Letters that are likely to be in the queues. */
  get open(): number {
    return this.#open;
  }

  /** Before a send is asked for, the first time. */
  sending(letter: Letter): void {
    this.#letters.set(letter.name, letter);
    this.#open += 1;
    if (letter.group !== undefined) {
      const group = this.#groups.get(letter.group) ?? [];
      this.#groups.set(letter.group, group);
      group.push(letter);
    }
    letter.note("send asked", letter.sendAskedAt, this.#life());
  }

  /** A send that was cut and will not be repeated. */
  givenUp(letter: Letter): void {
    this.#close(letter);
  }

  sent(letter: Letter, messageId: string, at: number): void {
    letter.note("send acknowledged", at, this.#life());
    if (!letter.sent) this.sends += 1;
    letter.sent = true;
    this.#sameId(letter, messageId);
  }

  /** The letters of an answer, those that could be told. */
  received(answer: Received): Letter[] {
    const letters: Letter[] = [];
    for (const message of answer.messages) {
      const letter = this.#letters.get(message.Body.slice(0, message.Body.indexOf(" ")));
      if (!letter) {
        this.find(`a body that nobody sent was received: ${message.Body.slice(0, 80)}`);
        continue;
      }
      this.#receive(letter, message, answer);
      this.#inOrder(letter, letters, answer);
      letters.push(letter);
    }
    for (const letter of letters) {
      letter.heldFrom = answer.answeredAt;
      letter.heldUntil = answer.askedAt + answer.timeoutMs - ROUNDING_MS;
    }
    return letters;
  }

  deleting(letter: Letter, at: number): void {
    letter.note("delete asked", at, this.#life());
    letter.deleteAsked = true;
  }

  deleted(letter: Letter, from: Received["from"], at: number): void {
    letter.note("delete acknowledged", at, this.#life());
    // Even where an earlier delete was refused while this one was under way.
    letter.deleteAsked = true;
    this.deletes += 1;
    this.#close(letter);
    const why = "its delete was acknowledged";
    // A handle whose timeout is over may belong to a message that has moved to the dead letters since.
    const certain = at < letter.heldUntil;
    if (from === "queue" || certain) letter.goneFromQueue(at, why);
    if (from === "dead" || certain) letter.goneFromDead(at, why);
    letter.heldUntil = 0;
    this.#leave(letter);
  }

  /** FIFO: the receive was over. The message is as it was; an earlier delete may have been cut, though. */
  deleteRefused(letter: Letter, at: number, alone: boolean): void {
    letter.note("delete refused", at, this.#life());
    if (alone) letter.deleteAsked = false;
  }

  changing(letter: Letter, timeoutMs: number, at: number): void {
    letter.note("timeout change asked", at, this.#life());
    letter.heldUntil = Math.min(letter.heldUntil, at + timeoutMs - ROUNDING_MS);
  }

  changed(letter: Letter, at: number): void {
    letter.note("timeout change acknowledged", at, this.#life());
  }

  /** Once the queues are empty: whatever was acknowledged and no receiver ever took out is lost. */
  settle(): void {
    for (const letter of this.#letters.values())
      if (letter.sent && !letter.deleteAsked) this.find("an acknowledged message is lost", letter);
  }

  find(what: string, ...letters: readonly Letter[]): void {
    if (this.#findings.length < MOST_FINDINGS)
      this.#findings.push([what, ...letters.map((letter) => letter.story())].join("\n"));
  }

  #receive(letter: Letter, message: SqsMessage, { from, askedAt, answeredAt }: Received): void {
    const fromDead = from === "dead";
    letter.note(fromDead ? "received from the dead letters" : "received", answeredAt, this.#life());
    this.deliveries += 1;
    this.#sameId(letter, message.MessageId);
    if (message.Body !== letter.body) this.find("a body is not what was sent", letter);
    if (askedAt > (fromDead ? letter.goneFromDeadAt : letter.goneFromQueueAt))
      this.find(`received although ${letter.why}`, letter);
    if (letter.isHeld(askedAt, answeredAt)) this.find("received twice while its timeout ran", letter);
    if (answeredAt + ROUNDING_MS < letter.sendAskedAt + letter.delayMs)
      this.find("received before its delay was over", letter);
    if (!fromDead) return;
    if (letter.goneFromQueueAt === Number.POSITIVE_INFINITY) this.deaths += 1;
    letter.goneFromQueue(answeredAt, "it is among the dead letters");
    this.#leave(letter);
  }

  /** FIFO: nothing that was sent to the group before may be in the queue, but for what this very answer gave before it. */
  #inOrder(letter: Letter, before: readonly Letter[], { from, askedAt, answeredAt }: Received): void {
    if (letter.group === undefined) return;
    const later = before.find(({ group, number }) => group === letter.group && number >= letter.number);
    if (later) this.find(`received behind number ${later.number} of its group`, letter, later);
    if (from === "dead") return;
    for (const earlier of [...(this.#groups.get(letter.group) ?? [])]) {
      if (earlier.number >= letter.number) break;
      if (before.includes(earlier)) continue;
      if (earlier.isHeld(askedAt, answeredAt) && !earlier.deleteAsked)
        this.find("received while one before it in its group was in flight", letter, earlier);
      earlier.note("overtaken", answeredAt, this.#life());
      earlier.goneFromQueue(answeredAt, `number ${letter.number} of its group had overtaken it`);
      this.#leave(earlier);
    }
  }

  #sameId(letter: Letter, messageId: string): void {
    if (letter.messageId === undefined) letter.messageId = messageId;
    else if (letter.messageId !== messageId)
      this.find(`there are two messages of one name, ${messageId} is the other`, letter);
  }

  #close(letter: Letter): void {
    if (!letter.open) return;
    letter.open = false;
    this.#open -= 1;
  }

  #leave(letter: Letter): void {
    if (letter.group === undefined) return;
    const group = this.#groups.get(letter.group) ?? [];
    const at = group.indexOf(letter);
    if (at >= 0) group.splice(at, 1);
  }
}
