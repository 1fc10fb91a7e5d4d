import { closeSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { systemClock, systemRandom } from "../../../core/contracts/index.js";
import { openEnvironment } from "../../../core/store/index.js";
import { SHALLOW } from "./depth-size.js";
import { type LatencySummary, summaryOf } from "./latencies.js";
import { BATCH, messageBody } from "./message-body.js";

/**
 * What depth costs: `depth-load.js fill|receive|open <dataDir> <messages>`, each a process of its own.
 *
 *   fill     puts SHALLOW messages into one queue and <messages> into another
 *   receive  receives from both in turn, so that whatever else the machine does hits both alike; FillResult's queues
 *            keep their depth: what was received is deleted and as much sent again, which is not timed
 *   open     opens the directory and receives once
 */
export interface FillResult {
  readonly wallS: number;
}

export interface ReceiveResult {
  /** Of one receive of ten messages. */
  readonly shallow: LatencySummary;
  readonly deep: LatencySummary;
  /** Messages in each when it was over. */
  readonly depths: readonly [number, number];
}

export interface OpenResult {
  readonly openMs: number;
  readonly firstReceiveMs: number;
  readonly received: number;
}

const [phase = "", dataDir = "", messages = "0"] = process.argv.slice(2);
/** Receives from each queue, after as many again that are not counted. */
const RECEIVES = 500;
/** Sends in one transaction while filling. */
const PIECE = 200;

const startedAt = performance.now();
const environment = await openEnvironment({
  dataDir,
  clock: systemClock,
  random: systemRandom,
  // The time of an fsync would hide what is to be seen.
  sync: phase === "open" ? "commit" : "none",
});
const openMs = performance.now() - startedAt;
const { queues } = environment;

async function fill(queue: string, count: number): Promise<void> {
  await queues.createQueue(queue);
  const bodies = Array.from({ length: BATCH }, (_, number) => ({ body: Buffer.from(messageBody(number)) }));
  for (let left = count / BATCH; left > 0; left -= PIECE)
    await environment.transaction((tx) => {
      for (let i = 0; i < Math.min(left, PIECE); i++) tx.queues.send(queue, bodies);
    });
}

async function receiveOnce(queue: string): Promise<number> {
  const before = performance.now();
  const received = await queues.receive(queue, { maxNumberOfMessages: BATCH });
  const bodies = received.map((message) => ({ body: message.body() }));
  const ms = performance.now() - before;
  if (received.length !== BATCH) throw new Error(`${queue} gave ${received.length} messages`);
  await queues.delete(
    queue,
    received.map(({ receiptHandle }) => receiptHandle),
  );
  await queues.send(queue, bodies);
  return ms;
}

function flush(path: string): void {
  const file = openSync(path, "r+");
  fsyncSync(file);
  closeSync(file);
}

async function run(): Promise<FillResult | ReceiveResult | OpenResult> {
  if (phase === "fill") {
    const before = performance.now();
    await fill("shallow", SHALLOW);
    await fill("deep", Number(messages));
    return { wallS: (performance.now() - before) / 1_000 };
  }
  if (phase === "open") {
    const before = performance.now();
    const received = await queues.receive("deep", { maxNumberOfMessages: BATCH });
    for (const message of received) message.body();
    return { openMs, firstReceiveMs: performance.now() - before, received: received.length };
  }
  const times = { shallow: [0], deep: [0] };
  for (let i = 0; i < 2 * RECEIVES; i++) {
    if (i === RECEIVES) for (const list of Object.values(times)) list.length = 0;
    for (const queue of ["shallow", "deep"] as const) times[queue].push(await receiveOnce(queue));
  }
  const depthOf = (queue: string) => queues.depth(queue).ApproximateNumberOfMessages;
  return {
    shallow: summaryOf(times.shallow),
    deep: summaryOf(times.deep),
    depths: [depthOf("shallow"), depthOf("deep")],
  };
}

const result = await run();
await environment.close();
// Filling is not fsynced: without this, the next process would pay for it with its first commit.
if (phase === "fill") flush(join(dataDir, "buffer", "data.mdb"));
process.stdout.write(`${JSON.stringify(result)}\n`);
