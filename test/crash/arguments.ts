import { parseArgs } from "node:util";
import { CRASH_SOURCES, type CrashSource, isCrashSource } from "./worlds.js";

export interface CrashArguments {
  readonly kills: number;
  readonly seed: number;
  readonly records: number;
  /** Undefined: all of them. */
  readonly source: CrashSource | undefined;
}

/**
 * `--kills N` (default 300), `--seed N` (default: drawn from the clock and printed), `--records N` per object, `--source rest`
 * (or bulk, slack, zendesk) for that world alone.
 */
export function crashArguments(argv: readonly string[]): CrashArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      kills: { type: "string", default: "300" },
      seed: { type: "string" },
      records: { type: "string", default: "12000" },
      source: { type: "string" },
    },
  });
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const numbers = { kills: Number(values.kills), seed, records: Number(values.records) };
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} takes a whole number`);
  }
  const { source } = values;
  if (source !== undefined && !isCrashSource(source)) {
    throw new Error(`--source takes one of ${CRASH_SOURCES.join(", ")}`);
  }
  return { ...numbers, source };
}
