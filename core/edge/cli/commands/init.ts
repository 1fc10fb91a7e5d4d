import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { z } from "zod";
import { ConfigError } from "../../../contracts/index.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { FIRST_PROJECT, FIRST_VARIABLES } from "../first-project.js";

const IGNORE = ".sluice/\nlanded/\n";

export const init = defineCommand({
  name: "init",
  summary: "write a first sluice.yaml and a first flow",
  details: "Overwrites nothing.",
  arguments: [{ name: "dir", form: "[dir]", description: "folder to write into (default: the current one)" }],
  examples: ["sluice init", "sluice init sales-data"],
  input: z.object({ dir: z.string().min(1, "expected the name of a folder").optional() }),
  async run({ dir = "." }, { shell, globals, output }) {
    if (globals.project !== undefined) {
      throw new ConfigError("USAGE", "init makes a new project and takes no --project", {
        fix: `Name the folder: sluice init ${globals.project}`,
      });
    }
    const folder = resolve(shell.cwd, dir);
    const files = Object.entries(FIRST_PROJECT).map(([name, text]) => ({ path: join(folder, name), text }));
    const present = files.filter(({ path }) => existsSync(path));
    if (present.length > 0) {
      const shown = present.map(({ path }) => relative(shell.cwd, path));
      throw new ConfigError(
        "INIT_EXISTS",
        `${shown.join(" and ")} already ${present.length === 1 ? "exists" : "exist"}; nothing was written`,
        {
          fix: "Name another folder: sluice init <dir>",
        },
      );
    }
    // A .gitignore that is there belongs to somebody else.
    const ignore = join(folder, ".gitignore");
    if (!existsSync(ignore)) files.push({ path: ignore, text: IGNORE });
    for (const { path, text } of files) {
      mkdirSync(dirname(path), { recursive: true });
      // Never over a file that another process has just made.
      writeFileSync(path, text, { flag: "wx" });
    }
    output.result(
      { project: folder, files: files.map(({ path }) => path), variables: Object.keys(FIRST_VARIABLES) },
      () =>
        [
          ...files.map(({ path }) => `wrote ${relative(shell.cwd, path)}`),
          "",
          "Next:",
          ...(folder === resolve(shell.cwd) ? [] : [`  cd ${relative(shell.cwd, folder)}`]),
          ...Object.entries(FIRST_VARIABLES).map(([name, what]) => `  export ${name}="<${what}>"`),
          "  sluice check                # can we sign in, can we write",
          "  sluice preview first-flow   # source record -> mapped record; writes nothing",
          "  sluice run first-flow",
          '  sluice query "select country, count(*) from first_flow group by all order by 2 desc"',
        ].join("\n"),
    );
    return EXIT.done;
  },
});
