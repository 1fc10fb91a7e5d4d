import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** One process (and all it started) as the operating system saw it. Linux only: it reads /proc. */
export interface Measured {
  readonly code: number | null;
  readonly wallS: number;
  readonly cpuS: number;
  /** Peak resident memory of one process, MiB. */
  readonly peakRssMiB: number;
  /** Peak anonymous memory (RssAnon summed over the tree), MiB: the buffer's mapped pages belong to the kernel. */
  readonly peakAnonMiB: number;
  readonly stdout: string;
  readonly stderr: string;
}

const SAMPLE_MS = 50;
const TICKS_PER_SECOND = 100;

export async function measure(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<Measured> {
  const startedAt = performance.now();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const sampler = new Sampler(child);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  sampler.stop();
  return {
    code,
    wallS: (performance.now() - startedAt) / 1000,
    cpuS: sampler.cpuS,
    peakRssMiB: sampler.peakRssKiB / 1024,
    peakAnonMiB: sampler.peakAnonKiB / 1024,
    stdout: Buffer.concat(out).toString(),
    stderr: Buffer.concat(err).toString(),
  };
}

class Sampler {
  cpuS = 0;
  peakRssKiB = 0;
  peakAnonKiB = 0;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;

  constructor(child: ChildProcess) {
    this.#pid = child.pid ?? 0;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    let anon = 0;
    let cpu = 0;
    for (const pid of tree(this.#pid)) {
      const status = read(`/proc/${pid}/status`);
      const stat = read(`/proc/${pid}/stat`);
      if (status === undefined || stat === undefined) continue;
      anon += field(status, "RssAnon");
      this.peakRssKiB = Math.max(this.peakRssKiB, field(status, "VmHWM"));
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      cpu += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    }
    this.peakAnonKiB = Math.max(this.peakAnonKiB, anon);
    this.cpuS = Math.max(this.cpuS, cpu);
  }
}

function tree(pid: number): number[] {
  const children = (read(`/proc/${pid}/task/${pid}/children`) ?? "")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number);
  return [pid, ...children.flatMap(tree)];
}

/** Undefined when the process is gone. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
}
