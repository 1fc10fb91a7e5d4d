import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "../root.js";

/** A fake as a process of its own, as a service on the network is. */
export interface Service {
  /** The line of JSON it printed when it was ready. */
  readonly ready: unknown;
  stop(): Promise<void>;
}

/** `script` below dist/. Resolves when the service says that it is ready. */
export async function startService(script: string, args: readonly string[]): Promise<Service> {
  const child: ChildProcess = spawn(process.execPath, [join(projectRoot(), "dist", script), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${script} ended with code ${code} before it was ready`)));
  });
  return {
    ready: JSON.parse(line),
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
