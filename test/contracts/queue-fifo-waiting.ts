import { beforeEach, describe, expect, it } from "vitest";
import type { QueueBench } from "./queue-bench.js";

const F = "f.fifo";

/** Messages of FIFO queues that wait: blocked, delayed, and long polls for them. Part of the Queue contract (queue.ts). */
export function fifoWaitingSuite(bench: QueueBench): void {
  const { sendGroup, sendOne, receive, texts, bodies, change, remove, counts, pass } = bench;

  describe("FIFO queues: waiting", () => {
    beforeEach(async () => {
      await bench.queues.createQueue(F, { FifoQueue: true, ContentBasedDeduplication: true });
    });

    describe("depth", () => {
      it("counts messages blocked behind one in flight as visible", async () => {
        await sendGroup(F, "1", "g1-m1", "g1-m2", "g1-m3");
        await sendGroup(F, "2", "g2-m1");
        await sendGroup(F, "3", "g3-m1");
        expect(counts(F)).toEqual([5, 0, 0]);
        const [head] = await receive(1, undefined, F);
        expect(counts(F)).toEqual([4, 1, 0]);
        const states = bench.queues.peek(F, { limit: 10 }).map((message) => message.state);
        expect(states).toEqual(["inFlight", "visible", "visible", "visible", "visible"]);
        if (head) await remove(F, head);
        expect(counts(F)).toEqual([4, 0, 0]);
      });
    });

    describe("delay", () => {
      it("refuses a message's own delay; 0 means the queue's", async () => {
        await expect(sendOne(F, { body: "x", groupId: "g", delayMs: 2_000 })).rejects.toMatchObject({
          code: "InvalidParameterValue",
          message:
            "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.",
        });
        await bench.queues.setQueueAttributes(F, { DelaySeconds: 2 });
        await sendOne(F, { body: "1", groupId: "g", delayMs: 0 });
        await sendGroup(F, "g", "2", "3");
        expect(counts(F)).toEqual([0, 0, 3]);
        await bench.clock.advance(1_999);
        expect(await bodies(10, undefined, F)).toEqual([]);
        await bench.clock.advance(1);
        expect(await bodies(10, undefined, F)).toEqual(["1", "2", "3"]);
      });

      it("applies a shorter delay to messages already waiting", async () => {
        await bench.queues.setQueueAttributes(F, { DelaySeconds: 100 });
        await sendGroup(F, "g", "1", "2");
        await bench.clock.advance(5_000);
        await bench.queues.setQueueAttributes(F, { DelaySeconds: 10 });
        await bench.clock.advance(4_999);
        expect(await bodies(10, undefined, F)).toEqual([]);
        await bench.clock.advance(1);
        expect(await bodies(10, undefined, F)).toEqual(["1", "2"]);
      });

      it("applies a longer delay to messages already waiting", async () => {
        await bench.queues.setQueueAttributes(F, { DelaySeconds: 10 });
        await sendGroup(F, "g", "1");
        await bench.clock.advance(5_000);
        await bench.queues.setQueueAttributes(F, { DelaySeconds: 20 });
        await bench.clock.advance(14_999);
        expect(counts(F)).toEqual([0, 0, 1]);
        await bench.clock.advance(1);
        expect(await bodies(10, undefined, F)).toEqual(["1"]);
      });

      it("does not hide again what has become visible", async () => {
        await bench.queues.setQueueAttributes(F, { DelaySeconds: 10 });
        await sendGroup(F, "g", "1");
        await bench.clock.advance(10_000);
        expect(counts(F)).toEqual([1, 0, 0]);
        await bench.queues.setQueueAttributes(F, { DelaySeconds: 20 });
        expect(counts(F)).toEqual([1, 0, 0]);
        expect(await bodies(10, undefined, F)).toEqual(["1"]);
      });

      it("makes them visible at once when the delay is taken off, and wakes who waits", async () => {
        await bench.queues.setQueueAttributes(F, { DelaySeconds: 900 });
        await sendGroup(F, "g", "1");
        const waiting = bench.queues.receive(F, { maxNumberOfMessages: 1, waitTimeMs: 20_000 });
        await bench.clock.advance(1_000);
        await bench.queues.setQueueAttributes(F, { DelaySeconds: 0 });
        expect(texts(await waiting)).toEqual(["1"]);
      });
    });

    describe("long polling", () => {
      const poll = () => bench.queues.receive(F, { maxNumberOfMessages: 10, waitTimeMs: 20_000 });

      it("wakes when a delete unlocks a group", async () => {
        await sendGroup(F, "g", "1", "2");
        const [first] = await receive(1, 60_000, F);
        const waiting = poll();
        await bench.clock.advance(100);
        if (first) await remove(F, first);
        expect(texts(await waiting)).toEqual(["2"]);
      });

      it("wakes when a change of visibility, or the end of a message by id, frees a group", async () => {
        const [head] = await sendGroup(F, "g", "1", "2");
        const [held] = await receive(1, 60_000, F);
        let waiting = poll();
        await bench.clock.advance(100);
        await change(held?.receiptHandle ?? "", 0, F);
        expect(texts(await waiting)).toEqual(["1", "2"]);
        const [second] = bench.queues.peek(F, { limit: 1, after: head?.messageId ?? "" });
        await bench.queues.claim(F, [second?.messageId ?? ""], 0);
        waiting = poll();
        await bench.clock.advance(100);
        await bench.queues.claim(F, [head?.messageId ?? ""], 0);
        expect(texts(await waiting)).toEqual(["1", "2"]);
      });

      it("wakes when the head that locks a group expires", async () => {
        await bench.queues.setQueueAttributes(F, { MessageRetentionPeriod: 60 });
        await sendGroup(F, "g", "old");
        await receive(1, 43_200_000, F);
        await bench.clock.advance(50_000);
        await sendGroup(F, "g", "young");
        const waiting = poll();
        await pass(10_000, 1_000);
        expect(texts(await Promise.race([waiting, Promise.resolve([])]))).toEqual(["young"]);
      });

      it("wakes when the timeout of a head ends, and not for a message that stays locked", async () => {
        await sendGroup(F, "g", "1", "2", "3");
        const held = await receive(2, 4_000, F);
        await change(held[0]?.receiptHandle ?? "", 9_000, F);
        let done = false;
        const waiting = poll().finally(() => {
          done = true;
        });
        await pass(8_999, 1_000);
        expect(done).toBe(false);
        await pass(1);
        expect(texts(await waiting)).toEqual(["1", "2", "3"]);
      });
    });
  });
}
