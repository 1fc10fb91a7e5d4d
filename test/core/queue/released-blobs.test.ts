import { expect, it } from "vitest";
import { systemClock, TransientError } from "../../../core/contracts/index.js";
import { BlobMemory } from "../../../core/store/blob-memory.js";
import { StoredEnvironment } from "../../../core/store/environment.js";
import { MemoryTables } from "../../../core/store/memory-tables.js";
import { seededRandom } from "../../seeded-random.js";

class StuckBlobs extends BlobMemory {
  override remove(): Promise<void> {
    return Promise.reject(new TransientError("DISK_ERROR", "the file cannot be removed"));
  }
}

it("a transaction that is durable does not fail because a file it let go of stays", async () => {
  const random = seededRandom(1);
  const environment = new StoredEnvironment(new MemoryTables(), new StuckBlobs(random), {
    clock: systemClock,
    random,
  });
  await environment.queues.createQueue("q");
  const body = await environment.queues.stage("x".repeat(300_000));
  const [sent] = await environment.queues.send("q", [{ body }]);
  const removed = await environment.transaction(({ queues }) =>
    queues.deleteById("q", [sent?.messageId ?? ""]),
  );
  expect(removed).toBe(1);
  expect(environment.queues.depth("q").records).toBe(0);
  await environment.close();
});
