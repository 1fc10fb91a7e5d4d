import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { downloadBucket } from "./bucket.js";
import { Comparer, type Comparison } from "./compare.js";
import { Stage } from "./stage.js";

const FOLDER = ".sluice-demo-org";
const OBJECTS = ["Account", "Contact", "Task", "Event", "User"] as const;
type OrgObject = (typeof OBJECTS)[number];
/** Rows changed and rows inserted before each incremental run. */
const CHANGES: Readonly<Record<OrgObject, readonly [number, number]>> = {
  Account: [100, 20],
  Contact: [500, 50],
  Task: [4000, 300],
  Event: [3000, 200],
  User: [10, 2],
};

/** Real tables through every kind of sink, full and then in increments; 0 when all that landed equals the originals. */
export async function orgDemo(org: string): Promise<number> {
  const folder = resolve(org);
  process.stdout.write(`Serving the org in ${org} ...\n`);
  const stage = await Stage.open(FOLDER, { salesforce: ["--org", folder] });
  const comparer = await Comparer.open();
  const findings: Comparison[] = [];
  try {
    writeProject(stage.dir);
    const flows = OBJECTS.map((object) => object.toLowerCase());
    if ((await stage.show("run", ...flows)) !== 0) return 1;
    await attach(stage, comparer);
    for (const object of OBJECTS) {
      for (const [sink, relation] of sinks(stage.dir, object)) {
        const original = originalOf(folder, object);
        const sides = { columnsOf: original, expected: original, actual: relation, once: ["Id"] };
        findings.push(await comparer.compare(`${object} ${sink}, full`, sides));
      }
    }
    await comparer.detach();
    print(findings);
    for (const round of [1, 2]) {
      for (const object of OBJECTS) await changeOrg(stage, object, round);
      // A window ends at the second it was opened in: what was changed within that second belongs to the next one.
      await new Promise((wake) => setTimeout(wake, 1100));
      if ((await stage.show("run", ...flows)) !== 0) return 1;
      await attach(stage, comparer);
      const found = await compareWithOrg(stage, comparer, folder, round);
      await comparer.detach();
      print(found);
      findings.push(...found);
    }
  } finally {
    comparer.close();
    await stage.close();
  }
  const wrong = findings.filter(({ missing, extra, repeated }) => missing + extra + repeated > 0);
  const rows = findings.reduce((sum, finding) => sum + finding.rows, 0);
  process.stdout.write(
    wrong.length === 0
      ? `\nAll ${findings.length} comparisons equal: ${rows.toLocaleString("en")} rows, each once.\n`
      : `\n${wrong.length} of ${findings.length} comparisons differ.\n`,
  );
  return wrong.length === 0 ? 0 : 1;
}

/** What has landed, made readable. */
async function attach(stage: Stage, comparer: Comparer): Promise<void> {
  await downloadBucket(stage.env, join(stage.dir, "downloaded"));
  await comparer.attach(join(stage.dir, "warehouse.duckdb"));
}

function writeProject(dir: string): void {
  writeFileSync(
    join(dir, "sluice.yaml"),
    `connections:
  salesforce:
    connector: salesforce
    instanceUrl: "\${env:SF_URL}"
    loginUrl: "\${env:SF_URL}"
    auth: { type: clientCredentials, clientId: "\${env:SF_CLIENT_ID}", clientSecret: "\${env:SF_CLIENT_SECRET}" }
  files: { connector: folder, path: landed }
  lake:
    connector: s3
    bucket: "\${env:S3_BUCKET}"
    region: us-east-1
    endpoint: "\${env:S3_ENDPOINT}"
    forcePathStyle: true
    accessKeyId: "\${env:AWS_ACCESS_KEY_ID}"
    secretAccessKey: "\${env:AWS_SECRET_ACCESS_KEY}"
  warehouse: { connector: duckdb, path: warehouse.duckdb }
`,
  );
  mkdirSync(join(dir, "flows"));
  for (const object of OBJECTS) {
    const name = object.toLowerCase();
    // By REST: tables from elsewhere hold empty texts, which an org never has and the CSV of Bulk cannot tell from null.
    writeFileSync(
      join(dir, "flows", `${name}.yaml`),
      `name: ${name}
source: { connection: salesforce, stream: ${object}, options: { api: rest } }
sinks:
  - { connection: files, path: ${name}, format: parquet }
  - { connection: lake, path: ${name}, format: jsonl, compression: gzip }
  - { connection: warehouse, table: ${name}, write: upsert, key: [Id] }
`,
    );
  }
}

function originalOf(folder: string, object: OrgObject): string {
  return `read_parquet('${join(folder, `${object}.parquet`)}')`;
}

/** Where an object landed, as relations. */
function sinks(dir: string, object: OrgObject): [string, string][] {
  const name = object.toLowerCase();
  return [
    ["folder", `read_parquet('${join(dir, "landed", name)}/**/*.parquet', union_by_name = true)`],
    ["s3", jsonl(join(dir, "downloaded", name, "*.jsonl.gz"))],
    ["duckdb", `warehouse.${name}`],
  ];
}

/** Every field as text or number: the comparison casts each to what the original has. */
function jsonl(glob: string): string {
  return `read_json('${glob}', format = 'newline_delimited', sample_size = -1, convert_strings_to_integers = false)`;
}

async function control(stage: Stage, method: string, path: string, body?: unknown): Promise<string> {
  const answer = await fetch(`${stage.env.SF_URL}/__fake/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the fake refused ${method} ${path}: ${text}`);
  return text;
}

async function changeOrg(stage: Stage, object: OrgObject, round: number): Promise<void> {
  const [changed, inserted] = CHANGES[object];
  await control(stage, "POST", "change", { object, count: changed, seed: round });
  await control(stage, "POST", "insert", { object, count: inserted, seed: round });
}

/**
 * After a change: the table holds every row as the org has it now. Folder and bucket keep every version that was
 * current when they were read: originals, and what has changed since, each version once.
 */
async function compareWithOrg(
  stage: Stage,
  comparer: Comparer,
  folder: string,
  round: number,
): Promise<Comparison[]> {
  const found: Comparison[] = [];
  const current = join(stage.dir, "current");
  mkdirSync(current, { recursive: true });
  for (const object of OBJECTS) {
    const file = join(current, `${object}-${round}.ndjson`);
    writeFileSync(file, await control(stage, "GET", `objects/${object}`));
    const columnsOf = originalOf(folder, object);
    for (const [sink, relation] of sinks(stage.dir, object)) {
      const latest =
        sink === "duckdb"
          ? relation
          : `(SELECT * FROM ${relation} QUALIFY row_number() OVER (PARTITION BY Id ORDER BY SystemModstamp DESC) = 1)`;
      const current = { columnsOf, expected: jsonl(file), actual: latest, once: ["Id"] };
      found.push(await comparer.compare(`${object} ${sink}, change ${round}`, current));
      if (sink === "duckdb") continue;
      const versions = `(SELECT Id, SystemModstamp FROM ${relation})`;
      const all = {
        columnsOf: versions,
        expected: versions,
        actual: versions,
        once: ["Id", "SystemModstamp"],
      };
      found.push(await comparer.compare(`${object} ${sink}, versions ${round}`, all));
    }
  }
  return found;
}

function print(comparisons: readonly Comparison[]): void {
  process.stdout.write("\n");
  for (const { what, rows, missing, extra, repeated } of comparisons) {
    const verdict =
      missing + extra + repeated === 0
        ? "equal, each once"
        : `${missing} missing, ${extra} extra, ${repeated} repeated`;
    process.stdout.write(`  ${what.padEnd(28)} ${String(rows).padStart(7)} rows  ${verdict}\n`);
  }
}
