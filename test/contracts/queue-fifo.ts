import { beforeEach, describe, expect, it } from "vitest";
import type { QueueBench } from "./queue-bench.js";

const F = "f.fifo";

/**
 * Order and locks of FIFO queues. One rule explains what the service does: of each group only the longest run of
 * visible messages from its head may be delivered; the first one that is in flight or delayed ends the run. Part of
 * the Queue contract (queue.ts).
 */
export function fifoSuite(bench: QueueBench): void {
  const { sendGroup, sendOne, receive, texts, bodies, change, remove, counts } = bench;

  describe("FIFO queues", () => {
    beforeEach(async () => {
      await bench.queues.createQueue(F, { FifoQueue: true, ContentBasedDeduplication: true });
    });

    describe("order and group locks", () => {
      it("fills from one group as far as it can, then from the next", async () => {
        for (const [group, body] of [
          ["g1", "1a"],
          ["g2", "2a"],
          ["g1", "1b"],
          ["g1", "1c"],
        ] as const)
          await sendGroup(F, group, body);
        expect(await bodies(10, undefined, F)).toEqual(["1a", "1b", "1c", "2a"]);
        expect(await bodies(10, undefined, F)).toEqual([]);
      });

      it("keeps the order of a batch's entries and of batches", async () => {
        const first = Array.from({ length: 10 }, (_, i) => `a${i}`);
        const second = Array.from({ length: 10 }, (_, i) => `b${i}`);
        await sendGroup(F, "g", ...first);
        await sendGroup(F, "g", ...second);
        const a = await receive(10, undefined, F);
        expect(texts(a)).toEqual(first);
        await bench.queues.delete(
          F,
          a.map((message) => message.receiptHandle),
        );
        expect(await bodies(10, undefined, F)).toEqual(second);
      });

      it("keeps the order of a group when the clock is set back", async () => {
        await sendGroup(F, "g", "before");
        bench.clock.step(-60_000);
        await sendGroup(F, "g", "after");
        expect(await bodies(10, undefined, F)).toEqual(["before", "after"]);
      });

      it("locks a group while one of its messages is in flight, for new messages too", async () => {
        await sendGroup(F, "g", "1", "2");
        expect(await bodies(1, undefined, F)).toEqual(["1"]);
        expect(await bodies(10, undefined, F)).toEqual([]);
        await sendGroup(F, "g", "3");
        expect(await bodies(10, undefined, F)).toEqual([]);
      });

      it("locks only that group", async () => {
        await sendGroup(F, "g", "1", "2");
        await receive(1, undefined, F);
        await sendGroup(F, "h", "other");
        expect(await bodies(10, undefined, F)).toEqual(["other"]);
      });

      it.each([
        ["foo", []],
        ["bar", ["foo"]],
        ["baz", ["foo", "bar"]],
      ])("with the timeout of %s extended gives %j when the others' end", async (extended, expected) => {
        await sendGroup(F, "g", "foo", "bar", "baz");
        const messages = await receive(10, 5_000, F);
        const held = messages.find((message) => message.body().toString() === extended);
        expect(await change(held?.receiptHandle ?? "", 60_000, F)).toBeUndefined();
        await bench.clock.advance(5_000);
        expect(await bodies(10, undefined, F)).toEqual(expected);
      });

      it("keeps a group locked by the second of two in flight when the first is deleted", async () => {
        await sendGroup(F, "g", "1", "2", "3", "4");
        const [first, second] = await receive(2, undefined, F);
        if (!first || !second) throw new Error("expected two messages");
        await remove(F, first);
        expect(await bodies(10, undefined, F)).toEqual([]);
        await remove(F, second);
        expect(await bodies(10, undefined, F)).toEqual(["3", "4"]);
      });

      it("gives the head again alone when only its timeout was ended", async () => {
        await sendGroup(F, "g1", "1a", "1b");
        await sendGroup(F, "g2", "2a");
        const [first] = await receive(2, undefined, F);
        await change(first?.receiptHandle ?? "", 0, F);
        expect(await bodies(3, undefined, F)).toEqual(["2a", "1a"]);
      });

      it("gives the head again alone when its shortened timeout ends", async () => {
        await sendGroup(F, "g1", "1a", "1b");
        await sendGroup(F, "g2", "2a");
        const [first] = await receive(2, undefined, F);
        await change(first?.receiptHandle ?? "", 1_000, F);
        await bench.clock.advance(1_000);
        expect(await bodies(3, undefined, F)).toEqual(["2a", "1a"]);
      });

      it("gives a group's messages in the original order when their timeouts end", async () => {
        await sendGroup(F, "g", "1", "2", "3");
        const held = await receive(10, 1_000, F);
        await change(held[0]?.receiptHandle ?? "", 3_000, F);
        await change(held[1]?.receiptHandle ?? "", 2_000, F);
        await bench.clock.advance(3_000);
        const again = await receive(10, undefined, F);
        expect(texts(again)).toEqual(["1", "2", "3"]);
        expect(again.map((message) => message.receiveCount)).toEqual([2, 2, 2]);
      });

      it("never gives one group to two receivers", async () => {
        for (const group of ["a", "b", "c", "d"])
          await sendGroup(F, group, ...[1, 2, 3, 4, 5].map((n) => `${group}${n}`));
        const received = await Promise.all(Array.from({ length: 10 }, () => receive(3, undefined, F)));
        const owners = new Map<string, Set<number>>();
        for (const [receiver, messages] of received.entries())
          for (const { groupId = "" } of messages)
            owners.set(groupId, (owners.get(groupId) ?? new Set()).add(receiver));
        expect([...owners.keys()].sort()).toEqual(["a", "b", "c", "d"]);
        expect([...owners.values()].map((receivers) => receivers.size)).toEqual([1, 1, 1, 1]);
        expect(received.flat()).toHaveLength(12);
      });

      it("unlocks when what was in flight expires by retention", async () => {
        await bench.queues.setQueueAttributes(F, { MessageRetentionPeriod: 60 });
        await sendGroup(F, "g", "old");
        await receive(1, 43_200_000, F);
        await bench.clock.advance(30_000);
        await sendGroup(F, "g", "young");
        expect(await bodies(10, undefined, F)).toEqual([]);
        await bench.clock.advance(30_000);
        expect(await bodies(10, undefined, F)).toEqual(["young"]);
      });

      it("unlocks when the head in flight is closed by message id", async () => {
        const [head] = await sendGroup(F, "g", "1", "2");
        const claimed = await bench.queues.claim(F, [head?.messageId ?? ""], 60_000);
        expect(texts(claimed)).toEqual(["1"]);
        expect(await bodies(10, undefined, F)).toEqual([]);
        await bench.queues.claim(F, [head?.messageId ?? ""], 0);
        expect(await bodies(10, undefined, F)).toEqual(["1", "2"]);
      });

      it("gives none of a backlog that expires at once", async () => {
        await bench.queues.setQueueAttributes(F, { MessageRetentionPeriod: 60 });
        for (let i = 0; i < 45; i++)
          await sendGroup(F, `g${i % 3}`, ...Array.from({ length: 10 }, (_, k) => `${i}-${k}`));
        await bench.clock.advance(1_000);
        await sendGroup(F, "g0", "survivor");
        await bench.clock.advance(59_000);
        expect(counts(F)).toEqual([1, 0, 0]);
        expect(await bodies(10, undefined, F)).toEqual(["survivor"]);
        expect(await bodies(10, undefined, F)).toEqual([]);
      });

      it("gives again what hundreds of groups held when their timeouts end at once", async () => {
        const groups = Array.from({ length: 700 }, (_, i) => `g${i}`);
        for (let i = 0; i < groups.length; i += 10)
          await bench.queues.send(
            F,
            groups.slice(i, i + 10).map((groupId) => ({ body: groupId, groupId })),
          );
        for (let i = 0; i < groups.length; i += 10) expect(await receive(10, 60_000, F)).toHaveLength(10);
        await bench.clock.advance(60_000);
        expect(counts(F)).toEqual([700, 0, 0]);
        const again: string[] = [];
        for (let i = 0; i < groups.length; i += 10) again.push(...(await bodies(10, 60_000, F)));
        expect(again.sort()).toEqual([...groups].sort());
      });

      it("holds thousands of groups apart", async () => {
        for (let i = 0; i < 300; i++)
          await bench.queues.send(
            F,
            Array.from({ length: 10 }, (_, k) => ({ body: `${i}-${k}`, groupId: `g${i * 5 + (k % 5)}` })),
          );
        const groups = new Map<string, string[]>();
        for (;;) {
          const messages = await receive(10, undefined, F);
          if (messages.length === 0) break;
          for (const message of messages)
            groups.set(message.groupId ?? "", [
              ...(groups.get(message.groupId ?? "") ?? []),
              message.body().toString(),
            ]);
        }
        expect(groups.size).toBe(1_500);
        for (const [group, [first, second]] of groups) {
          const [batch, k] = (first ?? "").split("-").map(Number);
          expect(`g${(batch ?? 0) * 5 + (k ?? 0)}`).toBe(group);
          expect(second).toBe(`${batch}-${(k ?? 0) + 5}`);
        }
      });
    });

    describe("which group comes first", () => {
      it("puts groups that were served behind those that wait", async () => {
        await sendGroup(F, "g1", "1a");
        await sendGroup(F, "g2", "2a", "2b");
        await sendGroup(F, "g3", "3a");
        await sendGroup(F, "g1", "1b");
        expect(await bodies(3, 0, F)).toEqual(["1a", "1b", "2a"]);
        expect(await bodies(10, 0, F)).toEqual(["3a", "1a", "1b", "2a", "2b"]);
      });

      it("puts groups whose timeouts have ended behind those that wait", async () => {
        await sendGroup(F, "g1", "1a", "1b", "1c", "1d");
        await sendGroup(F, "g2", "2a");
        await sendGroup(F, "g3", "3a");
        expect(await bodies(2, 1_000, F)).toEqual(["1a", "1b"]);
        await bench.clock.advance(1);
        expect(await bodies(1, 1_000, F)).toEqual(["2a"]);
        await bench.clock.advance(1_000);
        expect(await bodies(10, 0, F)).toEqual(["3a", "1a", "1b", "1c", "1d", "2a"]);
      });

      it("puts a group unlocked by deletes behind those that wait", async () => {
        await sendGroup(F, "g1", "1a", "1b", "1c");
        await sendGroup(F, "g2", "2a", "2b");
        await sendGroup(F, "g3", "3a");
        const held = await receive(2, undefined, F);
        await bench.queues.delete(
          F,
          held.map((message) => message.receiptHandle),
        );
        expect(await bodies(10, undefined, F)).toEqual(["2a", "2b", "3a", "1c"]);
      });

      it("serves every group in turn, however many messages one of them has", async () => {
        for (let i = 0; i < 5; i++) await sendGroup(F, "busy", ...["a", "b", "c"].map((x) => `${x}${i}`));
        await sendGroup(F, "calm", "z");
        const [first] = await receive(1, undefined, F);
        if (!first) throw new Error("expected a message");
        await remove(F, first);
        expect(await bodies(1, undefined, F)).toEqual(["z"]);
      });
    });

    describe.skipIf(!bench.features.persistent)("reopening (persistent implementations only)", () => {
      it("keeps order, locks, turns, sequence numbers and delays", async () => {
        await sendGroup(F, "g1", "1a", "1b", "1c");
        await sendGroup(F, "g2", "2a");
        await sendGroup(F, "g3", "3a");
        const [head] = await receive(1, 10_000, F);
        await bench.clock.advance(1);
        await receive(1, 0, F);
        const shown = () =>
          bench.queues
            .peek(F, { limit: 10 })
            .map(({ body, ...rest }) => ({ ...rest, text: body().toString() }));
        const before = shown();
        const depth = bench.queues.depth(F);
        await bench.reopen();
        expect(bench.queues.depth(F)).toEqual(depth);
        expect(shown()).toEqual(before);
        expect(await bodies(10, 60_000, F)).toEqual(["3a", "2a"]);
        if (head) expect(await remove(F, head)).toBeUndefined();
        const later = await sendOne(F, { body: "1d", groupId: "g1" });
        const rest = await receive(10, undefined, F);
        expect(texts(rest)).toEqual(["1b", "1c", "1d"]);
        const numbers = rest.map((message) => message.sequenceNumber ?? "");
        expect([...numbers].sort()).toEqual(numbers);
        expect(numbers.at(-1)).toBe(later.sequenceNumber);
      });
    });
  });
}
