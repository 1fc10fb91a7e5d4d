import { sluice } from "../sluice-process.js";

/** A run as `sluice runs --json` tells of it. */
export interface HistoryRun {
  readonly flow: string;
  readonly run: string;
  readonly pages: number;
  readonly records: Record<"fetched" | "filtered" | "dropped" | "deadLettered" | "loaded" | "queued", number>;
}

/** Every run of a flow, or of all. */
export async function runHistory(
  flow: string | undefined,
  where: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<readonly HistoryRun[]> {
  const only = flow === undefined ? [] : [flow];
  const exit = await sluice(["runs", ...only, "--limit", "100000", "--json"], where);
  if (exit.code !== 0) throw new Error(`sluice runs failed: ${exit.stderr}`);
  const value: unknown = JSON.parse(exit.stdout);
  if (!Array.isArray(value)) throw new Error("sluice runs --json must print an array");
  return value;
}
