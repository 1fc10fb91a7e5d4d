import { crashArguments } from "./arguments.js";
import type { CrashReport } from "./killed-world.js";
import { CRASH_SOURCES, type CrashSource, createWorld, killsOf } from "./worlds.js";

/**
 * `npm run crash -- --kills 300 [--seed N] [--source rest|bulk|slack|zendesk]`: SIGKILL at random instants of real runs, over
 * every kind of sink and while every source is read.
 */
const KILLS_A_ROUND: Readonly<Record<CrashSource, number>> = { rest: 24, bulk: 6, slack: 8, zendesk: 6 };
const ROUNDS_A_WORLD = 3;
/** What a kill may cost, as each world checks it. */
const PAGES_AGAIN: Readonly<Record<CrashSource, (pages: number) => string>> = {
  rest: (pages) => `${pages} pages fetched again (at most one a kill)`,
  bulk: (pages) => `${pages} pages fetched again (at most three a kill: one of each result that comes)`,
  slack: () => "pages fetched again not counted (a run that goes on looks over its rescan once more)",
  zendesk: (pages) => `${pages} pages fetched again (at most two a kill: one is read ahead)`,
};

const { kills, seed, records, source: only } = crashArguments(process.argv.slice(2));
process.stdout.write(`crash: ${kills} kills, seed ${seed}, ${records} records per object\n`);
const total = { kills: 0, records: 0, lost: 0, duplicated: 0, unbalanced: 0, refetched: 0 };
type Total = typeof total;
const findings: string[] = [];
const lines: string[] = [];
for (const source of only === undefined ? CRASH_SOURCES : [only]) {
  const wanted = only === undefined ? killsOf(source, kills) : kills;
  if (wanted === 0) continue;
  const sum = await killAWhile(source, wanted);
  add(total, sum);
  lines.push(
    `  ${source.padEnd(8)} ${sum.kills} kills, ${sum.records} records compared: ${sum.lost} lost, ${sum.duplicated} duplicated, ` +
      `${sum.unbalanced} accounts unbalanced, ${PAGES_AGAIN[source](sum.refetched)}`,
  );
}
for (const finding of findings) process.stdout.write(`  FOUND ${finding}\n`);
process.stdout.write(`${lines.join("\n")}\n`);
process.stdout.write(
  `crash: ${total.kills} kills, ${total.records} records compared: ${total.lost} lost, ${total.duplicated} duplicated, ` +
    `${total.unbalanced} accounts unbalanced, ${total.refetched} pages fetched again, seed ${seed}\n`,
);
process.exitCode = total.lost + total.duplicated + total.unbalanced + findings.length === 0 ? 0 : 1;

/** World after world, until there were so many kills. */
async function killAWhile(source: CrashSource, wanted: number): Promise<Total> {
  const sum = { kills: 0, records: 0, lost: 0, duplicated: 0, unbalanced: 0, refetched: 0 };
  for (let worldNumber = 0; sum.kills < wanted; worldNumber++) {
    const world = await createWorld(source, seed + worldNumber, records);
    for (let round = 0; round < ROUNDS_A_WORLD && sum.kills + world.kills < wanted; round++) {
      await world.round(Math.min(KILLS_A_ROUND[source], wanted - sum.kills - world.kills));
      process.stdout.write(`  ${source}: ${sum.kills + world.kills} kills\n`);
    }
    await world.close();
    const report = world.report();
    add(sum, report);
    findings.push(...report.findings.map((finding) => `${source}: ${finding}`));
  }
  return sum;
}

function add(sum: Total, report: Omit<CrashReport, "findings" | "rounds">): void {
  sum.kills += report.kills;
  sum.records += report.records;
  sum.lost += report.lost;
  sum.duplicated += report.duplicated;
  sum.unbalanced += report.unbalanced;
  sum.refetched += report.refetched;
}
