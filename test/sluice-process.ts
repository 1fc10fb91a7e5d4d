import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "./root.js";

export interface SluiceExit {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SluiceProcess {
  readonly child: ChildProcess;
  readonly exit: Promise<SluiceExit>;
}

/** Starts the built command line as a user would. `npm test` builds first. */
export function startSluice(
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly nodeArgs?: readonly string[];
    /** A command that runs the rest of its arguments, such as `nsenter ... --`. */
    readonly through?: readonly string[];
    /** `inherit`: the command writes to this process's terminal. */
    readonly stdio?: "inherit";
  },
): SluiceProcess {
  const main = join(projectRoot(), "dist/cli/main.js");
  const [command = process.execPath, ...rest] = [
    ...(options.through ?? []),
    process.execPath,
    ...(options.nodeArgs ?? []),
    main,
    ...args,
  ];
  const child = spawn(command, rest, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: options.stdio === "inherit" ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
  const exit = new Promise<SluiceExit>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({
        code: code ?? undefined,
        signal: signal ?? undefined,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
  return { child, exit };
}

/** Runs a command to its end. */
export function sluice(
  args: readonly string[],
  options: Parameters<typeof startSluice>[1],
): Promise<SluiceExit> {
  return startSluice(args, options).exit;
}
