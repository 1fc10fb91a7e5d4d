import { Backlog } from "./backlog.js";
import { Latencies } from "./latencies.js";
import { LoadConnection, receiptHandles } from "./load-connection.js";
import { BATCH, GROUPS, messageBody } from "./message-body.js";

/**
 * A load generator: `wire-load.js <url> <queue url> <standard|fifo> <pairs> <name>`, forked by wire.ts. Each pair is a
 * producer and a consumer, one connection each. Told `begin` it starts counting, told `end` it answers with LoadReport.
 * It leaves when the channel is closed.
 */
export interface LoadReport {
  /** Messages deleted between begin and end. */
  readonly deleted: number;
  readonly cpuS: number;
  /** Milliseconds of every request. */
  readonly send: readonly number[];
  readonly receive: readonly number[];
  readonly delete: readonly number[];
}

const [url = "", queueUrl = "", type = "standard", pairs = "4", name = "a"] = process.argv.slice(2);

/** Messages of this process that wait, at most. */
const MOST_WAITING = 1_000;
const BODIES = 100;

const latencies = { send: new Latencies(), receive: new Latencies(), delete: new Latencies() };
const backlog = new Backlog(MOST_WAITING);
let running = true;
let counting = false;
let deleted = 0;
let batches = 0;

const bodies = Array.from({ length: BODIES }, (_, number) => JSON.stringify(messageBody(number)));

function sendBatch(): string {
  const batch = batches++;
  let entries = "";
  for (let index = 0; index < BATCH; index++) {
    const number = batch * BATCH + index;
    const fifo =
      type === "fifo"
        ? `,"MessageGroupId":"g${number % GROUPS}","MessageDeduplicationId":"${name}${number}"`
        : "";
    entries += `${index === 0 ? "" : ","}{"Id":"${index}","MessageBody":${bodies[number % BODIES]}${fifo}}`;
  }
  return `{"QueueUrl":"${queueUrl}","Entries":[${entries}]}`;
}

async function timed(
  connection: LoadConnection,
  kind: keyof typeof latencies,
  action: string,
  body: string,
): Promise<string> {
  const startedAt = performance.now();
  const text = await connection.call(action, body);
  if (counting) latencies[kind].add(performance.now() - startedAt);
  return text;
}

async function produce(): Promise<void> {
  const connection = new LoadConnection(url);
  while (running) {
    await backlog.enter(BATCH);
    await timed(connection, "send", "SendMessageBatch", sendBatch());
  }
  connection.close();
}

async function consume(): Promise<void> {
  const connection = new LoadConnection(url);
  const ask = `{"QueueUrl":"${queueUrl}","MaxNumberOfMessages":${BATCH},"WaitTimeSeconds":1}`;
  while (running) {
    const handles = receiptHandles(await timed(connection, "receive", "ReceiveMessage", ask));
    if (handles.length === 0) continue;
    await timed(connection, "delete", "DeleteMessageBatch", deleteBatch(handles));
    backlog.leave(handles.length);
    if (counting) deleted += handles.length;
  }
  connection.close();
}

/** Handles are base64url: nothing in them needs escaping. */
function deleteBatch(handles: readonly string[]): string {
  const entries = handles.map((handle, index) => `{"Id":"${index}","ReceiptHandle":"${handle}"}`);
  return `{"QueueUrl":"${queueUrl}","Entries":[${entries.join(",")}]}`;
}

let cpuBefore = process.cpuUsage();
process.on("message", (word) => {
  if (word === "begin") {
    counting = true;
    cpuBefore = process.cpuUsage();
    return;
  }
  counting = false;
  running = false;
  backlog.open();
  const { user, system } = process.cpuUsage(cpuBefore);
  const report: LoadReport = {
    deleted,
    cpuS: (user + system) / 1e6,
    send: latencies.send.values,
    receive: latencies.receive.values,
    delete: latencies.delete.values,
  };
  process.send?.(report);
});
// Afterwards the channel holds it until wire.ts lets it go: a process that leaves may leave before what it said is read.
await Promise.all(Array.from({ length: Number(pairs) }, () => [produce(), consume()]).flat());
