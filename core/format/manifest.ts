import { z } from "zod";
import { type FinishedRun, InvariantError } from "../contracts/index.js";
import type { FileStore } from "./filestore.js";

const fileSchema = z.object({
  /** From the root of the bucket or folder. */
  key: z.string(),
  records: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
});
export type ManifestFile = z.output<typeof fileSchema>;

const manifestSchema = z.object({
  flow: z.string(),
  run: z.string(),
  generation: z.string(),
  startedAt: z.string(),
  endedAt: z.string(),
  records: z.number().int().nonnegative(),
  loads: z.array(z.string()),
  files: z.array(fileSchema),
});
/**
 * What a run wrote: `<run>.manifest.json`, complete once it is there. `current.json` has the same shape and holds all
 * files of a generation.
 */
export type Manifest = z.output<typeof manifestSchema>;

const journalSchema = z.object({
  load: z.string(),
  generation: z.string(),
  files: z.array(z.object({ key: z.string(), records: z.number().int().nonnegative() })),
});
/** Files that a load is about to write; written before the first of them. */
export type Journal = z.output<typeof journalSchema>;

/** The manifest of a finished run; addresses outside of the store are left out and given to `onForeign`. */
export function manifestOf(
  run: FinishedRun,
  store: FileStore,
  onForeign: (address: string) => void,
): Manifest {
  const files: ManifestFile[] = [];
  for (const { path, records, bytes } of run.files) {
    const key = store.keyOf(path);
    if (key === undefined) onForeign(path);
    else files.push({ key, records, bytes });
  }
  return settle({
    flow: run.flow,
    run: run.run,
    generation: run.generation,
    startedAt: run.startedAt,
    endedAt: run.endedAt,
    records: 0,
    loads: [...run.loads],
    files,
  });
}

/**
 * Both together: loads and files as sets, so that it does not matter in which order and how often two are merged. What
 * `next` says of a file wins.
 */
export function mergeManifests(previous: Manifest | undefined, next: Manifest): Manifest {
  if (previous === undefined) return settle(next);
  return settle({
    ...next,
    startedAt: [previous.startedAt, next.startedAt].sort()[0] ?? next.startedAt,
    endedAt: [previous.endedAt, next.endedAt].sort()[1] ?? next.endedAt,
    loads: [...previous.loads, ...next.loads],
    files: [...previous.files, ...next.files],
  });
}

/** Sorted, each once, counted. */
function settle(manifest: Manifest): Manifest {
  const files = [...new Map(manifest.files.map((file) => [file.key, file])).values()].sort((a, b) =>
    a.key < b.key ? -1 : 1,
  );
  const records = files.reduce((sum, file) => sum + file.records, 0);
  return { ...manifest, records, loads: [...new Set(manifest.loads)].sort(), files };
}

export function manifestText(document: Manifest | Journal): string {
  return `${JSON.stringify(document, null, 1)}\n`;
}

/** InvariantError when it is not one: somebody changed it, and what it says must not be acted upon. */
export function parseManifest(text: string, place: string): Manifest {
  return parse(manifestSchema, text, place);
}

export function parseJournal(text: string, place: string): Journal {
  return parse(journalSchema, text, place);
}

function parse<T>(schema: z.ZodType<T>, text: string, place: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new InvariantError("MANIFEST_UNREADABLE", `${place} is not what Sluice wrote there`, {
      place,
      fix: "Restore it, or move it away; files that only it names are then left alone.",
      cause,
    });
  }
}
