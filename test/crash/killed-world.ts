import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../seeded-random.js";
import { startSluice } from "../sluice-process.js";
import { type HistoryRun, runHistory } from "./history.js";

export interface CrashReport {
  readonly kills: number;
  readonly rounds: number;
  readonly records: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly unbalanced: number;
  /** Pages that the fake served and no transaction of a run accounts for. */
  readonly refetched: number;
  /** What went wrong, a line each. */
  readonly findings: readonly string[];
}

/** A data directory, a source and its sinks. */
export interface World {
  readonly kills: number;
  /** Runs every flow once to its end, with at most `kills` kills on the way, then compares. */
  round(kills: number): Promise<void>;
  report(): CrashReport;
  close(): Promise<void>;
}

/**
 * Runs flows with kills at random instants until they end by themselves, and counts what was found. A world says what it
 * changes between rounds and how it compares.
 */
export abstract class KilledWorld implements World {
  protected readonly dir: string;
  protected readonly random: () => number;
  readonly #seed: number;
  readonly #findings: string[] = [];
  #kills = 0;
  #rounds = 0;
  #records = 0;
  #lost = 0;
  #duplicated = 0;
  #unbalanced = 0;
  #refetched = 0;
  /** How long a run takes when nobody kills it: kills fall within it. Learned from every run that ended. */
  readonly #usualMs = new Map<string, number>();
  /** Pages of all runs so far, by flow. */
  readonly #pages = new Map<string, number>();

  protected constructor(dir: string, seed: number) {
    this.dir = dir;
    this.#seed = seed;
    const random = seededRandom(seed);
    this.random = () => random.next();
  }

  protected static folder(): string {
    return mkdtempSync(join(tmpdir(), "sluice-crash-"));
  }

  /** In the order they run. */
  protected abstract readonly flows: readonly string[];
  /** Pages that a kill may cost: those that were fetched and not yet safe. Undefined: pages tell nothing here. */
  protected abstract readonly pagesAhead: number | undefined;
  protected abstract readonly env: Readonly<Record<string, string>>;
  /** Something happens in the source between two rounds. */
  protected abstract change(round: number): void;
  /** Pages of records that the source has served so far. */
  protected abstract pagesServed(): number;
  protected abstract compare(flow: string): Promise<void>;
  /** Ends the fakes. */
  protected abstract stop(): Promise<void>;

  get kills(): number {
    return this.#kills;
  }

  /** Resolves when a run that has just begun, and usually takes so long, is to be killed; rejects when it has ended. */
  protected instant(usualMs: number, ended: AbortSignal): Promise<void> {
    return sleep(250 + this.random() * (usualMs - 150), undefined, { signal: ended });
  }

  async round(kills: number): Promise<void> {
    if (this.#rounds > 0) this.change(this.#rounds);
    this.#rounds++;
    let left = kills;
    for (const flow of this.flows) {
      left -= await this.#runToTheEnd(flow, Math.min(left, Math.ceil(kills / this.flows.length)));
      await this.compare(flow);
    }
    await this.#checkAccounts();
  }

  async #runToTheEnd(flow: string, kills: number): Promise<number> {
    let killed = 0;
    const before = this.pagesServed();
    for (;;) {
      const process = startSluice(["run", flow, "--json"], { cwd: this.dir, env: this.env });
      const startedAt = performance.now();
      const calledOff = new AbortController();
      if (killed < kills) {
        const usual = this.#usualMs.get(flow) ?? 1_200;
        this.instant(usual, calledOff.signal).then(
          () => process.child.kill("SIGKILL"),
          (error: unknown) => {
            if (!calledOff.signal.aborted) throw error;
          },
        );
      }
      const exit = await process.exit;
      calledOff.abort();
      if (exit.signal === "SIGKILL") {
        killed++;
        this.#kills++;
        continue;
      }
      this.#usualMs.set(flow, performance.now() - startedAt);
      if (exit.code === 0) break;
      this.#findings.push(
        `${flow}: exit ${exit.code}: ${exit.stderr.trim().split("\n").slice(-3).join(" | ")}`,
      );
      this.#unbalanced++;
      break;
    }
    if (this.pagesAhead === undefined) return killed;
    const pages = (await this.#history(flow)).reduce((sum, run) => sum + run.pages, 0);
    const committed = pages - (this.#pages.get(flow) ?? 0);
    this.#pages.set(flow, pages);
    const again = this.pagesServed() - before - committed;
    this.#refetched += Math.max(0, again);
    if (again > killed * this.pagesAhead) {
      this.#findings.push(`${flow}: ${again} pages fetched again for ${killed} kills`);
    }
    return killed;
  }

  #history(flow?: string): Promise<readonly HistoryRun[]> {
    return runHistory(flow, { cwd: this.dir, env: this.env });
  }

  /** Every run of the history balances, and nothing is left in a queue. */
  async #checkAccounts(): Promise<void> {
    for (const run of await this.#history()) {
      const { fetched, filtered, dropped, deadLettered, loaded, queued } = run.records;
      if (
        fetched !== filtered + dropped + deadLettered + loaded + queued ||
        queued !== 0 ||
        deadLettered !== 0
      ) {
        this.#unbalanced++;
        this.#findings.push(`run ${run.run} of ${run.flow}: ${JSON.stringify(run.records)}`);
      }
    }
  }

  /** The outcome of one comparison: of so many records, how many are not there, and how many are there too often. */
  protected count(where: string, of: number, lost: number, duplicated: number): void {
    this.#records += of;
    this.#lost += lost;
    this.#duplicated += duplicated;
    if (lost + duplicated > 0)
      this.#findings.push(`${where}: ${lost} lost, ${duplicated} duplicated of ${of}`);
  }

  report(): CrashReport {
    return {
      kills: this.#kills,
      rounds: this.#rounds,
      records: this.#records,
      lost: this.#lost,
      duplicated: this.#duplicated,
      unbalanced: this.#unbalanced,
      refetched: this.#refetched,
      findings: this.#findings,
    };
  }

  /** Keeps the folder when something was found, so that it can be looked at. */
  async close(): Promise<void> {
    await this.stop();
    if (this.#findings.length === 0) rmSync(this.dir, { recursive: true, force: true });
    else this.#findings.push(`kept for a look: ${this.dir} (seed ${this.#seed})`);
  }
}
