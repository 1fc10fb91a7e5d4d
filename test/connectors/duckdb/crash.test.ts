import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { systemClock } from "../../../core/contracts/index.js";
import { seededRandom } from "../../seeded-random.js";
import { KEYS, LOADS, RECORDS, upsertRecord } from "./crash-child.js";
import { sqlOn } from "./warehouse.js";

const KILLS = Number(process.env.SLUICE_DUCKDB_KILLS ?? 6);
const SEED = 20261122;
const CHILD = fileURLToPath(new URL("../../../dist/test/connectors/duckdb/crash-child.js", import.meta.url));

/** Starts the loader; resolves with its process and a promise of how it ended. */
function start(dir: string): {
  child: ChildProcess;
  ended: Promise<{ signal: unknown; code: unknown; out: string }>;
} {
  const child = spawn(process.execPath, [CHILD, dir], { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout?.on("data", (bytes: Buffer) => {
    out += bytes;
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, out }));
  return { child, ended };
}

test(`${KILLS} kills at random instants: every load once, in the ledger and in the tables (seed ${SEED})`, async () => {
  expect(existsSync(CHILD), "compiled by npm run build").toBe(true);
  const dir = await mkdtemp(join(tmpdir(), "sluice-duckdb-crash-"));
  const random = seededRandom(SEED);
  try {
    let killed = 0;
    let longestMs = 900;
    while (killed < KILLS) {
      const { child, ended } = start(dir);
      // Past the start of the process, somewhere in the loads.
      await once(child, "spawn");
      await systemClock.sleep(150 + random.next() * longestMs);
      child.kill("SIGKILL");
      const { signal, code } = await ended;
      if (signal === "SIGKILL") killed++;
      else {
        // It came to its end before: kill the next ones earlier.
        expect(code).toBe(0);
        longestMs /= 2;
      }
    }
    const last = await start(dir).ended;
    expect([last.code, last.out.endsWith("done\n")]).toEqual([0, true]);

    const path = join(dir, "w.duckdb");
    expect(
      await sqlOn(
        path,
        "SELECT target, count(*), count(DISTINCT load_id), sum(records) FROM _sluice_loads GROUP BY 1 ORDER BY 1",
      ),
    ).toEqual([
      ["appended", `${LOADS}`, `${LOADS}`, `${LOADS * RECORDS}`],
      ["upserted", `${LOADS}`, `${LOADS}`, `${LOADS * RECORDS}`],
    ]);
    expect(await sqlOn(path, "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM appended")).toEqual([
      [`${LOADS * RECORDS}`, `${LOADS * RECORDS}`, "0", `${LOADS * RECORDS - 1}`],
    ]);
    const newest = new Map<number, { order: string; text: string }>();
    for (let number = 0; number < LOADS; number++)
      for (let at = 0; at < RECORDS; at++) {
        const { id, order, text } = upsertRecord(number, at);
        const known = newest.get(id);
        if (known === undefined || known.order < order) newest.set(id, { order, text });
      }
    const rows = await sqlOn(path, "SELECT id, _sluice_order, text FROM upserted ORDER BY id");
    expect(rows).toEqual(
      Array.from({ length: KEYS }, (_, id) => [`${id}`, newest.get(id)?.order, newest.get(id)?.text]),
    );
    expect(
      await sqlOn(path, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%incoming%'"),
    ).toEqual([["0"]]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}, 60_000);
