import { readFileSync, writeFileSync } from "node:fs";
import { type Clock, systemClock } from "../../../core/contracts/index.js";
import { runProgram } from "../../../core/edge/cli/program.js";
import type { Shell } from "../../../core/edge/cli/shell.js";
import type { Connectors } from "../../../core/flow/types.js";
import { seededRandom } from "../../seeded-random.js";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The one JSON document on standard output. */
  json(): unknown;
}

export interface Setting {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly connectors?: Connectors;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Both streams are terminals of so many columns. */
  readonly columns?: number;
  /** The answer of the person at the terminal; left out: nobody is there. */
  readonly answer?: boolean;
  /** What stands on standard input. */
  readonly stdin?: string;
  /** What the person at the editor makes of a text; left out: nobody is there. */
  readonly edit?: (text: string) => string;
  /** The person's browser; left out: there is none. */
  readonly browse?: (url: string) => Promise<void>;
  /** Called with each text as it is written to standard output. */
  readonly onStdout?: (text: string) => void;
  /** Called with each text as it is written to standard error. */
  readonly onStderr?: (text: string) => void;
}

/** Runs a command line in this process and tells what it printed. */
export async function runLine(args: readonly string[], setting: Setting): Promise<Outcome> {
  const { edit } = setting;
  let stdout = "";
  let stderr = "";
  const terminal = { isTerminal: setting.columns !== undefined, columns: setting.columns };
  const shell: Shell = {
    cwd: setting.cwd,
    env: setting.env ?? {},
    clock: setting.clock ?? systemClock,
    random: seededRandom(1),
    signal: setting.signal ?? new AbortController().signal,
    stdout: {
      ...terminal,
      write: (text) => {
        stdout += text;
        setting.onStdout?.(text);
      },
    },
    stderr: {
      ...terminal,
      write: (text) => {
        stderr += text;
        setting.onStderr?.(text);
      },
    },
    ...(setting.answer === undefined
      ? {}
      : {
          confirm: async (question: string) => {
            stderr += `${question}\n`;
            return setting.answer === true;
          },
        }),
    ...(edit === undefined
      ? {}
      : { edit: async (path: string) => writeFileSync(path, edit(readFileSync(path, "utf8"))) }),
    ...(setting.browse === undefined ? {} : { browse: setting.browse }),
    stdin: async () => Buffer.from(setting.stdin ?? ""),
    connectors: async () => setting.connectors ?? { sources: new Map(), sinks: new Map() },
  };
  const code = await runProgram(args, shell);
  return { code, stdout, stderr, json: () => JSON.parse(stdout) };
}
