import { setImmediate as turn } from "node:timers/promises";
import { systemClock, systemRandom } from "../../../core/contracts/index.js";
import { memoryEnvironment, openEnvironment } from "../../../core/store/index.js";
import { Backlog } from "./backlog.js";
import { Latencies, type LatencySummary, summaryOf } from "./latencies.js";
import { BATCH, GROUPS, messageBody } from "./message-body.js";

/**
 * Producers and consumers in the process that has the data directory open:
 * `process-load.js <dataDir|memory> <standard|fifo> <commit|none> <seconds> <producers and consumers>`. Prints
 * ProcessResult as JSON.
 */
export interface ProcessResult {
  /** Messages deleted while it was measured. */
  readonly deleted: number;
  readonly wallS: number;
  readonly cpuS: number;
  readonly send: LatencySummary;
  readonly receive: LatencySummary;
  readonly delete: LatencySummary;
}

const [dataDir = "", type = "standard", sync = "commit", seconds = "5", pairs = "32"] = process.argv.slice(2);

const WARM_UP_MS = 1_000;
/** Messages that wait, at most. */
const MOST_WAITING = 5_000;

const clock = systemClock;
const random = systemRandom;
const environment =
  dataDir === "memory"
    ? memoryEnvironment({ clock, random })
    : await openEnvironment({ dataDir, clock, random, sync: sync === "none" ? "none" : "commit" });
const { queues } = environment;
const fifo = type === "fifo";
const queue = fifo ? "bench.fifo" : "bench";
await queues.createQueue(queue, fifo ? { FifoQueue: true } : {});

const bodies = Array.from({ length: 100 }, (_, number) => Buffer.from(messageBody(number)));
const latencies = { send: new Latencies(), receive: new Latencies(), delete: new Latencies() };
const backlog = new Backlog(MOST_WAITING);
let running = true;
let counting = false;
let deleted = 0;
let next = 0;

async function timed<T>(kind: keyof typeof latencies, work: Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work;
  if (counting) latencies[kind].add(performance.now() - startedAt);
  return result;
}

function batch() {
  return Array.from({ length: BATCH }, () => {
    const number = next++;
    const body = bodies[number % bodies.length] ?? "";
    return fifo ? { body, groupId: `g${number % GROUPS}`, deduplicationId: String(number) } : { body };
  });
}

async function produce(): Promise<void> {
  while (running) {
    await backlog.enter(BATCH);
    await timed("send", queues.send(queue, batch()));
    if (dataDir === "memory") await turn();
  }
}

async function consume(): Promise<void> {
  while (running) {
    const request = { maxNumberOfMessages: BATCH, waitTimeMs: 1_000 };
    const messages = await timed("receive", queues.receive(queue, request));
    if (messages.length === 0) continue;
    // A consumer reads what it received.
    for (const message of messages) if (message.body().length === 0) throw new Error("an empty body");
    const handles = messages.map(({ receiptHandle }) => receiptHandle);
    await timed("delete", queues.delete(queue, handles));
    backlog.leave(messages.length);
    if (counting) deleted += messages.length;
    // Queues in memory answer without ever waiting: the clock must have its turn.
    if (dataDir === "memory") await turn();
  }
}

const loops = Array.from({ length: Number(pairs) }, () => [produce(), consume()]).flat();
await clock.sleep(WARM_UP_MS);
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
counting = true;
await clock.sleep(Number(seconds) * 1_000);
counting = false;
const wallS = (performance.now() - startedAt) / 1_000;
const { user, system } = process.cpuUsage(cpuBefore);
running = false;
backlog.open();
await Promise.all(loops);
await environment.close();
const result: ProcessResult = {
  deleted,
  wallS,
  cpuS: (user + system) / 1e6,
  send: summaryOf(latencies.send.values),
  receive: summaryOf(latencies.receive.values),
  delete: summaryOf(latencies.delete.values),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
