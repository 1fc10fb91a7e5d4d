import { queueCrashArguments } from "./arguments.js";
import { QueueCrashWorld } from "./world.js";

/**
 * `npm run crash:queue -- --kills 500 [--seed N]`: SIGKILL of `sluice queue serve` at random instants under load, over
 * one data directory. What is checked: ledger.ts.
 */
const PRINT_EVERY = 50;

const { kills, seed } = queueCrashArguments(process.argv.slice(2));
process.stdout.write(`crash:queue: ${kills} kills, seed ${seed}\n`);
const startedAt = performance.now();
const world = new QueueCrashWorld(seed);
await world.run(kills, (done) => {
  if (done % PRINT_EVERY === 0) process.stdout.write(`  ${done} kills\n`);
});
const report = world.report();
const kept = world.close();
for (const finding of report.findings) process.stdout.write(`  FOUND ${finding}\n`);
if (kept !== undefined) process.stdout.write(`  kept for a look: ${kept}\n`);
process.stdout.write(
  `crash:queue: ${report.kills} kills in ${Math.round((performance.now() - startedAt) / 1_000)} s; ` +
    `${report.sent} messages acknowledged, ${report.delivered} deliveries, ${report.deleted} deletes acknowledged, ` +
    `${report.dead} to the dead letters; ${report.findings.length} findings, seed ${seed}\n`,
);
process.exitCode = report.findings.length === 0 ? 0 : 1;
