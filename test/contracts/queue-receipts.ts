import { beforeEach, describe, expect, it } from "vitest";
import type { Message } from "../../core/contracts/index.js";
import type { QueueBench } from "./queue-bench.js";

const F = "f.fifo";
const FIVE_MINUTES_MS = 300_000;

const EXPIRED = (handle: string) => ({
  code: "InvalidParameterValue",
  message: `Value ${handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
});

/** What a receive of a FIFO queue gives a right to: receipt handles and receive request attempts. Part of the Queue contract (queue.ts). */
export function receiptsSuite(bench: QueueBench): void {
  const { sendGroup, receive, texts, bodies, one, change, remove, counts } = bench;

  describe("FIFO receipts", () => {
    beforeEach(async () => {
      await bench.queues.createQueue(F, { FifoQueue: true, ContentBasedDeduplication: true });
    });

    describe("handles", () => {
      it("delete nothing after the timeout", async () => {
        await sendGroup(F, "g", "a");
        const stale = await one(1, 1_000, F);
        await bench.clock.advance(1_000);
        expect(await remove(F, stale)).toEqual(EXPIRED(stale.receiptHandle));
        expect(counts(F)).toEqual([1, 0, 0]);
      });

      it("delete nothing after the message was received again", async () => {
        await sendGroup(F, "g", "a");
        const stale = await one(1, 1_000, F);
        await bench.clock.advance(1_000);
        const fresh = await one(1, 1_000, F);
        expect(await remove(F, stale)).toEqual(EXPIRED(stale.receiptHandle));
        expect(counts(F)).toEqual([0, 1, 0]);
        expect(await remove(F, fresh)).toBeUndefined();
        expect(counts(F)).toEqual([0, 0, 0]);
      });

      it("of a receive with a timeout of 0 delete nothing", async () => {
        await sendGroup(F, "g", "a");
        const message = await one(1, 0, F);
        expect(await remove(F, message)).toEqual(EXPIRED(message.receiptHandle));
        expect(counts(F)).toEqual([1, 0, 0]);
      });

      it("of a receive that was ended delete nothing", async () => {
        await sendGroup(F, "g", "a");
        const message = await one(1, 30_000, F);
        expect(await change(message.receiptHandle, 0, F)).toBeUndefined();
        expect(await remove(F, message)).toEqual(EXPIRED(message.receiptHandle));
      });

      it("work as long as the timeout is extended, to the twelfth hour", async () => {
        await bench.queues.setQueueAttributes(F, { MessageRetentionPeriod: 1_209_600 });
        await sendGroup(F, "g", "a");
        const message = await one(1, 1_000, F);
        await bench.clock.advance(999);
        expect(await change(message.receiptHandle, 43_200_000, F)).toEqual({
          code: "InvalidParameterValue",
          message:
            "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
        });
        expect(await change(message.receiptHandle, 43_199_001, F)).toBeUndefined();
        await bench.clock.advance(43_199_000);
        expect(await bodies(10, undefined, F)).toEqual([]);
        expect(await remove(F, message)).toBeUndefined();
        expect(counts(F)).toEqual([0, 0, 0]);
      });

      it("neither hide nor free the message after the timeout", async () => {
        await sendGroup(F, "g", "a");
        const stale = await one(1, 1_000, F);
        await bench.clock.advance(1_000);
        expect(await change(stale.receiptHandle, 60_000, F)).toMatchObject({ code: "InvalidParameterValue" });
        const fresh = await one(1, 60_000, F);
        expect(await change(stale.receiptHandle, 0, F)).toMatchObject({ code: "InvalidParameterValue" });
        expect(counts(F)).toEqual([0, 1, 0]);
        expect(await remove(F, fresh)).toBeUndefined();
      });

      it("delete twice without complaint, also after retention or a purge took the message", async () => {
        await bench.queues.setQueueAttributes(F, { MessageRetentionPeriod: 60 });
        await sendGroup(F, "g", "a", "b");
        const [a, b] = await receive(2, undefined, F);
        if (!a || !b) throw new Error("expected two messages");
        expect(await remove(F, a)).toBeUndefined();
        expect(await remove(F, a)).toBeUndefined();
        await bench.clock.advance(31_000);
        expect(await remove(F, a)).toBeUndefined();
        await bench.clock.advance(29_000);
        expect(await remove(F, b)).toBeUndefined();
        await sendGroup(F, "g", "c");
        const c = await one(1, undefined, F);
        await bench.queues.purgeQueue(F);
        expect(await remove(F, c)).toBeUndefined();
      });

      it("are judged one by one in a batch", async () => {
        await sendGroup(F, "g", "a");
        const stale = await one(1, 0, F);
        const good = await one(1, 60_000, F);
        const outcomes = await bench.queues.delete(F, ["garbage", stale.receiptHandle, good.receiptHandle]);
        expect(outcomes).toEqual([
          {
            receiptHandle: "garbage",
            error: {
              code: "ReceiptHandleIsInvalid",
              message: 'The input receipt handle "garbage" is not a valid receipt handle.',
            },
          },
          { receiptHandle: stale.receiptHandle, error: EXPIRED(stale.receiptHandle) },
          { receiptHandle: good.receiptHandle },
        ]);
        expect(await change(good.receiptHandle, 0, F)).toEqual({
          code: "InvalidParameterValue",
          message: `Value ${good.receiptHandle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
        });
      });
    });

    describe("receive request attempts", () => {
      const attempt = (attemptId: string, maxNumberOfMessages = 10, visibilityTimeoutMs = 30_000) =>
        bench.queues.receive(F, { maxNumberOfMessages, visibilityTimeoutMs, attemptId });
      const shown = (messages: readonly Message[]) =>
        messages.map((m) => [m.messageId, m.receiptHandle, m.receiveCount, m.body().toString()]);

      it("give the same messages and handles again while they are in flight", async () => {
        await sendGroup(F, "g", "a", "b", "c");
        const first = await attempt("try-1", 2);
        expect(texts(first)).toEqual(["a", "b"]);
        expect(shown(await attempt("try-1", 2))).toEqual(shown(first));
        expect(await attempt("try-2", 2)).toEqual([]);
        expect(counts(F)).toEqual([1, 2, 0]);
      });

      it("restart the visibility timeout", async () => {
        await sendGroup(F, "g", "a");
        await attempt("try", 1, 10_000);
        await bench.clock.advance(9_000);
        const [again] = await attempt("try", 1, 10_000);
        await bench.clock.advance(9_999);
        expect(await bodies(10, undefined, F)).toEqual([]);
        expect(again && (await remove(F, again))).toBeUndefined();
        expect(counts(F)).toEqual([0, 0, 0]);
      });

      it("are as good as new once the timeout has ended", async () => {
        await sendGroup(F, "g", "a");
        const [first] = await attempt("try", 1, 10_000);
        await bench.clock.advance(10_000);
        const [second] = await attempt("try", 1, 10_000);
        expect(second?.messageId).toBe(first?.messageId);
        expect(second?.receiptHandle).not.toBe(first?.receiptHandle);
        expect(second?.receiveCount).toBe(2);
      });

      it("are forgotten after five minutes", async () => {
        await sendGroup(F, "g", "a");
        const first = await attempt("try", 1, 3_600_000 - 1);
        await bench.clock.advance(FIVE_MINUTES_MS - 1);
        expect(shown(await attempt("try", 1, 3_000_000))).toEqual(shown(first));
        await bench.clock.advance(1);
        expect(await attempt("try", 1, 3_000_000)).toEqual([]);
      });

      it.each<[string, (message: Message) => Promise<unknown>]>([
        ["was deleted", (message) => remove(F, message)],
        ["had its visibility changed", (message) => change(message.receiptHandle, 60_000, F)],
        ["was claimed", ({ messageId }) => bench.queues.claim(F, [messageId], 60_000)],
      ])("are new receives once one of the messages %s", async (_, touch) => {
        await sendGroup(F, "g1", "a", "b");
        await sendGroup(F, "g2", "c");
        const first = await attempt("try", 2);
        expect(texts(first)).toEqual(["a", "b"]);
        if (first[0]) await touch(first[0]);
        expect(texts(await attempt("try", 2))).toEqual(["c"]);
        expect(texts(await attempt("try", 2))).toEqual(["c"]);
      });

      it("are new receives after a purge", async () => {
        await sendGroup(F, "g", "a");
        await attempt("try");
        await bench.queues.purgeQueue(F);
        await sendGroup(F, "g", "b");
        expect(texts(await attempt("try"))).toEqual(["b"]);
      });

      it("that found nothing find what was sent since", async () => {
        expect(await attempt("try")).toEqual([]);
        await sendGroup(F, "g", "a");
        expect(texts(await attempt("try"))).toEqual(["a"]);
      });

      it("count neither as a receive nor towards the dead-letter queue", async () => {
        await bench.queues.createQueue("dead.fifo", { FifoQueue: true });
        await bench.queues.setQueueAttributes(F, {
          RedrivePolicy: { deadLetterTargetQueue: "dead.fifo", maxReceiveCount: 1 },
        });
        await sendGroup(F, "g", "a");
        const first = await attempt("try");
        for (let i = 0; i < 3; i++) expect(shown(await attempt("try"))).toEqual(shown(first));
        expect(counts("dead.fifo")).toEqual([0, 0, 0]);
      });

      it("belong to their queue", async () => {
        await bench.queues.createQueue("other.fifo", { FifoQueue: true, ContentBasedDeduplication: true });
        await sendGroup(F, "g", "a");
        await sendGroup("other.fifo", "g", "b");
        await attempt("try");
        const other = await bench.queues.receive("other.fifo", { maxNumberOfMessages: 1, attemptId: "try" });
        expect(texts(other)).toEqual(["b"]);
      });

      it("need 1 to 128 characters of the permitted ones", async () => {
        await attempt(`${"a1".repeat(61)}!~-_./`);
        for (const id of ["", "x".repeat(129), "with space"])
          await expect(attempt(id)).rejects.toMatchObject({ kind: "config", code: "InvalidParameterValue" });
      });

      it.skipIf(!bench.features.persistent)("outlive a reopening", async () => {
        await sendGroup(F, "g", "a", "b");
        const first = shown(await attempt("try", 2));
        await bench.reopen();
        const again = await attempt("try", 2);
        expect(shown(again)).toEqual(first);
        expect(again[1] && (await remove(F, again[1]))).toBeUndefined();
        expect(counts(F)).toEqual([0, 1, 0]);
      });
    });
  });
}
