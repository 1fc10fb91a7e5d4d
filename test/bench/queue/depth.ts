import { rmSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../root.js";
import type { FillResult, OpenResult, ReceiveResult } from "./depth-load.js";
import { runJson } from "./run-json.js";

export interface DepthResult {
  readonly fill: FillResult;
  readonly open: OpenResult;
  readonly receive: ReceiveResult;
}

/** Fills a data directory with so many messages, opens it in a fresh process, and receives from both of its queues. */
export async function measureDepth(dir: string, messages: number): Promise<DepthResult> {
  const dataDir = join(dir, "depth");
  const script = join(projectRoot(), "dist/test/bench/queue/depth-load.js");
  const phase = <T>(name: string) => runJson<T>([script, name, dataDir, String(messages)]);
  try {
    const fill = await phase<FillResult>("fill");
    const open = await phase<OpenResult>("open");
    return { fill, open, receive: await phase<ReceiveResult>("receive") };
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
