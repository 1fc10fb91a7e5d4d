import { ConfigError } from "../../contracts/index.js";
import type { CommandContext } from "./command.js";

/**
 * Asks before something is lost for good. `yes`: the person said so with --yes. Resolves to false when they decline;
 * ConfigError where nobody can be asked.
 */
export async function approved(
  question: string,
  yes: boolean,
  { shell, output }: Pick<CommandContext, "shell" | "output">,
): Promise<boolean> {
  if (yes) return true;
  if (shell.confirm === undefined || output.json) {
    throw new ConfigError("NOT_CONFIRMED", question, {
      fix: "Give --yes: nobody is at a terminal to be asked.",
    });
  }
  if (await shell.confirm(question)) return true;
  output.note("Nothing was changed.");
  return false;
}
