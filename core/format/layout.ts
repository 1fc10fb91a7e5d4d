import { ConfigError, RecordError } from "../contracts/index.js";
import { type PartitionValue, partitionFolder } from "./partition.js";

/**
 * Holds what is not data. Its leading underscore makes Hive, Spark, Athena and Glue pass over it when they read the
 * folder above as a table.
 */
export const META_FOLDER = "_sluice";

/** What the system allows for a key (a path from the root of the bucket or folder), in bytes of UTF-8. */
export interface KeyLimits {
  readonly keyBytes: number;
  /** Between two slashes. */
  readonly segmentBytes: number;
}

/**
 * Where one flow's files and manifests lie, below the root of a bucket or folder:
 *
 *   <base>/<name>=<value>/.../<load id>[-<n>].<extension>      data
 *   <base>/_sluice/<flow>/<run>.manifest.json                  what a run wrote
 *   <base>/_sluice/<flow>/current.json                         write: replace: the generation that counts
 *   <base>/_sluice/<flow>/generations/<generation>/<load id>.json
 *                                                              write: replace: files a load is about to write
 */
export class Layout {
  readonly base: string;
  readonly #meta: string;
  readonly #limits: KeyLimits;

  /** `base`: `<prefix>/<path>` without slashes at its ends, or empty. */
  constructor(base: string, flow: string, limits: KeyLimits) {
    this.base = base;
    this.#limits = limits;
    this.#meta = join(base, META_FOLDER, safe(flow));
  }

  /**
   * Key of one file of a load. RecordError when the partition's values make it too long: they belong to the data.
   * `number` above 0 tells apart what falls into one folder.
   */
  dataKey(partition: readonly PartitionValue[], load: string, number: number, extension: string): string {
    const name = `${safe(load)}${number === 0 ? "" : `-${number}`}.${extension}`;
    const key = join(this.base, partitionFolder(partition), name);
    const problem = this.#tooLong(key);
    if (problem === undefined) return key;
    if (partition.length > 0)
      throw new RecordError("PARTITION_TOO_LONG", `the partition makes a path that ${problem}`, {
        place: `${key.slice(0, 200)}...`,
        fix: "Partition by a shorter field, or truncate it in the map.",
      });
    throw new ConfigError("PATH_TOO_LONG", `the path ${key} ${problem}`, {
      place: key,
      fix: "Shorten path or prefix.",
    });
  }

  manifestKey(run: string): string {
    return join(this.#meta, `${safe(run)}.manifest.json`);
  }

  /** Everything of this flow that is not data lies below. */
  get metaPrefix(): string {
    return `${this.#meta}/`;
  }

  get currentKey(): string {
    return join(this.#meta, "current.json");
  }

  journalKey(generation: string, load: string): string {
    return join(this.#meta, "generations", safe(generation), `${safe(load)}.json`);
  }

  /** What a key below metaPrefix is; undefined: not ours. */
  metaKind(key: string): "manifest" | "journal" | "current" | undefined {
    if (key === this.currentKey) return "current";
    const rest = key.slice(this.metaPrefix.length);
    if (/^[^/]+\.manifest\.json$/.test(rest)) return "manifest";
    return /^generations\/[^/]+\/[^/]+\.json$/.test(rest) ? "journal" : undefined;
  }

  /** A data key that this flow could have written: below the base, and with no way out of it. */
  holds(key: string): boolean {
    if (this.base !== "" && !key.startsWith(`${this.base}/`)) return false;
    return !key
      .split("/")
      .some((part) => part === "" || part === "." || part === ".." || part === META_FOLDER);
  }

  #tooLong(key: string): string | undefined {
    const { keyBytes, segmentBytes } = this.#limits;
    const bytes = Buffer.byteLength(key);
    if (bytes > keyBytes) return `is ${bytes} bytes long (at most ${keyBytes})`;
    const longest = Math.max(...key.split("/").map((segment) => Buffer.byteLength(segment)));
    return longest > segmentBytes ? `has a part of ${longest} bytes (at most ${segmentBytes})` : undefined;
  }
}

/** Joins what is not empty. */
export function join(...segments: readonly string[]): string {
  return segments.filter((segment) => segment !== "").join("/");
}

/** Names come from the engine and are plain already; this makes sure that none of them is a path. */
function safe(name: string): string {
  return encodeURIComponent(name).replace(/^\./, "%2E");
}
