import { relative } from "node:path";
import { parseArgs } from "node:util";
import { orgDemo } from "./org.js";
import { Stage } from "./stage.js";

/*
 * `npm run demo`: a generated org, workspace and help desk, the example flows, what landed and answers over it.
 * `npm run demo -- --org <folder>`: an org from one Parquet or NDJSON file per object, through every kind of sink, full
 * and then in increments, compared with the originals by SQL.
 */

const FOLDER = ".sluice-demo";
const { values } = parseArgs({
  options: { org: { type: "string" }, seed: { type: "string", default: "1" } },
});

/** Each line is one `sluice run`. */
const RUNS = [
  ["salesforce-opportunities-to-parquet"],
  ["salesforce-contacts-to-s3"],
  ["salesforce-accounts-to-duckdb"],
  ["salesforce-bulk-to-lake"],
  ["slack-conversations-to-s3"],
  ["zendesk-tickets-to-duckdb", "zendesk-comments-to-duckdb"],
] as const;

const QUESTIONS = [
  `SELECT o.stage, count(*) AS opportunities, round(sum(o.amount)) AS amount, count(DISTINCT a.Id) AS accounts
FROM salesforce_opportunities_to_parquet o LEFT JOIN accounts a ON a.Id = o.account_id
GROUP BY o.stage ORDER BY amount DESC LIMIT 5`,
  // Each message once and as it is now: edits and deletes are later rows.
  `SELECT channel, count(*) AS messages, count(DISTINCT author) AS people, sum(replies) AS replies
FROM (SELECT * FROM slack_conversations_to_s3
      QUALIFY row_number() OVER (PARTITION BY channel_id, ts ORDER BY changed_at DESC) = 1)
WHERE NOT deleted GROUP BY channel ORDER BY messages DESC LIMIT 5`,
  `SELECT t.status, count(DISTINCT t.ticket_id) AS tickets, count(c.comment_id) AS comments
FROM warehouse.tickets t LEFT JOIN warehouse.ticket_comments c USING (ticket_id)
GROUP BY t.status ORDER BY tickets DESC`,
] as const;

/** More files of one run than this are summed up in a line. */
const FEW_FILES = 6;

process.exitCode = values.org === undefined ? await demo() : await orgDemo(values.org);

async function demo(): Promise<number> {
  const startedAt = performance.now();
  process.stdout.write(
    "Starting doubles of Salesforce, Slack and Zendesk with generated data, and one of S3 ...\n",
  );
  const seed = ["--seed", values.seed];
  const stage = await Stage.open(FOLDER, {
    salesforce: ["--accounts", "20000", "--opportunities", "100000", "--contacts", "40000", ...seed],
    slack: ["--users", "60", "--channels", "4", "--messages", "3000", "--days", "7", ...seed],
    zendesk: ["--tickets", "2000", "--users", "300", "--organizations", "50", ...seed],
  });
  try {
    stage.copyExamples();
    for (const flows of RUNS) {
      const code = await stage.show("run", ...flows);
      if (code !== 0) return code;
    }
    process.stdout.write(`\nLanded:\n${(await landedFiles(stage)).join("\n")}\n`);
    for (const question of QUESTIONS) {
      const code = await stage.show("query", question);
      if (code !== 0) return code;
    }
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

interface LandedFile {
  readonly path: string;
  readonly records: number;
  readonly bytes: number;
}

/** What the runs wrote: a line for each file, or for the folder of many. */
async function landedFiles(stage: Stage): Promise<string[]> {
  const exit = await stage.run("runs", "--json");
  const runs: { sinks: { files: LandedFile[] }[] }[] = JSON.parse(exit.stdout);
  const local = (path: string) => (path.startsWith(stage.dir) ? relative(stage.dir, path) : path);
  return runs
    .flatMap(({ sinks }) => sinks)
    .flatMap(({ files }) => {
      if (files.length <= FEW_FILES) return files.map((file) => landedLine([file], local(file.path)));
      return [landedLine(files, `${local(folderOf(files))}/ in ${files.length} files`)];
    });
}

/** The innermost folder that holds all of them. */
function folderOf(files: readonly LandedFile[]): string {
  const [first = [], ...others] = files.map(({ path }) => path.split("/"));
  const differs = first.findIndex((part, at) => others.some((other) => other[at] !== part));
  return first.slice(0, differs).join("/");
}

function landedLine(files: readonly LandedFile[], name: string): string {
  const records = files.reduce((sum, file) => sum + file.records, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return `  ${records.toLocaleString("en").padStart(7)} records ${(bytes / 1000).toFixed(0).padStart(6)} kB  ${name}`;
}
