import { afterEach, beforeEach, describe } from "vitest";
import { adminSuite } from "./queue-admin.js";
import { QueueBench, type QueueFeatures, type QueueSubject } from "./queue-bench.js";
import { contentSuite } from "./queue-content.js";
import { deduplicationSuite } from "./queue-deduplication.js";
import { fairSuite } from "./queue-fair.js";
import { fifoSuite } from "./queue-fifo.js";
import { fifoWaitingSuite } from "./queue-fifo-waiting.js";
import { lifetimeSuite } from "./queue-lifetime.js";
import { limitsSuite } from "./queue-limits.js";
import { messagesSuite } from "./queue-messages.js";
import { moveTasksSuite } from "./queue-move-tasks.js";
import { readingSuite } from "./queue-reading.js";
import { receiptsSuite } from "./queue-receipts.js";
import { redriveSuite } from "./queue-redrive.js";
import { tagsSuite } from "./queue-tags.js";

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
    contentSuite(bench);
    lifetimeSuite(bench);
    limitsSuite(bench);
    adminSuite(bench);
    tagsSuite(bench);
    readingSuite(bench);
    redriveSuite(bench);
    moveTasksSuite(bench);
    fairSuite(bench);
    fifoSuite(bench);
    fifoWaitingSuite(bench);
    receiptsSuite(bench);
    deduplicationSuite(bench);
  });
}

export type { QueueFeatures, QueueSubject } from "./queue-bench.js";
