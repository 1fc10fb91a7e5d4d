import { SluiceError, systemClock, systemRandom } from "../../../core/contracts/index.js";
import { openEnvironment } from "../../../core/store/index.js";

/**
 * `full-disk-child.js <dataDir>`, run under a limit on file size: fills the queue until the disk is full, then goes on
 * as an operator would hope, and prints what happened as JSON.
 */
const [, , dataDir = ""] = process.argv;
const environment = await openEnvironment({ dataDir, clock: systemClock, random: systemRandom });
const { queues } = environment;
await queues.createQueue("q");
const body = Buffer.alloc(250_000, "x");

async function errorOf(work: Promise<unknown>) {
  try {
    await work;
    return null;
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { kind: error.kind, code: error.code, fix: error.fix };
  }
}

let sent = 0;
let refused: Awaited<ReturnType<typeof errorOf>> = null;
while (!refused && sent < 1_000) {
  refused = await errorOf(
    environment.transaction((tx) => {
      tx.queues.send("q", [{ body }]);
      tx.store.put("sent", sent + 1);
    }),
  );
  if (!refused) sent += 1;
}
const again = await errorOf(queues.send("q", [{ body }]));
const staged = await errorOf(queues.stage(Buffer.alloc(60_000_000, "y")));
const depth = queues.depth("q").ApproximateNumberOfMessages;
const counted = environment.store.get("sent");
const received = await queues.receive("q", { maxNumberOfMessages: 10 });
const deleted = await errorOf(
  queues.delete(
    "q",
    received.map((message) => message.receiptHandle),
  ),
);
// LMDB reuses pages that a transaction freed from the second one after it on.
await environment.transaction((tx) => tx.store.put("note", "made room"));
const afterwards = await errorOf(queues.send("q", [{ body }]));
const left = queues.depth("q").ApproximateNumberOfMessages;
await environment.close();
console.log(
  JSON.stringify({
    sent,
    refused,
    again,
    staged,
    depth,
    counted,
    received: received.length,
    deleted,
    afterwards,
    left,
  }),
);
