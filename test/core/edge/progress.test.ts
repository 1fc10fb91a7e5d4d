import { Writable } from "node:stream";
import type { WriteStream } from "node:tty";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { Output } from "../../../core/edge/cli/output.js";
import { progressText, progressView } from "../../../core/edge/cli/progress.js";
import type { OutputStream, Shell } from "../../../core/edge/cli/shell.js";
import { createRedactor } from "../../../core/edge/redactor.js";
import type { Progress } from "../../../core/run/types.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";

const AT: Progress = {
  flow: "accounts",
  run: "r",
  phase: "reading",
  fetched: 12_000,
  loaded: 9_000,
  bytes: 1_200_000,
  queued: 3_000,
  apiCalls: 6,
  elapsedMs: 3_000,
};

function outputTo(columns?: number) {
  let written = "";
  const raw = Object.assign(
    new Writable({
      write: (chunk, _, done) => {
        written += String(chunk);
        done();
      },
    }),
    { isTTY: columns !== undefined, columns },
  );
  const stderr: OutputStream = {
    write: (text) => {
      raw.write(text);
    },
    isTerminal: columns !== undefined,
    columns,
    raw: raw as unknown as WriteStream,
  };
  const shell: Shell = {
    cwd: "/",
    env: {},
    clock: new VirtualClock(),
    random: seededRandom(1),
    signal: new AbortController().signal,
    stdout: stderr,
    stderr,
    stdin: async () => Buffer.alloc(0),
    connectors: async () => ({ sources: new Map(), sinks: new Map() }),
  };
  const json = (on: boolean) => new Output(shell, on, createRedactor());
  return { stderr, plain: json(false), json: json(true), written: () => written };
}

describe("progress", () => {
  it("says what happens, waits as waits", () => {
    expect(progressText(AT, 4000)).toBe(
      "reading, 12,000 records, 1.2 MB, 4,000/s, 9,000 loaded, 3,000 queued, 6 API calls",
    );
    expect(progressText({ ...AT, phase: "waiting", wait: { reason: "rate limit", ms: 30_000 } }, 0)).toMatch(
      /^waiting 30\.0 s \(rate limit\), 12,000 records, /,
    );
  });

  it("is a plain line every few seconds where nobody watches, and one as each wait begins", () => {
    const { stderr, plain, written } = outputTo();
    const view = progressView("accounts", stderr, plain);
    const wait = { reason: "rate limit", ms: 30_000 };
    for (let elapsedMs = 0; elapsedMs <= 20_000; elapsedMs += 200) {
      const waiting = elapsedMs >= 12_000 && elapsedMs < 16_000;
      view.update({
        ...AT,
        fetched: elapsedMs * 4,
        elapsedMs,
        ...(waiting ? { phase: "waiting", wait } : {}),
      });
    }
    view.update({ ...AT, phase: "done", elapsedMs: 40_000 });
    view.stop();
    const lines = written().trimEnd().split("\n");
    expect(
      lines.map((line) =>
        /^accounts: (reading|waiting 30\.0 s \(rate limit\)), ([\d,]+) records/.exec(line)?.slice(1),
      ),
    ).toEqual([
      ["reading", "20,000"],
      ["reading", "40,000"],
      ["waiting 30.0 s (rate limit)", "48,000"],
      ["reading", "68,000"],
    ]);
    expect(lines[1]).toContain("4,000/s");
  });

  it("is silent with --json where nobody watches", () => {
    const { stderr, json, written } = outputTo();
    const view = progressView("accounts", stderr, json);
    view.update({ ...AT, elapsedMs: 60_000 });
    view.stop();
    expect(written()).toBe("");
  });

  it("is one line on a terminal, no wider than that, with other lines above it, and leaves nothing behind", () => {
    const { stderr, plain, written } = outputTo(60);
    const view = progressView("accounts", stderr, plain);
    view.update(AT);
    plain.line("something happened");
    view.stop();
    view.stop();
    plain.line("afterwards");
    // Without the terminal's commands.
    const texts = stripVTControlCharacters(written().replaceAll("\u001b[", "\r\u001b[")).split(/[\r\n]+/);
    expect(texts).toContain("something happened");
    expect(texts).toContain("afterwards");
    const shown = texts.filter((text) => text.startsWith("accounts: reading"));
    expect(shown.length).toBeGreaterThan(0);
    for (const text of shown) expect(text.length).toBeLessThan(60);
    // What comes last on the terminal before "afterwards" clears the line and shows the cursor again.
    const end = written().slice(written().lastIndexOf("accounts: reading"));
    expect(end).toContain("\u001b[0J");
    expect(written()).toContain("\u001b[?25h");
  });
});
