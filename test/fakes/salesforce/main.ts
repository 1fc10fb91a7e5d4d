/**
 * The Salesforce fake as a process of its own: `node dist/test/fakes/salesforce/main.js --help`.
 * Prints one line of JSON when it is ready, `{"url": ..., "env": {"SF_URL": ..., ...}}`, and stops on SIGTERM or SIGINT.
 */
import { readFile } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { parseFaultScript } from "./fault-script.js";
import { generateOrg } from "./generate.js";
import { readOrgFolder } from "./org-folder.js";
import { type SalesforceFakeOptions, startSalesforceFake } from "./server.js";

interface Flags {
  readonly port: number;
  readonly org?: string;
  readonly accounts?: number;
  readonly contacts?: number;
  readonly opportunities?: number;
  readonly invoices?: number;
  readonly seed: number;
  readonly bench?: number;
  readonly recordBytes?: number;
  readonly faults?: string;
  readonly latency: number;
  readonly pageSize: number;
  readonly jobMs?: number;
  readonly shortPages: number;
  readonly dailyLimit: number;
  readonly sessionSeconds?: number;
  readonly rotateRefreshToken: boolean;
  readonly dataChanges?: readonly DataChange[];
}

/** `Object=changed[,inserted[,deleted]]` every `seconds`: an org that lives while it is read. */
interface DataChange {
  readonly object: string;
  readonly changed: number;
  readonly inserted: number;
  readonly deleted: number;
}

const program = new Command("salesforce-fake")
  .option("--port <n>", "port on 127.0.0.1; 0 takes a free one", whole, 0)
  .option("--org <folder>", "serve one Parquet or NDJSON file per object instead of a generated org")
  .option("--accounts <n>", "generated accounts (20000)", whole)
  .option("--contacts <n>", "generated contacts (40000)", whole)
  .option("--opportunities <n>", "generated opportunities (100000)", whole)
  .option("--invoices <n>", "generated invoices (5000)", whole)
  .option("--seed <n>", "seed of the generated org", whole, 1)
  .option(
    "--bench <records>",
    "serve Bench__c with so many records from pre-rendered pages, and no other data",
    whole,
  )
  .option("--record-bytes <n>", "JSON of one Bench__c record (1000)", whole)
  .option("--faults <file>", "fault script, JSON (fault-script.ts)")
  .option("--latency <ms>", "delay of every answer", whole, 0)
  .option("--page-size <n>", "records a page", whole, 2000)
  .option("--job-ms <n>", "time a Bulk job runs (300)", whole)
  .option("--short-pages <probability>", "chance of a page shorter than asked", Number, 0)
  .option("--daily-limit <n>", "API calls a day", whole, 100_000)
  .option("--session-seconds <n>", "life of an access token", whole)
  .option("--rotate-refresh-token", "every refresh answers a new refresh token", false)
  .option(
    "--data-changes <list...>",
    "every second, in this object: Account=10,2,1 changes 10 rows, inserts 2, deletes 1",
    dataChange,
  );

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
}

function dataChange(text: string, before: readonly DataChange[] = []): readonly DataChange[] {
  const [, object = "", changed = "", inserted = "0", deleted = "0"] =
    /^(\w+)=(\d+)(?:,(\d+))?(?:,(\d+))?$/.exec(text) ?? [];
  if (object === "") throw new InvalidArgumentError("must be Object=changed[,inserted[,deleted]]");
  return [
    ...before,
    { object, changed: Number(changed), inserted: Number(inserted), deleted: Number(deleted) },
  ];
}

async function optionsOf(flags: Flags): Promise<SalesforceFakeOptions> {
  const clock = { now: () => Date.now() };
  const bench = flags.bench === undefined ? undefined : { records: flags.bench };
  const none = bench === undefined ? undefined : 0;
  const org =
    flags.org === undefined
      ? generateOrg(
          {
            seed: flags.seed,
            accounts: flags.accounts ?? none,
            contacts: flags.contacts ?? none,
            opportunities: flags.opportunities ?? none,
            invoices: flags.invoices ?? none,
          },
          clock,
        )
      : await readOrgFolder(flags.org, clock);
  const faults =
    flags.faults === undefined
      ? undefined
      : parseFaultScript(JSON.parse(await readFile(flags.faults, "utf8")));
  return {
    clock,
    port: flags.port,
    org,
    bench: bench && { ...bench, recordBytes: flags.recordBytes },
    faults,
    latencyMs: flags.latency,
    pageSize: flags.pageSize,
    bulk: flags.jobMs === undefined ? {} : { runMs: flags.jobMs },
    shortPages: flags.shortPages > 0 ? { probability: flags.shortPages, seed: flags.seed } : undefined,
    dailyLimit: flags.dailyLimit,
    sessionMs: flags.sessionSeconds === undefined ? undefined : flags.sessionSeconds * 1000,
    rotateRefreshToken: flags.rotateRefreshToken,
  };
}

const flags = program.parse().opts<Flags>();
const fake = await startSalesforceFake(await optionsOf(flags));
let round = 0;
const changing = flags.dataChanges?.length
  ? setInterval(() => {
      round += 1;
      for (const { object, changed, inserted, deleted } of flags.dataChanges ?? []) {
        fake.org.changeSome(object, changed, flags.seed + round);
        fake.org.insertSome(object, inserted, flags.seed + round);
        fake.org.deleteSome(object, deleted, flags.seed + round);
      }
    }, 1000)
  : undefined;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    clearInterval(changing);
    void fake.close().then(() => process.exit(0));
  });
}
process.stdout.write(`${JSON.stringify({ url: fake.url, env: fake.environment() })}\n`);
