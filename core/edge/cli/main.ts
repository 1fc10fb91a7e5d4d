#!/usr/bin/env node
import { createInterface } from "node:readline/promises";
import type { WriteStream } from "node:tty";
import { systemClock, systemRandom, throwIfCancelled } from "../../contracts/index.js";
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
      return stream.isTTY === true ? stream.columns : undefined;
    },
    raw: stream,
  };
}

/** First signal: cancel cleanly, everything stays resumable. Second: end now; the next run cleans up. */
function cancelOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT.cancelled);
      process.stderr.write(`\n${name}: stopping cleanly; once more ends at once.\n`);
      controller.abort(name);
    });
  }
  return controller.signal;
}

/** `sluice runs | head`: the reader has left, nobody is there to be told. */
function endWhenReaderLeaves(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? EXIT.done);
    throw error;
  });
}

async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    throwIfCancelled(signal);
    throw error;
  } finally {
    lines.close();
  }
}

/** Everything written has left the process: a pipe takes it in its own time. */
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}

endWhenReaderLeaves(process.stdout);
endWhenReaderLeaves(process.stderr);
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
  connectors: async () => (await import("../../../connectors/index.js")).connectors,
};

const code = await runProgram(process.argv.slice(2), shell);
await Promise.all([drained(process.stdout), drained(process.stderr)]);
// Not only `exitCode`: an idle keep-alive connection must not hold the process.
process.exit(code);
