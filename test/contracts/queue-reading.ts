import { describe, expect, it } from "vitest";
import type { QueueBench } from "./queue-bench.js";

/** Claim checks, claims, looks without receiving, and waiting. Part of the Queue contract (queue.ts). */
export function readingSuite(bench: QueueBench): void {
  const { send, receive, texts, one, counts } = bench;

  describe("claim checks", () => {
    const large = "é".repeat(200_000);

    it("sends a body longer than the queue takes, and gives it back", async () => {
      const staged = await bench.queues.stage(large);
      await bench.queues.send("q", [{ body: staged, records: 2 }]);
      expect(bench.queues.depth("q")).toMatchObject({ bytes: 400_000, records: 2 });
      const message = await one();
      expect(message.bytes).toBe(400_000);
      expect(message.body().toString()).toBe(large);
      await bench.queues.delete("q", [message.receiptHandle]);
      expect(() => message.body()).toThrow(expect.objectContaining({ code: "MESSAGE_GONE" }));
    });

    it("keeps short bodies in the message, judged by the queue", async () => {
      const staged = await bench.queues.stage("x".repeat(2_000));
      expect("inline" in staged.content).toBe(true);
      await bench.queues.setQueueAttributes("q", { MaximumMessageSize: 1024 });
      await expect(bench.queues.send("q", [{ body: staged }])).rejects.toMatchObject({
        code: "InvalidParameterValue",
      });
    });

    it("follows the message to the dead-letter queue and goes with a purge", async () => {
      await bench.queues.createQueue("dead");
      await bench.queues.setQueueAttributes("q", {
        RedrivePolicy: { deadLetterTargetQueue: "dead", maxReceiveCount: 1 },
      });
      const staged = await bench.queues.stage(large);
      await bench.queues.send("q", [{ body: staged }]);
      await receive(1, 0);
      await receive(1, 0);
      const dead = await one(1, 0, "dead");
      expect(dead.body().length).toBe(400_000);
      expect(await bench.queues.purgeQueue("dead")).toBe(1);
      await expect
        .poll(() =>
          bench.queues.send("q", [{ body: staged }]).then(
            () => "sent",
            (error) => error.code,
          ),
        )
        .toBe("STAGED_BODY_GONE");
    });

    it("refuses a staged body that was discarded, and what no message may hold", async () => {
      const staged = await bench.queues.stage(large);
      await bench.queues.discard(staged);
      await bench.queues.discard(staged);
      await expect(bench.queues.send("q", [{ body: staged }])).rejects.toMatchObject({
        kind: "transient",
        code: "STAGED_BODY_GONE",
      });
      await expect(bench.queues.stage(`${large}\u0000`)).rejects.toMatchObject({
        code: "InvalidMessageContents",
      });
      await expect(bench.queues.stage("")).rejects.toMatchObject({ code: "MissingParameter" });
    });

    it("refuses a body of more than 2 GB", async () => {
      // Never touched, so no memory is used: the length alone is looked at.
      await expect(bench.queues.stage(Buffer.allocUnsafeSlow(2_000_000_001))).rejects.toMatchObject({
        kind: "record",
        code: "BODY_TOO_LARGE",
      });
    });

    it("does not discard a body that a message has", async () => {
      const staged = await bench.queues.stage(large);
      await bench.queues.send("q", [{ body: staged }]);
      await bench.queues.discard(staged);
      expect((await one()).body().length).toBe(400_000);
    });
  });

  describe("claim, peek and get", () => {
    it("claims these very messages, whatever their state, without counting a receive", async () => {
      const sent = await send("a", "b");
      const delayed = await bench.queues.send("q", [{ body: "c", delayMs: 5_000 }]);
      const a = await one(1, 1_000);
      const ids = [...sent, ...delayed].map((m) => m.messageId);
      const claimed = await bench.queues.claim("q", [...ids, "no-such-id"], 10_000);
      expect(texts(claimed)).toEqual(["a", "b", "c"]);
      expect(claimed.map((m) => m.receiveCount)).toEqual([1, 0, 0]);
      expect(claimed[0]?.firstReceivedAt).toBe(a.firstReceivedAt);
      expect(counts()).toEqual([0, 3, 0]);
      await bench.clock.advance(9_999);
      expect(await receive()).toEqual([]);
      const handles = claimed.map((m) => m.receiptHandle);
      await bench.queues.delete("q", handles.slice(0, 1));
      await bench.clock.advance(1);
      expect(texts(await receive())).toEqual(["b", "c"]);
    });

    it("claims with a timeout of 0 to release", async () => {
      await send("a");
      const { messageId } = await one();
      await bench.queues.claim("q", [messageId], 0);
      expect((await one()).receiveCount).toBe(2);
    });

    it("peeks in order without hiding or counting, page by page", async () => {
      const sent = await send("a", "b", "c");
      await bench.queues.send("q", [{ body: "d", delayMs: 1_000 }]);
      await receive(1, 1_000);
      const first = bench.queues.peek("q", { limit: 2 });
      expect(texts(first)).toEqual(["a", "b"]);
      expect(first.map((m) => [m.state, m.receiveCount])).toEqual([
        ["inFlight", 1],
        ["visible", 0],
      ]);
      expect(first[1]?.firstReceivedAt).toBeUndefined();
      const after = first[1]?.messageId ?? "";
      await bench.queues.claim("q", [after], 0);
      await bench.queues.delete("q", [(await one(1, 1_000)).receiptHandle]);
      const rest = bench.queues.peek("q", { limit: 10, after });
      expect(rest.map((m) => m.state)).toEqual(["visible", "delayed"]);
      await bench.clock.advance(1_000);
      expect(bench.queues.peek("q", { limit: 10, after }).map((m) => m.state)).toEqual([
        "visible",
        "visible",
      ]);
      expect(bench.queues.get("q", sent[2]?.messageId ?? "")).toMatchObject({ state: "visible", bytes: 1 });
      expect(bench.queues.get("q", after)).toBeUndefined();
      expect(bench.queues.get("q", "nonsense")).toBeUndefined();
    });
  });

  describe("long polling", () => {
    const poll = (waitTimeMs: number, signal?: AbortSignal) =>
      bench.queues.receive("q", { maxNumberOfMessages: 10, waitTimeMs, ...(signal ? { signal } : {}) });

    it("returns as soon as one message is sent", async () => {
      const waiting = poll(20_000);
      await bench.clock.advance(5);
      await send("a");
      expect(texts(await waiting)).toEqual(["a"]);
    });

    it("wakes when a delay and when a visibility timeout ends", async () => {
      await bench.queues.send("q", [{ body: "delayed", delayMs: 3_000 }]);
      let waiting = poll(20_000);
      await bench.clock.advance(3_000);
      expect(texts(await waiting)).toEqual(["delayed"]);
      waiting = poll(20_000);
      expect(await Promise.race([waiting, "still waiting"])).toBe("still waiting");
      await bench.clock.advance(20_000);
      expect(await waiting).toEqual([]);
      waiting = poll(20_000);
      await bench.clock.advance(10_000);
      expect(texts(await waiting)).toEqual(["delayed"]);
    });

    it("ends empty after its time, and waits as the queue says unless the request does", async () => {
      await bench.queues.setQueueAttributes("q", { ReceiveMessageWaitTimeSeconds: 2 });
      expect(await bench.queues.receive("q", { maxNumberOfMessages: 1, waitTimeMs: 0 })).toEqual([]);
      let done = false;
      const waiting = receive(1).then((messages) => {
        done = true;
        return messages;
      });
      await bench.clock.advance(1_999);
      expect(done).toBe(false);
      await bench.clock.advance(1);
      expect(await waiting).toEqual([]);
    });

    it("ends at once with CancelledError when the signal aborts, before or during the wait", async () => {
      const controller = new AbortController();
      const waiting = poll(20_000, controller.signal);
      const refused = expect(waiting).rejects.toMatchObject({ kind: "cancelled" });
      await bench.clock.advance(1);
      controller.abort();
      await refused;
      await expect(poll(20_000, controller.signal)).rejects.toMatchObject({ kind: "cancelled" });
      expect(bench.clock.waiting).toBe(0);
    });

    it("ends with CancelledError when the queues are closed", async () => {
      const waiting = expect(poll(20_000)).rejects.toMatchObject({
        kind: "cancelled",
        code: "ENVIRONMENT_CLOSED",
      });
      await bench.clock.advance(1);
      await bench.close();
      await waiting;
    });

    it("gives one message to one of two that wait", async () => {
      const waiting = [poll(1_000), poll(1_000)];
      await bench.clock.advance(1);
      await send("a");
      const first = await Promise.race(waiting);
      expect(texts(first)).toEqual(["a"]);
      await bench.clock.advance(1_000);
      expect((await Promise.all(waiting)).flat()).toHaveLength(1);
    });
  });
}
