import { beforeEach, describe, expect, it } from "vitest";
import type { SendEntry } from "../../../core/contracts/index.js";
import { StoredQueues } from "../../../core/queue/index.js";
import { BlobMemory } from "../../../core/store/blob-memory.js";
import { MemoryTables } from "../../../core/store/memory-tables.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";

/** What the contract does not show: limits that are far away, and what is left behind in the tables. */
describe("stored queues", () => {
  let tables: MemoryTables;
  let clock: VirtualClock;
  let queues: StoredQueues;
  const make = (options: { mostInFlight?: number } = {}) => {
    const random = seededRandom(3);
    tables = new MemoryTables();
    clock = new VirtualClock();
    queues = new StoredQueues(tables, new BlobMemory(random), { clock, random, ...options });
  };
  beforeEach(() => make());

  const everything = {
    from: Buffer.alloc(0),
    to: Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]),
    limit: 1_000_000,
  };
  const rows = (...names: string[]) => names.map((name) => tables.bytes(name).keys(everything).length);
  const sendMany = (queue: string, count: number, entry: Omit<SendEntry, "body"> = {}) =>
    queues.transact((effects) =>
      queues.inTransaction(effects).send(
        queue,
        Array.from({ length: count }, (_, i) => ({ ...entry, body: `m${i}` })),
      ),
    );
  const receive = (waitTimeMs = 0) => queues.receive("q", { maxNumberOfMessages: 10, waitTimeMs });

  it("leaves nothing of a purged or deleted queue", async () => {
    await queues.createQueue("q");
    await queues.createQueue("p");
    await sendMany("q", 1_500);
    await sendMany("q", 700, { delayMs: 60_000 });
    await sendMany("p", 300);
    await queues.send("p", [{ body: await queues.stage("x".repeat(300_000)) }]);
    await receive();
    expect(await queues.purgeQueue("q")).toBe(2_200);
    await queues.deleteQueue("p");
    await sendMany("q", 2);
    await queues.settled();
    expect(
      rows("packs", "states", "ready", "hidden", "bodies", "blobs", "trash", "totals", "queues"),
    ).toEqual([1, 1, 1, 0, 0, 0, 0, 1, 1]);
  });

  it("clears expired messages away once someone looks", async () => {
    await queues.createQueue("q", { MessageRetentionPeriod: 60 });
    await sendMany("q", 900);
    await sendMany("q", 100, { delayMs: 900_000 });
    await clock.advance(60_000);
    expect(queues.depth("q")).toMatchObject({ ApproximateNumberOfMessages: 0, bytes: 0 });
    await queues.settled();
    expect(rows("packs", "states", "ready", "hidden", "bodies")).toEqual([0, 0, 0, 0, 0]);
  });

  it("counts exactly while more messages surface at once than one receive moves", async () => {
    await queues.createQueue("q");
    await sendMany("q", 12_000, { delayMs: 1_000 });
    await clock.advance(1_000);
    expect(await receive()).toHaveLength(10);
    expect(rows("ready", "hidden")).toEqual([499, 701]);
    expect(queues.depth("q")).toMatchObject({
      ApproximateNumberOfMessages: 11_990,
      ApproximateNumberOfMessagesNotVisible: 10,
      ApproximateNumberOfMessagesDelayed: 0,
    });
    await queues.settled();
    expect(rows("ready", "hidden")).toEqual([1_199, 1]);
  });

  it("moves any number of dead letters aside to find what can be delivered", async () => {
    await queues.createQueue("dead");
    await queues.createQueue("q");
    await sendMany("q", 2_500);
    for (let i = 0; i < 250; i++) await receive();
    await clock.advance(60_000);
    await queues.setQueueAttributes("q", {
      RedrivePolicy: { deadLetterTargetQueue: "dead", maxReceiveCount: 1 },
    });
    const [good] = await queues.send("q", [{ body: "good" }]);
    expect((await receive()).map((message) => message.messageId)).toEqual([good?.messageId]);
    expect(queues.depth("dead").ApproximateNumberOfMessages).toBe(2_500);
  });

  it("has OverLimit for a short poll at the in-flight limit, and patience for a long one", async () => {
    make({ mostInFlight: 12 });
    await queues.createQueue("q");
    await sendMany("q", 20);
    const first = await receive();
    expect(first).toHaveLength(10);
    expect(await receive()).toHaveLength(2);
    await expect(receive()).rejects.toMatchObject({ kind: "rateLimit", code: "OverLimit" });
    const waiting = receive(20_000);
    await clock.advance(500);
    await queues.delete(
      "q",
      first.slice(0, 3).map((message) => message.receiptHandle),
    );
    await clock.advance(100);
    expect(await waiting).toHaveLength(3);
    const patient = receive(5_000);
    await clock.advance(5_000);
    expect(await patient).toEqual([]);
  });

  it("reports what stopped the background, and takes up its work again", async () => {
    await queues.createQueue("q");
    await sendMany("q", 5_000);
    const transaction = tables.transaction.bind(tables);
    let broken = false;
    tables.transaction = (work) => (broken ? Promise.reject(new Error("disk full")) : transaction(work));
    await queues.purgeQueue("q").finally(() => {
      broken = true;
    });
    await expect(queues.settled()).rejects.toThrow("disk full");
    broken = false;
    await queues.purgeQueue("q");
    await queues.settled();
    expect(rows("packs", "states", "bodies", "trash")).toEqual([0, 0, 0, 0]);
  });
});
