import { rmSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../root.js";
import type { ProcessResult } from "./process-load.js";
import { runJson } from "./run-json.js";

export interface ProcessLoad {
  readonly where: "durable" | "memory";
  readonly fifo: boolean;
  readonly sync: "commit" | "none";
  readonly seconds: number;
  /** Producers, and as many consumers. */
  readonly pairs: number;
}

/** The queues with nothing between them and their users: a process of its own that has the data directory open. */
export async function measureProcess(dir: string, load: ProcessLoad): Promise<ProcessResult> {
  const dataDir = load.where === "memory" ? "memory" : join(dir, "process");
  const script = join(projectRoot(), "dist/test/bench/queue/process-load.js");
  const type = load.fifo ? "fifo" : "standard";
  try {
    return await runJson([script, dataDir, type, load.sync, String(load.seconds), String(load.pairs)]);
  } finally {
    if (load.where === "durable") rmSync(dataDir, { recursive: true, force: true });
  }
}
