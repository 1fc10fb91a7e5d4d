import { describe, expect, it } from "vitest";
import { StoredQueues } from "../../../core/queue/index.js";
import { BlobMemory } from "../../../core/store/blob-memory.js";
import { MemoryTables } from "../../../core/store/memory-tables.js";
import { queueContract } from "../../contracts/queue.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";
import { durableSubject, memorySubject } from "../store/subjects.js";

queueContract("memory", () => memorySubject(), { persistent: false });
queueContract("durable", () => durableSubject(), { persistent: true });

/** A limit of 120,000 is too far away for the contract; standard queues: stored-queues.test.ts. */
describe("in-flight limit of FIFO queues", () => {
  it("gives no more and no error, by short poll and by long", async () => {
    const random = seededRandom(3);
    const clock = new VirtualClock();
    const queues = new StoredQueues(new MemoryTables(), new BlobMemory(random), {
      clock,
      random,
      mostInFlight: 12,
    });
    await queues.createQueue("f.fifo", { FifoQueue: true, ContentBasedDeduplication: true });
    for (let group = 0; group < 4; group++)
      await queues.send(
        "f.fifo",
        Array.from({ length: 5 }, (_, i) => ({ body: `${group}-${i}`, groupId: `g${group}` })),
      );
    const receive = (waitTimeMs = 0) => queues.receive("f.fifo", { maxNumberOfMessages: 10, waitTimeMs });
    const first = await receive();
    expect(first).toHaveLength(10);
    expect(await receive()).toHaveLength(2);
    expect(await receive()).toEqual([]);
    const waiting = receive(20_000);
    await clock.advance(500);
    await queues.delete(
      "f.fifo",
      first.slice(0, 3).map((message) => message.receiptHandle),
    );
    await clock.advance(100);
    expect((await waiting).map((message) => message.groupId)).toEqual(["g3", "g3", "g3"]);
    const patient = receive(5_000);
    await clock.advance(5_000);
    expect(await patient).toEqual([]);
    await queues.close();
  });
});
