import { type S3Fake, startS3Fake } from "../fakes/s3/index.js";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { CONTACT, changeContacts, compareContacts } from "./contacts.js";
import { KilledWorld } from "./killed-world.js";
import { type Landed, LandedReader } from "./landed.js";
import { CRASH_FLOWS, writeCrashProject } from "./project.js";

const BUCKET = "crash";

/**
 * One data directory, one org, one bucket. A round changes the org, then runs every flow with kills at random instants
 * until it ends by itself, and compares each sink with the org.
 */
export class CrashWorld extends KilledWorld {
  protected readonly flows = CRASH_FLOWS;
  protected readonly pagesAhead = 1;
  protected readonly env: Readonly<Record<string, string>>;
  readonly #org: SalesforceFake;
  readonly #s3: S3Fake;
  readonly #reader: LandedReader;

  private constructor(dir: string, org: SalesforceFake, s3: S3Fake, seed: number) {
    super(dir, seed);
    this.#org = org;
    this.#s3 = s3;
    this.env = {
      ...org.environment(),
      S3_ENDPOINT: s3.url,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    };
    this.#reader = new LandedReader(dir, s3, BUCKET);
  }

  static async create(seed: number, records: number): Promise<CrashWorld> {
    const dir = KilledWorld.folder();
    writeCrashProject(dir, BUCKET);
    const org = await startSalesforceFake({
      org: { seed, accounts: 200, contacts: records, opportunities: 0, invoices: 0 },
      dailyLimit: 10_000_000,
    });
    const s3 = await startS3Fake({ buckets: [BUCKET] });
    return new CrashWorld(dir, org, s3, seed);
  }

  protected change(round: number): void {
    changeContacts(this.#org.org, round, this.random);
  }

  protected pagesServed(): number {
    const { byPath } = this.#org.requests;
    return (byPath["GET /services/data/query"] ?? 0) + (byPath["GET /services/data/query/<locator>"] ?? 0);
  }

  protected async compare(flow: string): Promise<void> {
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

  #compareVersions(landed: Landed, where: string, onlyCurrent: boolean): void {
    const rows = [...this.#org.org.table(CONTACT).rows()].filter((row) => !row.deleted);
    const { lost, extra } = compareContacts(rows, landed, onlyCurrent);
    this.count(where, rows.length, lost, extra);
  }

  protected async stop(): Promise<void> {
    await this.#org.close();
    await this.#s3.close();
  }
}
