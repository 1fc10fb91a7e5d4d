import { crashArguments } from "./arguments.js";
import { CrashWorld } from "./world.js";

/** `npm run crash -- --kills 300 [--seed N]`: SIGKILL at random instants of real runs, over every kind of sink. */
const KILLS_A_ROUND = 24;
const ROUNDS_A_WORLD = 3;

const { kills, seed, records } = crashArguments(process.argv.slice(2));
process.stdout.write(`crash: ${kills} kills, seed ${seed}, ${records} records per object\n`);
let done = 0;
const total = { lost: 0, duplicated: 0, unbalanced: 0, refetched: 0, records: 0 };
const findings: string[] = [];
for (let worldNumber = 0; done < kills; worldNumber++) {
  const world = await CrashWorld.create(seed + worldNumber, records);
  for (let round = 0; round < ROUNDS_A_WORLD && done + world.kills < kills; round++) {
    await world.round(Math.min(KILLS_A_ROUND, kills - done - world.kills));
    process.stdout.write(`  ${done + world.kills} kills\n`);
  }
  await world.close();
  const report = world.report();
  done += report.kills;
  total.lost += report.lost;
  total.duplicated += report.duplicated;
  total.unbalanced += report.unbalanced;
  total.refetched += report.refetched;
  total.records += report.records;
  findings.push(...report.findings);
}
for (const finding of findings) process.stdout.write(`  FOUND ${finding}\n`);
process.stdout.write(
  `crash: ${done} kills, ${total.records} records compared: ${total.lost} lost, ${total.duplicated} duplicated, ` +
    `${total.unbalanced} accounts unbalanced, ${total.refetched} pages fetched again (at most one a kill), seed ${seed}\n`,
);
process.exitCode = total.lost + total.duplicated + total.unbalanced + findings.length === 0 ? 0 : 1;
