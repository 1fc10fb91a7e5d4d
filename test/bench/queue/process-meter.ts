import { readFileSync } from "node:fs";

const SAMPLE_MS = 50;
const TICKS_PER_SECOND = 100;

/** Watches a process from outside, between `start` and `stop`. Linux only: it reads /proc. */
export class ProcessMeter {
  readonly #pid: number;
  readonly #cpuBefore: number;
  readonly #timer: NodeJS.Timeout;
  #peakAnonKiB = 0;

  private constructor(pid: number) {
    this.#pid = pid;
    this.#cpuBefore = cpuSeconds(pid);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  static start(pid: number): ProcessMeter {
    return new ProcessMeter(pid);
  }

  /** CPU seconds of all its threads, and the most anonymous memory it had: the buffer's mapped pages belong to the kernel. */
  stop(): { readonly cpuS: number; readonly peakAnonMiB: number } {
    clearInterval(this.#timer);
    this.#sample();
    return { cpuS: cpuSeconds(this.#pid) - this.#cpuBefore, peakAnonMiB: this.#peakAnonKiB / 1024 };
  }

  #sample(): void {
    const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
    const kib = Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    this.#peakAnonKiB = Math.max(this.#peakAnonKiB, kib);
  }
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
