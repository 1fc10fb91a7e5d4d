import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type SluiceProcess, startSluice } from "../sluice-process.js";

const UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"];

/** Why this machine cannot mount a SmallDisk; undefined: it can. */
export function smallDiskRefusal(): string | undefined {
  if (process.platform !== "linux") return "needs Linux: a tmpfs of a few KiB in a mount namespace";
  const script = "mount -t tmpfs -o size=64k tmpfs /mnt && nsenter --version >/dev/null";
  const [command = "", ...args] = [...UNSHARE, "sh", "-c", script];
  const tried = spawnSync(command, args, { encoding: "utf8" });
  if (tried.status === 0) return undefined;
  return `cannot mount a tmpfs in a namespace here: ${tried.error?.message ?? tried.stderr.trim()}`;
}

/**
 * A folder that is a disk of its own with so little room: a tmpfs in a mount namespace of its own, so that no root
 * rights are needed and nothing of it is left when the test process ends. Only commands started through it see it.
 */
export class SmallDisk {
  readonly #holder: ChildProcess;
  readonly #dir: string;

  private constructor(holder: ChildProcess, dir: string) {
    this.#holder = holder;
    this.#dir = dir;
  }

  /** `size` as tmpfs takes it: `256k`, `4m`; `dir` is made. */
  static async mount(dir: string, size: string): Promise<SmallDisk> {
    mkdirSync(dir, { recursive: true });
    // cat holds the namespace until its standard input ends, which it does at the latest with this process.
    const script = `mount -t tmpfs -o size=${size} tmpfs "$0" && echo mounted && exec cat`;
    const [command = "", ...args] = [...UNSHARE, "sh", "-c", script, dir];
    const holder = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    await new Promise<void>((resolve, reject) => {
      holder.once("error", reject);
      holder.once("close", (code) => reject(new Error(`the disk was not mounted: exit ${code}`)));
      holder.stdout.once("data", () => resolve());
    });
    return new SmallDisk(holder, dir);
  }

  readonly start = (args: readonly string[], options: Parameters<typeof startSluice>[1]): SluiceProcess =>
    startSluice(args, { ...options, through: this.#through(options.cwd) });

  /** Runs a shell script on the disk. */
  sh(script: string): void {
    const [command = "", ...args] = [...this.#through(this.#dir), "sh", "-c", script];
    const done = spawnSync(command, args, { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`${script}: ${done.stderr}`);
  }

  grow(size: string): void {
    this.sh(`mount -o remount,size=${size} "${this.#dir}"`);
  }

  /** A path as it is seen from outside the namespace. */
  seen(path: string): string {
    return join(`/proc/${this.#holder.pid}/root`, path);
  }

  unmount(): void {
    this.#holder.stdin?.end();
  }

  #through(cwd: string): readonly string[] {
    const enter = ["nsenter", "--target", String(this.#holder.pid), "--user", "--mount"];
    // The working directory must be looked up anew: the inherited one belongs to the mounts outside.
    return [...enter, "--preserve-credentials", "sh", "-c", 'cd "$0" && exec "$@"', cwd];
  }
}
