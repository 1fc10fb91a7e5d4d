import type { Clock, Random } from "../../contracts/index.js";
import type { Connectors } from "../../flow/types.js";

/** What a command sees of the process it runs in. Tests pass their own. */
export interface Shell {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts at the first SIGINT or SIGTERM; the second one ends the process at once (main.ts). */
  readonly signal: AbortSignal;
  /** Results, and nothing else. */
  readonly stdout: OutputStream;
  /** Progress, notes, warnings, errors, logs. */
  readonly stderr: OutputStream;
  /** Asks the person at the terminal a yes-or-no question; undefined where nobody can answer. */
  readonly confirm?: (question: string) => Promise<boolean>;
  /** Opens a file in the person's editor and resolves when that is closed; undefined where nobody is at a terminal. */
  readonly edit?: (path: string) => Promise<void>;
  /** Shows a page in the person's browser; undefined where there is none to open. Rejects when that did not work. */
  readonly browse?: (url: string) => Promise<void>;
  /** All of standard input. */
  stdin(): Promise<Buffer>;
  /** The list of connectors. Loaded when first asked for: their client libraries cost start-up time. */
  connectors(): Promise<Connectors>;
}

export interface OutputStream {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Columns of the terminal; undefined where there is none: nothing is cut. */
  readonly columns: number | undefined;
  /** The stream itself, for the progress line (cli-progress moves its cursor). */
  readonly raw?: NodeJS.WriteStream;
}
