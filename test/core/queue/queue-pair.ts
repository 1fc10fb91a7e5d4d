import { expect } from "vitest";
import type { Message, SendEntry, SentMessage } from "../../../core/contracts/index.js";
import type { Subject } from "../store/subjects.js";
import { type ModelReceipt, QueueModel } from "./queue-model.js";
import { type EntryPlan, type Operation, QUEUES, type QueueName } from "./queue-operations.js";
import type { ModelMessage } from "./queue-rules.js";

export type PairSubject = Subject & { reopen?(): Promise<PairSubject> };

const DEAD_LETTERS_OF: Partial<Record<QueueName, QueueName>> = { q: "dead", "f.fifo": "dead.fifo" };
const isFifo = (queue: string) => queue.endsWith(".fifo");

/** A real queue and the model, side by side: every operation goes to both, and both are compared after each. */
export class QueuePair {
  #subject: PairSubject;
  readonly #model: QueueModel;
  readonly #receipts: ModelReceipt[] = [];
  readonly #messages: ModelMessage[] = [];
  #bodies = 0;

  private constructor(subject: PairSubject) {
    this.#subject = subject;
    this.#model = new QueueModel(subject.clock.now());
  }

  static async open(subject: PairSubject): Promise<QueuePair> {
    const pair = new QueuePair(subject);
    for (const queue of ["dead", "dead.fifo"] as const) await pair.#create(queue, 250_000);
    for (const queue of ["q", "fair", "f.fifo"] as const) await pair.#create(queue, 400_000);
    // Whatever the policies of q and f.fifo become, the dead-letter queues stay what they are: move tasks ask for it.
    for (const queue of ["dead", "dead.fifo"])
      await subject.queues.createQueue(isFifo(queue) ? "spare.fifo" : "spare", {
        ...(isFifo(queue) ? { FifoQueue: true } : {}),
        RedrivePolicy: { deadLetterTargetQueue: queue, maxReceiveCount: 1 },
      });
    return pair;
  }

  /** Throws at the first operation after which the two differ, and names it. */
  async run(operations: readonly Operation[]): Promise<void> {
    for (const [step, operation] of operations.entries())
      try {
        await this.#do(operation);
        for (const queue of QUEUES) this.#compare(queue);
      } catch (cause) {
        throw new Error(`step ${step}, ${JSON.stringify(operation)}`, { cause });
      }
  }

  close(): Promise<void> {
    return this.#subject.close();
  }

  async #create(queue: QueueName, retentionMs: number): Promise<void> {
    const target = DEAD_LETTERS_OF[queue];
    await this.#subject.queues.createQueue(queue, {
      ...(isFifo(queue) ? { FifoQueue: true } : {}),
      ...(target === undefined
        ? {}
        : { RedrivePolicy: { deadLetterTargetQueue: target, maxReceiveCount: 2 } }),
      MessageRetentionPeriod: retentionMs / 1000,
    });
    this.#model.create(queue, {
      delayMs: 0,
      retentionMs,
      visibilityTimeoutMs: 30_000,
      redrive: target === undefined ? undefined : { target, maxReceiveCount: 2 },
    });
  }

  async #do(operation: Operation): Promise<void> {
    const { queues, environment, clock } = this.#subject;
    const model = this.#model;
    switch (operation.do) {
      case "send":
        return this.#send(operation.queue, operation.entries, operation.how);
      case "receive":
        return this.#receive(operation.queue, operation.most, operation.timeoutMs);
      case "attempt":
        return this.#attempt(operation);
      case "claim": {
        const wanted = this.#pickMessages(operation.picks);
        const ids = wanted.map((message) => message.id);
        const claimed = await queues.claim(operation.queue, ids, operation.timeoutMs);
        this.#took(operation.queue, claimed, model.claim(operation.queue, wanted, operation.timeoutMs));
        return;
      }
      case "delete":
      case "deleteInTx": {
        const receipts = operation.picks.flatMap((at) => this.#pickReceipt(at) ?? []);
        for (const queue of QUEUES) {
          const own = receipts.filter((receipt) => receipt.queue === queue);
          const handles = own.map((receipt) => receipt.handle);
          if (handles.length === 0) continue;
          const outcomes =
            operation.do === "delete"
              ? await queues.delete(queue, handles)
              : await environment.transaction((tx) => tx.queues.delete(queue, handles));
          expect(outcomes.map(({ receiptHandle, error }) => [receiptHandle, error?.code])).toEqual(
            own.map((receipt) => [receipt.handle, model.delete(receipt)]),
          );
        }
        return;
      }
      case "deleteById": {
        const wanted = this.#pickMessages(operation.picks);
        const ids = wanted.map((message) => message.id);
        const removed = await environment.transaction((tx) => tx.queues.deleteById(operation.queue, ids));
        const modelled = wanted.map((message) => model.deleteById(operation.queue, message));
        expect(removed).toBe(modelled.reduce((sum, one) => sum + one, 0));
        return;
      }
      case "change": {
        const receipt = this.#pickReceipt(operation.pick);
        if (!receipt) return;
        const changes = [{ receiptHandle: receipt.handle, visibilityTimeoutMs: operation.timeoutMs }];
        const [outcome] = await queues.changeVisibility(receipt.queue, changes);
        expect(outcome?.error?.code).toBe(model.change(receipt, operation.timeoutMs));
        return;
      }
      case "attributes": {
        const { queue, delayMs, retentionMs, timeoutMs, maxReceiveCount } = operation;
        const target = DEAD_LETTERS_OF[queue] ?? "";
        await queues.setQueueAttributes(queue, {
          DelaySeconds: delayMs / 1000,
          MessageRetentionPeriod: retentionMs / 1000,
          VisibilityTimeout: timeoutMs / 1000,
          RedrivePolicy: maxReceiveCount === 0 ? null : { deadLetterTargetQueue: target, maxReceiveCount },
        });
        model.setAttributes(queue, {
          delayMs,
          retentionMs,
          visibilityTimeoutMs: timeoutMs,
          redrive: maxReceiveCount === 0 ? undefined : { target, maxReceiveCount },
        });
        return;
      }
      case "purge":
        expect(await queues.purgeQueue(operation.queue)).toBe(model.purge(operation.queue));
        return;
      case "redrive":
        return this.#redrive(operation.queue, operation.home);
      case "undone": {
        const receipt = this.#pickReceipt(operation.pick);
        const group = isFifo(operation.queue) ? { groupId: "g0", deduplicationId: "undone" } : {};
        const work = environment.transaction((tx) => {
          tx.queues.send(operation.queue, [{ body: "undone", ...group }]);
          if (receipt) tx.queues.delete(receipt.queue, [receipt.handle]);
          throw new Error("undone");
        });
        await expect(work).rejects.toThrow("undone");
        return;
      }
      case "reopen":
        if (this.#subject.reopen) this.#subject = await this.#subject.reopen();
        return;
      case "advance":
        await clock.advance(operation.ms);
        model.now += operation.ms;
        return;
    }
  }

  async #send(
    queue: QueueName,
    plans: readonly EntryPlan[],
    how: "send" | "sendEach" | "inTx",
  ): Promise<void> {
    const { queues, environment } = this.#subject;
    const entries = plans.map(({ size, records, delayMs, group, repeat }): SendEntry & { body: string } => ({
      body: String(this.#bodies++).padEnd(size, "."),
      records: records,
      ...(delayMs === undefined || isFifo(queue) ? {} : { delayMs }),
      ...(isFifo(queue) || (queue === "fair" && group < 3) ? { groupId: `g${group}` } : {}),
      ...(isFifo(queue) ? { deduplicationId: `d${repeat}` } : {}),
    }));
    const modelled = this.#model.send(
      queue,
      entries.map((entry) => ({ ...entry, records: entry.records ?? 1 })),
    );
    let sent: SentMessage[];
    if (how === "inTx") sent = await environment.transaction((tx) => tx.queues.send(queue, entries));
    else if (how === "send") sent = await queues.send(queue, entries);
    else
      sent = (await queues.sendEach(queue, entries)).map((result) => {
        if ("error" in result) throw new Error(`not sent: ${result.error.message}`);
        return result;
      });
    expect(sent).toHaveLength(modelled.length);
    for (const [i, { message, isNew }] of modelled.entries()) {
      const { messageId = "", sequenceNumber } = sent[i] ?? {};
      expect(sequenceNumber !== undefined).toBe(isFifo(queue));
      if (isNew) message.id = messageId;
      else expect(messageId, "a repeat is answered with the first message's id").toBe(message.id);
      if (isNew) this.#messages.push(message);
    }
  }

  async #receive(queue: QueueName, most: number, timeoutMs?: number, attemptId?: string): Promise<void> {
    const deadLetters = () => {
      const target = DEAD_LETTERS_OF[queue];
      return target === undefined || !isFifo(queue) ? [] : this.#ids(target);
    };
    const before = deadLetters();
    const repeated = attemptId && this.#model.repeatAttempt(queue, attemptId, timeoutMs);
    const received = await this.#subject.queues.receive(queue, {
      maxNumberOfMessages: most,
      ...(timeoutMs === undefined ? {} : { visibilityTimeoutMs: timeoutMs }),
      ...(attemptId === undefined ? {} : { attemptId }),
    });
    if (repeated) {
      expect(received.map((m) => [m.messageId, m.receiptHandle])).toEqual(
        repeated.map((m) => [m.id, m.handle]),
      );
      return;
    }
    const moved = deadLetters().filter((id) => !before.includes(id));
    const ids = received.map((message) => message.messageId);
    const modelled = this.#model.receive(queue, most, timeoutMs, { ids, moved });
    this.#took(queue, received, modelled);
    if (attemptId !== undefined) this.#model.rememberAttempt(queue, attemptId, modelled);
  }

  #attempt({ queue, most, timeoutMs, attempt }: Extract<Operation, { do: "attempt" }>): Promise<void> {
    return this.#receive(queue, most, timeoutMs, `try-${attempt}`);
  }

  /** A move task from start to end, where the model knows what comes of it: nothing in flight, every origin known. */
  async #redrive(queue: "dead" | "dead.fifo", home: boolean): Promise<void> {
    const kept = this.#model.kept(queue);
    if (kept.some((message) => this.#model.state(message) !== "visible")) return;
    if (home && kept.some((message) => message.source === undefined)) return;
    const to = isFifo(queue) ? "f.fifo" : "q";
    await this.#subject.queues.startMessageMoveTask({
      source: queue,
      ...(home ? {} : { destination: to }),
    });
    const task = () => this.#subject.queues.listMessageMoveTasks(queue, 1)[0];
    for (let turn = 0; task()?.status === "RUNNING" && turn < 200; turn++) {
      await this.#subject.clock.advance(0);
      await this.#subject.queues.setQueueAttributes("spare", {});
    }
    expect(task()).toMatchObject({ status: "COMPLETED", moved: kept.length, toMove: kept.length });
    const before = new Set(this.#messages.map((message) => message.id));
    const arrived = this.#subject.queues.peek(to, { limit: 10_000 }).filter((m) => !before.has(m.messageId));
    const moved = this.#model.redrive(queue, home ? undefined : to);
    for (const message of moved)
      message.id = arrived.find((peeked) => peeked.body().toString() === message.body)?.messageId ?? "lost";
    this.#messages.push(...moved);
  }

  #took(queue: QueueName, real: readonly Message[], modelled: readonly ModelMessage[]): void {
    expect(real.map((m) => [m.messageId, m.receiveCount, m.body().toString()])).toEqual(
      modelled.map((m) => [m.id, m.receiveCount, m.body]),
    );
    for (const [i, message] of modelled.entries()) {
      message.handle = real[i]?.receiptHandle ?? "";
      this.#receipts.push({ queue, message, handle: message.handle });
    }
  }

  #compare(queue: QueueName): void {
    const { queues } = this.#subject;
    expect({ queue, ...queues.depth(queue) }).toEqual({ queue, ...this.#model.depth(queue) });
    const peeked = queues.peek(queue, { limit: 10_000 });
    expect(
      peeked.map((m) => ({
        id: m.messageId,
        state: m.state,
        count: m.receiveCount,
        first: m.firstReceivedAt,
        sentAt: m.sentAt,
        group: m.groupId,
        source: m.deadLetterSource,
        body: m.body().toString(),
      })),
    ).toEqual(
      this.#model.kept(queue).map((m) => ({
        id: m.id,
        state: this.#model.state(m),
        count: m.receiveCount,
        first: m.firstReceivedAt,
        sentAt: m.sentAt,
        group: m.group,
        source: m.source,
        body: m.body,
      })),
    );
    if (queue !== "f.fifo") return;
    const numbers = peeked.map((message) => message.sequenceNumber ?? "");
    expect([...new Set(numbers)].sort(), "sequence numbers rise").toEqual(numbers);
  }

  #ids(queue: QueueName): string[] {
    return this.#subject.queues.peek(queue, { limit: 10_000 }).map((message) => message.messageId);
  }

  #pickReceipt(at: number): ModelReceipt | undefined {
    return this.#receipts[at % Math.max(1, this.#receipts.length)];
  }

  #pickMessages(picks: readonly number[]): ModelMessage[] {
    const chosen = picks.flatMap((at) => this.#messages[at % Math.max(1, this.#messages.length)] ?? []);
    return [...new Set(chosen)];
  }
}
