import { createInterface } from "node:readline";
import { type SluiceExit, startSluice } from "../../sluice-process.js";

export interface QueueServer {
  readonly pid: number;
  /** Its URL, once it listens; rejects when it ends before. */
  readonly listening: Promise<string>;
  readonly exit: Promise<SluiceExit>;
  kill(signal: NodeJS.Signals): void;
}

/** `sluice queue serve` as a process of its own on a free port. */
export function startQueueServer(options: {
  /** An existing folder. */
  readonly dataDir: string;
  readonly sync?: "commit" | "none";
  readonly nodeArgs?: readonly string[];
}): QueueServer {
  const { dataDir, sync = "commit", nodeArgs = [] } = options;
  const { child, exit } = startSluice(
    ["queue", "serve", "--port", "0", "--data-dir", dataDir, "--no-cooldowns", "--sync", sync, "--json"],
    { cwd: dataDir, nodeArgs },
  );
  const { stdout, pid } = child;
  if (stdout === null || pid === undefined) throw new Error("sluice queue serve could not be started");
  const listening = new Promise<string>((resolve, reject) => {
    createInterface({ input: stdout }).once("line", (line) => {
      const { url }: { url: string } = JSON.parse(line);
      resolve(url);
    });
    exit.then(
      ({ code, signal, stderr }) =>
        reject(new Error(`sluice queue serve ended before it listened: ${code ?? signal} ${stderr.trim()}`)),
      reject,
    );
  });
  return { pid, listening, exit, kill: (signal) => void child.kill(signal) };
}
