import { InvariantError, type Log } from "../contracts/index.js";
import type { FileStore } from "./filestore.js";
import type { Layout } from "./layout.js";
import {
  type Journal,
  type Manifest,
  type ManifestFile,
  manifestText,
  mergeManifests,
  parseJournal,
  parseManifest,
} from "./manifest.js";
import { inParallel } from "./parallel.js";

/*
 * `write: replace` for files. Nothing can exchange many files at once, so a small pointer does:
 *
 *   journal    before a load's first file, its keys are written down under its generation
 *   files      land beside those of the generation before
 *   manifest   the run's, when it is finished
 *   current    the generation is complete: current.json is set to its files. From here on it counts.
 *   sweep      files of older generations, then their journals and manifests, are removed
 *
 * A crash anywhere is followed by the same calls again: each step finds what is done and goes on. Journals make the
 * sweep complete: also what a killed run or an abandoned generation wrote is known. Generations are ids of runs, which
 * sort by start; a newer one is never swept by an older one that is finished late.
 *
 * Who reads the folder sees old and new files together between the first file and the end of the sweep; who reads the
 * files that current.json names sees one generation or the other.
 */

const SWAP_ATTEMPTS = 10;
const PARALLEL_READS = 8;

/** Writes down which files a load is about to create. Repeated with other keys (the format was changed), it keeps both. */
export async function writeJournal(
  store: FileStore,
  layout: Layout,
  journal: Journal,
  signal: AbortSignal,
): Promise<void> {
  const key = layout.journalKey(journal.generation, journal.load);
  await createOrSwap(store, key, signal, (stored) => {
    if (stored === undefined) return manifestText(journal);
    const known = parseJournal(stored, store.address(key));
    const keys = new Set(known.files.map((file) => file.key));
    const added = journal.files.filter((file) => !keys.has(file.key));
    return added.length === 0 ? stored : manifestText({ ...journal, files: [...known.files, ...added] });
  });
}

/** Writes a run's manifest, or adds to it what it lacks. */
export async function writeManifest(
  store: FileStore,
  layout: Layout,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const key = layout.manifestKey(manifest.run);
  await createOrSwap(store, key, signal, (stored) =>
    manifestText(
      mergeManifests(stored === undefined ? undefined : parseManifest(stored, store.address(key)), manifest),
    ),
  );
}

/** Makes the generation of `finished` the one that counts, then removes older ones. */
export async function swapGeneration(
  store: FileStore,
  layout: Layout,
  finished: Manifest,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { generation } = finished;
  const known = await readAll(store, layout, finished, signal);
  const current = await filesOf(store, layout, finished, known, signal);
  let newest = generation;
  await swapUntil(store, layout.currentKey, signal, (stored) => {
    const previous =
      stored === undefined ? undefined : parseManifest(stored, store.address(layout.currentKey));
    newest = previous?.generation ?? generation;
    if (previous !== undefined && previous.generation > generation) return stored ?? "";
    newest = generation;
    return manifestText(previous?.generation === generation ? mergeManifests(previous, current) : current);
  });
  if (newest !== generation) {
    log.warn("a generation was finished after a newer one and is not swapped in", {
      generation,
      newer: newest,
      place: store.address(layout.currentKey),
    });
    return;
  }
  await sweep(store, layout, current, known, log, signal);
}

interface Known {
  readonly journals: ReadonlyMap<string, Journal>;
  readonly manifests: ReadonlyMap<string, Manifest>;
}

/**
 * All manifests and journals of the flow, by key. Journals of this generation whose load a manifest knows are not read:
 * there is one per load.
 */
async function readAll(
  store: FileStore,
  layout: Layout,
  finished: Manifest,
  signal: AbortSignal,
): Promise<Known> {
  const keys = { manifest: [] as string[], journal: [] as string[] };
  for await (const key of store.list(layout.metaPrefix, signal)) {
    const kind = layout.metaKind(key);
    if (kind === "manifest" || kind === "journal") keys[kind].push(key);
  }
  const read = async <T>(wanted: readonly string[], parse: (text: string, place: string) => T) => {
    const found = await inParallel(wanted, PARALLEL_READS, async (key) => {
      const stored = await store.read(key, signal);
      return stored === undefined ? undefined : ([key, parse(stored.text, store.address(key))] as const);
    });
    return new Map(found.filter((entry) => entry !== undefined));
  };
  const manifests = await read(keys.manifest, parseManifest);
  const covered = new Set<string>();
  for (const { generation, loads } of manifests.values())
    if (generation === finished.generation)
      for (const load of loads) covered.add(layout.journalKey(generation, load));
  const journals = await read(
    keys.journal.filter((key) => !covered.has(key)),
    parseJournal,
  );
  return { journals, manifests };
}

/**
 * Every file of the generation: those of its manifests, and those that only a journal knows (of a run that was killed
 * and never finished) as far as they are there.
 */
async function filesOf(
  store: FileStore,
  layout: Layout,
  finished: Manifest,
  known: Known,
  signal: AbortSignal,
): Promise<Manifest> {
  const { generation } = finished;
  let whole = finished;
  for (const manifest of known.manifests.values())
    if (manifest.generation === generation) whole = mergeManifests(manifest, whole);
  const listed = new Set(whole.files.map((file) => file.key));
  const missing: ManifestFile[] = [];
  const loads: string[] = [];
  for (const journal of known.journals.values()) {
    if (journal.generation !== generation || whole.loads.includes(journal.load)) continue;
    for (const { key, records } of journal.files) {
      if (listed.has(key)) continue;
      const bytes = await store.size(key, signal);
      if (bytes === undefined) continue;
      missing.push({ key, records, bytes });
      if (!loads.includes(journal.load)) loads.push(journal.load);
    }
  }
  return mergeManifests(whole, {
    ...whole,
    run: finished.run,
    loads,
    files: missing.filter((file) => layout.holds(file.key)),
  });
}

async function sweep(
  store: FileStore,
  layout: Layout,
  current: Manifest,
  known: Known,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const kept = new Set(current.files.map((file) => file.key));
  const data = new Set<string>();
  const meta: string[] = [];
  for (const [key, document] of [...known.journals, ...known.manifests]) {
    if (document.generation >= current.generation) continue;
    meta.push(key);
    for (const file of document.files) {
      if (kept.has(file.key)) continue;
      // A manifest lies where others may write: it must not make us delete what this flow cannot have written.
      if (layout.holds(file.key)) data.add(file.key);
      else
        log.warn("a manifest names a file outside of the flow's path; it is left alone", { key: file.key });
    }
  }
  await store.remove([...data], signal);
  await store.remove(meta, signal);
}

/** Reads, changes, writes if nobody wrote meanwhile; again until it holds. */
async function swapUntil(
  store: FileStore,
  key: string,
  signal: AbortSignal,
  change: (stored: string | undefined) => string,
): Promise<void> {
  for (let attempt = 0; attempt < SWAP_ATTEMPTS; attempt++) {
    const stored = await store.read(key, signal);
    const text = change(stored?.text);
    if (text === stored?.text) return;
    if (await store.swap(key, text, stored?.version, signal)) return;
  }
  throw new InvariantError("MANIFEST_CONTENDED", `${store.address(key)} keeps changing while it is written`, {
    place: store.address(key),
    fix: "Let only one project run this flow into this place.",
  });
}

/**
 * As swapUntil, but first as if nothing were there. Mostly that is so, and S3 answers a look at what is not there with
 * AccessDenied to who may not list: a writer that only appends needs no such right.
 */
async function createOrSwap(
  store: FileStore,
  key: string,
  signal: AbortSignal,
  change: (stored: string | undefined) => string,
): Promise<void> {
  if (await store.swap(key, change(undefined), undefined, signal)) return;
  await swapUntil(store, key, signal, change);
}
