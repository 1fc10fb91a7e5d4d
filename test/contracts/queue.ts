import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Message, QueueAttributes, Queues, SendEntry } from "../../core/contracts/index.js";
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

const RETENTION_S = 3600;

/** The Queue contract (core/contracts/queue.ts) as a suite: every implementation passes it. */
export function queueContract(
  name: string,
  make: () => Promise<QueueSubject>,
  features: QueueFeatures,
): void {
  describe(`queue contract: ${name}`, () => {
    let subject: QueueSubject;
    let queues: Queues;
    let clock: VirtualClock;
    const use = (made: QueueSubject) => {
      subject = made;
      queues = made.queues;
      clock = made.clock;
    };
    beforeEach(async () => {
      use(await make());
      await queues.createQueue("q", { MessageRetentionPeriod: RETENTION_S });
    });
    afterEach(() => subject.close());

    const send = (...bodies: string[]) =>
      queues.send(
        "q",
        bodies.map((body) => ({ body })),
      );
    const receive = (maxNumberOfMessages = 10, visibilityTimeoutMs?: number, queue = "q") =>
      queues.receive(queue, {
        maxNumberOfMessages,
        ...(visibilityTimeoutMs === undefined ? {} : { visibilityTimeoutMs }),
      });
    const texts = (messages: readonly { body(): Buffer }[]) => messages.map((m) => m.body().toString());
    const one = async (...args: Parameters<typeof receive>): Promise<Message> => {
      const [message] = await receive(...args);
      if (!message) throw new Error("expected a message");
      return message;
    };
    const change = async (receiptHandle: string, visibilityTimeoutMs: number) =>
      (await queues.changeVisibility("q", [{ receiptHandle, visibilityTimeoutMs }]))[0]?.error;
    const counts = (queue = "q") => {
      const depth = queues.depth(queue);
      return [
        depth.ApproximateNumberOfMessages,
        depth.ApproximateNumberOfMessagesNotVisible,
        depth.ApproximateNumberOfMessagesDelayed,
      ];
    };

    describe("send and receive", () => {
      it("gives back the bytes, attributes, records and times, oldest first", async () => {
        const body = 'a\r\n<x>&amp;</x>\t"é😀￼';
        const sentAt = clock.now();
        const [sent] = await queues.send("q", [{ body, attributes: { flow: "f", seq: "7" }, records: 12 }]);
        await clock.advance(5);
        await queues.send("q", [{ body: Buffer.from("second") }]);
        await clock.advance(5);
        const [first, second] = await receive();
        expect(first).toMatchObject({
          messageId: sent?.messageId,
          attributes: { flow: "f", seq: "7" },
          records: 12,
          bytes: Buffer.byteLength(body),
          sentAt,
          firstReceivedAt: sentAt + 10,
          receiveCount: 1,
        });
        expect(first?.body().toString()).toBe(body);
        expect(second).toMatchObject({ attributes: {}, records: 1, sentAt: sentAt + 5 });
      });

      it("answers an empty queue with nothing", async () => {
        expect(await receive()).toEqual([]);
      });

      it("takes at most what was asked for", async () => {
        await send("a", "b", "c");
        expect(texts(await receive(2))).toEqual(["a", "b"]);
        expect(texts(await receive(2))).toEqual(["c"]);
      });

      it("gives every message its own id and every receive its own handle", async () => {
        const sent = [...(await send("a", "b")), ...(await send("c"))];
        expect(new Set(sent.map((m) => m.messageId)).size).toBe(3);
        const first = await one(1, 0);
        const again = await one(1, 0);
        expect(again.messageId).toBe(first.messageId);
        expect(again.receiptHandle).not.toBe(first.receiptHandle);
      });

      it("keeps the order of sending when the clock is set back", async () => {
        await send("before");
        clock.step(-60_000);
        await send("after");
        expect(texts(await receive())).toEqual(["before", "after"]);
      });

      it("never hands one message to two receivers", async () => {
        const bodies = Array.from({ length: 40 }, (_, i) => `m${i}`);
        for (let i = 0; i < 40; i += 10) await send(...bodies.slice(i, i + 10));
        const received = await Promise.all(Array.from({ length: 8 }, () => receive(10)));
        expect(texts(received.flat()).sort()).toEqual([...bodies].sort());
      });
    });

    describe("visibility", () => {
      it("hides a message until the timeout, then shows it in its old place with a new handle", async () => {
        await send("old", "young");
        const first = await one(1, 5_000);
        expect(texts(await receive(10, 60_000))).toEqual(["young"]);
        await clock.advance(4_999);
        expect(await receive()).toEqual([]);
        await clock.advance(1);
        await send("younger");
        const [again, other] = await receive();
        expect(again).toMatchObject({ messageId: first.messageId, receiveCount: 2 });
        expect(again?.firstReceivedAt).toBe(first.firstReceivedAt);
        expect(again?.receiptHandle).not.toBe(first.receiptHandle);
        expect(other?.body().toString()).toBe("younger");
      });

      it("uses the queue's timeout unless the receive names one", async () => {
        await queues.setQueueAttributes("q", { VisibilityTimeout: 2 });
        await send("a");
        await receive();
        await clock.advance(1_999);
        expect(await receive()).toEqual([]);
        await clock.advance(1);
        expect(await receive()).toHaveLength(1);
      });

      it("with a timeout of 0 hands out and leaves visible, once per receive", async () => {
        await send("a");
        expect(await receive(10, 0)).toHaveLength(1);
        expect((await one(10, 0)).receiveCount).toBe(2);
      });

      it("extends and shortens from the moment of the call, for this receive only", async () => {
        await send("a");
        const { receiptHandle } = await one(1, 10_000);
        await clock.advance(9_000);
        expect(await change(receiptHandle, 10_000)).toBeUndefined();
        await clock.advance(9_999);
        expect(await receive()).toEqual([]);
        expect(await change(receiptHandle, 0)).toBeUndefined();
        await receive(1, 1_000);
        await clock.advance(1_000);
        expect(await receive()).toHaveLength(1);
      });

      it("lets a stale handle of a standard queue hide and free the message", async () => {
        await send("a");
        const stale = await one(1, 1_000);
        await clock.advance(1_000);
        expect(await change(stale.receiptHandle, 3_000)).toBeUndefined();
        expect(await receive()).toEqual([]);
        await clock.advance(3_000);
        await receive(1, 60_000);
        expect(await change(stale.receiptHandle, 0)).toBeUndefined();
        expect(await receive()).toHaveLength(1);
      });

      it("caps the total at twelve hours since the receive", async () => {
        await queues.setQueueAttributes("q", { MessageRetentionPeriod: 1_209_600 });
        await send("a");
        const { receiptHandle } = await one(1, 30_000);
        expect(await change(receiptHandle, 43_200_000)).toBeUndefined();
        await clock.advance(1_000);
        const error = await change(receiptHandle, 43_200_000);
        expect(error).toMatchObject({ code: "InvalidParameterValue" });
        expect(error?.message).toContain("beyond the limit [43200 seconds]");
        expect(await change(receiptHandle, 43_199_000)).toBeUndefined();
        expect(await change(receiptHandle, 43_201_000)).toMatchObject({ code: "InvalidParameterValue" });
      });

      it("judges each entry of a batch by itself", async () => {
        await send("a", "b");
        const [a, b] = await receive();
        await queues.delete("q", [b?.receiptHandle ?? ""]);
        const outcomes = await queues.changeVisibility("q", [
          { receiptHandle: "nonsense", visibilityTimeoutMs: 0 },
          { receiptHandle: b?.receiptHandle ?? "", visibilityTimeoutMs: 0 },
          { receiptHandle: a?.receiptHandle ?? "", visibilityTimeoutMs: 0 },
        ]);
        expect(outcomes.map((o) => o.error?.code)).toEqual([
          "ReceiptHandleIsInvalid",
          "InvalidParameterValue",
          undefined,
        ]);
        expect(outcomes[1]?.error?.message).toContain("Message does not exist");
        expect(texts(await receive())).toEqual(["a"]);
      });
    });

    describe("delay", () => {
      it("hides a message for its own delay, or the queue's; 0 overrides the queue's", async () => {
        await queues.setQueueAttributes("q", { DelaySeconds: 10 });
        await queues.send("q", [
          { body: "queue's" },
          { body: "own", delayMs: 2_000 },
          { body: "none", delayMs: 0 },
        ]);
        expect(texts(await receive(10, 60_000))).toEqual(["none"]);
        await clock.advance(2_000);
        expect(texts(await receive(10, 60_000))).toEqual(["own"]);
        await clock.advance(7_999);
        expect(await receive()).toEqual([]);
        await clock.advance(1);
        expect(texts(await receive())).toEqual(["queue's"]);
      });

      it("does not apply a changed delay to messages already sent", async () => {
        await send("a");
        await queues.setQueueAttributes("q", { DelaySeconds: 10 });
        expect(await receive()).toHaveLength(1);
      });
    });

    describe("delete", () => {
      it("removes for good, and again without complaint", async () => {
        await send("a");
        const { receiptHandle, body } = await one(1, 1_000);
        expect(await queues.delete("q", [receiptHandle])).toEqual([{ receiptHandle }]);
        expect(await queues.delete("q", [receiptHandle])).toEqual([{ receiptHandle }]);
        await clock.advance(1_000);
        expect(await receive()).toEqual([]);
        expect(() => body()).toThrow(expect.objectContaining({ code: "MESSAGE_GONE" }));
      });

      it("accepts a stale handle, before and after the message was received again", async () => {
        await send("a", "b");
        const [a, b] = await receive(2, 1_000);
        await clock.advance(1_000);
        await queues.delete("q", [a?.receiptHandle ?? ""]);
        expect(texts(await receive(10, 60_000))).toEqual(["b"]);
        await queues.delete("q", [b?.receiptHandle ?? ""]);
        expect(counts()).toEqual([0, 0, 0]);
      });

      it("refuses garbage and another queue's handle, and does the rest of the batch", async () => {
        await queues.createQueue("other");
        await queues.send("other", [{ body: "x" }]);
        const foreign = await one(1, undefined, "other");
        await send("a");
        const own = await one();
        const handles = ["", "garbage", `${own.receiptHandle.slice(0, -1)}!`, foreign.receiptHandle];
        const outcomes = await queues.delete("q", [...handles, own.receiptHandle]);
        expect(outcomes.map((o) => o.error?.code)).toEqual([
          ...handles.map(() => "ReceiptHandleIsInvalid"),
          undefined,
        ]);
        expect(counts()).toEqual([0, 0, 0]);
        expect(counts("other")).toEqual([0, 1, 0]);
      });

      it("tells a changed handle from its own, whatever character was changed", async () => {
        await send("a");
        const { receiptHandle } = await one();
        for (let i = 0; i < receiptHandle.length; i++) {
          const other = receiptHandle[i] === "A" ? "B" : "A";
          const changed = receiptHandle.slice(0, i) + other + receiptHandle.slice(i + 1);
          const [outcome] = await queues.delete("q", [changed]);
          expect(outcome?.error?.code, `character ${i}`).toBe("ReceiptHandleIsInvalid");
        }
        expect(counts()).toEqual([0, 1, 0]);
      });
    });

    describe("retention", () => {
      it("ends a message's life at the retention period, whatever its state", async () => {
        await send("in flight", "visible");
        await queues.send("q", [{ body: "delayed", delayMs: 900_000 }]);
        const held = await one(1, 43_200_000);
        await clock.advance(RETENTION_S * 1000 - 1);
        expect(counts()).toEqual([2, 1, 0]);
        await clock.advance(1);
        expect(counts()).toEqual([0, 0, 0]);
        expect(queues.depth("q")).toMatchObject({ bytes: 0, records: 0, oldestSentAt: undefined });
        expect(queues.peek("q", { limit: 10 })).toEqual([]);
        expect(queues.get("q", held.messageId)).toBeUndefined();
        expect(await change(held.receiptHandle, 0)).toMatchObject({ code: "InvalidParameterValue" });
        expect(await queues.claim("q", [held.messageId], 1_000)).toEqual([]);
        expect(await receive()).toEqual([]);
        expect(await queues.delete("q", [held.receiptHandle])).toEqual([
          { receiptHandle: held.receiptHandle },
        ]);
      });

      it("applies a shorter period to messages already sent", async () => {
        await send("a");
        await clock.advance(60_000);
        await queues.setQueueAttributes("q", { MessageRetentionPeriod: 60 });
        expect(await receive()).toEqual([]);
      });

      it("does not bring back what has expired when the period is raised", async () => {
        await send("gone");
        await clock.advance(RETENTION_S * 1000);
        await queues.setQueueAttributes("q", { MessageRetentionPeriod: 2 * RETENTION_S });
        expect(counts()).toEqual([0, 0, 0]);
      });

      it("keeps up with a backlog that expires at once", async () => {
        for (let i = 0; i < 60; i++) await send(...Array.from({ length: 10 }, (_, k) => `${i}-${k}`));
        await clock.advance(1_000);
        await send("survivor");
        await clock.advance(RETENTION_S * 1000 - 1_000);
        expect(counts()).toEqual([1, 0, 0]);
        expect(texts(await receive())).toEqual(["survivor"]);
      });
    });

    describe("dead letters", () => {
      const policy = { deadLetterTargetQueue: "dead", maxReceiveCount: 2 };
      beforeEach(async () => {
        await queues.createQueue("dead");
        await queues.setQueueAttributes("q", { RedrivePolicy: policy });
      });

      it("moves on the receive after the last one allowed, and keeps what the message is", async () => {
        const [sent] = await queues.send("q", [{ body: "bad", attributes: { a: "b" }, records: 3 }]);
        const sentAt = clock.now();
        await clock.advance(1_000);
        await receive(1, 0);
        const last = await one(1, 0);
        expect(last.receiveCount).toBe(2);
        expect(counts()).toEqual([1, 0, 0]);
        expect(await receive()).toEqual([]);
        expect(counts()).toEqual([0, 0, 0]);
        const dead = await one(1, undefined, "dead");
        expect(dead).toMatchObject({
          messageId: sent?.messageId,
          attributes: { a: "b", DeadLetterQueueSource: "q" },
          records: 3,
          sentAt,
          receiveCount: 3,
          firstReceivedAt: last.firstReceivedAt,
        });
        expect(dead.body().toString()).toBe("bad");
        expect(await queues.delete("q", [last.receiptHandle])).toEqual([
          { receiptHandle: last.receiptHandle },
        ]);
        expect(counts("dead")).toEqual([0, 1, 0]);
      });

      it("fills the receive with the messages behind those it moved", async () => {
        await send("bad");
        await receive(1, 0);
        await receive(1, 0);
        await send("good", "better");
        expect(texts(await receive(2))).toEqual(["good", "better"]);
        expect(counts("dead")).toEqual([1, 0, 0]);
      });

      it("counts the retention in the dead-letter queue from the original send", async () => {
        await queues.setQueueAttributes("dead", { MessageRetentionPeriod: 120 });
        await send("bad");
        await clock.advance(60_000);
        for (let i = 0; i < 3; i++) await receive(1, 0);
        await clock.advance(59_999);
        expect(counts("dead")).toEqual([1, 0, 0]);
        await clock.advance(1);
        expect(counts("dead")).toEqual([0, 0, 0]);
      });

      it("delivers rather than loses when the dead-letter queue is gone", async () => {
        await send("bad");
        await receive(1, 0);
        await receive(1, 0);
        await queues.deleteQueue("dead");
        expect((await one(1, 0)).receiveCount).toBe(3);
      });

      it("stops moving when the policy is removed", async () => {
        await send("bad");
        await receive(1, 0);
        await receive(1, 0);
        await queues.setQueueAttributes("q", { RedrivePolicy: undefined });
        expect(queues.getQueueAttributes("q").RedrivePolicy).toBeUndefined();
        expect(await receive(1, 0)).toHaveLength(1);
      });

      it.each([
        ["an unknown target", { deadLetterTargetQueue: "nowhere", maxReceiveCount: 2 }],
        ["the queue itself", { deadLetterTargetQueue: "q", maxReceiveCount: 2 }],
        ["a count of 0", { ...policy, maxReceiveCount: 0 }],
        ["a count of 1001", { ...policy, maxReceiveCount: 1001 }],
        ["half a receive", { ...policy, maxReceiveCount: 1.5 }],
      ])("refuses %s", async (_, RedrivePolicy) => {
        await expect(queues.setQueueAttributes("q", { RedrivePolicy })).rejects.toMatchObject({
          kind: "config",
          code: "InvalidParameterValue",
        });
        expect(queues.getQueueAttributes("q").RedrivePolicy).toEqual(policy);
      });
    });

    describe("depth", () => {
      it("is exact in every state, and follows the clock without any operation", async () => {
        const sentAt = clock.now();
        await queues.send("q", [
          { body: "12345", records: 5 },
          { body: "123", records: 3 },
          { body: "1", delayMs: 10_000 },
        ]);
        expect(queues.depth("q")).toEqual({
          ApproximateNumberOfMessages: 2,
          ApproximateNumberOfMessagesNotVisible: 0,
          ApproximateNumberOfMessagesDelayed: 1,
          bytes: 9,
          records: 9,
          oldestSentAt: sentAt,
        });
        const message = await one(1, 5_000);
        expect(counts()).toEqual([1, 1, 1]);
        await clock.advance(5_000);
        expect(counts()).toEqual([2, 0, 1]);
        await clock.advance(5_000);
        expect(counts()).toEqual([3, 0, 0]);
        await queues.delete("q", [message.receiptHandle]);
        expect(queues.depth("q")).toMatchObject({ bytes: 4, records: 4, oldestSentAt: sentAt });
        expect(counts()).toEqual([2, 0, 0]);
      });

      it("stays exact while hundreds become visible at once", async () => {
        for (let i = 0; i < 30; i++)
          await queues.send(
            "q",
            Array.from({ length: 10 }, (): SendEntry => ({ body: "x", delayMs: 1_000 })),
          );
        expect(counts()).toEqual([0, 0, 300]);
        await clock.advance(1_000);
        expect(counts()).toEqual([300, 0, 0]);
        await receive();
        expect(counts()).toEqual([290, 10, 0]);
      });
    });

    describe("purge and delete of a queue", () => {
      it("purges visible, in flight and delayed ones and says how many; later ones stay", async () => {
        await send("a", "b");
        await queues.send("q", [{ body: "c", delayMs: 1_000 }]);
        const held = await one(1, 1_000);
        expect(await queues.purgeQueue("q")).toBe(3);
        await send("later");
        await clock.advance(1_000);
        expect(texts(await receive())).toEqual(["later"]);
        expect(queues.depth("q")).toMatchObject({ bytes: 5, records: 1 });
        expect(queues.get("q", held.messageId)).toBeUndefined();
        expect(await queues.delete("q", [held.receiptHandle])).toEqual([
          { receiptHandle: held.receiptHandle },
        ]);
        expect(await change(held.receiptHandle, 0)).toMatchObject({ code: "InvalidParameterValue" });
      });

      it("deletes a queue with its messages; a new one of that name begins empty", async () => {
        await send("a");
        const { receiptHandle } = await one();
        await queues.deleteQueue("q");
        expect(queues.hasQueue("q")).toBe(false);
        await expect(send("b")).rejects.toMatchObject({ code: "QueueDoesNotExist" });
        await queues.createQueue("q");
        expect(counts()).toEqual([0, 0, 0]);
        const [outcome] = await queues.delete("q", [receiptHandle]);
        expect(outcome?.error?.code).toBe("ReceiptHandleIsInvalid");
      });
    });

    describe("queues and their attributes", () => {
      it("creates with defaults, and again with the same or no attributes", async () => {
        await queues.createQueue("fresh");
        expect(queues.getQueueAttributes("fresh")).toEqual({
          DelaySeconds: 0,
          MaximumMessageSize: 262144,
          MessageRetentionPeriod: 1209600,
          ReceiveMessageWaitTimeSeconds: 0,
          VisibilityTimeout: 30,
        });
        await queues.createQueue("fresh", { DelaySeconds: 0 });
        await queues.setQueueAttributes("fresh", { DelaySeconds: 5 });
        await queues.createQueue("fresh");
        await expect(queues.createQueue("fresh", { DelaySeconds: 0 })).rejects.toMatchObject({
          code: "QueueNameExists",
          message: expect.stringContaining("attribute DelaySeconds"),
        });
      });

      it("compares redrive policies by their members", async () => {
        await queues.createQueue("dead");
        const policy = { deadLetterTargetQueue: "dead", maxReceiveCount: 2 };
        await queues.createQueue("redriven", { RedrivePolicy: policy });
        await queues.createQueue("redriven", {
          RedrivePolicy: { maxReceiveCount: 2, deadLetterTargetQueue: "dead" },
        });
        await expect(
          queues.createQueue("redriven", { RedrivePolicy: { ...policy, maxReceiveCount: 3 } }),
        ).rejects.toMatchObject({ code: "QueueNameExists" });
      });

      it("lists by prefix", async () => {
        for (const queue of ["b", "a-1", "a-2", "A"]) await queues.createQueue(queue);
        expect(queues.listQueues("a-")).toEqual(["a-1", "a-2"]);
        expect(queues.listQueues()).toEqual(["A", "a-1", "a-2", "b", "q"]);
        expect(queues.listQueues("zz")).toEqual([]);
      });

      it.each(["", "a/b", "a b", "ü", "x".repeat(81), "name.fifo"])("refuses the name %j", async (queue) => {
        await expect(queues.createQueue(queue)).rejects.toMatchObject({
          kind: "config",
          code: "InvalidParameterValue",
        });
      });

      it("takes a name of 80 characters", async () => {
        await queues.createQueue("x".repeat(80));
        expect(queues.hasQueue("x".repeat(80))).toBe(true);
      });

      const outOfRange: [keyof QueueAttributes, number][] = [
        ["DelaySeconds", 901],
        ["DelaySeconds", -1],
        ["MaximumMessageSize", 1023],
        ["MaximumMessageSize", 1048577],
        ["MessageRetentionPeriod", 59],
        ["MessageRetentionPeriod", 1209601],
        ["ReceiveMessageWaitTimeSeconds", 21],
        ["VisibilityTimeout", 43201],
        ["VisibilityTimeout", 1.5],
        ["VisibilityTimeout", Number.NaN],
      ];
      it.each(outOfRange)("refuses %s = %d", async (attribute, value) => {
        await expect(queues.setQueueAttributes("q", { [attribute]: value })).rejects.toMatchObject({
          kind: "config",
          code: "InvalidAttributeValue",
          message: `Invalid value for the parameter ${attribute}.`,
        });
      });

      it("refuses an unknown attribute by name", async () => {
        const attributes = JSON.parse('{"Colour": 1}');
        await expect(queues.setQueueAttributes("q", attributes)).rejects.toMatchObject({
          code: "InvalidAttributeName",
          message: "Unknown Attribute Colour.",
        });
      });

      it("says QueueDoesNotExist wherever a queue is named", async () => {
        const unknown = { code: "QueueDoesNotExist", kind: "config" };
        for (const attempt of [
          () => queues.send("none", [{ body: "a" }]),
          () => receive(1, 0, "none"),
          () => queues.delete("none", ["h"]),
          () => queues.changeVisibility("none", [{ receiptHandle: "h", visibilityTimeoutMs: 0 }]),
          () => queues.claim("none", [], 0),
          () => queues.purgeQueue("none"),
          () => queues.deleteQueue("none"),
          () => queues.setQueueAttributes("none", {}),
          async () => queues.getQueueAttributes("none"),
          async () => queues.depth("none"),
          async () => queues.peek("none", { limit: 1 }),
          async () => queues.get("none", "id"),
        ])
          await expect(attempt()).rejects.toMatchObject(unknown);
      });
    });

    describe("what a message may hold", () => {
      it.each([
        ["a control character", "a\u0001b"],
        ["U+000B", "a\u000b"],
        ["U+FFFE", "a\ufffeb"],
        ["U+FFFF", "a\uffff"],
        ["a lone surrogate", "a\ud800b"],
        ["bytes that are not UTF-8", Buffer.from([0x61, 0xff])],
      ])("refuses %s in a body, and sends nothing of the batch", async (_, body) => {
        for (const pad of ["", "x", "xx", "xxx", "xxxxxxx"]) {
          const padded = typeof body === "string" ? pad + body : Buffer.concat([Buffer.from(pad), body]);
          await expect(queues.send("q", [{ body: "fine" }, { body: padded }])).rejects.toMatchObject({
            kind: "record",
            code: "InvalidMessageContents",
          });
        }
        expect(counts()).toEqual([0, 0, 0]);
      });

      it("refuses an empty body", async () => {
        await expect(send("")).rejects.toMatchObject({ kind: "record", code: "MissingParameter" });
      });

      it("takes a body of exactly MaximumMessageSize, attributes counted, and not one byte more", async () => {
        await queues.setQueueAttributes("q", { MaximumMessageSize: 1024 });
        const attributes = { name: "value" };
        const room = 1024 - "name".length - "String".length - "value".length;
        await queues.send("q", [{ body: "x".repeat(room), attributes }]);
        await expect(queues.send("q", [{ body: "x".repeat(room + 1), attributes }])).rejects.toMatchObject({
          kind: "record",
          code: "InvalidParameterValue",
          message: expect.stringContaining("Message must be shorter than 1024 bytes"),
        });
        await queues.setQueueAttributes("q", { MaximumMessageSize: 1048576 });
        await queues.send("q", [{ body: Buffer.alloc(1048576, "y") }]);
        const messages = await receive();
        expect(messages.map((m) => m.bytes)).toEqual([room, 1048576]);
        expect(messages[1]?.body().equals(Buffer.alloc(1048576, "y"))).toBe(true);
      });

      it("takes ten attributes and refuses eleven, empty values and reserved names", async () => {
        const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`a${i}`, "v"]));
        await queues.send("q", [{ body: "x", attributes: many(10) }]);
        for (const attributes of [
          many(11),
          { a: "" },
          { "": "v" },
          { "AWS.x": "v" },
          { "amazon.x": "v" },
          { ".x": "v" },
          { "x.": "v" },
          { "a b": "v" },
          { a: "\u0000" },
          { a: "\udc00" },
          { ["x".repeat(257)]: "v" },
        ])
          await expect(queues.send("q", [{ body: "x", attributes }])).rejects.toMatchObject({
            kind: "record",
            code: "InvalidParameterValue",
          });
        expect(counts()).toEqual([1, 0, 0]);
      });

      it("keeps batches and parameters within SQS's limits", async () => {
        const batch = (entries: number) => Array.from({ length: entries }, (): SendEntry => ({ body: "x" }));
        const refused: [Promise<unknown>, string][] = [
          [queues.send("q", []), "EmptyBatchRequest"],
          [queues.send("q", batch(11)), "TooManyEntriesInBatchRequest"],
          [queues.delete("q", []), "EmptyBatchRequest"],
          [
            queues.delete(
              "q",
              Array.from({ length: 11 }, () => "h"),
            ),
            "TooManyEntriesInBatchRequest",
          ],
          [queues.changeVisibility("q", []), "EmptyBatchRequest"],
          [
            queues.send(
              "q",
              Array.from({ length: 5 }, () => ({ body: Buffer.alloc(250_000, "x") })),
            ),
            "BatchRequestTooLong",
          ],
          [receive(0), "InvalidParameterValue"],
          [receive(11), "InvalidParameterValue"],
          [receive(1, -1), "InvalidParameterValue"],
          [receive(1, 43_200_001), "InvalidParameterValue"],
          [queues.receive("q", { maxNumberOfMessages: 1, waitTimeMs: 20_001 }), "InvalidParameterValue"],
          [queues.send("q", [{ body: "x", delayMs: 900_001 }]), "InvalidParameterValue"],
          [queues.send("q", [{ body: "x", delayMs: -1 }]), "InvalidParameterValue"],
          [queues.send("q", [{ body: "x", records: -1 }]), "InvalidParameterValue"],
        ];
        for (const [attempt, code] of refused)
          await expect(attempt).rejects.toMatchObject({ kind: "config", code });
        expect(counts()).toEqual([0, 0, 0]);
      });
    });

    describe("claim checks", () => {
      const large = "é".repeat(200_000);

      it("sends a body longer than the queue takes, and gives it back", async () => {
        const staged = await queues.stage(large);
        await queues.send("q", [{ body: staged, records: 2 }]);
        expect(queues.depth("q")).toMatchObject({ bytes: 400_000, records: 2 });
        const message = await one();
        expect(message.bytes).toBe(400_000);
        expect(message.body().toString()).toBe(large);
        await queues.delete("q", [message.receiptHandle]);
        expect(() => message.body()).toThrow(expect.objectContaining({ code: "MESSAGE_GONE" }));
      });

      it("keeps short bodies in the message, judged by the queue", async () => {
        const staged = await queues.stage("x".repeat(2_000));
        expect("inline" in staged.content).toBe(true);
        await queues.setQueueAttributes("q", { MaximumMessageSize: 1024 });
        await expect(queues.send("q", [{ body: staged }])).rejects.toMatchObject({
          code: "InvalidParameterValue",
        });
      });

      it("follows the message to the dead-letter queue and goes with a purge", async () => {
        await queues.createQueue("dead");
        await queues.setQueueAttributes("q", {
          RedrivePolicy: { deadLetterTargetQueue: "dead", maxReceiveCount: 1 },
        });
        const staged = await queues.stage(large);
        await queues.send("q", [{ body: staged }]);
        await receive(1, 0);
        await receive(1, 0);
        const dead = await one(1, 0, "dead");
        expect(dead.body().length).toBe(400_000);
        expect(await queues.purgeQueue("dead")).toBe(1);
        await expect
          .poll(() =>
            queues.send("q", [{ body: staged }]).then(
              () => "sent",
              (error) => error.code,
            ),
          )
          .toBe("STAGED_BODY_GONE");
      });

      it("refuses a staged body that was discarded, and what no message may hold", async () => {
        const staged = await queues.stage(large);
        await queues.discard(staged);
        await queues.discard(staged);
        await expect(queues.send("q", [{ body: staged }])).rejects.toMatchObject({
          kind: "transient",
          code: "STAGED_BODY_GONE",
        });
        await expect(queues.stage(`${large}\u0000`)).rejects.toMatchObject({
          code: "InvalidMessageContents",
        });
        await expect(queues.stage("")).rejects.toMatchObject({ code: "MissingParameter" });
      });

      it("refuses a body of more than 2 GB", async () => {
        // Never touched, so no memory is used: the length alone is looked at.
        await expect(queues.stage(Buffer.allocUnsafeSlow(2_000_000_001))).rejects.toMatchObject({
          kind: "record",
          code: "BODY_TOO_LARGE",
        });
      });

      it("does not discard a body that a message has", async () => {
        const staged = await queues.stage(large);
        await queues.send("q", [{ body: staged }]);
        await queues.discard(staged);
        expect((await one()).body().length).toBe(400_000);
      });
    });

    describe("claim, peek and get", () => {
      it("claims these very messages, whatever their state, without counting a receive", async () => {
        const sent = await send("a", "b");
        const delayed = await queues.send("q", [{ body: "c", delayMs: 5_000 }]);
        const a = await one(1, 1_000);
        const ids = [...sent, ...delayed].map((m) => m.messageId);
        const claimed = await queues.claim("q", [...ids, "no-such-id"], 10_000);
        expect(texts(claimed)).toEqual(["a", "b", "c"]);
        expect(claimed.map((m) => m.receiveCount)).toEqual([1, 0, 0]);
        expect(claimed[0]?.firstReceivedAt).toBe(a.firstReceivedAt);
        expect(counts()).toEqual([0, 3, 0]);
        await clock.advance(9_999);
        expect(await receive()).toEqual([]);
        const handles = claimed.map((m) => m.receiptHandle);
        await queues.delete("q", handles.slice(0, 1));
        await clock.advance(1);
        expect(texts(await receive())).toEqual(["b", "c"]);
      });

      it("claims with a timeout of 0 to release", async () => {
        await send("a");
        const { messageId } = await one();
        await queues.claim("q", [messageId], 0);
        expect((await one()).receiveCount).toBe(2);
      });

      it("peeks in order without hiding or counting, page by page", async () => {
        const sent = await send("a", "b", "c");
        await queues.send("q", [{ body: "d", delayMs: 1_000 }]);
        await receive(1, 1_000);
        const first = queues.peek("q", { limit: 2 });
        expect(texts(first)).toEqual(["a", "b"]);
        expect(first.map((m) => [m.state, m.receiveCount])).toEqual([
          ["inFlight", 1],
          ["visible", 0],
        ]);
        expect(first[1]?.firstReceivedAt).toBeUndefined();
        const after = first[1]?.messageId ?? "";
        await queues.claim("q", [after], 0);
        await queues.delete("q", [(await one(1, 1_000)).receiptHandle]);
        const rest = queues.peek("q", { limit: 10, after });
        expect(rest.map((m) => m.state)).toEqual(["visible", "delayed"]);
        await clock.advance(1_000);
        expect(queues.peek("q", { limit: 10, after }).map((m) => m.state)).toEqual(["visible", "visible"]);
        expect(queues.get("q", sent[2]?.messageId ?? "")).toMatchObject({ state: "visible", bytes: 1 });
        expect(queues.get("q", after)).toBeUndefined();
        expect(queues.get("q", "nonsense")).toBeUndefined();
      });
    });

    describe("long polling", () => {
      const poll = (waitTimeMs: number, signal?: AbortSignal) =>
        queues.receive("q", { maxNumberOfMessages: 10, waitTimeMs, ...(signal ? { signal } : {}) });

      it("returns as soon as one message is sent", async () => {
        const waiting = poll(20_000);
        await clock.advance(5);
        await send("a");
        expect(texts(await waiting)).toEqual(["a"]);
      });

      it("wakes when a delay and when a visibility timeout ends", async () => {
        await queues.send("q", [{ body: "delayed", delayMs: 3_000 }]);
        let waiting = poll(20_000);
        await clock.advance(3_000);
        expect(texts(await waiting)).toEqual(["delayed"]);
        waiting = poll(20_000);
        expect(await Promise.race([waiting, "still waiting"])).toBe("still waiting");
        await clock.advance(20_000);
        expect(await waiting).toEqual([]);
        waiting = poll(20_000);
        await clock.advance(10_000);
        expect(texts(await waiting)).toEqual(["delayed"]);
      });

      it("ends empty after its time, and waits as the queue says unless the request does", async () => {
        await queues.setQueueAttributes("q", { ReceiveMessageWaitTimeSeconds: 2 });
        expect(await queues.receive("q", { maxNumberOfMessages: 1, waitTimeMs: 0 })).toEqual([]);
        let done = false;
        const waiting = receive(1).then((messages) => {
          done = true;
          return messages;
        });
        await clock.advance(1_999);
        expect(done).toBe(false);
        await clock.advance(1);
        expect(await waiting).toEqual([]);
      });

      it("ends at once with CancelledError when the signal aborts, before or during the wait", async () => {
        const controller = new AbortController();
        const waiting = poll(20_000, controller.signal);
        const refused = expect(waiting).rejects.toMatchObject({ kind: "cancelled" });
        await clock.advance(1);
        controller.abort();
        await refused;
        await expect(poll(20_000, controller.signal)).rejects.toMatchObject({ kind: "cancelled" });
        expect(clock.waiting).toBe(0);
      });

      it("ends with CancelledError when the queues are closed", async () => {
        const waiting = expect(poll(20_000)).rejects.toMatchObject({
          kind: "cancelled",
          code: "ENVIRONMENT_CLOSED",
        });
        await clock.advance(1);
        await subject.close();
        await waiting;
      });

      it("gives one message to one of two that wait", async () => {
        const waiting = [poll(1_000), poll(1_000)];
        await clock.advance(1);
        await send("a");
        const first = await Promise.race(waiting);
        expect(texts(first)).toEqual(["a"]);
        await clock.advance(1_000);
        expect((await Promise.all(waiting)).flat()).toHaveLength(1);
      });
    });

    describe.skipIf(!features.persistent)("reopening (persistent implementations only)", () => {
      it("loses nothing: messages, states, counts, queues", async () => {
        await queues.createQueue("dead");
        const policy = { deadLetterTargetQueue: "dead", maxReceiveCount: 3 };
        await queues.setQueueAttributes("q", { RedrivePolicy: policy });
        await send("in flight", "visible");
        await queues.send("q", [{ body: "delayed", delayMs: 10_000 }]);
        await queues.send("q", [{ body: await queues.stage("z".repeat(300_000)) }]);
        const held = await one(1, 5_000);
        const before = queues.depth("q");
        if (!subject.reopen) throw new Error("a persistent subject must be able to reopen");
        use(await subject.reopen());
        expect(queues.depth("q")).toEqual(before);
        expect(queues.getQueueAttributes("q").RedrivePolicy).toEqual(policy);
        await queues.delete("q", [held.receiptHandle]);
        await clock.advance(10_000);
        const messages = await receive();
        expect(messages.map((m) => m.body().toString().slice(0, 7))).toEqual([
          "visible",
          "delayed",
          "zzzzzzz",
        ]);
      });
    });
  });
}
