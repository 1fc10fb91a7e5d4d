import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import type { QueueAttributes, SendEntry } from "../../core/contracts/index.js";
import type { QueueBench } from "./queue-bench.js";

const F = "f.fifo";
const FIVE_MINUTES_MS = 300_000;
const NEITHER =
  "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";

/** What FIFO queues take for a repeat, and what they call a message. Part of the Queue contract (queue.ts). */
export function deduplicationSuite(bench: QueueBench): void {
  const { sendOne, receive, bodies, one, remove, counts } = bench;
  const create = (attributes: Partial<QueueAttributes> = {}, name = F) =>
    bench.queues.createQueue(name, { FifoQueue: true, ...attributes });
  const send = (deduplicationId: string, body = "x", groupId = "g") =>
    sendOne(F, { body, groupId, deduplicationId });

  describe("FIFO deduplication", () => {
    describe("by id", () => {
      beforeEach(() => create());

      it("acknowledges a repeat with the first message's id and delivers it once", async () => {
        const first = await send("d", "first");
        const repeat = await send("d", "second");
        expect(repeat.messageId).toBe(first.messageId);
        expect(await bodies(10, undefined, F)).toEqual(["first"]);
        expect(bench.queues.depth(F)).toMatchObject({ bytes: 5, records: 1 });
      });

      it("shows the id that was sent", async () => {
        await send("d.1!~");
        expect((await one(1, undefined, F)).deduplicationId).toBe("d.1!~");
      });

      it("suppresses repeats within one batch and delivers the others in order", async () => {
        const entry = (deduplicationId: string, body: string): SendEntry => ({
          body,
          groupId: "g",
          deduplicationId,
        });
        const batch = [entry("1", "a"), entry("2", "b"), entry("1", "c"), entry("3", "d")];
        const sent = await bench.queues.send(F, batch);
        expect(sent).toHaveLength(4);
        expect(sent[2]?.messageId).toBe(sent[0]?.messageId);
        expect(await bodies(10, undefined, F)).toEqual(["a", "b", "d"]);
      });

      it("remembers for five minutes from the first send; repeats do not prolong it", async () => {
        const first = await send("d", "first");
        await bench.clock.advance(FIVE_MINUTES_MS - 1);
        expect((await send("d", "second")).messageId).toBe(first.messageId);
        await bench.clock.advance(1);
        const third = await send("d", "third");
        expect(third.messageId).not.toBe(first.messageId);
        expect(await bodies(10, undefined, F)).toEqual(["first", "third"]);
      });

      it("goes on remembering after the message was received and deleted", async () => {
        await send("d");
        expect(await remove(F, await one(1, undefined, F))).toBeUndefined();
        await send("d");
        expect(counts(F)).toEqual([0, 0, 0]);
      });

      it("goes on remembering after the message expired", async () => {
        await bench.queues.setQueueAttributes(F, { MessageRetentionPeriod: 60 });
        await send("d");
        await bench.clock.advance(60_000);
        await send("d");
        expect(counts(F)).toEqual([0, 0, 0]);
      });

      it("forgets at a purge", async () => {
        await send("d", "before");
        await bench.queues.purgeQueue(F);
        await send("d", "after");
        expect(await bodies(10, undefined, F)).toEqual(["after"]);
      });

      it("forgets with the queue, and knows each queue's ids for itself", async () => {
        await create({}, "other.fifo");
        await send("d");
        await sendOne("other.fifo", { body: "x", groupId: "g", deduplicationId: "d" });
        expect(counts("other.fifo")).toEqual([1, 0, 0]);
        await bench.queues.deleteQueue(F);
        await create();
        await send("d", "anew");
        expect(await bodies(10, undefined, F)).toEqual(["anew"]);
      });

      it("does not take a send that was refused for the first", async () => {
        await bench.queues.setQueueAttributes(F, { MaximumMessageSize: 1024 });
        await expect(send("d", "x".repeat(1025))).rejects.toMatchObject({ code: "InvalidParameterValue" });
        await send("d", "good");
        expect(await bodies(10, undefined, F)).toEqual(["good"]);
      });

      it("refuses a send without any id", async () => {
        await expect(sendOne(F, { body: "x", groupId: "g" })).rejects.toMatchObject({
          code: "InvalidParameterValue",
          message: NEITHER,
        });
        await expect(
          bench.queues.sendEach(F, [
            { body: "x", groupId: "g", deduplicationId: "d" },
            { body: "y", groupId: "g" },
          ]),
        ).rejects.toMatchObject({ code: "InvalidParameterValue", message: NEITHER });
        expect(counts(F)).toEqual([0, 0, 0]);
      });

      it.each(["", "with space", "ü", "x".repeat(129), "a\u0008b"])("refuses the id %j", async (id) => {
        await expect(send(id)).rejects.toMatchObject({
          code: "InvalidParameterValue",
          message: `Value ${id} for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
        });
        expect(counts(F)).toEqual([0, 0, 0]);
      });

      it("takes every permitted character", async () => {
        const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
        const id = `aZ09${punctuation}`.padEnd(128, "x");
        await send(id, "x", id);
        expect(await one(1, undefined, F)).toMatchObject({ groupId: id, deduplicationId: id });
      });
    });

    describe("by content", () => {
      beforeEach(() => create({ ContentBasedDeduplication: true }));
      const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

      it("uses the SHA-256 of the body, attributes left out", async () => {
        await sendOne(F, { body: "same ü", groupId: "g", attributes: { n: "1" } });
        await sendOne(F, { body: "same ü", groupId: "g", attributes: { n: "2" } });
        await sendOne(F, { body: "other", groupId: "g", attributes: { n: "1" } });
        const messages = await receive(10, undefined, F);
        expect(messages.map((m) => [m.attributes.n, m.deduplicationId])).toEqual([
          ["1", sha256("same ü")],
          ["1", sha256("other")],
        ]);
      });

      it("does so for bodies given as bytes and for staged ones", async () => {
        const large = "z".repeat(300_000);
        await sendOne(F, { body: "text", groupId: "g" });
        await sendOne(F, { body: Buffer.from("text"), groupId: "g" });
        await sendOne(F, { body: await bench.queues.stage("text"), groupId: "g" });
        await sendOne(F, { body: await bench.queues.stage(large), groupId: "g" });
        await sendOne(F, { body: await bench.queues.stage(large), groupId: "g" });
        const messages = await receive(10, undefined, F);
        expect(messages.map((m) => m.deduplicationId)).toEqual([sha256("text"), sha256(large)]);
        expect(messages[1]?.body().toString()).toBe(large);
      });

      it("prefers an explicit id, and takes an equal text for an equal id", async () => {
        await sendOne(F, { body: "body", groupId: "g" });
        await send("explicit", "body");
        await send(sha256("body"), "another body");
        expect(await bodies(10, undefined, F)).toEqual(["body", "body"]);
      });

      it("can be switched off and on", async () => {
        await bench.queues.setQueueAttributes(F, { ContentBasedDeduplication: false });
        await expect(sendOne(F, { body: "x", groupId: "g" })).rejects.toMatchObject({ message: NEITHER });
        await bench.queues.setQueueAttributes(F, { ContentBasedDeduplication: true });
        await sendOne(F, { body: "x", groupId: "g" });
        expect(counts(F)).toEqual([1, 0, 0]);
      });
    });

    describe("scope", () => {
      it("queue: the same id in two groups is a repeat", async () => {
        await create({ DeduplicationScope: "queue" });
        await send("d", "a", "g1");
        await send("d", "b", "g2");
        expect(await bodies(10, undefined, F)).toEqual(["a"]);
      });

      it.each(["perQueue", "perMessageGroupId"] as const)(
        "messageGroup: it is not, with the throughput limit %s",
        async (FifoThroughputLimit) => {
          await create({ DeduplicationScope: "messageGroup", FifoThroughputLimit });
          await send("d", "a", "g1");
          await send("d", "b", "g2");
          await send("d", "c", "g1");
          expect(await bodies(10, undefined, F)).toEqual(["a", "b"]);
        },
      );

      it("messageGroup: by content too", async () => {
        await create({ DeduplicationScope: "messageGroup", ContentBasedDeduplication: true });
        for (const groupId of ["g1", "g2", "g1"]) await sendOne(F, { body: "same", groupId });
        expect(counts(F)).toEqual([2, 0, 0]);
      });

      it("messageGroup: ids cannot be mistaken across groups by how they join", async () => {
        await create({ DeduplicationScope: "messageGroup" });
        await send("c", "1", "a/b");
        await send("b/c", "2", "a");
        await send("bc", "3", "a");
        await send("c", "4", "ab");
        expect(counts(F)).toEqual([4, 0, 0]);
      });
    });

    describe("sequence numbers", () => {
      beforeEach(() => create({ ContentBasedDeduplication: true }));

      it("are 20 digits, rising within a group, the same at sending and receiving", async () => {
        const sent = [];
        for (const body of ["a", "b", "c"]) {
          sent.push(await sendOne(F, { body, groupId: "g" }));
          await bench.clock.advance(7);
        }
        sent.push(
          ...(await bench.queues.send(
            F,
            ["d", "e"].map((body) => ({ body, groupId: "g" })),
          )),
        );
        bench.clock.step(-3_600_000);
        sent.push(await sendOne(F, { body: "f", groupId: "g" }));
        const numbers = sent.map((message) => message.sequenceNumber ?? "");
        for (const number of numbers) expect(number).toMatch(/^\d{20}$/);
        expect([...new Set(numbers)].sort()).toEqual(numbers);
        const received = await receive(10, undefined, F);
        expect(received.map((message) => message.sequenceNumber)).toEqual(numbers);
        expect(bench.queues.peek(F, { limit: 10 }).map((message) => message.sequenceNumber)).toEqual(numbers);
      });

      it("are absent on standard queues, as deduplication ids are", async () => {
        const sent = await sendOne("q", { body: "x", groupId: "g" });
        expect(sent.sequenceNumber).toBeUndefined();
        const message = await one();
        expect(message.sequenceNumber).toBeUndefined();
        expect(message.deduplicationId).toBeUndefined();
      });
    });

    describe.skipIf(!bench.features.persistent)("reopening (persistent implementations only)", () => {
      it("remembers what was sent, also of deleted messages, for the rest of the five minutes", async () => {
        await create();
        const first = await send("kept", "kept");
        await send("gone", "gone");
        for (const message of await receive(10, undefined, F))
          if (message.deduplicationId === "gone") await remove(F, message);
        await bench.clock.advance(FIVE_MINUTES_MS - 1);
        await bench.reopen();
        expect((await send("kept", "repeat")).messageId).toBe(first.messageId);
        await send("gone", "repeat");
        expect(counts(F)).toEqual([1, 0, 0]);
        await bench.clock.advance(1);
        await send("gone", "anew");
        expect(await bodies(10, undefined, F)).toEqual(["kept", "anew"]);
      });
    });
  });
}
