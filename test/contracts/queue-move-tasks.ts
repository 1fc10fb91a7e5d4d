import { beforeEach, describe, expect, it } from "vitest";
import type { MoveTask } from "../../core/contracts/index.js";
import type { QueueBench } from "./queue-bench.js";

const NO_SOURCE = {
  kind: "config",
  code: "ResourceNotFoundException",
  message: "The resource that you specified for the SourceArn parameter doesn't exist.",
};
const NO_DESTINATION = {
  kind: "config",
  code: "ResourceNotFoundException",
  message: "The resource that you specified for the DestinationArn parameter doesn't exist.",
};
const NO_TASK = { kind: "config", code: "ResourceNotFoundException", message: "Task does not exist." };

/** Message move tasks: redriving a dead-letter queue in the background. Part of the Queue contract (queue.ts). */
export function moveTasksSuite(bench: QueueBench): void {
  const { send, sendOne, sendGroup, receive, texts, bodies, counts, pass } = bench;

  const newest = (source = "dead"): MoveTask => {
    const [task] = bench.queues.listMessageMoveTasks(source, 1);
    if (!task) throw new Error("expected a task");
    return task;
  };
  /** Lets time pass until the newest task is no longer under way. */
  const finished = async (source = "dead"): Promise<MoveTask> => {
    for (let i = 0; i < 300; i++) {
      const task = newest(source);
      if (task.status !== "RUNNING" && task.status !== "CANCELLING") return task;
      await pass(100);
    }
    throw new Error(`the task is still ${newest(source).status} after 30 s`);
  };
  /** Sends messages to `q` and receives them until they are in `dead`. */
  const bury = async (...messages: string[]): Promise<string[]> => {
    const ids: string[] = [];
    for (const body of messages) ids.push((await sendOne("q", { body, records: 2 })).messageId);
    for (let left = messages.length; left > 0; left -= 10) await receive(10, 0);
    await receive(10, 0);
    return ids;
  };
  const many = (count: number) => Array.from({ length: count }, (_, i) => `m${String(i).padStart(2, "0")}`);

  describe("message move tasks", () => {
    beforeEach(async () => {
      await bench.queues.createQueue("dead");
      await bench.queues.createQueue("elsewhere");
      await bench.queues.setQueueAttributes("q", {
        RedrivePolicy: { deadLetterTargetQueue: "dead", maxReceiveCount: 1 },
      });
    });

    it("move every message back to where it came from, as a new one", async () => {
      await bench.queues.createQueue("p", {
        RedrivePolicy: { deadLetterTargetQueue: "dead", maxReceiveCount: 1 },
      });
      const [oldId] = await bury("from q");
      await sendOne("p", {
        body: "from p",
        groupId: "tenant",
        traceHeader: "Root=1",
        attributes: { n: { dataType: "Number", value: "1" } },
      });
      await receive(1, 0, "p");
      await receive(1, 0, "p");
      expect(counts("dead")).toEqual([2, 0, 0]);
      await bench.clock.advance(60_000);
      const startedAt = bench.clock.now();
      const taskId = await bench.queues.startMessageMoveTask({ source: "dead" });
      const task = await finished();
      expect(task).toMatchObject({
        taskId,
        source: "dead",
        status: "COMPLETED",
        startedAt,
        moved: 2,
        toMove: 2,
      });
      expect(task.destination).toBeUndefined();
      expect(task.maxPerSecond).toBeUndefined();
      expect(task.failureReason).toBeUndefined();
      expect(counts("dead")).toEqual([0, 0, 0]);
      const [q] = await receive();
      expect(q).toMatchObject({ receiveCount: 1, records: 2 });
      expect(q?.messageId).not.toBe(oldId);
      expect(q?.sentAt).toBeGreaterThanOrEqual(startedAt);
      expect(q?.deadLetterSource).toBeUndefined();
      expect(q?.body().toString()).toBe("from q");
      const [p] = await receive(10, undefined, "p");
      expect(p).toMatchObject({
        groupId: "tenant",
        traceHeader: "Root=1",
        attributes: { n: { dataType: "Number", value: "1" } },
        receiveCount: 1,
      });
      expect(bench.queues.get("dead", oldId ?? "")).toBeUndefined();
    });

    it("begin the retention anew", async () => {
      await bench.queues.setQueueAttributes("q", { MessageRetentionPeriod: 120 });
      await bury("a");
      await bench.clock.advance(100_000);
      await bench.queues.startMessageMoveTask({ source: "dead" });
      await finished();
      await bench.clock.advance(100_000);
      expect(await bodies()).toEqual(["a"]);
    });

    it("keep the order, and take claim checks along", async () => {
      const large = "z".repeat(300_000);
      await bury("a", "b");
      await bench.queues.send("q", [{ body: await bench.queues.stage(large) }]);
      await receive(1, 0);
      await receive(1, 0);
      await bury("c");
      await bench.queues.startMessageMoveTask({ source: "dead", destination: "elsewhere" });
      expect(await finished()).toMatchObject({ status: "COMPLETED", destination: "elsewhere", moved: 4 });
      const messages = await receive(10, undefined, "elsewhere");
      expect(texts(messages).map((text) => text.slice(0, 3))).toEqual(["a", "b", "zzz", "c"]);
      expect(messages[2]?.body().length).toBe(300_000);
      expect(counts("q")).toEqual([0, 0, 0]);
    });

    it("wake who waits at the destination", async () => {
      await bury("a");
      const waiting = bench.queues.receive("q", { maxNumberOfMessages: 1, waitTimeMs: 20_000 });
      await bench.clock.advance(10);
      await bench.queues.startMessageMoveTask({ source: "dead" });
      await finished();
      expect(texts(await waiting)).toEqual(["a"]);
    });

    it("finish at once over an empty queue", async () => {
      await bench.queues.startMessageMoveTask({ source: "dead" });
      expect(await finished()).toMatchObject({ status: "COMPLETED", moved: 0, toMove: 0 });
    });

    it("move a few hundred messages, each once", async () => {
      const sent = many(250);
      await bury(...sent);
      expect(counts("dead")).toEqual([250, 0, 0]);
      await bench.queues.startMessageMoveTask({ source: "dead", destination: "elsewhere" });
      expect(await finished()).toMatchObject({ moved: 250, toMove: 250 });
      const moved: string[] = [];
      for (let i = 0; i < 25; i++) moved.push(...(await bodies(10, undefined, "elsewhere")));
      expect(moved.sort()).toEqual([...sent].sort());
    });

    it("keep to their rate", async () => {
      await bury(...many(10));
      const startedAt = bench.clock.now();
      await bench.queues.startMessageMoveTask({ source: "dead", maxPerSecond: 2 });
      for (let i = 0; i < 40; i++) {
        const seconds = Math.floor((bench.clock.now() - startedAt) / 1000);
        expect(newest().moved, `after ${seconds} s`).toBeLessThanOrEqual(2 * (seconds + 1));
        expect(newest()).toMatchObject({ status: "RUNNING", maxPerSecond: 2, toMove: 10 });
        expect(counts("q")[0]).toBe(newest().moved);
        await pass(100);
      }
      expect(newest().moved).toBeGreaterThanOrEqual(6);
      expect(await finished()).toMatchObject({ status: "COMPLETED", moved: 10 });
      expect(bench.clock.now() - startedAt).toBeLessThanOrEqual(6_500);
    });

    it("are one at a time for a source", async () => {
      await bury(...many(3));
      await bench.queues.startMessageMoveTask({ source: "dead", maxPerSecond: 1 });
      await expect(bench.queues.startMessageMoveTask({ source: "dead" })).rejects.toMatchObject({
        kind: "config",
        code: "InvalidParameterValue",
        message:
          "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
      });
      await finished();
      await bench.queues.startMessageMoveTask({ source: "dead" });
      expect((await finished()).moved).toBe(0);
    });

    it("are listed newest first, at most as many as asked for", async () => {
      const ids: string[] = [];
      for (let i = 0; i < 3; i++) {
        await bury(`m${i}`);
        ids.unshift(await bench.queues.startMessageMoveTask({ source: "dead" }));
        await finished();
        await bench.clock.advance(1_000);
      }
      const listed = (limit: number) =>
        bench.queues.listMessageMoveTasks("dead", limit).map((task) => task.taskId);
      expect(listed(10)).toEqual(ids);
      expect(listed(2)).toEqual(ids.slice(0, 2));
      expect(bench.queues.listMessageMoveTasks("q", 10)).toEqual([]);
      for (const limit of [0, 11])
        await expect(async () => listed(limit)).rejects.toMatchObject({
          kind: "config",
          code: "InvalidParameterValue",
        });
    });

    it("stop when cancelled, and what was moved stays moved", async () => {
      await bury(...many(10));
      const taskId = await bench.queues.startMessageMoveTask({ source: "dead", maxPerSecond: 2 });
      await pass(2_000);
      const moved = await bench.queues.cancelMessageMoveTask(taskId);
      expect(moved).toBe(counts("q")[0]);
      expect(await finished()).toMatchObject({ status: "CANCELLED", moved });
      await pass(3_000);
      expect(counts("q")).toEqual([moved, 0, 0]);
      expect(counts("dead")).toEqual([10 - moved, 0, 0]);
      await expect(bench.queues.cancelMessageMoveTask(taskId)).rejects.toMatchObject({
        kind: "config",
        code: "ResourceNotFoundException",
      });
      await bench.queues.startMessageMoveTask({ source: "dead" });
      expect((await finished()).moved).toBe(10 - moved);
    });

    it("cannot be cancelled when there is none of that id, or none running", async () => {
      const unknown = "00000000-0000-4000-8000-000000000000";
      await expect(bench.queues.cancelMessageMoveTask(unknown)).rejects.toMatchObject(NO_TASK);
      const taskId = await bench.queues.startMessageMoveTask({ source: "dead" });
      await finished();
      await expect(bench.queues.cancelMessageMoveTask(taskId)).rejects.toMatchObject({
        kind: "config",
        code: "ResourceNotFoundException",
      });
    });

    it("fail when the destination is deleted meanwhile; what was not moved stays", async () => {
      await bury(...many(6));
      await bench.queues.startMessageMoveTask({ source: "dead", destination: "elsewhere", maxPerSecond: 1 });
      await pass(1_500);
      const moved = counts("elsewhere")[0] ?? 0;
      await bench.queues.deleteQueue("elsewhere");
      expect(await finished()).toMatchObject({
        status: "FAILED",
        moved,
        failureReason: "AWS.SimpleQueueService.NonExistentQueue",
      });
      expect(counts("dead")).toEqual([6 - moved, 0, 0]);
    });

    it("fail where the queue a message came from is gone; the message stays", async () => {
      await bench.queues.createQueue("p", {
        RedrivePolicy: { deadLetterTargetQueue: "dead", maxReceiveCount: 1 },
      });
      await sendOne("p", { body: "from p" });
      await receive(1, 0, "p");
      await receive(1, 0, "p");
      await bench.queues.deleteQueue("p");
      await bench.queues.startMessageMoveTask({ source: "dead" });
      expect(await finished()).toMatchObject({
        status: "FAILED",
        moved: 0,
        failureReason: "AWS.SimpleQueueService.NonExistentQueue",
      });
      expect(await bodies(10, undefined, "dead")).toEqual(["from p"]);
    });

    it("leave what arrives after their start to the next", async () => {
      await bury("a", "b", "c");
      await bench.queues.startMessageMoveTask({ source: "dead", destination: "elsewhere", maxPerSecond: 1 });
      await pass(500);
      await bury("later");
      expect(await finished()).toMatchObject({ status: "COMPLETED", moved: 3, toMove: 3 });
      expect(await bodies(10, undefined, "dead")).toEqual(["later"]);
    });

    it("need a source that is a dead-letter queue, and a destination that is there", async () => {
      const start = (source: string, destination?: string) =>
        bench.queues.startMessageMoveTask({ source, ...(destination === undefined ? {} : { destination }) });
      await expect(start("none")).rejects.toMatchObject(NO_SOURCE);
      await expect(start("dead", "none")).rejects.toMatchObject(NO_DESTINATION);
      await expect(start("q")).rejects.toMatchObject({
        kind: "config",
        code: "InvalidParameterValue",
        message: "Source queue must be configured as a Dead Letter Queue.",
      });
      await expect(async () => bench.queues.listMessageMoveTasks("none", 1)).rejects.toMatchObject(NO_SOURCE);
      expect(bench.queues.listMessageMoveTasks("dead", 10)).toEqual([]);
    });

    it.each([0, -1, 501, 1.5])("refuse a rate of %d", async (maxPerSecond) => {
      await expect(bench.queues.startMessageMoveTask({ source: "dead", maxPerSecond })).rejects.toMatchObject(
        { kind: "config", code: "InvalidParameterValue" },
      );
    });

    it("leave messages in flight alone", async () => {
      await bury("a", "b");
      const [held] = await receive(1, 600_000, "dead");
      await bench.queues.startMessageMoveTask({ source: "dead" });
      await pass(1_000);
      expect(counts("q")).toEqual([1, 0, 0]);
      expect(counts("dead")).toEqual([0, 1, 0]);
      expect(await bench.queues.delete("dead", [held?.receiptHandle ?? ""])).toEqual([
        { receiptHandle: held?.receiptHandle },
      ]);
    });

    it("move FIFO dead letters back in order, though the originals were sent within five minutes", async () => {
      await bench.queues.createQueue("dead.fifo", { FifoQueue: true });
      await bench.queues.createQueue("f.fifo", {
        FifoQueue: true,
        ContentBasedDeduplication: true,
        RedrivePolicy: { deadLetterTargetQueue: "dead.fifo", maxReceiveCount: 1 },
      });
      await sendGroup("f.fifo", "g", "1", "2", "3");
      await receive(10, 0, "f.fifo");
      await receive(10, 0, "f.fifo");
      expect(counts("dead.fifo")).toEqual([3, 0, 0]);
      await bench.queues.startMessageMoveTask({ source: "dead.fifo" });
      expect(await finished("dead.fifo")).toMatchObject({ status: "COMPLETED", moved: 3 });
      const back = await receive(10, undefined, "f.fifo");
      expect(texts(back)).toEqual(["1", "2", "3"]);
      expect(back.map((message) => [message.groupId, message.receiveCount])).toEqual([
        ["g", 1],
        ["g", 1],
        ["g", 1],
      ]);
    });

    describe.skipIf(!bench.features.persistent)("reopening (persistent implementations only)", () => {
      it("goes on with a running task, each message once", async () => {
        await bury(...many(8));
        const taskId = await bench.queues.startMessageMoveTask({ source: "dead", maxPerSecond: 2 });
        await pass(1_500);
        expect(newest()).toMatchObject({ status: "RUNNING" });
        await bench.reopen();
        expect(newest()).toMatchObject({ taskId, status: "RUNNING", maxPerSecond: 2, toMove: 8 });
        expect(await finished()).toMatchObject({ taskId, status: "COMPLETED", moved: 8 });
        expect((await bodies()).sort()).toEqual(many(8));
      });

      it("remembers what has finished", async () => {
        await bury("a");
        await bench.queues.startMessageMoveTask({ source: "dead" });
        const task = await finished();
        await bench.reopen();
        expect(bench.queues.listMessageMoveTasks("dead", 10)).toEqual([task]);
        await send("b");
        await pass(500);
        expect(counts("q")).toEqual([2, 0, 0]);
      });
    });
  });
}
