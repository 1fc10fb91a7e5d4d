import { describe, expect, it } from "vitest";
import type { QueueAttributes, SendEntry } from "../../core/contracts/index.js";
import type { QueueBench } from "./queue-bench.js";

/** Queues, their attributes, and what a message may hold. Part of the Queue contract (queue.ts). */
export function limitsSuite(bench: QueueBench): void {
  const { send, receive, counts } = bench;

  describe("queues and their attributes", () => {
    it("creates with defaults, and again with the same or no attributes", async () => {
      await bench.queues.createQueue("fresh");
      expect(bench.queues.getQueueAttributes("fresh")).toEqual({
        DelaySeconds: 0,
        MaximumMessageSize: 262144,
        MessageRetentionPeriod: 1209600,
        ReceiveMessageWaitTimeSeconds: 0,
        VisibilityTimeout: 30,
      });
      await bench.queues.createQueue("fresh", { DelaySeconds: 0 });
      await bench.queues.setQueueAttributes("fresh", { DelaySeconds: 5 });
      await bench.queues.createQueue("fresh");
      await expect(bench.queues.createQueue("fresh", { DelaySeconds: 0 })).rejects.toMatchObject({
        code: "QueueNameExists",
        message: expect.stringContaining("attribute DelaySeconds"),
      });
    });

    it("compares redrive policies by their members", async () => {
      await bench.queues.createQueue("dead");
      const policy = { deadLetterTargetQueue: "dead", maxReceiveCount: 2 };
      await bench.queues.createQueue("redriven", { RedrivePolicy: policy });
      await bench.queues.createQueue("redriven", {
        RedrivePolicy: { maxReceiveCount: 2, deadLetterTargetQueue: "dead" },
      });
      await expect(
        bench.queues.createQueue("redriven", { RedrivePolicy: { ...policy, maxReceiveCount: 3 } }),
      ).rejects.toMatchObject({ code: "QueueNameExists" });
    });

    it("lists by prefix", async () => {
      for (const queue of ["b", "a-1", "a-2", "A"]) await bench.queues.createQueue(queue);
      expect(bench.queues.listQueues("a-")).toEqual(["a-1", "a-2"]);
      expect(bench.queues.listQueues()).toEqual(["A", "a-1", "a-2", "b", "q"]);
      expect(bench.queues.listQueues("zz")).toEqual([]);
    });

    it.each(["", "a/b", "a b", "ü", "x".repeat(81), "name.fifo"])("refuses the name %j", async (queue) => {
      await expect(bench.queues.createQueue(queue)).rejects.toMatchObject({
        kind: "config",
        code: "InvalidParameterValue",
      });
    });

    it("takes a name of 80 characters", async () => {
      await bench.queues.createQueue("x".repeat(80));
      expect(bench.queues.hasQueue("x".repeat(80))).toBe(true);
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
      await expect(bench.queues.setQueueAttributes("q", { [attribute]: value })).rejects.toMatchObject({
        kind: "config",
        code: "InvalidAttributeValue",
        message: `Invalid value for the parameter ${attribute}.`,
      });
    });

    it("refuses an unknown attribute by name", async () => {
      const attributes = JSON.parse('{"Colour": 1}');
      await expect(bench.queues.setQueueAttributes("q", attributes)).rejects.toMatchObject({
        code: "InvalidAttributeName",
        message: "Unknown Attribute Colour.",
      });
    });

    it("says QueueDoesNotExist wherever a queue is named", async () => {
      const unknown = { code: "QueueDoesNotExist", kind: "config" };
      for (const attempt of [
        () => bench.queues.send("none", [{ body: "a" }]),
        () => receive(1, 0, "none"),
        () => bench.queues.delete("none", ["h"]),
        () => bench.queues.changeVisibility("none", [{ receiptHandle: "h", visibilityTimeoutMs: 0 }]),
        () => bench.queues.claim("none", [], 0),
        () => bench.queues.purgeQueue("none"),
        () => bench.queues.deleteQueue("none"),
        () => bench.queues.setQueueAttributes("none", {}),
        async () => bench.queues.getQueueAttributes("none"),
        async () => bench.queues.depth("none"),
        async () => bench.queues.peek("none", { limit: 1 }),
        async () => bench.queues.get("none", "id"),
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
        await expect(bench.queues.send("q", [{ body: "fine" }, { body: padded }])).rejects.toMatchObject({
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
      await bench.queues.setQueueAttributes("q", { MaximumMessageSize: 1024 });
      const attributes = { name: "value" };
      const room = 1024 - "name".length - "String".length - "value".length;
      await bench.queues.send("q", [{ body: "x".repeat(room), attributes }]);
      await expect(
        bench.queues.send("q", [{ body: "x".repeat(room + 1), attributes }]),
      ).rejects.toMatchObject({
        kind: "record",
        code: "InvalidParameterValue",
        message: expect.stringContaining("Message must be shorter than 1024 bytes"),
      });
      await bench.queues.setQueueAttributes("q", { MaximumMessageSize: 1048576 });
      await bench.queues.send("q", [{ body: Buffer.alloc(1048576, "y") }]);
      const messages = await receive();
      expect(messages.map((m) => m.bytes)).toEqual([room, 1048576]);
      expect(messages[1]?.body().equals(Buffer.alloc(1048576, "y"))).toBe(true);
    });

    it("takes ten attributes and refuses eleven, empty values and reserved names", async () => {
      const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`a${i}`, "v"]));
      await bench.queues.send("q", [{ body: "x", attributes: many(10) }]);
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
        await expect(bench.queues.send("q", [{ body: "x", attributes }])).rejects.toMatchObject({
          kind: "record",
          code: "InvalidParameterValue",
        });
      expect(counts()).toEqual([1, 0, 0]);
    });

    it("keeps batches and parameters within SQS's limits", async () => {
      const batch = (entries: number) => Array.from({ length: entries }, (): SendEntry => ({ body: "x" }));
      const refused: [Promise<unknown>, string][] = [
        [bench.queues.send("q", []), "EmptyBatchRequest"],
        [bench.queues.send("q", batch(11)), "TooManyEntriesInBatchRequest"],
        [bench.queues.delete("q", []), "EmptyBatchRequest"],
        [
          bench.queues.delete(
            "q",
            Array.from({ length: 11 }, () => "h"),
          ),
          "TooManyEntriesInBatchRequest",
        ],
        [bench.queues.changeVisibility("q", []), "EmptyBatchRequest"],
        [
          bench.queues.send(
            "q",
            Array.from({ length: 5 }, () => ({ body: Buffer.alloc(250_000, "x") })),
          ),
          "BatchRequestTooLong",
        ],
        [receive(0), "InvalidParameterValue"],
        [receive(11), "InvalidParameterValue"],
        [receive(1, -1), "InvalidParameterValue"],
        [receive(1, 43_200_001), "InvalidParameterValue"],
        [bench.queues.receive("q", { maxNumberOfMessages: 1, waitTimeMs: 20_001 }), "InvalidParameterValue"],
        [bench.queues.send("q", [{ body: "x", delayMs: 900_001 }]), "InvalidParameterValue"],
        [bench.queues.send("q", [{ body: "x", delayMs: -1 }]), "InvalidParameterValue"],
        [bench.queues.send("q", [{ body: "x", records: -1 }]), "InvalidParameterValue"],
      ];
      for (const [attempt, code] of refused)
        await expect(attempt).rejects.toMatchObject({ kind: "config", code });
      expect(counts()).toEqual([0, 0, 0]);
    });
  });
}
