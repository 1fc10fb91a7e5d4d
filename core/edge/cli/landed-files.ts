import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import type { Store, WrittenFile } from "../../contracts/index.js";
import type { Flow } from "../../flow/types.js";

/** Files that a flow landed through one of its sinks, as far as they are still there. */
export interface LandedFiles {
  readonly flow: string;
  readonly connection: string;
  /** `parquet`, `jsonl` or `csv`, from the names of the files; a view reads one format. */
  readonly format: LandedFormat;
  /** Absolute paths, all of them; or addresses that only the connection can read. */
  readonly files: readonly WrittenFile[];
  readonly local: boolean;
}

export type LandedFormat = "parquet" | "jsonl" | "csv";

/**
 * What the run history knows of the files of a flow, one entry per sink and format that has any. A sink that replaces
 * removes the files of older reads, so a local file that is gone is left out; of remote ones only the files of the
 * newest complete read are taken. `flow`: undefined where its file is gone or has problems; what it landed is there.
 */
export function landedFiles(name: string, flow: Flow | undefined, store: Store): LandedFiles[] {
  const runs = store.runs({ flow: name, limit: Number.MAX_SAFE_INTEGER });
  const newest = runs.find((run) => run.readComplete)?.generation;
  const sinks = flow?.sinks ?? runs[0]?.sinks ?? [];
  return sinks.flatMap(({ connection }, index) => {
    const replaces = flow?.sinks[index]?.mode === "replace";
    const files = new Map<string, WrittenFile>();
    for (const run of runs) {
      // Sinks are matched by position and connection: a sink that was put elsewhere lands in another place.
      const state = run.sinks[index];
      if (state === undefined || state.connection !== connection) continue;
      const isCurrent = !replaces || run.generation === newest;
      for (const file of state.files) {
        if (isAbsolute(file.path) ? existsSync(file.path) : isCurrent) files.set(file.path, file);
      }
    }
    return byFormat(name, connection, [...files.values()]);
  });
}

function byFormat(flow: string, connection: string, files: readonly WrittenFile[]): LandedFiles[] {
  const formats = new Map<LandedFormat, WrittenFile[]>();
  for (const file of files) {
    const format = formatOf(file.path);
    if (format === undefined) continue;
    formats.set(format, [...(formats.get(format) ?? []), file]);
  }
  return [...formats].map(([format, own]) => ({
    flow,
    connection,
    format,
    files: own.sort((a, b) => (a.path < b.path ? -1 : 1)),
    local: own.every((file) => isAbsolute(file.path)),
  }));
}

const ENDING = /\.(parquet|jsonl|ndjson|csv)(?:\.(?:gz|zst|snappy|lz4))?$/;

function formatOf(path: string): LandedFormat | undefined {
  switch (ENDING.exec(path)?.[1]) {
    case "parquet":
      return "parquet";
    case "jsonl":
    case "ndjson":
      return "jsonl";
    case "csv":
      return "csv";
    default:
      return undefined;
  }
}

/** `salesforce-accounts` -> `salesforce_accounts`: a name that SQL takes without quotes. */
export function viewName(flow: string): string {
  return flow.replaceAll("-", "_");
}
