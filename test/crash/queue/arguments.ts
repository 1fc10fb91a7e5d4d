import { parseArgs } from "node:util";

export interface QueueCrashArguments {
  readonly kills: number;
  readonly seed: number;
}

/** `--kills N` (default 500), `--seed N` (default: drawn from the clock and printed). */
export function queueCrashArguments(argv: readonly string[]): QueueCrashArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: { kills: { type: "string", default: "500" }, seed: { type: "string" } },
  });
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const numbers = { kills: Number(values.kills), seed };
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} takes a whole number`);
  }
  return numbers;
}
