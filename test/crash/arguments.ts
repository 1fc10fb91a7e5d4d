import { parseArgs } from "node:util";

export interface CrashArguments {
  readonly kills: number;
  readonly seed: number;
  readonly records: number;
}

/** `--kills N` (default 300), `--seed N` (default: drawn from the clock and printed), `--records N` per object. */
export function crashArguments(argv: readonly string[]): CrashArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      kills: { type: "string", default: "300" },
      seed: { type: "string" },
      records: { type: "string", default: "12000" },
    },
  });
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const numbers = { kills: Number(values.kills), seed, records: Number(values.records) };
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} takes a whole number`);
  }
  return numbers;
}
