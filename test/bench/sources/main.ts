import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { thousands, verdict } from "../queue/table.js";
import { ALLOWED, limitedRun } from "./allowed.js";
import { type BenchFake, startBenchFake } from "./bench-fake.js";
import { type Loop, loopOf, wholeRun } from "./loops.js";
import { type MeasuredSource, SOURCE_NAMES, sourceNamed } from "./measured-source.js";

/*
 * `npm run bench:sources [-- --records 200000] [--only salesforce,slack,zendesk]`
 *
 * The heaviest stream of each source, records of about 1 KB from its fake (pre-rendered pages, its own process): by the source
 * alone, and by a whole `sluice run` into JSON lines, beside the bare loop in the same session. Then with 50 ms before every
 * answer; and, where the API has a limit by the minute, a run that meets it. Those runs begin first, and wait for their second
 * minute while the others are measured.
 */

const LATENCY_MS = 50;
/** Enough to see what latency costs. */
const DELAYED_RECORDS = 50_000;
/** Records a second of a source against its fake. */
const GOAL = 40_000;
/** Of what the API's limits allow. */
const SHARE_OF_LIMIT = 0.8;

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "200000" },
    only: { type: "string", default: SOURCE_NAMES.join(",") },
  },
});
const records = Number(values.records);
if (!Number.isInteger(records) || records < 1) throw new Error("--records takes a whole number");
const sources = values.only.split(",").map(sourceNamed);
const dir = mkdtempSync(join(tmpdir(), "sluice-bench-sources-"));
const verdicts: string[] = [];
const fakes: BenchFake[] = [];

process.stdout.write(
  `bench: ${thousands(records)} records of about 1 KB per source, ${cpus().length} cores (load before: ${loadavg()[0]?.toFixed(1)}), Node ${process.version}\n`,
);
try {
  const waiting = [];
  for (const source of sources) waiting.push(await beginLimited(source));
  for (const source of sources) await plain(source);
  process.stdout.write(`\n${LATENCY_MS} ms before every answer\n`);
  for (const source of sources) await delayed(source);
  for (const finish of waiting) await finish();
} finally {
  await Promise.all(fakes.map((fake) => fake.stop()));
  rmSync(dir, { recursive: true, force: true });
}
process.stdout.write(`\n${verdicts.join("\n")}\n`);

async function plain(source: MeasuredSource): Promise<void> {
  const fake = await startBenchFake(source, records, ...source.unlimited);
  try {
    const bare = await loopOf("bare.js", source, records, fake.env);
    print(`${source.title}: bare loop`, bare);
    const alone = await loopOf("alone.js", source, records, fake.env);
    print(`${source.title}: source alone`, alone, bare);
    const whole = await wholeRun(dir, source, records, fake.env);
    print(`${source.title}: sluice -> jsonl`, whole, bare);
    for (const [what, loop] of [
      ["source alone", alone],
      ["sluice -> jsonl", whole],
    ] as const) {
      const rate = rateOf(loop);
      const reached = rate >= GOAL;
      const text = `${source.title}, ${what}: ${thousands(rate)}/s, goal ${thousands(GOAL)}/s`;
      verdicts.push(verdict(reached, reached ? text : `${text}; ${reasonOf(loop, bare)}`));
    }
  } finally {
    await fake.stop();
  }
}

/** What latency leaves, with no limit in force, beside what the limits allow. */
async function delayed(source: MeasuredSource): Promise<void> {
  const count = Math.min(records, DELAYED_RECORDS);
  const fake = await startBenchFake(source, count, ...source.unlimited, "--latency", String(LATENCY_MS));
  try {
    const loop = await loopOf("alone.js", source, count, fake.env);
    print(`${source.title}: source alone`, loop);
    const { recordsPerS, limit } = ALLOWED[source.name];
    const share = rateOf(loop) / recordsPerS;
    verdicts.push(
      verdict(
        share >= SHARE_OF_LIMIT,
        `${source.title}, ${LATENCY_MS} ms, limits off: ${thousands(rateOf(loop))}/s, ${share.toFixed(1)} times the ` +
          `${thousands(recordsPerS)}/s that the API allows (${limit}); goal ${SHARE_OF_LIMIT}`,
      ),
    );
  } finally {
    await fake.stop();
  }
}

/** Starts a run that meets the limit of the API; resolves when it waits. What it returns waits for its end. */
async function beginLimited(source: MeasuredSource): Promise<() => Promise<void>> {
  const { name, title, limited } = source;
  if (limited === undefined || name === "salesforce") return async () => undefined;
  const run = limitedRun(name);
  const fake = await startBenchFake(source, run.records, ...limited, "--latency", String(LATENCY_MS));
  // Whatever becomes of the measurements in between.
  fakes.push(fake);
  const running = wholeRun(dir, source, run.records, fake.env);
  // Until somebody waits for it.
  running.catch(() => undefined);
  await fake.atRest();
  return async () => {
    const loop = await running;
    print(`${title}: sluice -> jsonl, limited`, loop);
    const share = run.seconds / loop.seconds;
    verdicts.push(
      verdict(
        share >= SHARE_OF_LIMIT,
        `${title}, ${LATENCY_MS} ms, ${ALLOWED[name].limit}: ${thousands(loop.records)} records in ` +
          `${loop.seconds.toFixed(1)} s, the API allows them in ${run.seconds} s: ${share.toFixed(2)}, goal ${SHARE_OF_LIMIT}`,
      ),
    );
  };
}

/** Why a goal was missed: what the records cost here. */
function reasonOf(loop: Loop, bare: Loop): string {
  const cost = ({ measured, records: count }: Loop) => ((measured.cpuS / count) * 1e6).toFixed(0);
  const machine =
    rateOf(bare) < GOAL ? `the machine limits: the bare loop itself does ${thousands(rateOf(bare))}/s; ` : "";
  return (
    `${machine}${cost(loop)} µs of CPU a record beside ${cost(bare)} of the bare loop, starting included, ` +
    `on ${cpus().length} cores that the fake shares (load now ${loadavg()[0]?.toFixed(1)})`
  );
}

function rateOf({ records: count, seconds }: Loop): number {
  return count / seconds;
}

function print(what: string, loop: Loop, bare?: Loop): void {
  const { measured, seconds } = loop;
  const cells = [
    what.padEnd(50),
    `${thousands(rateOf(loop))}/s`.padStart(11),
    `${seconds.toFixed(1)} s`.padStart(8),
    `${measured.cpuS.toFixed(1)} CPU s`.padStart(11),
    `${Math.round(measured.peakAnonMiB)} MiB anon`.padStart(13),
    bare === undefined ? "" : `${(rateOf(loop) / rateOf(bare)).toFixed(2)} of the bare loop`,
  ];
  process.stdout.write(`${cells.join("  ").trimEnd()}\n`);
}
