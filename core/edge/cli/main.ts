#!/usr/bin/env node
import { spawn } from "node:child_process";
import { createInterface } from "node:readline/promises";
import { buffer } from "node:stream/consumers";
import type { WriteStream } from "node:tty";
import { ConfigError, systemClock, systemRandom, throwIfCancelled } from "../../contracts/index.js";
import { EXIT } from "./exit-code.js";
import { runProgram } from "./program.js";
import type { OutputStream, Shell } from "./shell.js";

// The process around the commands: streams, signals, exit code. Everything else takes its Shell as an argument.

function outputStream(stream: WriteStream | NodeJS.WriteStream): OutputStream {
  return {
    write: (text) => {
      stream.write(text);
    },
    isTerminal: stream.isTTY === true,
    get columns() {
      // A terminal that does not know its size says 0.
      return stream.isTTY === true && stream.columns > 0 ? stream.columns : undefined;
    },
    raw: stream,
  };
}

/** First signal: cancel cleanly, everything stays resumable. Second: end now; the next run cleans up. */
function cancelOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) return endNow();
      process.stderr.write(`\n${name}: stopping cleanly; once more ends at once.\n`);
      controller.abort(name);
    });
  }
  return controller.signal;
}

/**
 * Ends this process as an unhandled Ctrl-C does: shells report 130. Not with `process.exit`: that runs the cleanup of
 * native modules, and LMDB's waits for a commit under way, which waits for this thread, for ever and with the lock that
 * every other process on the data directory needs. A killed process is what the engine is made for.
 */
function endNow(): void {
  // The progress line hides the cursor.
  if (process.stderr.isTTY === true) process.stderr.write("\u001b[?25h\n");
  process.removeAllListeners("SIGINT");
  process.kill(process.pid, "SIGINT");
}

/**
 * A reader that leaves (`sluice runs | head`) is nobody to be told, and no reason to stop in the middle of a run. What
 * could not be written for another reason, such as a full disk, is a failure of the command.
 */
function watch(stream: NodeJS.WriteStream): () => Error | undefined {
  let failure: Error | undefined;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") failure ??= error;
  });
  return () => failure;
}

async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // While it reads, readline takes Ctrl-C for itself.
  lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const left = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal }), left]);
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    throwIfCancelled(signal);
    throw error;
  } finally {
    lines.close();
  }
}

/** $VISUAL, $EDITOR or vi, as git does: a command line of the shell, to which the path is added. */
async function edit(path: string): Promise<void> {
  const editor =
    process.env.VISUAL || process.env.EDITOR || (process.platform === "win32" ? "notepad" : "vi");
  const child =
    process.platform === "win32"
      ? spawn(`${editor} "${path}"`, { shell: true, stdio: "inherit" })
      : spawn("sh", ["-c", `${editor} "$1"`, editor, path], { stdio: "inherit" });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) return;
  throw new ConfigError("EDITOR_FAILED", `the editor ${editor} ended with ${code ?? "a signal"}`, {
    fix: "Nothing was changed. Set EDITOR to another one, or give --set or --body.",
  });
}

/** The command that opens a page in the default browser. `start` of Windows would need its own quoting of `&`. */
function browserCommand(): readonly [string, ...string[]] {
  if (process.platform === "darwin") return ["open"];
  return process.platform === "win32" ? ["rundll32", "url.dll,FileProtocolHandler"] : ["xdg-open"];
}

/** Resolves once the command has begun: it may live as long as the browser. */
async function browse(url: string): Promise<void> {
  const [command, ...rest] = browserCommand();
  const child = spawn(command, [...rest, url], { stdio: "ignore", detached: true });
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", resolve);
  });
  child.unref();
}

/** Everything written has left the process: a pipe takes it in its own time. */
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}

/** lmdb-js prints the error of a failed commit, which reaches us as a rejection as well: told once is enough. */
function muteLmdb(): void {
  const print = console.error;
  console.error = (...data: unknown[]) => {
    const [error] = data;
    if (!(error instanceof Error && /[\\/]node_modules[\\/]lmdb[\\/]/.test(error.stack ?? "")))
      print(...data);
  };
}

muteLmdb();
const resultFailure = watch(process.stdout);
watch(process.stderr);
const signal = cancelOnSignals();
const shell: Shell = {
  cwd: process.cwd(),
  env: process.env,
  clock: systemClock,
  random: systemRandom,
  signal,
  stdout: outputStream(process.stdout),
  stderr: outputStream(process.stderr),
  ...(process.stdin.isTTY === true && process.stderr.isTTY === true ? { confirm } : {}),
  ...(process.stdin.isTTY === true && process.stdout.isTTY === true ? { edit } : {}),
  // Where nobody sees the terminal nobody sees the browser.
  ...(process.stderr.isTTY === true ? { browse } : {}),
  stdin: () => buffer(process.stdin),
  connectors: async () => (await import("../../../connectors/index.js")).connectors,
};

let code = await runProgram(process.argv.slice(2), shell);
await drained(process.stdout);
const failure = resultFailure();
if (failure !== undefined) {
  process.stderr.write(`error[OUTPUT_LOST]: the result could not be written: ${failure.message}\n`);
  if (code === EXIT.done) code = EXIT.failed;
}
await drained(process.stderr);
// Not only `exitCode`: an idle keep-alive connection must not hold the process.
process.exit(code);
