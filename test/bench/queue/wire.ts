import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { projectRoot } from "../../root.js";
import { type LatencySummary, summaryOf } from "./latencies.js";
import { ProcessMeter } from "./process-meter.js";
import { startQueueServer } from "./queue-server.js";
import { documentOf, SqsClient } from "./sqs-client.js";
import type { LoadReport } from "./wire-load.js";

export interface WireResult {
  readonly deleted: number;
  readonly wallS: number;
  readonly serverCpuS: number;
  readonly clientCpuS: number;
  readonly serverAnonMiB: number;
  readonly send: LatencySummary;
  readonly receive: LatencySummary;
  readonly delete: LatencySummary;
}

export interface WireLoad {
  readonly fifo: boolean;
  readonly seconds: number;
  /** Load generators, and pairs of one producer and one consumer in each. */
  readonly processes: number;
  readonly pairs: number;
}

/** JIT and page cache get warm before anything is counted. */
const WARM_UP_MS = 1_500;

const folder = join(projectRoot(), "dist/test/bench/queue");

/** `sluice queue serve` under load. `nodeArgs` go to the server: `--cpu-prof`. */
export async function measureServer(
  dir: string,
  load: WireLoad & { readonly sync: "commit" | "none"; readonly nodeArgs?: readonly string[] },
): Promise<WireResult> {
  const dataDir = join(dir, "wire");
  mkdirSync(dataDir, { recursive: true });
  const server = startQueueServer({ dataDir, sync: load.sync, nodeArgs: load.nodeArgs ?? [] });
  try {
    const url = await server.listening;
    const client = new SqsClient(url);
    const input = load.fifo
      ? { QueueName: "bench.fifo", Attributes: { FifoQueue: "true" } }
      : { QueueName: "bench" };
    const { QueueUrl = "" } = documentOf(
      "CreateQueue",
      await client.call("CreateQueue", JSON.stringify(input)),
    );
    client.close();
    return await underLoad(url, server.pid, QueueUrl, load);
  } finally {
    server.kill("SIGTERM");
    await server.exit;
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** The same load on the canned answers. */
export async function measureBare(load: WireLoad): Promise<WireResult> {
  const child = spawn(process.execPath, [join(folder, "canned-server.js")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [line]: string[] = await once(createInterface({ input: child.stdout }), "line");
    const { url }: { url: string } = JSON.parse(line ?? "");
    return await underLoad(url, child.pid ?? 0, `${url}/000000000000/bench`, load);
  } finally {
    child.kill();
  }
}

async function underLoad(url: string, pid: number, queueUrl: string, load: WireLoad): Promise<WireResult> {
  const generators = Array.from({ length: load.processes }, (_, index) =>
    fork(join(folder, "wire-load.js"), [
      url,
      queueUrl,
      load.fifo ? "fifo" : "standard",
      String(load.pairs),
      `process${index}-`,
    ]),
  );
  try {
    await sleep(WARM_UP_MS);
    const meter = ProcessMeter.start(pid);
    const startedAt = performance.now();
    for (const generator of generators) generator.send("begin");
    await sleep(load.seconds * 1_000);
    const reports = generators.map(reportOf);
    for (const generator of generators) generator.send("end");
    const wallS = (performance.now() - startedAt) / 1_000;
    const { cpuS, peakAnonMiB } = meter.stop();
    return summed(await Promise.all(reports), { wallS, serverCpuS: cpuS, serverAnonMiB: peakAnonMiB });
  } finally {
    await Promise.all(generators.map(gone));
  }
}

function reportOf(generator: ChildProcess): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    generator.once("message", (report: LoadReport) => resolve(report));
    generator.once("exit", (code) => reject(new Error(`a load generator ended early with ${code}`)));
  });
}

async function gone(generator: ChildProcess): Promise<void> {
  if (generator.exitCode !== null) return;
  const exit = once(generator, "exit");
  if (generator.connected) generator.disconnect();
  const timer = setTimeout(() => generator.kill(), 5_000);
  await exit;
  clearTimeout(timer);
}

function summed(
  reports: readonly LoadReport[],
  server: Pick<WireResult, "wallS" | "serverCpuS" | "serverAnonMiB">,
): WireResult {
  const all = (kind: "send" | "receive" | "delete") => summaryOf(reports.flatMap((report) => report[kind]));
  return {
    ...server,
    deleted: reports.reduce((sum, report) => sum + report.deleted, 0),
    clientCpuS: reports.reduce((sum, report) => sum + report.cpuS, 0),
    send: all("send"),
    receive: all("receive"),
    delete: all("delete"),
  };
}
