import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FileSystem, nodeFileSystem } from "../../../connectors/folder/filesystem.js";
import { folderSink } from "../../../connectors/folder/index.js";
import type { ConnectorContext, Log, Schema, Sink } from "../../../core/contracts/index.js";
import { filesOf, readJsonl, readRows } from "../../contracts/reader.js";
import type { Row } from "../../contracts/sample.js";
import type { Interruption, TargetOptions } from "../../contracts/sink.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";

export type Format = "parquet" | "jsonl" | "csv";

/** Fails the calls of a file system: all from a step on, or single ones by name. */
export class BreakableFileSystem {
  #step = 0;
  #breakAt = Number.POSITIVE_INFINITY;
  #when: "before" | "after" = "before";
  #controller = new AbortController();
  #struck = false;
  /** Called before every call with its name and paths; a throw is the call's failure. */
  onCall: ((name: string, path: string) => void) | undefined;
  readonly fs: FileSystem;

  constructor(real: FileSystem = nodeFileSystem) {
    this.fs = {
      makeFolder: this.#wrap("makeFolder", real.makeFolder),
      sync: this.#wrap("sync", real.sync),
      link: this.#wrap("link", real.link),
      copy: this.#wrap("copy", real.copy),
      rename: this.#wrap("rename", real.rename),
      remove: this.#wrap("remove", real.remove),
      removeFolder: this.#wrap("removeFolder", real.removeFolder),
      read: this.#wrap("read", real.read),
      write: this.#wrap("write", real.write),
      stat: this.#wrap("stat", real.stat),
      list: this.#wrap("list", real.list),
      free: this.#wrap("free", real.free),
    };
  }

  interrupt(step: number, when: "before" | "after"): Interruption {
    this.#controller = new AbortController();
    this.#struck = false;
    this.#step = 0;
    this.#breakAt = step;
    this.#when = when;
    return {
      signal: this.#controller.signal,
      struck: () => this.#struck,
      lift: () => {
        this.#breakAt = Number.POSITIVE_INFINITY;
      },
    };
  }

  #wrap<A extends unknown[], R>(
    name: string,
    real: (...values: A) => Promise<R>,
  ): (...values: A) => Promise<R> {
    return async (...values) => {
      const step = this.#step++;
      const strikes = step === this.#breakAt;
      if (step > this.#breakAt || (strikes && this.#when === "before")) throw this.#dead();
      this.onCall?.(name, String(values[0]));
      const result = await real(...values);
      if (strikes) throw this.#dead();
      return result;
    };
  }

  /** What a process that is no more would see, had it eyes. */
  #dead(): Error {
    this.#struck = true;
    this.#controller.abort();
    return Object.assign(new Error("EIO: the process was killed"), { code: "EIO" });
  }
}

export const quietLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let contexts = 0;

/** Each context has its own random numbers, as each process has. */
export function makeContext(tmpDir: string, more: Partial<ConnectorContext> = {}): ConnectorContext {
  const clock = new VirtualClock(Date.now());
  return { connection: "lake", clock, random: seededRandom(++contexts), log: quietLog, tmpDir, ...more };
}

/** An error as node:fs makes it. */
export function errnoError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: scripted, '${path}'`), { code });
}

/** A folder sink in a temporary place. */
export class FolderFixture {
  readonly dir = mkdtempSync(join(tmpdir(), "sluice-folder-"));
  readonly root = join(this.dir, "lake");
  readonly tmpDir = mkdtempSync(join(this.dir, "tmp-"));
  readonly breakable = new BreakableFileSystem();
  readonly connector = folderSink(this.breakable.fs);

  connect(more: Partial<ConnectorContext> = {}): Sink {
    return this.connector.connect({ path: this.root }, makeContext(this.tmpDir, more));
  }

  target(options: TargetOptions & { format?: Format; [key: string]: unknown }): unknown {
    const { name, key: _key, ...rest } = options;
    return this.connector.spec.targetSchema.parse({ path: name, ...rest });
  }

  /** Data files below a path, relative to the root, in order. */
  files(name: string, extension = ""): string[] {
    const from = join(this.root, name);
    if (statSync(from, { throwIfNoEntry: false }) === undefined) return [];
    return readdirSync(from, { recursive: true, encoding: "utf8" })
      .filter(
        (path) =>
          !path.startsWith("_sluice") && statSync(join(from, path)).isFile() && path.includes(extension),
      )
      .map((path) => join(name, path))
      .sort();
  }

  async rows(name: string, schema: Schema, format: Format): Promise<Row[]> {
    const paths = this.files(name, `.${format}`).map((path) => join(this.root, path));
    if (format === "jsonl") return readJsonl(paths, schema);
    return paths.length === 0 ? [] : readRows(filesOf(format, paths), schema);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true });
  }
}
