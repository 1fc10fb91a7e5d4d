import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../../contracts/index.js";
import type { Shell } from "./shell.js";

/** Gives a person at the terminal a text to edit and hands the edited one to `use`. */
export async function editText<T>(
  text: string,
  shell: Pick<Shell, "edit">,
  use: (edited: Buffer) => Promise<T>,
): Promise<T> {
  if (shell.edit === undefined) {
    throw new ConfigError("NO_EDITOR", "nobody is at a terminal to edit the record", {
      fix: "Say the change: --set field=value, --unset field, or --body <file>.",
    });
  }
  const folder = mkdtempSync(join(tmpdir(), "sluice-edit-"));
  const path = join(folder, "record.json");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    writeFileSync(path, text, { mode: 0o600 });
    await shell.edit(path);
  } catch (error) {
    remove();
    throw error;
  }
  try {
    const result = await use(readFileSync(path));
    remove();
    return result;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // What was typed is worth more than a clean folder.
    const { code, message, place, fix } = error;
    throw new ConfigError(code, message, {
      ...(place === undefined ? {} : { place }),
      fix: `${fix === undefined ? "" : `${fix} `}What you wrote is in ${path}: correct it and give it with --body.`,
      cause: error,
    });
  }
}
