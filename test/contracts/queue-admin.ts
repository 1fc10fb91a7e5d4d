import { beforeEach, describe, expect, it } from "vitest";
import type { QueueAttributes } from "../../core/contracts/index.js";
import type { QueueBench } from "./queue-bench.js";

/** Kinds of queues and their attributes, what is shown of a queue, and cooldowns. Part of the Queue contract (queue.ts). */
export function adminSuite(bench: QueueBench): void {
  const { send, sendGroup, bodies, counts } = bench;
  const create = (name: string, attributes: Partial<QueueAttributes> = {}) =>
    bench.queues.createQueue(name, attributes);
  const set: typeof bench.queues.setQueueAttributes = (name, changes) =>
    bench.queues.setQueueAttributes(name, changes);
  /** Attributes that the types do not let through, as they may come over a wire. */
  const untyped = (json: string): Partial<QueueAttributes> => JSON.parse(json);

  describe("FIFO attributes", () => {
    const F = "f.fifo";

    it("have SQS's defaults", async () => {
      await create(F, { FifoQueue: true });
      expect(bench.queues.getQueueAttributes(F)).toMatchObject({
        FifoQueue: true,
        ContentBasedDeduplication: false,
        DeduplicationScope: "queue",
        FifoThroughputLimit: "perQueue",
        DelaySeconds: 0,
        VisibilityTimeout: 30,
      });
      expect(bench.queues.queueInfo(F).fifo).toBe(true);
      expect(bench.queues.queueInfo("q").fifo).toBe(false);
      const standard = bench.queues.getQueueAttributes("q");
      for (const attribute of ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope"])
        expect(standard).not.toHaveProperty(attribute);
      expect(standard).not.toHaveProperty("FifoThroughputLimit");
    });

    it("are compared when the queue is created again", async () => {
      await create(F, { FifoQueue: true, ContentBasedDeduplication: true });
      await create(F, { FifoQueue: true });
      await create(F, { FifoQueue: true, ContentBasedDeduplication: true, DeduplicationScope: "queue" });
      await expect(create(F, { FifoQueue: true, ContentBasedDeduplication: false })).rejects.toMatchObject({
        kind: "config",
        code: "QueueNameExists",
        message:
          "A queue already exists with the same name and a different value for attribute ContentBasedDeduplication",
      });
      await set(F, { ContentBasedDeduplication: false });
      await create(F, { FifoQueue: true, ContentBasedDeduplication: false });
    });

    it("need the suffix, and the suffix needs them", async () => {
      const fifoName = {
        kind: "config",
        code: "InvalidParameterValue",
        message:
          "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length",
      };
      for (const name of ["f", "f.fif", "f.FIFO", ".fifo", "a.b.fifo", `${"x".repeat(76)}.fifo`])
        await expect(create(name, { FifoQueue: true }), name).rejects.toMatchObject(fifoName);
      await create(`${"x".repeat(75)}.fifo`, { FifoQueue: true });
      await expect(create(F)).rejects.toMatchObject({
        kind: "config",
        code: "InvalidParameterValue",
        message: "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
      });
      expect(bench.queues.hasQueue(F)).toBe(false);
    });

    it("keep the type as it is", async () => {
      await create(F, { FifoQueue: true });
      await set(F, { FifoQueue: true });
      await expect(set(F, untyped('{"FifoQueue":false}'))).rejects.toMatchObject({
        kind: "config",
        code: "InvalidAttributeValue",
        message: "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
      });
      expect(bench.queues.getQueueAttributes(F).FifoQueue).toBe(true);
    });

    it.each([
      ["FifoQueue", '{"FifoQueue":true}', "Unknown Attribute FifoQueue."],
      ["FifoQueue false", '{"FifoQueue":false}', "Unknown Attribute FifoQueue."],
      [
        "ContentBasedDeduplication",
        '{"ContentBasedDeduplication":true}',
        "Unknown Attribute ContentBasedDeduplication.",
      ],
      [
        "DeduplicationScope",
        '{"DeduplicationScope":"queue"}',
        "You can specify the DeduplicationScope only when FifoQueue is set to true.",
      ],
      [
        "FifoThroughputLimit",
        '{"FifoThroughputLimit":"perQueue"}',
        "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
      ],
    ])("are none of a standard queue's: %s", async (attribute, json, message) => {
      const refused = { kind: "config", code: "InvalidAttributeName", message };
      await expect(set("q", untyped(json))).rejects.toMatchObject(refused);
      if (attribute === "FifoQueue") return; // at creation it asks for a FIFO queue: the name is what is wrong
      await expect(create("new", untyped(json))).rejects.toMatchObject(refused);
      expect(bench.queues.hasQueue("new")).toBe(false);
    });

    it("can be set for high throughput, in pairs only", async () => {
      await create(F, {
        FifoQueue: true,
        DeduplicationScope: "messageGroup",
        FifoThroughputLimit: "perMessageGroupId",
      });
      expect(bench.queues.getQueueAttributes(F)).toMatchObject({
        DeduplicationScope: "messageGroup",
        FifoThroughputLimit: "perMessageGroupId",
      });
      const refused = { kind: "config", code: expect.stringMatching(/^Invalid/) };
      await expect(
        create("g.fifo", { FifoQueue: true, FifoThroughputLimit: "perMessageGroupId" }),
      ).rejects.toMatchObject(refused);
      await create("h.fifo", { FifoQueue: true });
      await expect(set("h.fifo", { FifoThroughputLimit: "perMessageGroupId" })).rejects.toMatchObject(
        refused,
      );
      expect(bench.queues.getQueueAttributes("h.fifo").FifoThroughputLimit).toBe("perQueue");
    });

    it.each(['{"DeduplicationScope":"all"}', '{"FifoThroughputLimit":"perDay"}'])(
      "refuse %s",
      async (json) => {
        await create(F, { FifoQueue: true });
        await expect(set(F, untyped(json))).rejects.toMatchObject({
          kind: "config",
          code: "InvalidAttributeValue",
        });
      },
    );

    it("are at their defaults again when taken away by null", async () => {
      await create(F, {
        FifoQueue: true,
        ContentBasedDeduplication: true,
        DeduplicationScope: "messageGroup",
        FifoThroughputLimit: "perMessageGroupId",
      });
      await set(F, {
        ContentBasedDeduplication: null,
        DeduplicationScope: null,
        FifoThroughputLimit: null,
      });
      expect(bench.queues.getQueueAttributes(F)).toMatchObject({
        ContentBasedDeduplication: false,
        DeduplicationScope: "queue",
        FifoThroughputLimit: "perQueue",
      });
    });

    it("refuse what is no boolean for ContentBasedDeduplication", async () => {
      await create(F, { FifoQueue: true });
      await expect(set(F, untyped('{"ContentBasedDeduplication":"perhaps"}'))).rejects.toMatchObject({
        kind: "config",
        code: "InvalidAttributeValue",
      });
    });

    it("apply a lowered retention to what is there", async () => {
      await create(F, { FifoQueue: true, ContentBasedDeduplication: true });
      await sendGroup(F, "g", "old");
      await bench.clock.advance(60_000);
      await sendGroup(F, "g", "young");
      await set(F, { MessageRetentionPeriod: 60 });
      expect(counts(F)).toEqual([1, 0, 0]);
      expect(await bodies(10, undefined, F)).toEqual(["young"]);
    });
  });

  describe("attributes without effect here", () => {
    const policy = JSON.stringify({ Version: "2012-10-17", Statement: [] });

    it("are kept, shown and taken away by null", async () => {
      await set("q", { Policy: policy });
      expect(bench.queues.getQueueAttributes("q").Policy).toBe(policy);
      await set("q", { Policy: null });
      expect(bench.queues.getQueueAttributes("q")).not.toHaveProperty("Policy");
      await set("q", { KmsMasterKeyId: "alias/aws/sqs", KmsDataKeyReusePeriodSeconds: 60 });
      expect(bench.queues.getQueueAttributes("q")).toMatchObject({
        KmsMasterKeyId: "alias/aws/sqs",
        KmsDataKeyReusePeriodSeconds: 60,
        SqsManagedSseEnabled: false,
      });
      await set("q", { KmsMasterKeyId: null });
      expect(bench.queues.getQueueAttributes("q")).not.toHaveProperty("KmsMasterKeyId");
    });

    it("turn the managed encryption off where a queue is created with a key", async () => {
      await create("encrypted", { KmsMasterKeyId: "alias/aws/sqs" });
      expect(bench.queues.getQueueAttributes("encrypted").SqsManagedSseEnabled).toBe(false);
    });

    it("know one kind of encryption at a time", async () => {
      await expect(
        set("q", { KmsMasterKeyId: "alias/aws/sqs", SqsManagedSseEnabled: true }),
      ).rejects.toMatchObject({
        kind: "config",
        code: "InvalidAttributeName",
        message:
          "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
      });
    });

    it.each([
      ["KmsDataKeyReusePeriodSeconds 59", '{"KmsDataKeyReusePeriodSeconds":59}'],
      ["KmsDataKeyReusePeriodSeconds 86401", '{"KmsDataKeyReusePeriodSeconds":86401}'],
      ["SqsManagedSseEnabled 1", '{"SqsManagedSseEnabled":1}'],
      ["a policy that is no JSON", JSON.stringify({ Policy: "{" })],
      ["a policy of 8193 bytes", JSON.stringify({ Policy: JSON.stringify("x".repeat(8191)) })],
    ])("refuse %s", async (_, json) => {
      await expect(set("q", untyped(json))).rejects.toMatchObject({
        kind: "config",
        code: "InvalidAttributeValue",
      });
    });

    it.skipIf(!bench.features.persistent)("outlive a reopening, like all others", async () => {
      await create("f.fifo", { FifoQueue: true, DeduplicationScope: "messageGroup", DelaySeconds: 3 });
      await set("q", { Policy: policy, ReceiveMessageWaitTimeSeconds: 7 });
      const before = ["q", "f.fifo"].map((name) => bench.queues.getQueueAttributes(name));
      await bench.reopen();
      expect(["q", "f.fifo"].map((name) => bench.queues.getQueueAttributes(name))).toEqual(before);
    });
  });

  it("changes all attributes of a call or none", async () => {
    await expect(set("q", { DelaySeconds: 5, VisibilityTimeout: -1 })).rejects.toMatchObject({
      code: "InvalidAttributeValue",
    });
    expect(bench.queues.getQueueAttributes("q").DelaySeconds).toBe(0);
  });

  describe("queueInfo", () => {
    it("tells when the queue was created and last changed", async () => {
      const createdAt = bench.clock.now();
      await create("new");
      expect(bench.queues.queueInfo("new")).toEqual({ fifo: false, createdAt, modifiedAt: createdAt });
      await bench.clock.advance(5_000);
      await create("new");
      await bench.queues.send("new", [{ body: "x" }]);
      expect(bench.queues.queueInfo("new").modifiedAt).toBe(createdAt);
      await set("new", { DelaySeconds: 1 });
      expect(bench.queues.queueInfo("new")).toEqual({
        fifo: false,
        createdAt,
        modifiedAt: createdAt + 5_000,
      });
      await expect(async () => bench.queues.queueInfo("none")).rejects.toMatchObject({
        code: "QueueDoesNotExist",
      });
    });

    it.skipIf(!bench.features.persistent)("is the same after a reopening", async () => {
      await bench.clock.advance(5_000);
      await set("q", { DelaySeconds: 1 });
      const before = bench.queues.queueInfo("q");
      await bench.reopen();
      expect(bench.queues.queueInfo("q")).toEqual(before);
    });
  });

  describe("cooldowns", () => {
    const again = () => bench.queues.createQueue("q", {}, { cooldown: true });
    const purge = () => bench.queues.purgeQueue("q", { cooldown: true });
    const deletedRecently = {
      kind: "config",
      code: "QueueDeletedRecently",
      message:
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    };
    const purging = {
      code: "PurgeQueueInProgress",
      message: "Only one PurgeQueue operation on q is allowed every 60 seconds.",
    };
    beforeEach(() => send("a"));

    it("keep a name for 60 seconds after its queue was deleted, when asked to", async () => {
      await bench.queues.deleteQueue("q");
      await bench.clock.advance(59_999);
      await expect(again()).rejects.toMatchObject(deletedRecently);
      expect(bench.queues.hasQueue("q")).toBe(false);
      await bench.queues.createQueue("another", {}, { cooldown: true });
      await bench.clock.advance(1);
      await again();
      expect(counts()).toEqual([0, 0, 0]);
    });

    it("let a queue be created at once otherwise", async () => {
      await bench.queues.deleteQueue("q");
      await create("q");
      await again();
      expect(counts()).toEqual([0, 0, 0]);
    });

    it("allow one purge in 60 seconds, when asked to, for each queue", async () => {
      expect(await purge()).toBe(1);
      await send("b");
      await bench.clock.advance(59_999);
      await expect(purge()).rejects.toMatchObject(purging);
      expect(counts()).toEqual([1, 0, 0]);
      await create("other");
      expect(await bench.queues.purgeQueue("other", { cooldown: true })).toBe(0);
      await bench.clock.advance(1);
      expect(await purge()).toBe(1);
    });

    it("let a queue be purged at once otherwise", async () => {
      expect(await purge()).toBe(1);
      await send("b");
      expect(await bench.queues.purgeQueue("q")).toBe(1);
    });

    it.skipIf(!bench.features.persistent)("outlive a reopening", async () => {
      await purge();
      await create("gone");
      await bench.queues.deleteQueue("gone");
      await bench.reopen();
      await expect(purge()).rejects.toMatchObject(purging);
      await expect(bench.queues.createQueue("gone", {}, { cooldown: true })).rejects.toMatchObject(
        deletedRecently,
      );
    });
  });
}
