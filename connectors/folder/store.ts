import { createHash } from "node:crypto";
import { dirname, join, relative, resolve, sep } from "node:path";
import {
  type Clock,
  ConfigError,
  type Random,
  SluiceError,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import { type Creation, type FileStore, META_FOLDER, type StoredText } from "../../core/format/index.js";
import { folderError } from "./failure.js";
import { errno, type FileSystem } from "./filesystem.js";

/** Below the root: files on their way into place. */
const TEMPORARY = join(META_FOLDER, ".tmp");
/** A temporary file this old was left by a process that was killed. */
const LEFT_BEHIND_MS = 24 * 3_600_000;

/** Errors that say: two names for one file cannot be had here (another disk, FAT, some network shares). */
const NO_LINK = new Set(["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);
/** Errors of fsync on a folder where the system has no such thing (Windows, some network shares). */
const NO_FOLDER_SYNC = new Set(["EISDIR", "EPERM", "EINVAL", "ENOTSUP", "EBADF", "EACCES"]);

export interface FolderStoreOptions {
  /** Absolute. */
  readonly root: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * A folder as a FileStore. `link` puts a finished file under its name, or fails when the name is taken: what
 * If-None-Match is to S3. A file and the folders above it are on disk (fsync) before a call resolves, so that a power
 * cut takes back nothing that was reported as written.
 */
export class FolderStore implements FileStore {
  readonly code = "FOLDER";
  /** Linux: PATH_MAX less the root, and NAME_MAX. */
  readonly limits: FileStore["limits"];
  readonly keepsMarks = false;
  readonly parallel = 1;
  readonly #root: string;
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor({ root, fs, clock, random }: FolderStoreOptions) {
    this.#root = root;
    this.#fs = fs;
    this.#clock = clock;
    this.#random = random;
    this.limits = { keyBytes: Math.max(255, 4095 - Buffer.byteLength(root) - 1), segmentBytes: 255 };
  }

  address(key: string): string {
    return key === "" ? this.#root : join(this.#root, ...key.split("/"));
  }

  keyOf(address: string): string | undefined {
    const inside = relative(this.#root, address);
    if (inside === "" || inside.startsWith("..") || resolve(this.#root, inside) !== resolve(address))
      return undefined;
    return inside.split(sep).join("/");
  }

  async prepare(base: string, dryRun: boolean, signal: AbortSignal): Promise<string | undefined> {
    throwIfCancelled(signal);
    const path = this.address(base);
    return this.#call(path, undefined, async () => {
      const found = await this.#fs.stat(path).catch(absent);
      if (found !== undefined && !found.isFolder)
        throw new ConfigError("FOLDER_NOT_A_FOLDER", `${path} is a file`, {
          place: path,
          fix: "Choose another path, or move the file away.",
        });
      if (!dryRun) await this.#sweep();
      if (found !== undefined) return undefined;
      if (dryRun) return `would create the folder ${path}`;
      await this.#makeFolder(path);
      return `created the folder ${path}`;
    });
  }

  async create(
    key: string,
    file: { readonly path: string; readonly bytes: number },
    _mark: unknown,
    signal: AbortSignal,
  ): Promise<Creation> {
    throwIfCancelled(signal);
    const path = this.address(key);
    return this.#call(path, file.bytes, async () => {
      await this.#makeFolder(dirname(path));
      await this.#fs.sync(file.path);
      if (await this.#put(file.path, path, signal)) return { created: true, bytes: file.bytes };
      return { created: false, bytes: (await this.#fs.stat(path)).bytes, mark: undefined };
    });
  }

  async read(key: string, signal: AbortSignal): Promise<StoredText | undefined> {
    throwIfCancelled(signal);
    const path = this.address(key);
    return this.#call(path, undefined, async () => {
      const text = await this.#fs.read(path).catch(absent);
      return text === undefined ? undefined : { text, version: versionOf(text) };
    });
  }

  /**
   * Between comparing and renaming another process could write. Only runs of one flow write here, and its lease lets
   * one of them run at a time.
   */
  async swap(key: string, text: string, version: string | undefined, signal: AbortSignal): Promise<boolean> {
    throwIfCancelled(signal);
    const path = this.address(key);
    return this.#call(path, Buffer.byteLength(text), async () => {
      await this.#makeFolder(dirname(path));
      return this.#withTemporary(async (temporary) => {
        await this.#fs.write(temporary, text);
        await this.#fs.sync(temporary);
        if (version === undefined) return this.#putTemporary(temporary, path);
        const now = await this.#fs.read(path).catch(absent);
        if (now === undefined || versionOf(now) !== version) return false;
        await this.#fs.rename(temporary, path);
        await this.#syncFolder(dirname(path));
        return true;
      });
    });
  }

  async size(key: string, signal: AbortSignal): Promise<number | undefined> {
    throwIfCancelled(signal);
    const path = this.address(key);
    return this.#call(path, undefined, async () => (await this.#fs.stat(path).catch(absent))?.bytes);
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<string> {
    throwIfCancelled(signal);
    const folder = this.address(prefix.replace(/\/$/, ""));
    const entries = await this.#call(folder, undefined, () => this.#fs.list(folder).catch(absent));
    for (const entry of (entries ?? []).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.isDirectory()) yield* this.list(`${prefix}${entry.name}/`, signal);
      else yield `${prefix}${entry.name}`;
    }
  }

  async remove(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const folders = new Set<string>();
    for (const key of keys) {
      throwIfCancelled(signal);
      const path = this.address(key);
      await this.#call(path, undefined, () => this.#fs.remove(path).catch(absent));
      folders.add(dirname(path));
    }
    for (const folder of folders) {
      await this.#call(folder, undefined, async () => {
        await this.#syncFolder(folder).catch(absent);
        await this.#removeEmpty(folder);
      });
    }
  }

  /** Removes a folder and its parents as far as they are empty; a partition without files should not stay visible. */
  async #removeEmpty(folder: string): Promise<void> {
    for (let path = folder; path !== this.#root && path.startsWith(this.#root); path = dirname(path)) {
      try {
        await this.#fs.removeFolder(path);
      } catch (error) {
        if (errno(error) === "ENOENT") continue;
        if (["ENOTEMPTY", "EEXIST", "EACCES", "EPERM", "EBUSY"].includes(errno(error) ?? "")) return;
        throw error;
      }
    }
  }

  /** Removes temporary files that killed processes left behind. */
  async #sweep(): Promise<void> {
    const folder = join(this.#root, TEMPORARY);
    const leftBehind = this.#clock.now() - LEFT_BEHIND_MS;
    for (const entry of (await this.#fs.list(folder).catch(absent)) ?? []) {
      const path = join(folder, entry.name);
      const found = await this.#fs.stat(path).catch(absent);
      if (found !== undefined && found.modifiedAt < leftBehind) await this.#fs.remove(path).catch(absent);
    }
  }

  /** A finished file under its name; false when the name is taken. */
  async #put(from: string, to: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#fs.link(from, to);
      await this.#syncFolder(dirname(to));
      return true;
    } catch (error) {
      if (errno(error) === "EEXIST") return false;
      if (!NO_LINK.has(errno(error) ?? "")) throw error;
    }
    // It lies on another disk: a copy beside its place first, so that it still appears whole or not at all.
    return this.#withTemporary(async (temporary) => {
      await this.#fs.copy(from, temporary);
      await this.#fs.sync(temporary);
      throwIfCancelled(signal);
      return this.#putTemporary(temporary, to);
    });
  }

  /** As #put, for a file on the same disk; where it knows no links, by renaming. */
  async #putTemporary(temporary: string, to: string): Promise<boolean> {
    try {
      await this.#fs.link(temporary, to);
    } catch (error) {
      if (errno(error) === "EEXIST") return false;
      if (!NO_LINK.has(errno(error) ?? "")) throw error;
      if ((await this.#fs.stat(to).catch(absent)) !== undefined) return false;
      await this.#fs.rename(temporary, to);
    }
    await this.#syncFolder(dirname(to));
    return true;
  }

  async #withTemporary<T>(work: (path: string) => Promise<T>): Promise<T> {
    const folder = join(this.#root, TEMPORARY);
    await this.#makeFolder(folder);
    const path = join(folder, this.#random.uuid());
    try {
      return await work(path);
    } finally {
      // Best effort: a sweep finds what stays.
      await this.#fs.remove(path).catch(() => undefined);
    }
  }

  async #makeFolder(path: string): Promise<void> {
    const first = await this.#fs.makeFolder(path);
    if (first === undefined) return;
    for (let made = path; ; made = dirname(made)) {
      await this.#syncFolder(dirname(made));
      if (made === first || dirname(made) === made) return;
    }
  }

  async #syncFolder(path: string): Promise<void> {
    try {
      await this.#fs.sync(path);
    } catch (error) {
      if (!NO_FOLDER_SYNC.has(errno(error) ?? "")) throw error;
    }
  }

  async #call<T>(path: string, wanted: number | undefined, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      throw folderError(error, this.#root, path, wanted);
    }
  }
}

/** For `.catch`: undefined when the file is not there. */
function absent(error: unknown): undefined {
  if (errno(error) === "ENOENT") return undefined;
  throw error;
}

function versionOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
