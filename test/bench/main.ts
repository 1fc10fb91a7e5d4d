import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startS3Fake } from "../fakes/s3/index.js";
import { projectRoot } from "../root.js";
import { type Measured, measure } from "./measure.js";
import { type BenchSink, writeBenchProject } from "./project.js";

/*
 * `npm run bench [-- --records 1000000] [--only parquet,jsonl] [--memory]`
 *
 * Records of about 1 KB from the Salesforce fake (pre-rendered pages, its own process) through real `sluice run`
 * processes, beside the bare loop in the same session. `--memory` adds three times the rows and a sink that refuses
 * everything, to show that memory does not grow.
 */

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "1000000" },
    only: { type: "string", default: "jsonl,jsonl-gz,parquet,duckdb" },
    memory: { type: "boolean", default: false },
  },
});
const records = Number(values.records);
const root = projectRoot();
const dir = mkdtempSync(join(tmpdir(), "sluice-bench-"));

interface Row {
  readonly what: string;
  readonly records: number;
  readonly measured: Measured;
  readonly ratio: number | undefined;
}
const rows: Row[] = [];

async function startFake(count: number): Promise<{ env: Record<string, string>; process: ChildProcess }> {
  const child = spawn(
    process.execPath,
    [
      join(root, "dist/test/fakes/salesforce/main.js"),
      "--bench",
      String(count),
      "--daily-limit",
      "100000000",
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const line = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("\n")) resolve(text.split("\n")[0] ?? "");
    });
    child.on("exit", () => reject(new Error("the fake ended before it was ready")));
  });
  const ready: { env: Record<string, string> } = JSON.parse(line);
  return { env: ready.env, process: child };
}

async function fieldsOf(env: Record<string, string>): Promise<string[]> {
  const answer = await fetch(`${env.SF_URL}/services/data/v67.0/sobjects/Bench__c/describe`, {
    headers: { authorization: `Bearer ${env.SF_ACCESS_TOKEN}` },
  });
  const description: { fields: { name: string }[] } = JSON.parse(await answer.text());
  return description.fields.map(({ name }) => name);
}

async function bare(
  env: Record<string, string>,
  packing: "plain" | "gzip",
  count: number,
): Promise<Measured> {
  const query = `SELECT ${(await fieldsOf(env)).join(",")} FROM Bench__c ORDER BY SystemModstamp, Id`;
  const target = join(dir, "bare.out");
  const measured = await measure(
    process.execPath,
    [join(root, "dist/test/bench/bare.js"), query, target, packing],
    { cwd: dir, env },
  );
  rmSync(target, { force: true });
  if (measured.code !== 0 || Number(measured.stdout) !== count)
    throw new Error(`bare loop: ${measured.stderr}`);
  return measured;
}

async function flow(env: Record<string, string>, sink: BenchSink, count: number): Promise<Measured> {
  const project = mkdtempSync(join(dir, `${sink}-`));
  writeBenchProject(project, sink);
  const measured = await measure(
    // As `npx sluice` starts it.
    join(root, "node_modules/.bin/sluice"),
    ["run", sink, "--json"],
    { cwd: project, env },
  );
  const moved = movedBy(measured.stdout, sink === "refused" ? "queued" : "loaded");
  if (moved !== count) throw new Error(`${sink}: ${measured.stdout} ${measured.stderr.slice(-2000)}`);
  rmSync(project, { recursive: true, force: true });
  return measured;
}

/** Records of the run's account; undefined when the run could not even begin. */
function movedBy(stdout: string, count: "loaded" | "queued"): number | undefined {
  const document: unknown = JSON.parse(stdout || "null");
  if (!Array.isArray(document)) return undefined;
  const [run]: { records: { loaded: number; queued: number } }[] = document;
  return run?.records[count];
}

function report(what: string, count: number, measured: Measured, base?: Measured): void {
  const row: Row = {
    what,
    records: count,
    measured,
    ratio: base === undefined ? undefined : base.wallS / measured.wallS,
  };
  rows.push(row);
  process.stdout.write(`${line(row)}\n`);
}

/** Design, "Numbers to reach": records/s end to end, share of the bare loop, MiB of anonymous memory. */
const GOALS: Readonly<Record<string, number>> = { "sluice -> parquet": 60_000, "sluice -> jsonl-gz": 40_000 };
const SHARE = 0.7;
const MEMORY_MIB = 300;

/** Why a goal was missed. `cpuS`: of one record. */
function limitOf(goal: number, base: Row, cpuS: number): string {
  const bare = base.records / base.measured.wallS;
  const rate = `${Math.round(bare).toLocaleString("en")}/s`;
  if (bare < goal)
    return `the machine limits: the bare loop itself does ${rate} here, one core of JSON.parse and JSON.stringify`;
  return costOf(base, cpuS);
}

/** Reading, the buffer and the sink take turns on this machine's cores: CPU is what a record costs. */
function costOf({ records: count, measured }: Row, cpuS: number): string {
  const micros = (seconds: number) => `${(seconds * 1e6).toFixed(1)} us`;
  return `a record takes ${micros(cpuS)} of CPU on ${cpus().length} cores, in the bare loop ${micros(measured.cpuS / count)}`;
}

/** Each goal with what was measured, and what limits where it was missed. */
function judge(): void {
  process.stdout.write("\n");
  const [base] = rows;
  for (const { what, records: count, measured, ratio } of rows) {
    const goal = GOALS[what];
    const rate = count / measured.wallS;
    if (goal !== undefined) {
      const limit =
        rate >= goal || base === undefined || ratio === undefined
          ? ""
          : `; ${limitOf(goal, base, measured.cpuS / count)}`;
      verdict(
        rate >= goal,
        `${what}: ${Math.round(rate).toLocaleString("en")}/s, goal ${goal.toLocaleString("en")}/s${limit}`,
      );
    }
    if (ratio !== undefined) {
      const cost = ratio >= SHARE || base === undefined ? "" : `; ${costOf(base, measured.cpuS / count)}`;
      verdict(ratio >= SHARE, `${what}: ${ratio.toFixed(2)} of the bare loop, goal ${SHARE}${cost}`);
    }
    if (what.startsWith("sluice")) {
      const anonymous = Math.round(measured.peakAnonMiB);
      verdict(anonymous <= MEMORY_MIB, `${what}: peak ${anonymous} MiB anonymous, goal ${MEMORY_MIB} MiB`);
    }
  }
}

function verdict(reached: boolean, text: string): void {
  process.stdout.write(`${reached ? "reached" : "missed "}  ${text}\n`);
}

function line({ what, records: count, measured, ratio }: Row): string {
  const cells = [
    what.padEnd(28),
    `${Math.round(count / measured.wallS).toLocaleString("en")}/s`.padStart(11),
    `${measured.wallS.toFixed(1)} s`.padStart(8),
    `${measured.cpuS.toFixed(1)} CPU s`.padStart(11),
    `${Math.round(measured.peakRssMiB)} MiB RSS`.padStart(13),
    `${Math.round(measured.peakAnonMiB)} MiB anon`.padStart(13),
    ratio === undefined ? "" : `${ratio.toFixed(2)} of the bare loop`,
  ];
  return cells.join("  ");
}

process.stdout.write(
  `bench: ${records.toLocaleString("en")} records of about 1 KB, ${cpus().length} cores, Node ${process.version}\n`,
);
const only = values.only.split(",");
const fake = await startFake(records);
try {
  const base = await bare(fake.env, "plain", records);
  report("bare loop -> jsonl", records, base);
  const packed = only.includes("jsonl-gz") ? await bare(fake.env, "gzip", records) : undefined;
  if (packed !== undefined) report("bare loop -> jsonl.gz", records, packed);
  const sinks: [BenchSink, Measured | undefined][] = [
    ["jsonl", base],
    ["jsonl-gz", packed],
    ["parquet", base],
    ["duckdb", base],
  ];
  for (const [sink, against] of sinks) {
    if (only.includes(sink))
      report(`sluice -> ${sink}`, records, await flow(fake.env, sink, records), against);
  }
} finally {
  fake.process.kill();
}
if (values.memory) {
  const large = await startFake(records * 3);
  const s3 = await startS3Fake({ buckets: ["refused"] });
  s3.faults.add({
    times: Number.POSITIVE_INFINITY,
    action: { type: "status", status: 503, code: "SlowDown" },
  });
  const env = {
    S3_ENDPOINT: s3.url,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
  try {
    report(
      "sluice -> parquet, 3x rows",
      records * 3,
      await flow({ ...large.env, ...env }, "parquet", records * 3),
    );
    report(
      "sluice -> refusing sink, 3x",
      records * 3,
      await flow({ ...large.env, ...env }, "refused", records * 3),
    );
  } finally {
    large.process.kill();
    await s3.close();
  }
}
rmSync(dir, { recursive: true, force: true });
judge();
