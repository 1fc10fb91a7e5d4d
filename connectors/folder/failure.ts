import { ConfigError, InvariantError, SluiceError, TransientError } from "../../core/contracts/index.js";
import { errno } from "./filesystem.js";

const FULL = new Set(["ENOSPC", "EDQUOT"]);
const DENIED = new Set(["EACCES", "EPERM", "EROFS"]);
const NOT_A_FOLDER = new Set(["ENOTDIR", "EISDIR", "ELOOP", "ENAMETOOLONG"]);

/** A failed call as a SluiceError. `wanted`: bytes that were to be written. */
export function folderError(error: unknown, folder: string, path: string, wanted?: number): SluiceError {
  if (error instanceof SluiceError) return error;
  const code = errno(error) ?? "";
  const text = error instanceof Error ? error.message : String(error);
  if (FULL.has(code)) {
    const what = wanted === undefined ? "" : ` for ${wanted} bytes`;
    const quota = code === "EDQUOT" ? "the disk quota is used up" : "no space is left on the disk";
    return new TransientError("DISK_FULL", `${quota} of ${folder}${what}`, {
      place: path,
      fix: `Free at least ${wanted ?? "some"} bytes there; what is not written stays queued.`,
      cause: error,
    });
  }
  if (DENIED.has(code))
    return new ConfigError("FOLDER_NOT_WRITABLE", `${path} cannot be written: ${text}`, {
      place: path,
      fix: `Give this user the right to write in ${folder}, or choose another folder.`,
      cause: error,
    });
  if (NOT_A_FOLDER.has(code))
    return new ConfigError("FOLDER_NOT_A_FOLDER", `${path} cannot be reached: ${text}`, {
      place: path,
      fix: "Choose a path whose parts are folders and not longer than the system allows.",
      cause: error,
    });
  if (code === "") return new InvariantError("FOLDER_UNEXPECTED", text, { place: path, cause: error });
  return new TransientError("FOLDER_IO", `${path}: ${text}`, { place: path, cause: error });
}
