import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Field, Load } from "../../../core/contracts/index.js";
import { openDuckdb } from "../../../core/format/index.js";

/** A load of these lines, in chunks of `perChunk` lines. */
export function loadOf(fields: readonly Field[], lines: readonly string[], perChunk = 3): Load {
  const chunks: Buffer[] = [];
  for (let i = 0; i < lines.length; i += perChunk)
    chunks.push(
      Buffer.from(
        lines
          .slice(i, i + perChunk)
          .map((line) => `${line}\n`)
          .join(""),
      ),
    );
  return {
    id: "flow-run-0",
    flow: "flow",
    run: "run",
    generation: "generation",
    records: lines.length,
    bytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    schema: { fields },
    async *chunks() {
      yield* chunks;
    },
  };
}

/** Runs `work` in a temporary folder that is gone afterwards. */
export async function inFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-format-"));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Rows of a query by an independent DuckDB. */
export async function sql(text: string): Promise<Record<string, unknown>[]> {
  const duckdb = await openDuckdb({ path: ":memory:", threads: 1, memoryLimitMb: 512, tempDirectory: "" });
  try {
    return await duckdb.query(text);
  } finally {
    await duckdb.close();
  }
}
