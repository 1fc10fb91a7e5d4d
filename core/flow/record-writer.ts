/** The lines of a plan's records. */
import { ExactNumber, type SourceRecord } from "../contracts/index.js";
import { exactJson, sendable } from "./stringify.js";
import { type Column, rejectSurrogate } from "./surrogate.js";
import type { Rejection } from "./types.js";

/**
 * The writer of a plan's records. JSON.stringify does nearly all of them; the exact and slower way is taken only when
 * a number field holds an ExactNumber or a json field may hold one inside.
 *
 * A lone surrogate is found here and not where fields are mapped, since JSON.stringify escapes it anyway: looking for the
 * escape costs next to nothing, looking at every text would.
 */
export function recordWriter(
  columns: readonly Column[],
  action: Rejection["action"],
): (record: SourceRecord) => string | Rejection {
  const numbers = columns
    .filter((column) => column.type === "integer" || column.type === "decimal")
    .map((column) => column.name);
  const holdsJson = columns.some((column) => column.type === "json");
  const count = numbers.length;
  const isExact = (record: SourceRecord): boolean => {
    for (let index = 0; index < count; index++)
      if (record[numbers[index] ?? ""] instanceof ExactNumber) return true;
    return false;
  };
  return (record) => {
    let line = isExact(record) ? exactJson(record) : JSON.stringify(record);
    // How JSON.stringify writes an ExactNumber inside a json value; an object that looks the same is merely written twice.
    if (holdsJson && line.includes('{"text":')) line = exactJson(record);
    // An escaped lone surrogate; also the harmless text `\ud` itself, whose backslash is doubled.
    if (line.includes("\\ud")) {
      const rejection = rejectSurrogate(record, columns, action);
      if (rejection !== undefined) return rejection;
    }
    return sendable(line);
  };
}
