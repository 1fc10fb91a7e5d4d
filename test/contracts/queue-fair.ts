import { describe, expect, it } from "vitest";
import type { Message } from "../../core/contracts/index.js";
import type { QueueBench } from "./queue-bench.js";

/**
 * Fair queues: a tenant (message group of a standard queue) that holds more than a tenth of the messages in flight, and
 * at least thirty, waits behind the quiet ones. No locks, no order, no deduplication. Part of the Queue contract (queue.ts).
 */
export function fairSuite(bench: QueueBench): void {
  const { sendGroup, send, receive, texts, bodies, one, change, counts } = bench;

  /** Sends messages of a tenant (undefined: without a group) and takes them in flight. */
  const hold = async (tenant: string | undefined, messages: number): Promise<Message[]> => {
    const held: Message[] = [];
    for (let left = messages; left > 0; left -= 10) {
      const batch = Array.from({ length: Math.min(10, left) }, () => "held");
      await (tenant === undefined ? send(...batch) : sendGroup("q", tenant, ...batch));
    }
    for (let left = messages; left > 0; ) {
      const taken = await receive(Math.min(10, left), 600_000);
      if (taken.length === 0) throw new Error("expected the messages just sent");
      left -= taken.length;
      held.push(...taken);
    }
    return held;
  };

  describe("fair queues", () => {
    it("show the group and neither lock it nor suppress repeats", async () => {
      await sendGroup("q", "tenant", "a", "a");
      const message = await one(1);
      expect(message).toMatchObject({ groupId: "tenant" });
      expect(bench.queues.peek("q", { limit: 10 }).map((peeked) => peeked.groupId)).toEqual([
        "tenant",
        "tenant",
      ]);
      expect(await bodies()).toEqual(["a"]);
    });

    it.each(["", "with space", "ü", "x".repeat(129)])("refuse the group %j", async (groupId) => {
      await expect(bench.queues.send("q", [{ body: "x", groupId }])).rejects.toMatchObject({
        code: "InvalidParameterValue",
        message: `Value ${groupId} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
      });
    });

    it("refuse a deduplication id", async () => {
      await expect(
        bench.queues.send("q", [{ body: "x", groupId: "g", deduplicationId: "d" }]),
      ).rejects.toMatchObject({
        code: "InvalidParameterValue",
        message:
          "Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type.",
      });
    });

    it("serve oldest first while nobody is noisy", async () => {
      await sendGroup("q", "a", "a1");
      await sendGroup("q", "b", "b1");
      await send("plain");
      await sendGroup("q", "a", "a2");
      expect(await bodies()).toEqual(["a1", "b1", "plain", "a2"]);
    });

    it("serve quiet tenants before a noisy one, and the noisy one with what is left", async () => {
      await hold("noisy", 40);
      await sendGroup("q", "noisy", "n1", "n2", "n3");
      await bench.clock.advance(10);
      await sendGroup("q", "quiet", "q1");
      await send("plain");
      await sendGroup("q", "calm", "c1");
      expect(await bodies(2)).toEqual(["q1", "plain"]);
      expect(await bodies(2)).toEqual(["c1", "n1"]);
      expect(await bodies()).toEqual(["n2", "n3"]);
      expect(counts()).toEqual([0, 46, 0]);
    });

    it("do not take a tenant with 29 in flight for noisy", async () => {
      await hold("tenant", 29);
      await sendGroup("q", "tenant", "t1");
      await sendGroup("q", "other", "o1");
      expect(await bodies(1)).toEqual(["t1"]);
    });

    it("do not take a tenant with a tenth of what is in flight for noisy", async () => {
      await hold("tenant", 30);
      await hold(undefined, 270);
      await sendGroup("q", "tenant", "t1");
      await sendGroup("q", "other", "o1");
      expect(await bodies(1)).toEqual(["t1"]);
    });

    it("take each message without a group for a tenant of its own", async () => {
      await hold(undefined, 60);
      await send("plain");
      await sendGroup("q", "quiet", "q1");
      expect(await bodies()).toEqual(["plain", "q1"]);
    });

    it("give a noisy tenant's message that comes back no precedence", async () => {
      await hold("noisy", 40);
      await sendGroup("q", "noisy", "n1");
      const back = await one(1, 600_000);
      await sendGroup("q", "quiet", "q1");
      await sendGroup("q", "noisy", "n2");
      await change(back.receiptHandle, 0);
      expect(await bodies()).toEqual(["q1", "n1", "n2"]);
    });

    it("serve a quiet tenant first, however long the noisy one's backlog", async () => {
      await hold("noisy", 40);
      for (let i = 0; i < 450; i++) await sendGroup("q", "noisy", `n${i}`);
      await sendGroup("q", "quiet", "q1");
      expect(await bodies(2)).toEqual(["q1", "n0"]);
    });

    it("let a tenant that has become quiet go first again, however much of a noisy one is older", async () => {
      await hold("noisy", 60);
      const held = await hold("once-noisy", 60);
      for (let i = 0; i < 12; i++) await sendGroup("q", "noisy", `n${i}`);
      await sendGroup("q", "once-noisy", "o1", "o2");
      await sendGroup("q", "quiet", "q1");
      expect(await bodies(1)).toEqual(["q1"]);
      for (let i = 0; i < held.length; i += 10)
        await bench.queues.delete(
          "q",
          held.slice(i, i + 10).map((message) => message.receiptHandle),
        );
      expect(await bodies(3)).toEqual(["o1", "o2", "n0"]);
    });

    it("lose none of a noisy tenant's messages, whatever becomes of them", async () => {
      await hold("noisy", 40);
      await sendGroup("q", "noisy", "n1", "n2");
      await bench.queues.send("q", [{ body: "n3", groupId: "noisy", delayMs: 5_000 }]);
      await sendGroup("q", "quiet", "q1", "q2");
      expect(counts()).toEqual([4, 40, 1]);
      expect(bench.queues.peek("q", { limit: 100 }).filter(({ state }) => state === "visible")).toHaveLength(
        4,
      );
      await bench.clock.advance(600_000);
      expect(counts()).toEqual([45, 0, 0]);
      const seen: string[] = [];
      for (;;) {
        const messages = await receive(10, 600_000);
        if (messages.length === 0) break;
        seen.push(...texts(messages));
      }
      expect(seen.filter((body) => body !== "held").sort()).toEqual(["n1", "n2", "n3", "q1", "q2"]);
      expect(seen).toHaveLength(45);
      expect(counts()).toEqual([0, 45, 0]);
    });

    it("let a long poll of an otherwise empty queue have a noisy tenant's message", async () => {
      await hold("noisy", 40);
      const waiting = bench.queues.receive("q", { maxNumberOfMessages: 1, waitTimeMs: 20_000 });
      await bench.clock.advance(100);
      await sendGroup("q", "noisy", "n1");
      expect(texts(await waiting)).toEqual(["n1"]);
    });

    it("move a noisy tenant's dead letters aside like anybody's", async () => {
      await bench.queues.createQueue("dead");
      await bench.queues.setQueueAttributes("q", {
        RedrivePolicy: { deadLetterTargetQueue: "dead", maxReceiveCount: 1 },
      });
      await hold("noisy", 40);
      await bench.clock.advance(600_000);
      await sendGroup("q", "quiet", "q1");
      expect(await bodies()).toEqual(["q1"]);
      while ((await receive()).length > 0);
      expect(counts("dead")).toEqual([40, 0, 0]);
      expect((await one(1, 0, "dead")).groupId).toBe("noisy");
    });

    it.skipIf(!bench.features.persistent)("know who is noisy after a reopening", async () => {
      await hold("noisy", 40);
      await sendGroup("q", "noisy", "n1", "n2");
      await sendGroup("q", "quiet", "q1");
      await bench.reopen();
      expect(await bodies(2)).toEqual(["q1", "n1"]);
      expect(await bodies()).toEqual(["n2"]);
    });
  });
}
