import { ConfigError, InvariantError, RecordError, SluiceError, TransientError } from "../contracts/index.js";

const FULL = /no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i;

/** A failed file operation as a SluiceError; what is one already passes through. */
export function fileError(error: unknown, path: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (FULL.test(text)) return diskFull(path, error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (["EACCES", "EPERM", "EROFS", "ENOTDIR", "EISDIR", "EEXIST"].includes(code))
    return new ConfigError("FILE_NOT_WRITABLE", `${path} cannot be written: ${text}`, {
      place: path,
      fix: "Choose another path, or give this user the right to write there.",
      cause: error,
    });
  return new TransientError("FILE_IO", `writing ${path} failed: ${text}`, { place: path, cause: error });
}

function diskFull(place: string, cause: unknown): TransientError {
  return new TransientError("DISK_FULL", `no space is left on the disk of ${place}`, {
    place,
    fix: "Free some space; what is not written stays queued.",
    cause,
  });
}

/**
 * DuckDB's errors, classed. It gives them as text that starts with their type: `IO Error: ...`,
 * `Conversion Error: ...`. What is not known here is an InvariantError: our SQL is wrong.
 */
export function duckdbError(error: unknown, place: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const first = text.split("\n\n")[0] ?? text;
  if (FULL.test(text)) return diskFull(place, error);
  if (/Could not set lock on file|Conflicting lock is held/i.test(text))
    return new TransientError("DUCKDB_LOCKED", `${place} is open in another process${holder(text)}`, {
      place,
      fix: "Close the other program: only one process at a time may open a DuckDB file, even to read it.",
      cause: error,
    });
  if (/^(Conversion|Invalid Input|Out of Range) Error/.test(text))
    return new RecordError("DUCKDB_VALUE", oneLine(first), {
      place,
      fix: "Map the field to a type that holds the value.",
      cause: error,
    });
  if (/^Constraint Error/.test(text))
    return new RecordError("DUCKDB_CONSTRAINT", oneLine(first), { place, cause: error });
  if (/^Out of Memory Error/.test(text))
    return new TransientError("DUCKDB_MEMORY", `DuckDB ran out of its memory limit: ${oneLine(first)}`, {
      place,
      fix: "Lower fileSize, or raise memoryLimit where the sink has it.",
      cause: error,
    });
  if (/^(Catalog|Binder|Permission) Error/.test(text))
    return new ConfigError("DUCKDB_CATALOG", oneLine(first), { place, cause: error });
  if (/^(IO|Transaction(?:Context)?|Connection) Error|^INTERRUPT/i.test(text))
    return new TransientError("DUCKDB_IO", oneLine(first), { place, cause: error });
  return new InvariantError("DUCKDB_UNEXPECTED", oneLine(text), { place, cause: error });
}

/** `PID 4711 (user ann)` where DuckDB knows it. */
function holder(text: string): string {
  const match = /held in (.+?) \(PID (\d+)\)/.exec(text);
  return match === null ? "" : `: ${match[1]} (process ${match[2]})`;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}...` : line;
}
