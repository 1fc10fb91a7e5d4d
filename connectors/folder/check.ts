import { join } from "node:path";
import { type CheckReport, ConfigError, type Random, throwIfCancelled } from "../../core/contracts/index.js";
import { META_FOLDER } from "../../core/format/index.js";
import { folderError } from "./failure.js";
import { errno, type FileSystem } from "./filesystem.js";

/** Less free space than this is worth a warning. */
const LOW_SPACE_BYTES = 1e9;

/** Makes the folder if need be, writes a file there, gives it a second name, removes both, and looks at the free space. */
export async function checkFolder(
  root: string,
  fs: FileSystem,
  random: Random,
  signal: AbortSignal,
): Promise<CheckReport> {
  throwIfCancelled(signal);
  const warnings: string[] = [];
  const probe = join(root, META_FOLDER, `check-${random.uuid()}`);
  try {
    const there = await fs.stat(root).catch(() => undefined);
    if (there !== undefined && !there.isFolder)
      throw new ConfigError("FOLDER_NOT_A_FOLDER", `${root} is a file`, {
        place: root,
        fix: "Name a folder, or move the file away.",
      });
    await fs.makeFolder(join(root, META_FOLDER));
    await fs.write(probe, "check\n");
    try {
      await fs.link(probe, `${probe}-2`);
      await fs.remove(`${probe}-2`);
    } catch (error) {
      warnings.push(
        `This file system has no hard links (${errno(error)}): files are renamed into place instead. Let one project only write here.`,
      );
    } finally {
      await fs.remove(probe);
    }
    const free = await fs.free(root);
    if (free < LOW_SPACE_BYTES) warnings.push(`Only ${megabytes(free)} are free there: free some space.`);
    return { identity: root, details: { free: megabytes(free) }, warnings };
  } catch (error) {
    throw folderError(error, root, root);
  }
}

function megabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.floor(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
