import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type FinishedRun,
  InvariantError,
  type Load,
  type LoadReceipt,
  type Log,
  type PrepareRequest,
  type SchemaChange,
  type SinkWriter,
  throwIfCancelled,
  type WriteMode,
  type WrittenFile,
} from "../contracts/index.js";
import { fileError } from "./failure.js";
import type { FileMark, FileStore } from "./filestore.js";
import type { FileTarget } from "./filetarget.js";
import { swapGeneration, writeJournal, writeManifest } from "./generation.js";
import { join as joinKey, Layout } from "./layout.js";
import { manifestOf } from "./manifest.js";
import { FILE_EXTENSIONS } from "./options.js";
import { inParallel } from "./parallel.js";
import { checkPartitionTerms } from "./partition.js";
import type { FormattedFile } from "./request.js";
import { writeFiles } from "./write.js";

/*
 * Exactly once in files. A load's files have keys that follow from its id and its partitions, and are created only
 * where nothing is yet:
 *
 *   format   the load becomes local files, one per partition, always with the same rows in each
 *   journal  write: replace only (generation.ts)
 *   create   each file, if absent; one that is there already must carry the mark of this load and part
 *
 * A crash leaves some of the files; the same load comes again and fills in the rest. An answer that was lost shows as
 * a file that is there with our mark. Bytes may differ between attempts (another version of a writer), rows cannot.
 */

export interface FileSinkOptions {
  readonly store: FileStore;
  /** Prefix of the connection, without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly target: FileTarget;
  readonly flow: string;
  /** Folder for files being formatted. */
  readonly tmpDir: string;
  readonly log: Log;
}

/** One flow's files in a bucket or folder. */
export class FileSinkWriter implements SinkWriter {
  readonly target: string;
  readonly mode: WriteMode;
  readonly loadBytes: number;
  readonly #options: FileSinkOptions;
  readonly #layout: Layout;

  constructor(options: FileSinkOptions) {
    const { store, prefix, target, flow } = options;
    this.#options = options;
    this.#layout = new Layout(joinKey(prefix, target.path), flow, store.limits);
    this.target = store.address(this.#layout.base);
    this.mode = target.write;
    this.loadBytes = target.fileSize;
  }

  async prepare(request: PrepareRequest): Promise<readonly SchemaChange[]> {
    const { store, target } = this.#options;
    checkPartitionTerms(target.partitionBy, request.schema);
    const text = await store.prepare(this.#layout.base, request.dryRun ?? false, request.signal);
    return text === undefined ? [] : [{ kind: "createTable", text }];
  }

  async write(load: Load, signal: AbortSignal): Promise<LoadReceipt> {
    throwIfCancelled(signal);
    const { tmpDir, target } = this.#options;
    const dir = await mkdtemp(join(tmpDir, "load-")).catch((error: unknown) => {
      throw fileError(error, tmpDir);
    });
    try {
      const { format, compression, engine, gzipLevel, partitionBy } = target;
      const files = await writeFiles({
        load,
        format,
        compression,
        engine,
        gzipLevel,
        partitionBy,
        dir,
        signal,
      });
      throwIfCancelled(signal);
      return await this.#place(load, files, signal);
    } finally {
      // What cannot be removed now goes with the connection's temporary folder.
      await rm(dir, { recursive: true, force: true }).catch((error: unknown) =>
        this.#options.log.warn("temporary files are left behind", { dir, error: String(error) }),
      );
    }
  }

  async finish(run: FinishedRun, signal: AbortSignal): Promise<void> {
    const { store, log } = this.#options;
    const replaces = this.mode === "replace" && run.complete;
    if (run.files.length === 0 && !replaces) return;
    const manifest = manifestOf(run, store, (address) =>
      log.warn("a file of the run lies outside of this connection and is not in its manifest", {
        file: address,
        run: run.run,
      }),
    );
    await writeManifest(store, this.#layout, manifest, signal);
    if (replaces) await swapGeneration(store, this.#layout, manifest, log, signal);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #place(load: Load, files: readonly FormattedFile[], signal: AbortSignal): Promise<LoadReceipt> {
    const { store } = this.#options;
    const placed = this.#keysOf(load, files);
    if (this.mode === "replace") {
      const journaled = placed.map(({ key, file }) => ({ key, records: file.records }));
      const journal = { load: load.id, generation: load.generation, files: journaled };
      await writeJournal(store, this.#layout, journal, signal);
    }
    let created = 0;
    const written = await inParallel(
      placed,
      store.parallel,
      async ({ key, part, file }): Promise<WrittenFile> => {
        throwIfCancelled(signal);
        const mark = { load: load.id, part, records: file.records };
        const before = await this.#writtenBefore(load, file, part, signal);
        if (before !== undefined) return before;
        const creation = await store.create(key, file, mark, signal);
        if (creation.created) created++;
        else this.#assertOurs(key, creation, file, mark);
        return { path: store.address(key), records: file.records, bytes: creation.bytes };
      },
    );
    return {
      records: written.reduce((sum, file) => sum + file.records, 0),
      bytes: written.reduce((sum, file) => sum + file.bytes, 0),
      files: written,
      repeated: created === 0,
    };
  }

  /**
   * The same part of the load in another format, from a run that was killed before it could say so, under a flow file
   * that has been edited since: its rows are there. With `replace` the journal knows of it.
   */
  async #writtenBefore(
    load: Load,
    file: FormattedFile,
    part: number,
    signal: AbortSignal,
  ): Promise<WrittenFile | undefined> {
    if (load.resumed !== true || this.mode !== "append") return undefined;
    const { store } = this.#options;
    for (const extension of FILE_EXTENSIONS) {
      if (extension === file.extension) continue;
      const key = this.#layout.dataKey(file.partition, load.id, part, extension);
      const bytes = await store.size(key, signal);
      if (bytes !== undefined) return { path: store.address(key), records: file.records, bytes };
    }
    return undefined;
  }

  /** Keys in the files' order. A null and the text that stands for null share a folder: those are numbered. */
  #keysOf(load: Load, files: readonly FormattedFile[]): { key: string; part: number; file: FormattedFile }[] {
    const taken = new Set<string>();
    return files.map((file) => {
      for (let part = 0; ; part++) {
        const key = this.#layout.dataKey(file.partition, load.id, part, file.extension);
        if (taken.has(key)) continue;
        taken.add(key);
        return { key, part, file };
      }
    });
  }

  /** The key was taken. By this very part of this load: fine, it was written before. By anything else: stop. */
  #assertOurs(
    key: string,
    found: { readonly bytes: number; readonly mark: FileMark | undefined },
    file: FormattedFile,
    mark: FileMark,
  ): void {
    const { store, target } = this.#options;
    const sameMark =
      found.mark?.load === mark.load && found.mark.part === mark.part && found.mark.records === mark.records;
    // Only plain text has the same length whatever wrote it.
    const sameSize =
      target.compression !== "none" || target.format === "parquet" || found.bytes === file.bytes;
    const plausible = sameSize && (found.bytes > 0 || file.bytes === 0);
    if (plausible && (sameMark || (!store.keepsMarks && found.mark === undefined))) return;
    const says =
      found.mark === undefined
        ? `${found.bytes} bytes without the mark of a load`
        : `part ${found.mark.part} of load ${found.mark.load} with ${found.mark.records} records, ${found.bytes} bytes`;
    throw new InvariantError(
      `${store.code}_KEY_CONFLICT`,
      `${store.address(key)} is taken by ${says}; load ${mark.load} would put ${mark.records} records, ${file.bytes} bytes there`,
      { place: store.address(key), fix: "Look at what is there and move it away, then run the flow again." },
    );
  }
}
