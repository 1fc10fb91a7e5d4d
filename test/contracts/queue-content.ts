import { beforeEach, describe, expect, it } from "vitest";
import type { EntryFailure, MessageAttributes, SendEntry, SentMessage } from "../../core/contracts/index.js";
import type { QueueBench } from "./queue-bench.js";

/** Typed attributes, what counts towards a message's size, and batches judged entry by entry. Part of the Queue contract (queue.ts). */
export function contentSuite(bench: QueueBench): void {
  const { sendOne, receive, texts, bodies, one, counts } = bench;
  const sendWith = (attributes: MessageAttributes) => sendOne("q", { body: "x", attributes });

  describe("typed attributes", () => {
    const typed: MessageAttributes = {
      plain: "text é",
      number: { dataType: "Number", value: "0012.500" },
      labelled: { dataType: "Number.float", value: "-1e3" },
      custom: { dataType: "String.my label", value: "v" },
      bytes: { dataType: "Binary", value: Buffer.from([0, 1, 0xff, 0xfe, 10]) },
      "picture.gif": { dataType: "Binary.gif", value: Buffer.from("GIF89a") },
    };

    it("come back as they were sent, texts and digits unchanged", async () => {
      const { messageId } = await sendWith(typed);
      expect(bench.queues.get("q", messageId)?.attributes).toEqual(typed);
      const { attributes } = await one();
      expect(attributes).toEqual(typed);
      const { bytes } = attributes;
      expect(typeof bytes === "object" && Buffer.isBuffer(bytes.value)).toBe(true);
      expect(bench.queues.peek("q", { limit: 1 })[0]?.attributes).toEqual(typed);
    });

    it("of the plain type String are bare strings", async () => {
      await sendWith({ a: { dataType: "String", value: "v" } });
      expect((await one()).attributes).toEqual({ a: "v" });
    });

    it("are, like bodies, copies: a sender may use its buffers again", async () => {
      const value = Buffer.from("value");
      const given = [1, 2, 3].map((n) => Buffer.from(`body ${n}`.padEnd(n === 3 ? 9_000 : 20, ".")));
      const [first, staged, long] = given;
      if (!first || !staged || !long) return;
      const sent = given.map((body) => body.toString());
      await bench.queues.send("q", [
        { body: first, attributes: { bytes: { dataType: "Binary", value } } },
        { body: await bench.queues.stage(staged) },
        { body: long },
      ]);
      for (const buffer of [value, ...given]) buffer.fill("!");
      const received = await receive(10);
      expect(received.map((message) => message.body().toString())).toEqual(sent);
      expect(received[0]?.attributes.bytes).toEqual({ dataType: "Binary", value: Buffer.from("value") });
    });

    it("may have the letters of any script in their names", async () => {
      await sendWith({ "attr.1øßä": "v", "a-b_c": "v" });
      expect((await one()).attributes).toEqual({ "attr.1øßä": "v", "a-b_c": "v" });
    });

    it.each<[string, MessageAttributes]>([
      ["an unknown type", { a: { dataType: "Text", value: "v" } }],
      ["an empty type", { a: { dataType: "", value: "v" } }],
      ["a type in small letters", { a: { dataType: "string", value: "v" } }],
      ["a type that only begins like one", { a: { dataType: "Numbers", value: "1" } }],
      ["a type of 257 characters", { a: { dataType: `Number.${"x".repeat(250)}`, value: "1" } }],
      ["a text for bytes", { a: { dataType: "Binary", value: "v" } }],
      ["bytes for a text", { a: { dataType: "String.x", value: Buffer.from("v") } }],
      ["bytes for a number", { a: { dataType: "Number", value: Buffer.from("1") } }],
      ["a number that is none", { a: { dataType: "Number", value: "twelve" } }],
      ["an empty number", { a: { dataType: "Number", value: "" } }],
      ["no bytes", { a: { dataType: "Binary", value: Buffer.alloc(0) } }],
      ["a control character", { a: { dataType: "String.x", value: "a\u0008b" } }],
      ["a lone surrogate in a label", { a: { dataType: "String.\ud800", value: "v" } }],
      ["a name in the service's own", { "aWs.x": { dataType: "Number", value: "1" } }],
      ["a name with a bracket", { "a(b": "v" }],
    ])("are refused for %s", async (_, attributes) => {
      await expect(sendWith(attributes)).rejects.toMatchObject({
        kind: "record",
        code: "InvalidParameterValue",
      });
      expect(counts()).toEqual([0, 0, 0]);
    });

    it("say which value is empty", async () => {
      await expect(sendWith({ ErrorDetails: "" })).rejects.toMatchObject({
        code: "InvalidParameterValue",
        message: "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'.",
      });
    });

    it("take a type of 256 characters and a name of 256", async () => {
      const attributes = {
        ["n".repeat(256)]: { dataType: `Number.${"x".repeat(249)}`, value: "1" },
      };
      await sendWith(attributes);
      expect((await one()).attributes).toEqual(attributes);
    });

    it.skipIf(!bench.features.persistent)("outlive a reopening, with trace header and group", async () => {
      await sendOne("q", { body: "x", attributes: typed, traceHeader: "Root=1", groupId: "tenant" });
      await bench.reopen();
      const message = await one();
      expect(message).toMatchObject({ traceHeader: "Root=1", groupId: "tenant" });
      expect(message.attributes).toEqual(typed);
    });
  });

  describe("trace header", () => {
    it("travels with the message, apart from its attributes", async () => {
      const traceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
      const { messageId } = await sendOne("q", { body: "x", traceHeader, attributes: { a: "b" } });
      expect(await one()).toMatchObject({ traceHeader, attributes: { a: "b" } });
      expect(bench.queues.get("q", messageId)?.traceHeader).toBe(traceHeader);
      await sendOne("q", { body: "y" });
      expect((await one()).traceHeader).toBeUndefined();
    });
  });

  describe("size", () => {
    const LIMIT = 1_024;
    beforeEach(() => bench.queues.setQueueAttributes("q", { MaximumMessageSize: LIMIT }));

    it.each<[string, MessageAttributes, number]>([
      ["bytes, not characters, of the body", {}, 0],
      ["name, type and value of a text", { näme: "välue" }, 5 + "String".length + 6],
      ["the label of a type", { n: { dataType: "Number.int", value: "12345" } }, 1 + "Number.int".length + 5],
      ["raw bytes", { b: { dataType: "Binary", value: Buffer.alloc(100, 0xff) } }, 1 + "Binary".length + 100],
      ["all attributes", { a: "1", b: "22", c: "333" }, 3 + 3 * "String".length + 6],
    ])("counts %s", async (_, attributes, overhead) => {
      const room = LIMIT - overhead;
      const body = "é".repeat(Math.floor(room / 2)) + "x".repeat(room % 2);
      await sendOne("q", { body, attributes });
      await expect(sendOne("q", { body: `${body}x`, attributes })).rejects.toMatchObject({
        kind: "record",
        code: "InvalidParameterValue",
        message: "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
      });
      expect((await one()).bytes).toBe(room);
      expect(counts()).toEqual([0, 1, 0]);
    });

    it("refuses one message beyond the largest there may be as it refuses any too long one", async () => {
      await bench.queues.setQueueAttributes("q", { MaximumMessageSize: 1_048_576 });
      await expect(sendOne("q", { body: "x".repeat(1_048_577) })).rejects.toMatchObject({
        kind: "record",
        code: "InvalidParameterValue",
        message: "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
      });
      expect(counts()).toEqual([0, 0, 0]);
    });

    it("does not count trace header, group and deduplication id", async () => {
      await bench.queues.createQueue("f.fifo", { FifoQueue: true, MaximumMessageSize: LIMIT });
      const body = "x".repeat(LIMIT);
      await sendOne("q", { body, traceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793" });
      await sendOne("f.fifo", { body, groupId: "g".repeat(128), deduplicationId: "d".repeat(128) });
      expect([counts("q"), counts("f.fifo")]).toEqual([
        [1, 0, 0],
        [1, 0, 0],
      ]);
    });
  });

  describe("the group of a FIFO message", () => {
    beforeEach(() =>
      bench.queues.createQueue("f.fifo", { FifoQueue: true, ContentBasedDeduplication: true }),
    );

    it("is required: of one message and of a batch", async () => {
      const message = "The request must contain the parameter MessageGroupId.";
      await expect(sendOne("f.fifo", { body: "x" })).rejects.toMatchObject({
        code: "MissingParameter",
        message,
      });
      await expect(
        bench.queues.sendEach("f.fifo", [{ body: "x", groupId: "g" }, { body: "y" }]),
      ).rejects.toMatchObject({ code: "InvalidParameterValue", message });
      expect(counts("f.fifo")).toEqual([0, 0, 0]);
    });

    it.each(["", "with space", "tab\t", "ü", "x".repeat(129)])("cannot be %j", async (groupId) => {
      await expect(sendOne("f.fifo", { body: "x", groupId })).rejects.toMatchObject({
        code: "InvalidParameterValue",
        message: `Value ${groupId} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
      });
    });
  });

  describe("sendEach", () => {
    const each = (entries: readonly SendEntry[], queue = "q") => bench.queues.sendEach(queue, entries);
    const codes = (results: readonly (SentMessage | EntryFailure)[]) =>
      results.map((result) => ("error" in result ? result.error.code : "sent"));

    it("answers every entry in its place; those that can be sent are sent", async () => {
      const results = await each([
        { body: "a" },
        { body: "b\u0001" },
        { body: "c", attributes: { "": "v" } },
        { body: "d" },
        { body: "" },
        { body: "e", delayMs: 900_001 },
        { body: "f" },
      ]);
      expect(codes(results)).toEqual([
        "sent",
        "InvalidMessageContents",
        "InvalidParameterValue",
        "sent",
        "MissingParameter",
        "InvalidParameterValue",
        "sent",
      ]);
      const ids = results.flatMap((result) => ("error" in result ? [] : result.messageId));
      const messages = await receive();
      expect(texts(messages)).toEqual(["a", "d", "f"]);
      expect(messages.map((message) => message.messageId)).toEqual(ids);
    });

    it("judges the queue's own limit entry by entry, never on the sum", async () => {
      await bench.queues.setQueueAttributes("q", { MaximumMessageSize: 2048 });
      expect(codes(await each([{ body: "x".repeat(2048) }, { body: "y" }]))).toEqual(["sent", "sent"]);
      const results = await each([{ body: "fine" }, { body: "x".repeat(2049) }]);
      expect(codes(results)).toEqual(["sent", "InvalidParameterValue"]);
      expect(results[1]).toEqual({
        error: {
          code: "InvalidParameterValue",
          message:
            "One or more parameters cannot be validated. Reason: Message must be shorter than 2048 bytes.",
        },
      });
      expect(counts()).toEqual([3, 0, 0]);
    });

    it("refuses the whole of what concerns the whole", async () => {
      await bench.queues.setQueueAttributes("q", { MaximumMessageSize: 1_048_576 });
      const refused: [SendEntry[], string, string][] = [
        [
          [],
          "EmptyBatchRequest",
          "There should be at least one SendMessageBatchRequestEntry in the request.",
        ],
        [
          Array.from({ length: 11 }, () => ({ body: "x" })),
          "TooManyEntriesInBatchRequest",
          "Maximum number of entries per request are 10. You have sent 11.",
        ],
        [
          [{ body: "x".repeat(1_048_570) }, { body: "y", attributes: { a: "b" } }],
          "BatchRequestTooLong",
          "Batch requests cannot be longer than 1048576 bytes. You have sent 1048579 bytes.",
        ],
        [
          [{ body: "x".repeat(1_048_577) }],
          "BatchRequestTooLong",
          "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
        ],
      ];
      for (const [entries, code, message] of refused)
        await expect(each(entries)).rejects.toMatchObject({ kind: "config", code, message });
      await expect(each([{ body: "x" }], "none")).rejects.toMatchObject({ code: "QueueDoesNotExist" });
      expect(counts()).toEqual([0, 0, 0]);
      const halves = [{ body: "x".repeat(524_288) }, { body: "y".repeat(524_288) }];
      expect(codes(await each(halves))).toEqual(["sent", "sent"]);
    });

    it("keeps the order of a FIFO queue's entries around those that failed, and remembers none of those", async () => {
      await bench.queues.createQueue("f.fifo", { FifoQueue: true });
      const entry = (body: string, deduplicationId = body): SendEntry => ({
        body,
        groupId: "g",
        deduplicationId,
      });
      const results = await each(
        [entry("1"), entry("\u0000", "2"), entry("3"), entry("again", "1")],
        "f.fifo",
      );
      expect(codes(results)).toEqual(["sent", "InvalidMessageContents", "sent", "sent"]);
      expect(codes(await each([entry("2")], "f.fifo"))).toEqual(["sent"]);
      expect(await bodies(10, undefined, "f.fifo")).toEqual(["1", "3", "2"]);
    });

    it("takes staged bodies", async () => {
      const staged = await bench.queues.stage("z".repeat(300_000));
      expect(codes(await each([{ body: staged }, { body: "\u0000" }]))).toEqual([
        "sent",
        "InvalidMessageContents",
      ]);
      expect((await one()).body().length).toBe(300_000);
    });

    it("wakes who waits", async () => {
      const waiting = bench.queues.receive("q", { maxNumberOfMessages: 10, waitTimeMs: 20_000 });
      await bench.clock.advance(10);
      await each([{ body: "\u0000" }, { body: "a" }]);
      expect(texts(await waiting)).toEqual(["a"]);
    });
  });
}
