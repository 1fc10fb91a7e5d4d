import { spawn } from "node:child_process";

/** Runs a script of this folder to its end, in a process of its own; its output is the JSON of a T. */
export function runJson<T>(args: readonly string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== 0) return reject(new Error(`${args.join(" ")} ended with ${code}`));
      const result: T = JSON.parse(Buffer.concat(chunks).toString());
      resolve(result);
    });
  });
}
