import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { CONTACT, changeContacts, compareContacts } from "./contacts.js";
import { landedIn } from "./landed.js";
import { folderRelation, tableRelation } from "./sink-rows.js";
import { fromEnv, writeSourceCrashProject } from "./source-project.js";
import { SourceWorld } from "./source-world.js";

const FLOW = "contacts";
/** The fewest a page of a Bulk result may be asked to hold. */
const PAGE_ROWS = 1_000;
const LATENCY_MS = 30;

/**
 * Kills while jobs of Bulk API 2.0 are created, waited for and their results read, page by page. The first job of every round
 * fails, so that its window is cut and the next jobs are made ahead.
 */
export class BulkWorld extends SourceWorld {
  protected readonly flows = [FLOW];
  /** The job that is read and the two behind it. */
  protected readonly pagesAhead = 3;
  protected readonly env: Readonly<Record<string, string>>;
  readonly #org: SalesforceFake;

  private constructor(dir: string, org: SalesforceFake, seed: number) {
    super(dir, seed);
    this.#org = org;
    this.env = org.environment();
  }

  static async create(seed: number, records: number): Promise<BulkWorld> {
    const dir = SourceWorld.folder();
    writeSourceCrashProject(
      dir,
      "salesforce",
      {
        instanceUrl: fromEnv("SF_URL"),
        loginUrl: fromEnv("SF_URL"),
        auth: {
          type: "clientCredentials",
          clientId: fromEnv("SF_CLIENT_ID"),
          clientSecret: fromEnv("SF_CLIENT_SECRET"),
        },
      },
      [
        {
          name: FLOW,
          stream: CONTACT,
          options: { api: "bulk", bulkPageSize: PAGE_ROWS },
          key: ["Id"],
          fields: ["Id", "LastName", "Email", "SystemModstamp"],
        },
      ],
    );
    const org = await startSalesforceFake({
      org: { seed, accounts: 200, contacts: records, opportunities: 0, invoices: 0 },
      dailyLimit: 10_000_000,
      latencyMs: LATENCY_MS,
    });
    org.bulk.doomed.add(1);
    return new BulkWorld(dir, org, seed);
  }

  protected change(round: number): void {
    changeContacts(this.#org.org, round, this.random);
    this.#org.bulk.doomed.add(this.#org.bulk.created + 1);
  }

  protected pagesServed(): number {
    return this.#org.requests.byPath["GET /services/data/jobs/query/<job>/results"] ?? 0;
  }

  protected async compare(flow: string): Promise<void> {
    const rows = [...this.#org.org.table(CONTACT).rows()].filter((row) => !row.deleted);
    const folder = await landedIn(this.dir, folderRelation(this.dir, flow));
    const appended = compareContacts(rows, folder, false);
    this.count("bulk folder", rows.length, appended.lost, appended.extra);
    const upserted = compareContacts(rows, await landedIn(this.dir, tableRelation(flow)), true);
    this.count("bulk duckdb upsert", rows.length, upserted.lost, upserted.extra);
  }

  protected async stop(): Promise<void> {
    await this.#org.close();
  }
}
