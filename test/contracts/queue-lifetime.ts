import { beforeEach, describe, expect, it } from "vitest";
import type { SendEntry } from "../../core/contracts/index.js";
import { type QueueBench, RETENTION_S } from "./queue-bench.js";

/** What becomes of messages in time: retention, dead letters, counts, purges, reopening. Part of the Queue contract (queue.ts). */
export function lifetimeSuite(bench: QueueBench): void {
  const { send, receive, texts, one, change, counts } = bench;

  describe("retention", () => {
    it("ends a message's life at the retention period, whatever its state", async () => {
      await send("in flight", "visible");
      await bench.queues.send("q", [{ body: "delayed", delayMs: 900_000 }]);
      const held = await one(1, 43_200_000);
      await bench.clock.advance(RETENTION_S * 1000 - 1);
      expect(counts()).toEqual([2, 1, 0]);
      await bench.clock.advance(1);
      expect(counts()).toEqual([0, 0, 0]);
      expect(bench.queues.depth("q")).toMatchObject({ bytes: 0, records: 0, oldestSentAt: undefined });
      expect(bench.queues.peek("q", { limit: 10 })).toEqual([]);
      expect(bench.queues.get("q", held.messageId)).toBeUndefined();
      expect(await change(held.receiptHandle, 0)).toMatchObject({ code: "InvalidParameterValue" });
      expect(await bench.queues.claim("q", [held.messageId], 1_000)).toEqual([]);
      expect(await receive()).toEqual([]);
      expect(await bench.queues.delete("q", [held.receiptHandle])).toEqual([
        { receiptHandle: held.receiptHandle },
      ]);
    });

    it("applies a shorter period to messages already sent", async () => {
      await send("a");
      await bench.clock.advance(60_000);
      await bench.queues.setQueueAttributes("q", { MessageRetentionPeriod: 60 });
      expect(await receive()).toEqual([]);
    });

    it("does not bring back what has expired when the period is raised", async () => {
      await send("gone");
      await bench.clock.advance(RETENTION_S * 1000);
      await bench.queues.setQueueAttributes("q", { MessageRetentionPeriod: 2 * RETENTION_S });
      expect(counts()).toEqual([0, 0, 0]);
    });

    it("keeps up with a backlog that expires at once", async () => {
      for (let i = 0; i < 60; i++) await send(...Array.from({ length: 10 }, (_, k) => `${i}-${k}`));
      await bench.clock.advance(1_000);
      await send("survivor");
      await bench.clock.advance(RETENTION_S * 1000 - 1_000);
      expect(counts()).toEqual([1, 0, 0]);
      expect(texts(await receive())).toEqual(["survivor"]);
    });
  });

  describe("dead letters", () => {
    const policy = { deadLetterTargetQueue: "dead", maxReceiveCount: 2 };
    beforeEach(async () => {
      await bench.queues.createQueue("dead");
      await bench.queues.setQueueAttributes("q", { RedrivePolicy: policy });
    });

    it("moves on the receive after the last one allowed, and keeps what the message is", async () => {
      const [sent] = await bench.queues.send("q", [{ body: "bad", attributes: { a: "b" }, records: 3 }]);
      const sentAt = bench.clock.now();
      await bench.clock.advance(1_000);
      await receive(1, 0);
      const last = await one(1, 0);
      expect(last.receiveCount).toBe(2);
      expect(counts()).toEqual([1, 0, 0]);
      expect(await receive()).toEqual([]);
      expect(counts()).toEqual([0, 0, 0]);
      const dead = await one(1, undefined, "dead");
      expect(dead).toMatchObject({
        messageId: sent?.messageId,
        attributes: { a: "b" },
        deadLetterSource: "q",
        records: 3,
        sentAt,
        receiveCount: 3,
        firstReceivedAt: last.firstReceivedAt,
      });
      expect(dead.body().toString()).toBe("bad");
      expect(await bench.queues.delete("q", [last.receiptHandle])).toEqual([
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
      await bench.queues.setQueueAttributes("dead", { MessageRetentionPeriod: 120 });
      await send("bad");
      await bench.clock.advance(60_000);
      for (let i = 0; i < 3; i++) await receive(1, 0);
      await bench.clock.advance(59_999);
      expect(counts("dead")).toEqual([1, 0, 0]);
      await bench.clock.advance(1);
      expect(counts("dead")).toEqual([0, 0, 0]);
    });

    it("delivers rather than loses when the dead-letter queue is gone", async () => {
      await send("bad");
      await receive(1, 0);
      await receive(1, 0);
      await bench.queues.deleteQueue("dead");
      expect((await one(1, 0)).receiveCount).toBe(3);
    });

    it("stops moving when the policy is removed", async () => {
      await send("bad");
      await receive(1, 0);
      await receive(1, 0);
      await bench.queues.setQueueAttributes("q", { RedrivePolicy: null });
      expect(bench.queues.getQueueAttributes("q").RedrivePolicy).toBeUndefined();
      expect(await receive(1, 0)).toHaveLength(1);
    });

    it.each([
      ["an unknown target", { deadLetterTargetQueue: "nowhere", maxReceiveCount: 2 }],
      ["the queue itself", { deadLetterTargetQueue: "q", maxReceiveCount: 2 }],
      ["a count of 0", { ...policy, maxReceiveCount: 0 }],
      ["a count of 1001", { ...policy, maxReceiveCount: 1001 }],
      ["half a receive", { ...policy, maxReceiveCount: 1.5 }],
    ])("refuses %s", async (_, RedrivePolicy) => {
      await expect(bench.queues.setQueueAttributes("q", { RedrivePolicy })).rejects.toMatchObject({
        kind: "config",
        code: "InvalidParameterValue",
      });
      expect(bench.queues.getQueueAttributes("q").RedrivePolicy).toEqual(policy);
    });
  });

  describe("depth", () => {
    it("is exact in every state, and follows the clock without any operation", async () => {
      const sentAt = bench.clock.now();
      await bench.queues.send("q", [
        { body: "12345", records: 5 },
        { body: "123", records: 3 },
        { body: "1", delayMs: 10_000 },
      ]);
      expect(bench.queues.depth("q")).toEqual({
        ApproximateNumberOfMessages: 2,
        ApproximateNumberOfMessagesNotVisible: 0,
        ApproximateNumberOfMessagesDelayed: 1,
        bytes: 9,
        records: 9,
        oldestSentAt: sentAt,
      });
      const message = await one(1, 5_000);
      expect(counts()).toEqual([1, 1, 1]);
      await bench.clock.advance(5_000);
      expect(counts()).toEqual([2, 0, 1]);
      await bench.clock.advance(5_000);
      expect(counts()).toEqual([3, 0, 0]);
      await bench.queues.delete("q", [message.receiptHandle]);
      expect(bench.queues.depth("q")).toMatchObject({ bytes: 4, records: 4, oldestSentAt: sentAt });
      expect(counts()).toEqual([2, 0, 0]);
    });

    it("stays exact while hundreds become visible at once", async () => {
      for (let i = 0; i < 30; i++)
        await bench.queues.send(
          "q",
          Array.from({ length: 10 }, (): SendEntry => ({ body: "x", delayMs: 1_000 })),
        );
      expect(counts()).toEqual([0, 0, 300]);
      await bench.clock.advance(1_000);
      expect(counts()).toEqual([300, 0, 0]);
      await receive();
      expect(counts()).toEqual([290, 10, 0]);
    });
  });

  describe("purge and delete of a queue", () => {
    it("purges visible, in flight and delayed ones and says how many; later ones stay", async () => {
      await send("a", "b");
      await bench.queues.send("q", [{ body: "c", delayMs: 1_000 }]);
      const held = await one(1, 1_000);
      expect(await bench.queues.purgeQueue("q")).toBe(3);
      await send("later");
      await bench.clock.advance(1_000);
      expect(texts(await receive())).toEqual(["later"]);
      expect(bench.queues.depth("q")).toMatchObject({ bytes: 5, records: 1 });
      expect(bench.queues.get("q", held.messageId)).toBeUndefined();
      expect(await bench.queues.delete("q", [held.receiptHandle])).toEqual([
        { receiptHandle: held.receiptHandle },
      ]);
      expect(await change(held.receiptHandle, 0)).toMatchObject({ code: "InvalidParameterValue" });
    });

    it("deletes a queue with its messages; a new one of that name begins empty", async () => {
      await send("a");
      const { receiptHandle } = await one();
      await bench.queues.deleteQueue("q");
      expect(bench.queues.hasQueue("q")).toBe(false);
      await expect(send("b")).rejects.toMatchObject({ code: "QueueDoesNotExist" });
      await bench.queues.createQueue("q");
      expect(counts()).toEqual([0, 0, 0]);
      const [outcome] = await bench.queues.delete("q", [receiptHandle]);
      expect(outcome?.error?.code).toBe("ReceiptHandleIsInvalid");
    });
  });

  describe.skipIf(!bench.features.persistent)("reopening (persistent implementations only)", () => {
    it("loses nothing: messages, states, counts, queues", async () => {
      await bench.queues.createQueue("dead");
      const policy = { deadLetterTargetQueue: "dead", maxReceiveCount: 3 };
      await bench.queues.setQueueAttributes("q", { RedrivePolicy: policy });
      await send("in flight", "visible");
      await bench.queues.send("q", [{ body: "delayed", delayMs: 10_000 }]);
      await bench.queues.send("q", [{ body: await bench.queues.stage("z".repeat(300_000)) }]);
      const held = await one(1, 5_000);
      const before = bench.queues.depth("q");
      await bench.reopen();
      expect(bench.queues.depth("q")).toEqual(before);
      expect(bench.queues.getQueueAttributes("q").RedrivePolicy).toEqual(policy);
      await bench.queues.delete("q", [held.receiptHandle]);
      await bench.clock.advance(10_000);
      const messages = await receive();
      expect(messages.map((m) => m.body().toString().slice(0, 7))).toEqual(["visible", "delayed", "zzzzzzz"]);
    });
  });
}
