import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectors } from "../../../connectors/index.js";
import { type Log, systemClock, systemRandom } from "../../../core/contracts/index.js";
import { KeptAnswers } from "../../../core/store/index.js";
import type { LoopResult } from "./loop-result.js";
import { resolved, sourceNamed } from "./measured-source.js";

/*
 * The source alone: its own read loop with all fields of the stream, and nobody who takes the records. Argument: the name of
 * a MeasuredSource; its environment is the fake's.
 */
const measured = sourceNamed(process.argv[2] ?? "");
const connector = connectors.sources.get(measured.name);
if (connector === undefined) throw new Error(`there is no connector ${measured.name}`);
const ignore = (): void => undefined;
const complain = (message: string): void => void process.stderr.write(`${message}\n`);
const log: Log = { debug: ignore, info: ignore, warn: complain, error: complain };
const tmpDir = mkdtempSync(join(tmpdir(), "sluice-bench-source-"));
const source = connector.connect(resolved(measured.connection, process.env), {
  connection: measured.name,
  clock: systemClock,
  random: systemRandom,
  log,
  tmpDir,
});
const { signal } = new AbortController();
try {
  const startedAt = performance.now();
  const schema = await source.describe(measured.stream, signal);
  const pages = source.read({
    stream: measured.stream,
    schema,
    mode: "incremental",
    cursorField: schema.cursors[0],
    cursor: undefined,
    lookbackMs: schema.defaultLookbackMs,
    fields: schema.fields.map(({ name }) => name),
    filter: undefined,
    options: connector.spec.optionsSchema.parse(measured.options),
    ahead: new KeptAnswers(tmpDir, "alone", { clock: systemClock, log }),
    signal,
  });
  let records = 0;
  for await (const page of pages) records += page.records.length;
  const result: LoopResult = { records, seconds: (performance.now() - startedAt) / 1000 };
  process.stdout.write(JSON.stringify(result));
} finally {
  await source.close();
  rmSync(tmpDir, { recursive: true, force: true });
}
