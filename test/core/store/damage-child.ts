import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { SluiceError, systemClock, systemRandom } from "../../../core/contracts/index.js";
import { openEnvironment } from "../../../core/store/index.js";

/**
 * A process that may die of what it reads. `damage-child.js fill <messages> <dataDir>` makes a data directory with
 * messages of all sizes in a standard and a FIFO queue, and values in the store. `read <messages> <dataDir...>` uses
 * each as a server would, receiving, deleting and sending, and prints a DamageReport for each, a line of JSON.
 */
export interface DamageReport {
  /** Of the error that ended it; code and kind are null for one that is not Sluice's. */
  readonly code: string | null;
  readonly kind: string | null;
  readonly text: string | null;
  /** Messages received whose body is what was sent, and those whose body is not. */
  readonly good: number;
  readonly bad: number;
}

const [phase = "", messages = "0", ...dataDirs] = process.argv.slice(2);
const QUEUES = ["work", "order.fifo"] as const;
const SIZES = [70, 500, 1_000, 3_500, 5_000, 20_000];
const KEYS = 200;

/** Carries the digest of its rest, so that a body proves itself. */
function bodyOf(number: number): string {
  const size = SIZES[number % SIZES.length] ?? 0;
  const rest = ` ${number} `.padEnd(size - 64, `text ${number},`);
  return createHash("sha256").update(rest).digest("hex") + rest;
}

function isWhole(body: string): boolean {
  return createHash("sha256").update(body.slice(64)).digest("hex") === body.slice(0, 64);
}

async function fill(dataDir: string): Promise<void> {
  const environment = await openEnvironment({
    dataDir,
    clock: systemClock,
    random: systemRandom,
    sync: "none",
  });
  for (const queue of QUEUES) {
    const fifo = queue === "order.fifo";
    await environment.queues.createQueue(queue, fifo ? { FifoQueue: true } : {});
    for (let first = 0; first < Number(messages); first += 10) {
      const entries = Array.from({ length: 10 }, (_, index) => ({
        body: bodyOf(first + index),
        attributes: { number: String(first + index) },
        ...(fifo && { groupId: `g${(first + index) % 50}`, deduplicationId: String(first + index) }),
      }));
      await environment.queues.send(queue, entries);
    }
  }
  await environment.transaction(({ store }) => {
    for (let key = 0; key < KEYS; key++) store.put(`key ${key}`, { value: `value ${key}` });
  });
  await environment.close();
}

async function read(dataDir: string): Promise<DamageReport> {
  let good = 0;
  let bad = 0;
  try {
    const environment = await openEnvironment({
      dataDir,
      clock: systemClock,
      random: systemRandom,
      sync: "none",
    });
    try {
      for (let key = 0; key < KEYS; key++)
        if (JSON.stringify(environment.store.get(`key ${key}`)) !== `{"value":"value ${key}"}`) bad += 1;
      for (const queue of QUEUES) {
        environment.queues.depth(queue);
        for (;;) {
          const received = await environment.queues.receive(queue, { maxNumberOfMessages: 10 });
          if (received.length === 0) break;
          for (const message of received) {
            const body = message.body().toString();
            const number = body.slice(65, body.indexOf(" ", 65));
            if (isWhole(body) && message.attributes.number === number) good += 1;
            else bad += 1;
          }
          await environment.queues.delete(
            queue,
            received.map(({ receiptHandle }) => receiptHandle),
          );
        }
        await environment.queues.send(queue, [
          { body: bodyOf(0), ...(queue === "order.fifo" && { groupId: "g0", deduplicationId: "last" }) },
        ]);
      }
    } finally {
      await environment.close();
    }
  } catch (error) {
    const known = error instanceof SluiceError;
    return {
      code: known ? error.code : null,
      kind: known ? error.kind : null,
      text: known ? error.message : String(error instanceof Error ? error.stack : error),
      good,
      bad,
    };
  }
  return { code: null, kind: null, text: null, good, bad };
}

for (const dataDir of dataDirs) {
  if (phase === "fill") await fill(dataDir);
  else writeSync(1, `${JSON.stringify(await read(dataDir))}\n`);
}
