import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type S3Fake, startS3Fake } from "../fakes/s3/index.js";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { seededRandom } from "../seeded-random.js";
import { sluice, startSluice } from "../sluice-process.js";
import { type Landed, LandedReader, versionKey } from "./landed.js";
import { CRASH_FLOWS, type CrashFlow, writeCrashProject } from "./project.js";

const BUCKET = "crash";
const OBJECT = "Contact";

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

/**
 * One data directory, one org, one bucket. A round changes the org, then runs every flow with kills at random instants
 * until it ends by itself, and compares each sink with the org.
 */
export class CrashWorld {
  readonly #dir: string;
  readonly #org: SalesforceFake;
  readonly #s3: S3Fake;
  readonly #env: Record<string, string>;
  readonly #random: () => number;
  readonly #reader: LandedReader;
  readonly #findings: string[] = [];
  readonly #seed: number;
  #kills = 0;
  #rounds = 0;
  #records = 0;
  #lost = 0;
  #duplicated = 0;
  #unbalanced = 0;
  #refetched = 0;
  /** How long a run takes when nobody kills it: kills fall within it. Learned from every run that ended. */
  readonly #usualMs = new Map<CrashFlow, number>();

  private constructor(dir: string, org: SalesforceFake, s3: S3Fake, seed: number) {
    this.#dir = dir;
    this.#org = org;
    this.#s3 = s3;
    this.#seed = seed;
    const random = seededRandom(seed);
    this.#random = () => random.next();
    this.#env = {
      ...org.environment(),
      S3_ENDPOINT: s3.url,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    };
    this.#reader = new LandedReader(dir, s3, BUCKET);
  }

  static async create(seed: number, records: number): Promise<CrashWorld> {
    const dir = mkdtempSync(join(tmpdir(), "sluice-crash-"));
    writeCrashProject(dir, BUCKET);
    const org = await startSalesforceFake({
      org: { seed, accounts: 200, contacts: records, opportunities: 0, invoices: 0 },
      dailyLimit: 10_000_000,
    });
    const s3 = await startS3Fake({ buckets: [BUCKET] });
    return new CrashWorld(dir, org, s3, seed);
  }

  get kills(): number {
    return this.#kills;
  }

  /** Runs every flow once to its end, with at most `kills` kills on the way, then compares. */
  async round(kills: number): Promise<void> {
    if (this.#rounds > 0) this.#changeOrg();
    this.#rounds++;
    let left = kills;
    for (const flow of CRASH_FLOWS) {
      left -= await this.#runToTheEnd(flow, Math.min(left, Math.ceil(kills / CRASH_FLOWS.length)));
      await this.#compare(flow);
    }
    await this.#checkAccounts();
  }

  /** Some rows change, some appear; all with stamps behind "now", as rows committed late have them. */
  #changeOrg(): void {
    const { org } = this.#org;
    const at = Date.now() - 4_000;
    const ids = [...org.table(OBJECT).rows()].map(({ id }) => id);
    const changed = ids.filter(() => this.#random() < 0.3);
    org.touch(OBJECT, changed, { LastName: `Changed in round ${this.#rounds}` }, at);
    for (let i = 0; i < ids.length / 10; i++) {
      org.upsert(
        OBJECT,
        { LastName: `New ${this.#rounds}-${i}`, Email: `new${i}@example.com` },
        at + (i % 3) * 1000,
      );
    }
  }

  async #runToTheEnd(flow: CrashFlow, kills: number): Promise<number> {
    let killed = 0;
    const before = this.#pagesServed();
    const pagesBefore = await this.#pagesCommitted(flow);
    for (;;) {
      const process = startSluice(["run", flow, "--json"], { cwd: this.#dir, env: this.#env });
      const startedAt = performance.now();
      let timer: NodeJS.Timeout | undefined;
      if (killed < kills) {
        const usual = this.#usualMs.get(flow) ?? 1_200;
        timer = setTimeout(() => process.child.kill("SIGKILL"), 250 + this.#random() * (usual - 150));
      }
      const exit = await process.exit;
      clearTimeout(timer);
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
    const committed = (await this.#pagesCommitted(flow)) - pagesBefore;
    const again = this.#pagesServed() - before - committed;
    this.#refetched += Math.max(0, again);
    if (again > killed) this.#findings.push(`${flow}: ${again} pages fetched again for ${killed} kills`);
    return killed;
  }

  #pagesServed(): number {
    const { byPath } = this.#org.requests;
    return (byPath["GET /services/data/query"] ?? 0) + (byPath["GET /services/data/query/<locator>"] ?? 0);
  }

  async #history(flow?: CrashFlow): Promise<HistoryRun[]> {
    const exit = await sluice(
      ["runs", ...(flow === undefined ? [] : [flow]), "--limit", "100000", "--json"],
      {
        cwd: this.#dir,
        env: this.#env,
      },
    );
    if (exit.code !== 0) throw new Error(`sluice runs failed: ${exit.stderr}`);
    return parseHistory(exit.stdout);
  }

  async #pagesCommitted(flow: CrashFlow): Promise<number> {
    return (await this.#history(flow)).reduce((sum, run) => sum + run.pages, 0);
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

  async #compare(flow: CrashFlow): Promise<void> {
    const name = flow.replaceAll("-", "_");
    const appended = (landed: Landed, where: string) =>
      this.#compareVersions(landed, `${flow} ${where}`, false);
    if (flow === "to-folder" || flow === "to-all") appended(await this.#reader.folder(name), "folder");
    if (flow === "to-s3" || flow === "to-all") appended(await this.#reader.bucket(name), "s3");
    if (flow === "to-all") appended(await this.#reader.table(`${name}_append`), "duckdb append");
    if (flow === "to-duckdb" || flow === "to-all") {
      this.#compareVersions(await this.#reader.table(`${name}_upsert`), `${flow} duckdb upsert`, true);
    }
  }

  /** Append: the current version of every row once, older versions at most once. Upsert: the current versions, nothing else. */
  #compareVersions(landed: Landed, where: string, onlyCurrent: boolean): void {
    let lost = 0;
    let extra = 0;
    const rows = [...this.#org.org.table(OBJECT).rows()].filter((row) => !row.deleted);
    for (const row of rows) if (!landed.has(versionKey(row.id, row.stamp))) lost++;
    for (const times of landed.values()) if (times > 1) extra += times - 1;
    if (onlyCurrent) extra += Math.max(0, landed.size - rows.length);
    this.#records += rows.length;
    this.#lost += lost;
    this.#duplicated += extra;
    if (lost + extra > 0)
      this.#findings.push(`${where}: ${lost} lost, ${extra} duplicated of ${rows.length}`);
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
    await this.#org.close();
    await this.#s3.close();
    if (this.#findings.length === 0) rmSync(this.#dir, { recursive: true, force: true });
    else this.#findings.push(`kept for a look: ${this.#dir} (seed ${this.#seed})`);
  }
}

interface HistoryRun {
  readonly flow: string;
  readonly run: string;
  readonly pages: number;
  readonly records: Record<"fetched" | "filtered" | "dropped" | "deadLettered" | "loaded" | "queued", number>;
}

function parseHistory(text: string): HistoryRun[] {
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw new Error("sluice runs --json must print an array");
  return value;
}
