import { beforeEach, describe, expect, it } from "vitest";
import type { QueueAttributes } from "../../core/contracts/index.js";
import type { QueueBench } from "./queue-bench.js";

/** Who may use whom as a dead-letter queue, and dead letters of FIFO queues. Part of the Queue contract (queue.ts). */
export function redriveSuite(bench: QueueBench): void {
  const { sendOne, sendGroup, send, receive, bodies, one, remove, counts } = bench;
  const redriveTo = (source: string, deadLetterTargetQueue: string, maxReceiveCount = 1) =>
    bench.queues.setQueueAttributes(source, { RedrivePolicy: { deadLetterTargetQueue, maxReceiveCount } });
  const allow = (name: string, RedriveAllowPolicy: QueueAttributes["RedriveAllowPolicy"] | null) =>
    bench.queues.setQueueAttributes(name, { RedriveAllowPolicy });
  const refused = { kind: "config", code: "InvalidParameterValue" };

  describe("RedriveAllowPolicy", () => {
    beforeEach(() => bench.queues.createQueue("dead"));

    it("is shown as it was set, and taken away by null", async () => {
      expect(bench.queues.getQueueAttributes("dead").RedriveAllowPolicy).toBeUndefined();
      const policy = { redrivePermission: "byQueue" as const, sourceQueues: ["q", "other"] };
      await allow("dead", policy);
      expect(bench.queues.getQueueAttributes("dead").RedriveAllowPolicy).toEqual(policy);
      await allow("dead", null);
      expect(bench.queues.getQueueAttributes("dead").RedriveAllowPolicy).toBeUndefined();
    });

    it("denyAll: nobody may name the queue, neither later nor at creation", async () => {
      await allow("dead", { redrivePermission: "denyAll" });
      await expect(redriveTo("q", "dead")).rejects.toMatchObject(refused);
      const RedrivePolicy = { deadLetterTargetQueue: "dead", maxReceiveCount: 1 };
      await expect(bench.queues.createQueue("new", { RedrivePolicy })).rejects.toMatchObject(refused);
      expect(bench.queues.hasQueue("new")).toBe(false);
      expect(bench.queues.listDeadLetterSourceQueues("dead")).toEqual([]);
    });

    it("byQueue: only those named may", async () => {
      await bench.queues.createQueue("other");
      await allow("dead", { redrivePermission: "byQueue", sourceQueues: ["q"] });
      await redriveTo("q", "dead");
      await expect(redriveTo("other", "dead")).rejects.toMatchObject(refused);
      expect(bench.queues.listDeadLetterSourceQueues("dead")).toEqual(["q"]);
    });

    it("allowAll and none: everybody may", async () => {
      await allow("dead", { redrivePermission: "denyAll" });
      await allow("dead", { redrivePermission: "allowAll" });
      await redriveTo("q", "dead");
      await allow("dead", null);
      await redriveTo("q", "dead", 2);
      expect(bench.queues.getQueueAttributes("q").RedrivePolicy?.maxReceiveCount).toBe(2);
    });

    it.each([
      ["an unknown permission", '{"redrivePermission":"some"}'],
      ["no permission", '{"sourceQueues":["q"]}'],
      ["queues with allowAll", '{"redrivePermission":"allowAll","sourceQueues":["q"]}'],
      ["queues with denyAll", '{"redrivePermission":"denyAll","sourceQueues":["q"]}'],
      ["byQueue without queues", '{"redrivePermission":"byQueue"}'],
      [
        "eleven queues",
        JSON.stringify({
          redrivePermission: "byQueue",
          sourceQueues: Array.from({ length: 11 }, (_, i) => `s${i}`),
        }),
      ],
    ])("refuses %s", async (_, json) => {
      await expect(allow("dead", JSON.parse(json))).rejects.toMatchObject({
        kind: "config",
        code: expect.stringMatching(/^Invalid(Attribute|Parameter)Value$/),
      });
      expect(bench.queues.getQueueAttributes("dead").RedriveAllowPolicy).toBeUndefined();
    });

    it("takes ten queues", async () => {
      const sourceQueues = Array.from({ length: 10 }, (_, i) => `s${i}`);
      await allow("dead", { redrivePermission: "byQueue", sourceQueues });
      expect(bench.queues.getQueueAttributes("dead").RedriveAllowPolicy?.sourceQueues).toEqual(sourceQueues);
    });
  });

  describe("dead-letter source listing", () => {
    it("names the queues whose policy names this one, as it stands now", async () => {
      for (const name of ["dead", "a", "b", "c"]) await bench.queues.createQueue(name);
      expect(bench.queues.listDeadLetterSourceQueues("dead")).toEqual([]);
      for (const name of ["c", "a", "b"]) await redriveTo(name, "dead");
      await redriveTo("a", "q");
      expect(bench.queues.listDeadLetterSourceQueues("dead")).toEqual(["b", "c"]);
      expect(bench.queues.listDeadLetterSourceQueues("q")).toEqual(["a"]);
      await bench.queues.setQueueAttributes("b", { RedrivePolicy: null });
      await bench.queues.deleteQueue("c");
      expect(bench.queues.listDeadLetterSourceQueues("dead")).toEqual([]);
      await expect(async () => bench.queues.listDeadLetterSourceQueues("none")).rejects.toMatchObject({
        code: "QueueDoesNotExist",
      });
    });

    it.skipIf(!bench.features.persistent)("outlives a reopening", async () => {
      await bench.queues.createQueue("dead");
      await allow("dead", { redrivePermission: "byQueue", sourceQueues: ["q"] });
      await redriveTo("q", "dead");
      await bench.reopen();
      expect(bench.queues.listDeadLetterSourceQueues("dead")).toEqual(["q"]);
      await bench.queues.createQueue("other");
      await expect(redriveTo("other", "dead")).rejects.toMatchObject(refused);
    });
  });

  describe("dead letters of standard queues", () => {
    it("keep all that a message is but its place", async () => {
      await bench.queues.createQueue("dead");
      await redriveTo("q", "dead", 2);
      const sent = await sendOne("q", {
        body: "bad",
        groupId: "tenant",
        traceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793",
        attributes: { text: "t", size: { dataType: "Number.bytes", value: "7" } },
      });
      const sentAt = bench.clock.now();
      for (let i = 0; i < 3; i++) {
        await bench.clock.advance(1_000);
        await receive(1, 0);
      }
      expect(bench.queues.get("dead", sent.messageId)).toMatchObject({ deadLetterSource: "q" });
      const dead = await one(1, 0, "dead");
      expect(dead).toMatchObject({
        messageId: sent.messageId,
        groupId: "tenant",
        traceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793",
        attributes: { text: "t", size: { dataType: "Number.bytes", value: "7" } },
        sentAt,
        receiveCount: 3,
        deadLetterSource: "q",
      });
      expect(dead.attributes).not.toHaveProperty("DeadLetterQueueSource");
    });

    it("carry no source before they are moved", async () => {
      await send("a");
      expect((await one()).deadLetterSource).toBeUndefined();
    });

    it("wake who waits at the dead-letter queue", async () => {
      await bench.queues.createQueue("dead");
      await redriveTo("q", "dead");
      await send("bad");
      await receive(1, 0);
      const waiting = bench.queues.receive("dead", { maxNumberOfMessages: 1, waitTimeMs: 20_000 });
      await bench.clock.advance(10);
      await receive(1, 0);
      expect(bench.texts(await waiting)).toEqual(["bad"]);
    });

    it("pass through two dead-letter queues and name the last", async () => {
      await bench.queues.createQueue("dead-2");
      await bench.queues.createQueue("dead-1", {
        RedrivePolicy: { deadLetterTargetQueue: "dead-2", maxReceiveCount: 2 },
      });
      await redriveTo("q", "dead-1");
      await send("bad");
      await receive(1, 0);
      await receive(1, 0);
      expect((await one(1, 0, "dead-1")).receiveCount).toBe(2);
      await receive(1, 0, "dead-1");
      expect(await one(1, 0, "dead-2")).toMatchObject({ receiveCount: 3, deadLetterSource: "dead-1" });
    });
  });

  describe("dead letters of FIFO queues", () => {
    const F = "f.fifo";
    const DEAD = "dead.fifo";
    beforeEach(async () => {
      await bench.queues.createQueue(DEAD, { FifoQueue: true });
      await bench.queues.createQueue(F, { FifoQueue: true, ContentBasedDeduplication: true });
    });

    it("need a dead-letter queue of the same type", async () => {
      await bench.queues.createQueue("dead");
      await expect(redriveTo(F, "dead")).rejects.toMatchObject(refused);
      await expect(redriveTo("q", DEAD)).rejects.toMatchObject(refused);
      await redriveTo(F, DEAD);
    });

    it("keep id, body, attributes, group, trace header and count; the own id becomes the deduplication id", async () => {
      await redriveTo(F, DEAD, 2);
      const sent = await sendOne(F, {
        body: "bad",
        groupId: "g",
        deduplicationId: "d",
        traceHeader: "Root=1",
        attributes: { a: "b" },
        records: 3,
      });
      for (let i = 0; i < 3; i++) await receive(1, 0, F);
      expect(counts(F)).toEqual([0, 0, 0]);
      const dead = await one(1, 0, DEAD);
      expect(dead).toMatchObject({
        messageId: sent.messageId,
        groupId: "g",
        deduplicationId: sent.messageId,
        traceHeader: "Root=1",
        attributes: { a: "b" },
        records: 3,
        receiveCount: 3,
        deadLetterSource: F,
      });
      expect(dead.body().toString()).toBe("bad");
      expect(bench.queues.get(DEAD, sent.messageId)).toMatchObject({ deadLetterSource: F });
      expect(bench.queues.get(F, sent.messageId)).toBeUndefined();
    });

    it("go on with the group's next message in the same receive", async () => {
      await redriveTo(F, DEAD);
      await sendGroup(F, "g", "bad", "good", "better");
      await receive(1, 0, F);
      expect(await bodies(10, undefined, F)).toEqual(["good", "better"]);
      expect(await bodies(10, undefined, DEAD)).toEqual(["bad"]);
    });

    it("keep their order within the group", async () => {
      await redriveTo(F, DEAD);
      await sendGroup(F, "g", "1", "2", "3");
      await receive(10, 0, F);
      await sendGroup(F, "g", "4");
      expect(await bodies(10, 0, F)).toEqual(["4"]);
      await receive(1, 0, F);
      expect(await bodies(10, undefined, DEAD)).toEqual(["1", "2", "3", "4"]);
    });

    it("take their bodies along, long ones and claim checks too", async () => {
      await redriveTo(F, DEAD);
      const long = ["a".repeat(20_000), "b".repeat(200_000), "c".repeat(300_000)];
      for (const body of long)
        await sendOne(F, {
          body: body.length > 262_144 ? await bench.queues.stage(body) : body,
          groupId: "g",
        });
      await receive(10, 0, F);
      await receive(10, 0, F);
      expect(counts(F)).toEqual([0, 0, 0]);
      const dead = await receive(10, 60_000, DEAD);
      expect(dead.map((message) => message.body().toString())).toEqual(long);
      for (const message of dead) expect(await remove(DEAD, message)).toBeUndefined();
      expect(bench.queues.depth(DEAD)).toMatchObject({ bytes: 0, records: 0 });
    });

    it("pass through two dead-letter queues under their own id", async () => {
      await bench.queues.createQueue("last.fifo", { FifoQueue: true });
      await redriveTo(F, DEAD);
      await redriveTo(DEAD, "last.fifo", 2);
      const sent = await sendOne(F, { body: "bad", groupId: "g" });
      await receive(1, 0, F);
      await receive(1, 0, F);
      await receive(1, 0, DEAD);
      await receive(1, 0, DEAD);
      expect(bench.queues.get(DEAD, sent.messageId)).toBeUndefined();
      expect(await one(1, 60_000, "last.fifo")).toMatchObject({
        messageId: sent.messageId,
        deduplicationId: sent.messageId,
        deadLetterSource: DEAD,
        receiveCount: 3,
      });
    });

    it("are moved however many they are to find what can be delivered", async () => {
      const groups = Array.from({ length: 105 }, (_, i) => `g${i}`);
      for (const group of groups)
        await sendGroup(F, group, ...Array.from({ length: 10 }, (_, i) => `${group}-${i}`));
      for (const _ of groups) expect(await receive(10, 1_000, F)).toHaveLength(10);
      await bench.clock.advance(1_000);
      await redriveTo(F, DEAD);
      await sendGroup(F, "g104", "good");
      expect(await bodies(10, undefined, F)).toEqual(["good"]);
      expect(counts(DEAD)).toEqual([1_050, 0, 0]);
    });

    it("both survive when two originals had one deduplication id", async () => {
      await redriveTo(F, DEAD);
      for (const body of ["first", "second"]) {
        await sendOne(F, { body, groupId: "g", deduplicationId: "d" });
        await receive(1, 0, F);
        await receive(1, 0, F);
        await bench.clock.advance(300_000);
      }
      expect(await bodies(10, undefined, DEAD)).toEqual(["first", "second"]);
    });

    it("count the retention in the dead-letter queue from the move", async () => {
      await bench.queues.setQueueAttributes(DEAD, { MessageRetentionPeriod: 120 });
      await redriveTo(F, DEAD);
      const sent = await sendOne(F, { body: "bad", groupId: "g" });
      await bench.clock.advance(100_000);
      await receive(1, 0, F);
      await receive(1, 0, F);
      await bench.clock.advance(119_999);
      expect(counts(DEAD)).toEqual([1, 0, 0]);
      expect(bench.queues.get(DEAD, sent.messageId)).toBeDefined();
      await bench.clock.advance(1);
      expect(counts(DEAD)).toEqual([0, 0, 0]);
      expect(bench.queues.get(DEAD, sent.messageId)).toBeUndefined();
    });

    it("can be received, claimed, peeked and deleted by handle and by id", async () => {
      await redriveTo(F, DEAD);
      const sent = await bench.sendGroup(F, "g", "1", "2");
      await receive(10, 0, F);
      await receive(10, 0, F);
      expect(bench.queues.peek(DEAD, { limit: 10 }).map((message) => message.messageId)).toEqual(
        sent.map((message) => message.messageId),
      );
      const claimed = await bench.queues.claim(DEAD, [sent[1]?.messageId ?? ""], 60_000);
      expect(bench.texts(claimed)).toEqual(["2"]);
      const head = await one(10, 60_000, DEAD);
      expect(await remove(DEAD, head)).toBeUndefined();
      if (claimed[0]) expect(await remove(DEAD, claimed[0])).toBeUndefined();
      expect(counts(DEAD)).toEqual([0, 0, 0]);
    });

    it.skipIf(!bench.features.persistent)("outlive a reopening", async () => {
      await redriveTo(F, DEAD);
      const sent = await sendOne(F, { body: "bad", groupId: "g" });
      await receive(1, 0, F);
      await receive(1, 0, F);
      await bench.reopen();
      expect(await one(1, 60_000, DEAD)).toMatchObject({
        messageId: sent.messageId,
        deduplicationId: sent.messageId,
        deadLetterSource: F,
        receiveCount: 2,
      });
    });
  });
}
