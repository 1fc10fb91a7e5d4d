import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureDepth } from "./depth.js";
import { SHALLOW } from "./depth-size.js";
import { measureProcess } from "./in-process.js";
import { BATCH, BODY_BYTES, GROUPS } from "./message-body.js";
import { heading, line, type Row, thousands, verdict } from "./table.js";
import { measureBare, measureServer, type WireResult } from "./wire.js";

/*
 * `npm run bench:queue [-- --seconds 6] [--only wire,process,depth] [--messages 1000000]`
 *
 * A message counts once it has been sent, received and deleted. Bodies of 1 KiB of JSON in batches of ten.
 *
 *   wire     `sluice queue serve` in a process of its own; the load comes from another one over keep-alive connections,
 *            the JSON protocol written and read by hand. Beside it the bare loop: the same requests answered with canned
 *            text, which is what HTTP alone costs here.
 *   process  the same queues used from the process that has them open.
 *   depth    a queue of a thousand waiting messages against one of `--messages`, and opening them.
 *
 * No time is asserted; the goals and which were reached are printed.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "6" },
    only: { type: "string", default: "wire,process,depth" },
    messages: { type: "string", default: "1000000" },
  },
});
const seconds = Number(values.seconds);
const messages = Number(values.messages);
const only = values.only.split(",");
if (!(seconds > 0)) throw new Error("--seconds takes a number of seconds");
if (!(Number.isInteger(messages) && messages >= SHALLOW && messages % BATCH === 0))
  throw new Error(`--messages takes a whole number of batches of ${BATCH}, ${SHALLOW} or more`);

const WIRE_GOAL = 20_000;
const PROCESS_GOAL = 100_000;
const OPEN_GOAL_MS = 2_000;
/** Receiving from the deep queue may take this much longer: noise. */
const DEPTH_GOAL = 1.25;
/** One load generator keeps up with the server several times over; a second one only takes a core from it. */
const GENERATORS = 1;
/** Requests that are under way together share a commit: a service has many. */
const CONNECTION_PAIRS = 64;
const PRODUCERS = 128;

const verdicts: string[] = [];
const print = (text: string) => process.stdout.write(`${text}\n`);

function report(row: Row): void {
  print(line(row));
  if (row.goal !== undefined)
    verdicts.push(
      verdict(row.rate >= row.goal, `${row.what}: ${thousands(row.rate)}/s, goal ${thousands(row.goal)}/s`),
    );
}

function wireRow(what: string, result: WireResult): Row {
  const { deleted, wallS, serverCpuS, clientCpuS, serverAnonMiB } = result;
  return {
    ...result,
    what,
    rate: deleted / wallS,
    cpuS: serverCpuS,
    clientCpuS,
    anonMiB: serverAnonMiB,
  };
}

async function wire(dir: string): Promise<void> {
  print(
    `\nover the wire: ${CONNECTION_PAIRS} producers and ${CONNECTION_PAIRS} consumers, a connection each, in ${GENERATORS} other process`,
  );
  print(heading());
  const load = { fifo: false, seconds, processes: GENERATORS, pairs: CONNECTION_PAIRS };
  const bare = wireRow("bare loop (canned answers)", await measureBare(load));
  report(bare);
  for (const { what, goal, ...kind } of [
    { what: "durable, every answer fsynced", sync: "commit", fifo: false, goal: WIRE_GOAL },
    { what: "durable, --sync none", sync: "none", fifo: false, goal: undefined },
    { what: `durable FIFO, ${thousands(GROUPS)} groups`, sync: "commit", fifo: true, goal: undefined },
  ] as const) {
    const row = wireRow(what, await measureServer(dir, { ...load, ...kind }));
    report({ ...row, share: row.rate / bare.rate, ...(goal === undefined ? {} : { goal }) });
  }
}

async function inProcess(dir: string): Promise<void> {
  print(`\nin process: ${PRODUCERS} producers and ${PRODUCERS} consumers in one process`);
  print(heading());
  for (const { what, goal, ...kind } of [
    { what: "durable, fsynced", where: "durable", sync: "commit", fifo: false, goal: PROCESS_GOAL },
    { what: "durable, sync none", where: "durable", sync: "none", fifo: false, goal: undefined },
    { what: "durable FIFO, fsynced", where: "durable", sync: "commit", fifo: true, goal: undefined },
    { what: "memory", where: "memory", sync: "none", fifo: false, goal: undefined },
    { what: "memory FIFO", where: "memory", sync: "none", fifo: true, goal: undefined },
  ] as const) {
    const result = await measureProcess(dir, { ...kind, seconds, pairs: PRODUCERS });
    const rate = result.deleted / result.wallS;
    report({ ...result, what, rate, ...(goal === undefined ? {} : { goal }) });
  }
}

async function depth(dir: string): Promise<void> {
  print(`\ndepth: ${thousands(SHALLOW)} waiting messages against ${thousands(messages)} (1 KB each)`);
  const { fill, open, receive } = await measureDepth(dir, messages);
  const { shallow, deep } = receive;
  const ratio = deep.p50 / shallow.p50;
  const each = ({ p50, p99 }: typeof deep) =>
    `p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms, ${thousands((BATCH * 1_000) / p50)} messages/s`;
  print(`filled in ${fill.wallS.toFixed(1)} s, ${thousands(messages / fill.wallS)} messages/s`);
  print(
    `opened by a fresh process in ${open.openMs.toFixed(0)} ms; first receive ${open.firstReceiveMs.toFixed(0)} ms`,
  );
  print(`receive of ${BATCH} from ${thousands(SHALLOW)}: ${each(shallow)}`);
  print(`receive of ${BATCH} from ${thousands(messages)}: ${each(deep)}, ${ratio.toFixed(2)} times as long`);
  verdicts.push(
    verdict(
      ratio <= DEPTH_GOAL,
      `receive from ${thousands(messages)} takes ${ratio.toFixed(2)} times as long as from ${thousands(SHALLOW)}, goal ${DEPTH_GOAL}`,
    ),
    verdict(
      open.openMs <= OPEN_GOAL_MS,
      `opening ${thousands(messages)} messages: ${open.openMs.toFixed(0)} ms, goal ${OPEN_GOAL_MS} ms`,
    ),
  );
}

print(
  `bench:queue: send, receive and delete, bodies of ${BODY_BYTES} bytes, batches of ${BATCH}, ${seconds} s each, ${cpus().length} cores, Node ${process.version}`,
);
const dir = mkdtempSync(join(tmpdir(), "sluice-bench-queue-"));
try {
  if (only.includes("wire")) await wire(dir);
  if (only.includes("process")) await inProcess(dir);
  if (only.includes("depth")) await depth(dir);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
print("");
for (const text of verdicts) print(text);
