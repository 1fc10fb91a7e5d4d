import { describe, expect, it } from "vitest";
import type { QueueBench } from "./queue-bench.js";

/** Sending, receiving, hiding, delaying and deleting messages. Part of the Queue contract (queue.ts). */
export function messagesSuite(bench: QueueBench): void {
  const { send, receive, texts, one, change, counts } = bench;

  describe("send and receive", () => {
    it("gives back the bytes, attributes, records and times, oldest first", async () => {
      const body = 'a\r\n<x>&amp;</x>\t"é😀￼';
      const sentAt = bench.clock.now();
      const [sent] = await bench.queues.send("q", [
        { body, attributes: { flow: "f", seq: "7" }, records: 12 },
      ]);
      await bench.clock.advance(5);
      await bench.queues.send("q", [{ body: Buffer.from("second") }]);
      await bench.clock.advance(5);
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
      bench.clock.step(-60_000);
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
      await bench.clock.advance(4_999);
      expect(await receive()).toEqual([]);
      await bench.clock.advance(1);
      await send("younger");
      const [again, other] = await receive();
      expect(again).toMatchObject({ messageId: first.messageId, receiveCount: 2 });
      expect(again?.firstReceivedAt).toBe(first.firstReceivedAt);
      expect(again?.receiptHandle).not.toBe(first.receiptHandle);
      expect(other?.body().toString()).toBe("younger");
    });

    it("uses the queue's timeout unless the receive names one", async () => {
      await bench.queues.setQueueAttributes("q", { VisibilityTimeout: 2 });
      await send("a");
      await receive();
      await bench.clock.advance(1_999);
      expect(await receive()).toEqual([]);
      await bench.clock.advance(1);
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
      await bench.clock.advance(9_000);
      expect(await change(receiptHandle, 10_000)).toBeUndefined();
      await bench.clock.advance(9_999);
      expect(await receive()).toEqual([]);
      expect(await change(receiptHandle, 0)).toBeUndefined();
      await receive(1, 1_000);
      await bench.clock.advance(1_000);
      expect(await receive()).toHaveLength(1);
    });

    it("lets a stale handle of a standard queue hide and free the message", async () => {
      await send("a");
      const stale = await one(1, 1_000);
      await bench.clock.advance(1_000);
      expect(await change(stale.receiptHandle, 3_000)).toBeUndefined();
      expect(await receive()).toEqual([]);
      await bench.clock.advance(3_000);
      await receive(1, 60_000);
      expect(await change(stale.receiptHandle, 0)).toBeUndefined();
      expect(await receive()).toHaveLength(1);
    });

    it("caps the total at twelve hours since the receive", async () => {
      await bench.queues.setQueueAttributes("q", { MessageRetentionPeriod: 1_209_600 });
      await send("a");
      const { receiptHandle } = await one(1, 30_000);
      expect(await change(receiptHandle, 43_200_000)).toBeUndefined();
      await bench.clock.advance(1_000);
      const error = await change(receiptHandle, 43_200_000);
      expect(error).toMatchObject({ code: "InvalidParameterValue" });
      expect(error?.message).toContain("beyond the limit [43200 seconds]");
      expect(await change(receiptHandle, 43_199_000)).toBeUndefined();
      expect(await change(receiptHandle, 43_201_000)).toMatchObject({ code: "InvalidParameterValue" });
    });

    it("judges each entry of a batch by itself", async () => {
      await send("a", "b");
      const [a, b] = await receive();
      await bench.queues.delete("q", [b?.receiptHandle ?? ""]);
      const outcomes = await bench.queues.changeVisibility("q", [
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
      await bench.queues.setQueueAttributes("q", { DelaySeconds: 10 });
      await bench.queues.send("q", [
        { body: "queue's" },
        { body: "own", delayMs: 2_000 },
        { body: "none", delayMs: 0 },
      ]);
      expect(texts(await receive(10, 60_000))).toEqual(["none"]);
      await bench.clock.advance(2_000);
      expect(texts(await receive(10, 60_000))).toEqual(["own"]);
      await bench.clock.advance(7_999);
      expect(await receive()).toEqual([]);
      await bench.clock.advance(1);
      expect(texts(await receive())).toEqual(["queue's"]);
    });

    it("does not apply a changed delay to messages already sent", async () => {
      await send("a");
      await bench.queues.setQueueAttributes("q", { DelaySeconds: 10 });
      expect(await receive()).toHaveLength(1);
    });
  });

  describe("delete", () => {
    it("removes for good, and again without complaint", async () => {
      await send("a");
      const { receiptHandle } = await one(1, 1_000);
      expect(await bench.queues.delete("q", [receiptHandle])).toEqual([{ receiptHandle }]);
      expect(await bench.queues.delete("q", [receiptHandle])).toEqual([{ receiptHandle }]);
      await bench.clock.advance(1_000);
      expect(await receive()).toEqual([]);
    });

    it("accepts a stale handle, before and after the message was received again", async () => {
      await send("a", "b");
      const [a, b] = await receive(2, 1_000);
      await bench.clock.advance(1_000);
      await bench.queues.delete("q", [a?.receiptHandle ?? ""]);
      expect(texts(await receive(10, 60_000))).toEqual(["b"]);
      await bench.queues.delete("q", [b?.receiptHandle ?? ""]);
      expect(counts()).toEqual([0, 0, 0]);
    });

    it("refuses garbage and another queue's handle, and does the rest of the batch", async () => {
      await bench.queues.createQueue("other");
      await bench.queues.send("other", [{ body: "x" }]);
      const foreign = await one(1, undefined, "other");
      await send("a");
      const own = await one();
      const handles = ["", "garbage", `${own.receiptHandle.slice(0, -1)}!`, foreign.receiptHandle];
      const outcomes = await bench.queues.delete("q", [...handles, own.receiptHandle]);
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
        const [outcome] = await bench.queues.delete("q", [changed]);
        expect(outcome?.error?.code, `character ${i}`).toBe("ReceiptHandleIsInvalid");
      }
      expect(counts()).toEqual([0, 1, 0]);
    });
  });
}
