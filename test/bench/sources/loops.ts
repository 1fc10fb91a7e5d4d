import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../root.js";
import { type Measured, measure } from "../measure.js";
import type { LoopResult } from "./loop-result.js";
import type { MeasuredSource } from "./measured-source.js";
import { writeSourceProject } from "./project.js";

/** What one process moved, how fast, and what it took. */
export interface Loop {
  readonly records: number;
  readonly seconds: number;
  readonly measured: Measured;
}

type Env = Readonly<Record<string, string>>;

/** `bare.js` or `alone.js` of this folder; start and end of the process are not part of `seconds`. */
export async function loopOf(
  script: "bare.js" | "alone.js",
  source: MeasuredSource,
  records: number,
  env: Env,
): Promise<Loop> {
  const path = join(projectRoot(), "dist/test/bench/sources", script);
  const measured = await measure(process.execPath, [path, source.name], { cwd: projectRoot(), env });
  if (measured.code !== 0) throw new Error(`${script} of ${source.name}: ${measured.stderr.slice(-2000)}`);
  const result: LoopResult = JSON.parse(measured.stdout);
  if (result.records !== records) throw new Error(`${script} of ${source.name}: ${result.records} records`);
  return { ...result, measured };
}

/** `sluice run` into JSON lines: `seconds` are those of the whole process. */
export async function wholeRun(
  dir: string,
  source: MeasuredSource,
  records: number,
  env: Env,
): Promise<Loop> {
  const project = mkdtempSync(join(dir, `${source.name}-`));
  writeSourceProject(project, source);
  const main = join(projectRoot(), "dist/cli/main.js");
  const measured = await measure(process.execPath, [main, "run", source.name, "--json"], {
    cwd: project,
    env,
  });
  const runs: { records: { loaded: number } }[] = JSON.parse(measured.stdout || "[]");
  if (runs[0]?.records.loaded !== records) {
    throw new Error(`sluice run ${source.name}: ${measured.stdout} ${measured.stderr.slice(-2000)}`);
  }
  rmSync(project, { recursive: true, force: true });
  return { records, seconds: measured.wallS, measured };
}
