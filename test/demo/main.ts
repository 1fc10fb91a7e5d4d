import { relative } from "node:path";
import { parseArgs } from "node:util";
import { orgDemo } from "./org.js";
import { Stage } from "./stage.js";

/*
 * `npm run demo`: a generated org, the three example flows, what landed and an answer over it.
 * `npm run demo -- --org <folder>`: an org from one Parquet or NDJSON file per object, through every kind of sink, full
 * and then in increments, compared with the originals by SQL.
 */

const FOLDER = ".sluice-demo";
const { values } = parseArgs({
  options: { org: { type: "string" }, seed: { type: "string", default: "1" } },
});

process.exitCode = values.org === undefined ? await demo() : await orgDemo(values.org);

async function demo(): Promise<number> {
  const startedAt = performance.now();
  process.stdout.write("Starting a Salesforce double with a generated org, and an S3 double ...\n");
  const stage = await Stage.open(FOLDER, [
    ...["--accounts", "20000", "--opportunities", "100000", "--contacts", "40000"],
    ...["--seed", values.seed],
  ]);
  try {
    stage.copyExamples();
    const flows = [
      "salesforce-opportunities-to-parquet",
      "salesforce-contacts-to-s3",
      "salesforce-accounts-to-duckdb",
    ];
    for (const flow of flows) {
      const code = await stage.show("run", flow);
      if (code !== 0) return code;
    }
    process.stdout.write(`\nLanded:\n${(await landedFiles(stage)).join("\n")}\n`);
    const question = `SELECT o.stage, count(*) AS opportunities, round(sum(o.amount)) AS amount, count(DISTINCT a.Id) AS accounts
FROM salesforce_opportunities_to_parquet o LEFT JOIN accounts a ON a.Id = o.account_id
GROUP BY o.stage ORDER BY amount DESC LIMIT 5`;
    const code = await stage.show("query", question);
    if (code !== 0) return code;
    await stage.show("status");
  } finally {
    await stage.close();
  }
  const where = relative(process.cwd(), stage.dir) || stage.dir;
  process.stdout.write(`
Done in ${((performance.now() - startedAt) / 1000).toFixed(0)} s. Everything is in ${where}/: landed/ (Parquet), s3/ (the bucket), warehouse.duckdb.

Try next:
  cd ${where}
  npx sluice runs                                  every run and its account
  npx sluice query "from accounts limit 3"         SQL over what has landed
  npx sluice dead-letters list                     records that were rejected, with reasons
  npx sluice queue list                            the buffer
  npx sluice validate                              change a flow, then see what the lint says
`);
  return 0;
}

/** Every file that the runs wrote, a line each. */
async function landedFiles(stage: Stage): Promise<string[]> {
  const exit = await stage.run("runs", "--json");
  const runs: { sinks: { files: { path: string; records: number; bytes: number }[] }[] }[] = JSON.parse(
    exit.stdout,
  );
  const files = runs.flatMap(({ sinks }) => sinks.flatMap((sink) => sink.files));
  return files.map(({ path, records, bytes }) => {
    const name = path.startsWith(stage.dir) ? relative(stage.dir, path) : path;
    return `  ${records.toLocaleString("en").padStart(7)} records ${(bytes / 1000).toFixed(0).padStart(6)} kB  ${name}`;
  });
}
