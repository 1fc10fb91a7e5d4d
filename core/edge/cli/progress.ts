import { MultiBar, type SingleBar } from "cli-progress";
import type { Progress } from "../../run/types.js";
import type { Output } from "./output.js";
import { bytesText, countText, durationText, plural } from "./quantity.js";
import type { OutputStream } from "./shell.js";
import { cut } from "./table.js";

/** A line every so often where nobody watches a terminal. */
const PLAIN_LINE_MS = 5_000;
/** The rate is that of the last so many milliseconds. */
const RATE_MS = 5_000;

/** Shows how the run of one flow goes on, on standard error. */
export interface ProgressView {
  update(progress: Progress): void;
  /** Takes the line off the terminal; once is enough. */
  stop(): void;
}

/**
 * One line that changes on a terminal; plain lines every few seconds where standard error is piped; with --json and
 * no terminal nothing at all, since standard error is then the log's.
 */
export function progressView(flow: string, stderr: OutputStream, output: Output): ProgressView {
  if (stderr.isTerminal && stderr.raw !== undefined) return terminalView(flow, stderr, stderr.raw, output);
  if (output.json) return { update: () => undefined, stop: () => undefined };
  return plainView(flow, output);
}

function terminalView(
  flow: string,
  stderr: OutputStream,
  raw: NodeJS.WriteStream,
  output: Output,
): ProgressView {
  const rate = new Rate();
  let text = `${flow}: starting`;
  // cli-progress owns the cursor; there is no total, so its line holds words and no bar. Its own signal handling is
  // off: the first SIGINT lets the run close what is open, and the line goes on showing that.
  const bars = new MultiBar({
    stream: raw,
    format: () => cut(text, (stderr.columns ?? 80) - 1),
    clearOnComplete: true,
    hideCursor: true,
    linewrap: true,
    gracefulExit: false,
    fps: 10,
  });
  const bar: SingleBar = bars.create(1, 0);
  output.holdLines((line) => {
    bars.log(line);
    bars.update();
  });
  let stopped = false;
  return {
    update(progress) {
      if (stopped) return;
      text = `${flow}: ${progressText(progress, rate.of(progress))}`;
      bar.update(0);
    },
    stop() {
      if (stopped) return;
      stopped = true;
      // Lines still waiting in the bar's buffer would be lost with it.
      bars.update();
      bars.stop();
      output.holdLines(undefined);
    },
  };
}

function plainView(flow: string, output: Output): ProgressView {
  const rate = new Rate();
  let nextLineMs = PLAIN_LINE_MS;
  let waitShown: string | undefined;
  return {
    update(progress) {
      const perSecond = rate.of(progress);
      const wait = progress.wait === undefined ? undefined : `${progress.wait.reason} ${progress.wait.ms}`;
      const newWait = wait !== undefined && wait !== waitShown;
      waitShown = wait;
      if (progress.phase === "done" || (!newWait && progress.elapsedMs < nextLineMs)) return;
      nextLineMs = progress.elapsedMs + PLAIN_LINE_MS;
      output.line(`${flow}: ${progressText(progress, perSecond)}`);
    },
    stop: () => undefined,
  };
}

/** `reading, 12,000 records, 1.2 MB, 4,000/s, 9,000 loaded, 3,000 queued, 12 API calls`. */
export function progressText(progress: Progress, perSecond: number): string {
  const { wait } = progress;
  return [
    wait === undefined ? progress.phase : `waiting ${durationText(wait.ms)} (${wait.reason})`,
    plural(progress.fetched, "record"),
    bytesText(progress.bytes),
    `${countText(Math.round(perSecond))}/s`,
    `${countText(progress.loaded)} loaded`,
    `${countText(progress.queued)} queued`,
    plural(progress.apiCalls, "API call"),
  ].join(", ");
}

/** Records per second over the last few seconds; of what is delivered once reading is over. */
class Rate {
  readonly #samples: { readonly ms: number; readonly records: number }[] = [];

  of(progress: Progress): number {
    const sample = { ms: progress.elapsedMs, records: Math.max(progress.fetched, progress.loaded) };
    this.#samples.push(sample);
    while (this.#samples.length > 2 && (this.#samples[1]?.ms ?? 0) <= sample.ms - RATE_MS)
      this.#samples.shift();
    const first = this.#samples.length === 1 ? { ms: 0, records: 0 } : this.#samples[0];
    if (first === undefined || sample.ms <= first.ms) return 0;
    return ((sample.records - first.records) * 1000) / (sample.ms - first.ms);
  }
}
