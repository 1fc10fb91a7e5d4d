import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { durableSubject, memorySubject, type Subject } from "../store/subjects.js";
import { type ModelMessage, type ModelReceipt, QueueModel } from "./queue-model.js";

/** `pick` chooses among what is there when the operation runs, oldest and youngest alike. */
type Operation =
  | {
      do: "send";
      queue: string;
      entries: { size: number; records: number; delayMs?: number }[];
      inTx: boolean;
    }
  | { do: "receive"; queue: string; most: number; timeoutMs?: number }
  | { do: "delete" | "deleteInTx"; picks: number[] }
  | { do: "deleteById"; queue: string; picks: number[] }
  | { do: "change"; pick: number; timeoutMs: number }
  | { do: "claim"; queue: string; picks: number[]; timeoutMs: number }
  | { do: "attributes"; delayMs: number; retentionMs: number; timeoutMs: number; maxReceiveCount: number }
  | { do: "purge"; queue: string }
  | { do: "undone"; queue: string; pick: number }
  | { do: "reopen" }
  | { do: "advance"; ms: number };

const queue = fc.constantFrom("q", "q", "q", "dead");
const pick = fc.nat(1_000);
const picks = fc.array(pick, { minLength: 1, maxLength: 4 });
const timeoutMs = fc.constantFrom(0, 1, 1_000, 5_000, 30_000, 43_200_000);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      queue,
      inTx: fc.boolean(),
      entries: fc.array(
        fc.record(
          {
            size: fc.integer({ min: 1, max: 40 }),
            records: fc.nat(9),
            delayMs: fc.constantFrom(0, 1, 7_000),
          },
          { requiredKeys: ["size", "records"] },
        ),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record(
      { do: fc.constant("receive" as const), queue, most: fc.integer({ min: 1, max: 10 }), timeoutMs },
      { requiredKeys: ["do", "queue", "most"] },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("delete" as const, "deleteInTx" as const), picks }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("deleteById" as const), queue, picks }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("change" as const), pick, timeoutMs }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("claim" as const), queue, picks, timeoutMs }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("attributes" as const),
      delayMs: fc.constantFrom(0, 0, 3_000),
      retentionMs: fc.constantFrom(60_000, 120_000),
      timeoutMs: fc.constantFrom(0, 2_000, 30_000),
      maxReceiveCount: fc.constantFrom(0, 1, 2, 3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("purge" as const), queue }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("undone" as const), queue, pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 999, 1_000, 2_000, 5_000, 7_000, 29_000, 60_000),
    }),
  },
);

/** A real queue and the model, side by side. */
class Pair {
  #subject: Subject;
  readonly #reopen: ((subject: Subject) => Promise<Subject>) | undefined;
  readonly #model: QueueModel;
  readonly #receipts: (ModelReceipt & { readonly handle: string })[] = [];
  readonly #messages: ModelMessage[] = [];
  #bodies = 0;

  constructor(subject: Subject, reopen?: (subject: Subject) => Promise<Subject>) {
    this.#subject = subject;
    this.#reopen = reopen;
    this.#model = new QueueModel(subject.clock.now());
  }

  async begin(): Promise<void> {
    const plain = { delayMs: 0, retentionMs: 120_000, visibilityTimeoutMs: 30_000 };
    const { queues } = this.#subject;
    await queues.createQueue("dead", { MessageRetentionPeriod: 90 });
    this.#model.create("dead", { ...plain, retentionMs: 90_000, redrive: undefined });
    const redrive = { deadLetterTargetQueue: "dead", maxReceiveCount: 2 };
    await queues.createQueue("q", { MessageRetentionPeriod: 120, RedrivePolicy: redrive });
    this.#model.create("q", { ...plain, redrive: { target: "dead", maxReceiveCount: 2 } });
  }

  async run(operation: Operation): Promise<void> {
    await this.#do(operation);
    for (const queue of ["q", "dead"]) this.#compare(queue);
  }

  close(): Promise<void> {
    return this.#subject.close();
  }

  async #do(operation: Operation): Promise<void> {
    const { queues, environment, clock } = this.#subject;
    const model = this.#model;
    switch (operation.do) {
      case "send": {
        const entries = operation.entries.map(({ size, records, delayMs }) => ({
          body: String(this.#bodies++).padEnd(size, "."),
          records,
          ...(delayMs === undefined ? {} : { delayMs }),
        }));
        const sent = operation.inTx
          ? await environment.transaction((tx) => tx.queues.send(operation.queue, entries))
          : await queues.send(operation.queue, entries);
        const modelled = model.send(operation.queue, entries);
        expect(sent).toHaveLength(modelled.length);
        for (const [i, message] of modelled.entries()) message.id = sent[i]?.messageId ?? "";
        this.#messages.push(...modelled);
        return;
      }
      case "receive": {
        const received = await queues.receive(operation.queue, {
          maxNumberOfMessages: operation.most,
          ...(operation.timeoutMs === undefined ? {} : { visibilityTimeoutMs: operation.timeoutMs }),
        });
        const modelled = model.receive(operation.queue, operation.most, operation.timeoutMs);
        this.#took(operation.queue, received, modelled);
        return;
      }
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
        for (const queue of ["q", "dead"]) {
          const own = receipts.filter((receipt) => receipt.queue === queue);
          const handles = own.map((receipt) => receipt.handle);
          if (handles.length === 0) continue;
          const outcomes =
            operation.do === "delete"
              ? await queues.delete(queue, handles)
              : await environment.transaction((tx) => tx.queues.delete(queue, handles));
          expect(outcomes).toEqual(handles.map((receiptHandle) => ({ receiptHandle })));
          for (const receipt of own) model.delete(receipt);
        }
        return;
      }
      case "deleteById": {
        const wanted = this.#pickMessages(operation.picks);
        const removed = await environment.transaction((tx) =>
          tx.queues.deleteById(
            operation.queue,
            wanted.map((message) => message.id),
          ),
        );
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
        const { delayMs, retentionMs, maxReceiveCount } = operation;
        await queues.setQueueAttributes("q", {
          DelaySeconds: delayMs / 1000,
          MessageRetentionPeriod: retentionMs / 1000,
          VisibilityTimeout: operation.timeoutMs / 1000,
          RedrivePolicy:
            maxReceiveCount === 0 ? undefined : { deadLetterTargetQueue: "dead", maxReceiveCount },
        });
        model.setAttributes("q", {
          delayMs,
          retentionMs,
          visibilityTimeoutMs: operation.timeoutMs,
          redrive: maxReceiveCount === 0 ? undefined : { target: "dead", maxReceiveCount },
        });
        return;
      }
      case "purge":
        expect(await queues.purgeQueue(operation.queue)).toBe(model.purge(operation.queue));
        return;
      case "undone": {
        const receipt = this.#pickReceipt(operation.pick);
        const work = environment.transaction((tx) => {
          tx.queues.send(operation.queue, [{ body: "undone" }, { body: "undone", delayMs: 5 }]);
          if (receipt) tx.queues.delete(receipt.queue, [receipt.handle]);
          throw new Error("undone");
        });
        await expect(work).rejects.toThrow("undone");
        return;
      }
      case "reopen":
        if (this.#reopen) this.#subject = await this.#reopen(this.#subject);
        return;
      case "advance":
        await clock.advance(operation.ms);
        model.now += operation.ms;
        return;
    }
  }

  #took(
    queue: string,
    real: readonly { messageId: string; receiptHandle: string; receiveCount: number; body(): Buffer }[],
    modelled: readonly ModelMessage[],
  ): void {
    expect(real.map((m) => [m.messageId, m.receiveCount, m.body().toString()])).toEqual(
      modelled.map((m) => [m.id, m.receiveCount, m.body]),
    );
    for (const [i, message] of modelled.entries())
      this.#receipts.push({ queue, message, handle: real[i]?.receiptHandle ?? "" });
  }

  #compare(queue: string): void {
    const { queues } = this.#subject;
    expect(queues.depth(queue)).toEqual(this.#model.depth(queue));
    const peeked = queues.peek(queue, { limit: 10_000 });
    expect(
      peeked.map((m) => ({
        id: m.messageId,
        state: m.state,
        count: m.receiveCount,
        first: m.firstReceivedAt,
        sentAt: m.sentAt,
        source: m.attributes.DeadLetterQueueSource,
        body: m.body().toString(),
      })),
    ).toEqual(
      this.#model.kept(queue).map((m) => ({
        id: m.id,
        state: this.#model.state(m),
        count: m.receiveCount,
        first: m.firstReceivedAt,
        sentAt: m.sentAt,
        source: m.source,
        body: m.body,
      })),
    );
  }

  #pickReceipt(at: number) {
    return this.#receipts[at % Math.max(1, this.#receipts.length)];
  }

  #pickMessages(picks: readonly number[]): ModelMessage[] {
    const chosen = picks.flatMap((at) => this.#messages[at % Math.max(1, this.#messages.length)] ?? []);
    return [...new Set(chosen)];
  }
}

describe("any sequence of operations does what the model of SQS does", () => {
  const property = (make: () => Promise<Pair>) =>
    fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: 80 }), async (operations) => {
      const pair = await make();
      try {
        await pair.begin();
        for (const operation of operations) await pair.run(operation);
      } finally {
        await pair.close();
      }
    });

  it("in memory", async () => {
    await fc.assert(
      property(async () => new Pair(await memorySubject())),
      { numRuns: 300 },
    );
  });

  it("durable, with reopenings", async () => {
    let durable = await durableSubject();
    await durable.close();
    const make = async () => {
      durable = await durableSubject();
      return new Pair(durable, async () => {
        durable = await durable.reopen();
        return durable;
      });
    };
    await fc.assert(property(make), { numRuns: 80 });
  });
});
