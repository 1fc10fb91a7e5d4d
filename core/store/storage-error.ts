import { ConfigError, InvariantError, SluiceError, TransientError } from "../contracts/index.js";
import { roomToGrow } from "./disk-space.js";

/** Less room than this, and a failed write is put down to it: a commit may ask for this much at once. */
const HARDLY_ANY_BYTES = 64 * 1024 * 1024;

/**
 * Classes what a commit failed with. lmdb-js rejects it with an Error whose `commitError` is a promise that rejects with
 * the cause. LMDB reports a write that a full disk cut short as EIO, just like a failing disk: the room left decides.
 */
export async function commitError(error: unknown, folder: string, fileBytes: number): Promise<SluiceError> {
  const cause = await causeOf(error);
  const found = classed(cause, folder);
  if (found.code !== "STORAGE_FAILED" || roomToGrow(folder, fileBytes) > HARDLY_ANY_BYTES) return found;
  return diskFull({ place: folder, cause });
}

function diskFull(details: { readonly place: string; readonly cause: unknown }): TransientError {
  return new TransientError("DISK_FULL", "The disk of the data directory is full.", {
    ...details,
    fix: "Free space on that disk or move dataDir to a larger one, then run again; nothing is lost.",
  });
}

/** Classes what LMDB and the file system report; system errors come as strerror's text or as Node's `code`. */
export function classed(error: unknown, place: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const text = error instanceof Error ? `${codeOf(error)} ${error.message}` : String(error);
  const details = { place, cause: error };
  if (/ENOSPC|EDQUOT|EFBIG|No space left|quota exceeded|File too large|MDB_MAP_FULL/i.test(text))
    return diskFull(details);
  if (/EACCES|EPERM|EROFS|Permission denied|not permitted|Read-only file system/i.test(text))
    return new ConfigError("DATA_DIR_NOT_WRITABLE", "The data directory cannot be written.", {
      ...details,
      fix: "Give this user the right to write there, or name another dataDir in sluice.yaml.",
    });
  if (/ENOTDIR|EEXIST|Not a directory/i.test(text))
    return new ConfigError("DATA_DIR_NOT_A_FOLDER", "The data directory is not a folder.", {
      ...details,
      fix: "Name a folder as dataDir in sluice.yaml.",
    });
  if (
    /MDB_INVALID|MDB_CORRUPTED|MDB_PAGE_NOTFOUND|MDB_PROBLEM|MDB_VERSION_MISMATCH|not an LMDB file/i.test(
      text,
    )
  )
    return new ConfigError("DATA_DIR_DAMAGED", "The data directory's file is damaged.", {
      ...details,
      fix: "Restore it from a backup, or name another dataDir.",
    });
  if (/EIO|EMFILE|ENFILE|ENOMEM|Input\/output error|Cannot allocate|MDB_READERS_FULL|MDB_PANIC/i.test(text))
    return new TransientError(
      "STORAGE_FAILED",
      `The data directory could not be read or written: ${text.trim()}.`,
      {
        ...details,
        fix: "Check the disk, then run again.",
      },
    );
  return new InvariantError("STORAGE_UNEXPECTED", `Unexpected answer of the database: ${text}.`, details);
}

async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !("commitError" in error)) return error;
  try {
    await error.commitError;
  } catch (cause) {
    return cause;
  }
  return error;
}

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : "";
}
