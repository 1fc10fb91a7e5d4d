import { afterEach, beforeEach, describe } from "vitest";
import { QueueBench, type QueueFeatures, type QueueSubject } from "./queue-bench.js";
import { lifetimeSuite } from "./queue-lifetime.js";
import { limitsSuite } from "./queue-limits.js";
import { messagesSuite } from "./queue-messages.js";
import { readingSuite } from "./queue-reading.js";

/** The Queue contract (core/contracts/queue.ts) as a suite: every implementation passes it. */
export function queueContract(
  name: string,
  make: () => Promise<QueueSubject>,
  features: QueueFeatures,
): void {
  describe(`queue contract: ${name}`, () => {
    const bench = new QueueBench(make, features);
    beforeEach(() => bench.open());
    afterEach(() => bench.close());

    messagesSuite(bench);
    lifetimeSuite(bench);
    limitsSuite(bench);
    readingSuite(bench);
  });
}

export type { QueueFeatures, QueueSubject } from "./queue-bench.js";
