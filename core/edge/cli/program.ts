import { Command as Commander, CommanderError } from "commander";
import { ConfigError } from "../../contracts/index.js";
import { formatProblem } from "../../flow/problem.js";
import { exitCodeOf } from "../../run/exit.js";
import { createLog, type ProcessLog } from "../log.js";
import { createRedactor } from "../redactor.js";
import type { Command, CommandContext, Globals } from "./command.js";
import { COMMANDS, GROUPS } from "./commands.js";
import { EXIT } from "./exit-code.js";
import { failureOf, failureText } from "./failure.js";
import { Output } from "./output.js";
import type { Shell } from "./shell.js";
import { packageVersion } from "./version.js";
import { Workspace } from "./workspace.js";

/**
 * Runs one command line (without node and script) to its end and resolves to the exit code. Never rejects: every
 * error is printed as `error[CODE] place: message` and `fix: ...`; with --json, where no result was printed yet, it
 * is also the JSON document `{"error": {...}}`.
 */
export async function runProgram(argv: readonly string[], shell: Shell): Promise<number> {
  const globals = globalsOf(argv);
  const redactor = createRedactor();
  const output = new Output(shell, globals.json, redactor);
  const log = createLog({
    level: globals.verbosity >= 2 ? "debug" : globals.verbosity === 1 ? "info" : "warn",
    format: globals.json ? "json" : "text",
    clock: shell.clock,
    redactor,
    write: (line) => output.write(line),
  });
  const workspace = new Workspace(shell, globals.project, output, redactor, log);
  const context: CommandContext = { shell, globals, output, workspace };
  const fail = (error: unknown): number => {
    const failure = failureOf(error, redactor);
    const paint = (style: "red" | "bold", text: string) => output.paintError(style, text);
    output.line(failureText(failure, formatProblem, paint));
    if (globals.verbosity > 0 && error instanceof Error && error.stack !== undefined)
      output.line(error.stack);
    if (globals.json && !output.hasResult) output.result({ error: failure }, String);
    return exitCodeOf(error);
  };

  let code: number;
  try {
    code = await interpret(argv, context, log);
  } catch (error) {
    code = fail(error);
  }
  try {
    await workspace.close();
  } catch (error) {
    code = code === EXIT.done ? fail(error) : code;
  }
  return code;
}

/** --json and -v shape how even a mistyped command line is answered, so they are found before it is parsed. */
function globalsOf(argv: readonly string[]): Globals {
  const parser = new Commander()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments();
  addGlobals(parser);
  try {
    parser.parse([...argv], { from: "user" });
  } catch (error) {
    // `--project` without a value: the real parse says so.
    if (!(error instanceof CommanderError)) throw error;
  }
  const { project, json, verbose } = parser.opts();
  return {
    project: typeof project === "string" ? project : undefined,
    json: json === true,
    verbosity: typeof verbose === "number" ? verbose : 0,
  };
}

function addGlobals(commander: Commander): void {
  commander
    .option("--project <dir>", "folder of the project, or its sluice.yaml (default: nearest upward)")
    .option("--json", "print exactly one JSON document on standard output")
    .option("-v, --verbose", "say more on standard error (-vv: everything)", (_, sum) => sum + 1, 0);
}

async function interpret(argv: readonly string[], context: CommandContext, log: ProcessLog): Promise<number> {
  let chosen: { command: Command; raw: Record<string, unknown> } | undefined;
  const { program, finish } = buildProgram(context, (command, raw) => {
    chosen = { command, raw };
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const wasHelp = finish();
    // `--help` and `--version` end with 0; a bare `sluice` or group shows its help as an error.
    if (error.exitCode === 0) return EXIT.done;
    if (wasHelp) return EXIT.configuration;
    throw new ConfigError("USAGE", error.message.replace(/^error: /, "").replaceAll("\n", " "), {
      fix: "See `sluice --help`.",
    });
  }
  if (chosen === undefined) return EXIT.done;
  const { logLevel } = chosen.command;
  if (logLevel !== undefined && context.globals.verbosity === 0) log.setLevel(logLevel);
  return chosen.command.execute(chosen.raw, context);
}

const START = `
Start here:
  $ sluice init                  write a first project
  $ sluice check                 connect and say what is missing
  $ sluice run first-flow        move records
  $ sluice query "from first_flow limit 10"

\`sluice <command> --help\` has the options and examples of a command.`;

type Choose = (command: Command, raw: Record<string, unknown>) => void;

function buildProgram(context: CommandContext, choose: Choose) {
  let help = false;
  const { shell } = context;
  const program = new Commander("sluice")
    .description("Moves records from SaaS applications into lakes and warehouses, on your own machine.")
    .version(packageVersion(), "-V, --version", "print the version")
    .exitOverride()
    .showHelpAfterError(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => shell.stdout.write(text),
      // Mistakes are printed by runProgram, in one form with all other errors; here only help arrives.
      writeErr: (text) => {
        if (!text.startsWith("error:")) {
          help = true;
          shell.stderr.write(text);
        }
      },
      outputError: () => undefined,
      ...(shell.stdout.columns === undefined ? {} : { getOutHelpWidth: () => shell.stdout.columns ?? 80 }),
    });
  addGlobals(program);
  program.addHelpText("after", START);
  const groups = new Map<string, Commander>();
  for (const command of COMMANDS) {
    const [first = "", second] = command.name.split(" ");
    if (second === undefined) {
      register(program, first, command, choose);
      continue;
    }
    let group = groups.get(first);
    if (group === undefined) {
      group = program.command(first).description(GROUPS[first] ?? "");
      groups.set(first, group);
    }
    register(group, second, command, choose);
  }
  return { program, finish: () => help };
}

function register(parent: Commander, name: string, command: Command, choose: Choose): void {
  const child = parent.command(name).summary(command.summary);
  // One paragraph each: commander breaks lines at the width of the terminal.
  child.description([command.summary, command.details?.replaceAll("\n", " ") ?? []].flat().join("\n\n"));
  for (const argument of command.arguments) child.argument(argument.form, argument.description);
  for (const option of command.options) {
    if (option.repeats === true) child.option(option.flags, option.description, gather);
    else child.option(option.flags, option.description);
  }
  if (command.examples.length > 0) {
    child.addHelpText("after", `\nExamples:\n${command.examples.map((line) => `  $ ${line}`).join("\n")}`);
  }
  child.action((...typed: unknown[]) => {
    const raw: Record<string, unknown> = { ...child.opts() };
    command.arguments.forEach((argument, index) => {
      raw[argument.name] = typed[index];
    });
    choose(command, raw);
  });
}

function gather(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}
