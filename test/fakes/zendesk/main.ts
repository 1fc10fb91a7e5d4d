/**
 * The Zendesk fake as a process of its own: `node dist/test/fakes/zendesk/main.js --help`.
 * Prints one line of JSON when it is ready, `{"url": ..., "env": {"ZENDESK_URL": ..., ...}}`, and stops on SIGTERM or SIGINT.
 */
import { readFile } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { KINDS } from "./account.js";
import { readAccountFolder } from "./account-folder.js";
import { parseFaultScript } from "./fault-script.js";
import { generateAccount } from "./generate.js";
import { startZendeskFake, type ZendeskFakeOptions } from "./server.js";

interface Flags {
  readonly port: number;
  readonly account?: string;
  readonly tickets?: number;
  readonly users?: number;
  readonly organizations?: number;
  readonly seed: number;
  readonly bench?: number;
  readonly recordBytes?: number;
  readonly faults?: string;
  readonly latency: number;
  readonly perMinute: number;
  readonly exportsPerMinute: number;
  readonly spelling: "2024" | "2023" | "none";
  readonly expiresIn?: number;
  readonly dataChanges?: readonly DataChange[];
}

/** `stream=changed[,inserted[,deleted]]` every second: an account that lives while it is read. */
interface DataChange {
  readonly stream: string;
  readonly changed: number;
  readonly inserted: number;
  readonly deleted: number;
}

const program = new Command("zendesk-fake")
  .option("--port <n>", "port on 127.0.0.1; 0 takes a free one", whole, 0)
  .option("--account <folder>", "serve one NDJSON file per stream instead of a generated account")
  .option("--tickets <n>", "generated tickets (20000); events and metrics follow", whole)
  .option("--users <n>", "generated users (5000)", whole)
  .option("--organizations <n>", "generated organizations (1000)", whole)
  .option("--seed <n>", "seed of the generated account", whole, 1)
  .option("--bench <records>", "serve so many tickets from pre-rendered pages, and no other data", whole)
  .option("--record-bytes <n>", "JSON of one ticket of the bench (1000)", whole)
  .option("--faults <file>", "fault script, JSON (fault-script.ts)")
  .option("--latency <ms>", "delay of every answer", whole, 0)
  .option("--per-minute <n>", "requests a minute of the account", whole, 700)
  .option("--exports-per-minute <n>", "requests a minute to the exports", whole, 10)
  .addOption(
    new Option("--spelling <year>", "of the limit headers").choices(["2024", "2023", "none"]).default("2024"),
  )
  .option("--expires-in <seconds>", "life of an access token", whole)
  .option(
    "--data-changes <list...>",
    "every second, in this stream: tickets=10,2,1 changes 10 records, inserts 2, deletes 1",
    dataChange,
  );

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
}

function dataChange(text: string, before: readonly DataChange[] = []): readonly DataChange[] {
  const [, stream = "", changed = "", inserted = "0", deleted = "0"] =
    /^(\w+)=(\d+)(?:,(\d+))?(?:,(\d+))?$/.exec(text) ?? [];
  if (KINDS[stream] === undefined)
    throw new InvalidArgumentError("must be stream=changed[,inserted[,deleted]]");
  return [
    ...before,
    { stream, changed: Number(changed), inserted: Number(inserted), deleted: Number(deleted) },
  ];
}

async function optionsOf(flags: Flags): Promise<ZendeskFakeOptions> {
  const clock = { now: () => Date.now() };
  const none = flags.bench === undefined ? undefined : 0;
  const account =
    flags.account === undefined
      ? generateAccount(
          {
            seed: flags.seed,
            tickets: flags.tickets ?? none ?? 20_000,
            users: flags.users ?? none ?? 5_000,
            organizations: flags.organizations ?? none ?? 1_000,
            articles: none ?? 200,
            others: none ?? 40,
          },
          clock,
        )
      : await readAccountFolder(flags.account, clock);
  return {
    clock,
    port: flags.port,
    account,
    latencyMs: flags.latency,
    perMinute: flags.perMinute,
    exportsPerMinute: flags.exportsPerMinute,
    spelling: flags.spelling,
    ...(flags.expiresIn === undefined ? {} : { expiresIn: flags.expiresIn }),
    ...(flags.bench === undefined
      ? {}
      : {
          bench: {
            records: flags.bench,
            ...(flags.recordBytes === undefined ? {} : { recordBytes: flags.recordBytes }),
          },
        }),
    ...(flags.faults === undefined
      ? {}
      : { faults: parseFaultScript(JSON.parse(await readFile(flags.faults, "utf8"))) }),
  };
}

const flags = program.parse().opts<Flags>();
const fake = await startZendeskFake(await optionsOf(flags));
let round = 0;
const changing = flags.dataChanges?.length
  ? setInterval(() => {
      round += 1;
      for (const { stream, changed, inserted, deleted } of flags.dataChanges ?? []) {
        fake.account.changeSome(stream, changed, flags.seed + round);
        fake.account.copySome(stream, inserted, flags.seed + round);
        fake.account.deleteSome(stream, deleted, flags.seed + round);
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
