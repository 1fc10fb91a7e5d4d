import type { ZodType } from "zod";
import { ConfigError } from "../../contracts/index.js";
import type { LogLevel } from "../log.js";
import type { Output } from "./output.js";
import type { Shell } from "./shell.js";
import type { Workspace } from "./workspace.js";

/** Options that every command takes. */
export interface Globals {
  /** Folder or sluice.yaml; undefined: the nearest upward of the current folder. */
  readonly project: string | undefined;
  readonly json: boolean;
  /** 0: warnings; 1: what happens; 2: everything. */
  readonly verbosity: number;
}

/** What a running command works with. */
export interface CommandContext {
  readonly shell: Shell;
  readonly globals: Globals;
  readonly output: Output;
  readonly workspace: Workspace;
}

export interface ArgumentSpec {
  /** Key of the input. */
  readonly name: string;
  /** As commander writes it: `<flow>`, `[flow...]`. */
  readonly form: string;
  readonly description: string;
}

export interface OptionSpec {
  /** As commander writes it: `--limit <count>`. Its camel-case name is the key of the input. */
  readonly flags: string;
  readonly description: string;
  /** May be given more than once: the input is a list. */
  readonly repeats?: boolean;
}

/** A row of the command table (commands.ts). */
export interface Command {
  /** `run`, or with its group: `queue list`. */
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What the one line leaves out. */
  readonly details?: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** Whole command lines. */
  readonly examples: readonly string[];
  /** What it logs without -v; default: warnings. */
  readonly logLevel?: LogLevel;
  /** Resolves to the exit code. `raw`: arguments and options by name, as typed. */
  execute(raw: Readonly<Record<string, unknown>>, context: CommandContext): Promise<number>;
}

export interface CommandSpec<Input> extends Omit<Command, "execute" | "arguments" | "options"> {
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** Turns what was typed into what `run` trusts. */
  readonly input: ZodType<Input>;
  run(input: Input, context: CommandContext): Promise<number>;
}

export function defineCommand<Input>(spec: CommandSpec<Input>): Command {
  const { input, run, ...rest } = spec;
  return {
    ...rest,
    arguments: spec.arguments ?? [],
    options: spec.options ?? [],
    async execute(raw, context) {
      const parsed = input.safeParse(raw);
      if (parsed.success) return run(parsed.data, context);
      const issue = parsed.error.issues[0];
      const key = issue?.path[0];
      throw new ConfigError("USAGE", issue?.message ?? "the arguments make no sense", {
        place: key === undefined ? `sluice ${spec.name}` : typedName(spec, String(key)),
        fix: `See \`sluice ${spec.name} --help\`.`,
      });
    },
  };
}

/** How the user typed the input `key`: `--dry-run`, or `<flow>`. */
function typedName(spec: Pick<CommandSpec<unknown>, "arguments">, key: string): string {
  const argument = spec.arguments?.find((candidate) => candidate.name === key);
  return argument?.form ?? `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
