import { startZendeskFake, type ZendeskFake } from "../fakes/zendesk/index.js";
import { folderRelation, sinkRows, tableRelation } from "./sink-rows.js";
import { fromEnv, writeSourceCrashProject } from "./source-project.js";
import { SourceWorld } from "./source-world.js";
import { compareVersions } from "./versions.js";

const FLOW = "tickets";
const PAGE_SIZE = 50;
const LATENCY_MS = 20;
/**
 * Zendesk leaves out the newest minute. So that no round waits for it the account's clock begins behind ours, as far as the
 * connector believes it, and goes on by two minutes after every change.
 */
const BEHIND_MS = -50 * 60_000;
const STEP_MS = 2 * 60_000;

/** Kills while the cursor export of tickets is read in small pages. */
export class ZendeskWorld extends SourceWorld {
  protected readonly flows = [FLOW];
  protected readonly pagesAhead = 2;
  protected readonly env: Readonly<Record<string, string>>;
  readonly #desk: ZendeskFake;

  private constructor(dir: string, desk: ZendeskFake, seed: number) {
    super(dir, seed);
    this.#desk = desk;
    this.env = desk.environment();
  }

  static async create(seed: number, records: number): Promise<ZendeskWorld> {
    const dir = SourceWorld.folder();
    writeSourceCrashProject(
      dir,
      "zendesk",
      {
        subdomain: "crash",
        baseUrl: fromEnv("ZENDESK_URL"),
        exportsPerMinute: 100,
        auth: {
          type: "clientCredentials",
          clientId: fromEnv("ZENDESK_CLIENT_ID"),
          clientSecret: fromEnv("ZENDESK_CLIENT_SECRET"),
        },
      },
      [
        {
          name: FLOW,
          stream: "tickets",
          options: { pageSize: PAGE_SIZE },
          key: ["id"],
          fields: ["id", "subject", "status", "tags", "custom_fields", "deleted", "generated_timestamp"],
        },
      ],
    );
    const desk = await startZendeskFake({
      account: { seed, tickets: records, users: 40, organizations: 10, articles: 0 },
      perMinute: 10_000_000,
      exportsPerMinute: 10_000_000,
      latencyMs: LATENCY_MS,
      skewMs: BEHIND_MS,
    });
    return new ZendeskWorld(dir, desk, seed);
  }

  protected change(round: number): void {
    const { account } = this.#desk;
    const count = account.table("tickets").size;
    account.changeSome("tickets", Math.ceil(count * 0.3), round);
    account.copySome("tickets", Math.ceil(count * 0.1), round);
    account.deleteSome("tickets", Math.ceil(count * 0.02), round);
    account.skewMs += STEP_MS;
  }

  protected pagesServed(): number {
    return this.#desk.requests.byPath["GET /api/v2/incremental/tickets/cursor"] ?? 0;
  }

  protected async compare(flow: string): Promise<void> {
    const wanted = [...this.#desk.account.inOrder("tickets")].map((row) => ({
      key: String(row.id),
      version: JSON.stringify([row.generated_timestamp, row.subject, row.status, row.status === "deleted"]),
    }));
    const read = async (relation: string) => {
      const rows = await sinkRows(
        this.dir,
        `SELECT id::VARCHAR, epoch(generated_timestamp)::BIGINT::DOUBLE, subject, status, deleted FROM ${relation}`,
      );
      return rows.map(([id, stamp, subject, status, deleted]) => ({
        key: String(id),
        version: JSON.stringify([Number(stamp), subject, status, deleted]),
      }));
    };
    const folder = compareVersions(wanted, await read(folderRelation(this.dir, flow)), "every version");
    this.count("zendesk folder", wanted.length, folder.lost, folder.extra);
    const table = compareVersions(wanted, await read(tableRelation(flow)), "current only");
    this.count("zendesk duckdb upsert", wanted.length, table.lost, table.extra);
  }

  protected async stop(): Promise<void> {
    await this.#desk.close();
  }
}
