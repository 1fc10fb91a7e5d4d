import type { Load } from "../../core/contracts/index.js";
import type { Duckdb } from "../../core/format/index.js";

/*
 * Two tables of our own in the database:
 * `_sluice_loads`        one row per load and table, inserted in the transaction of its data: it is there exactly when the rows are
 * `_sluice_generations`  which generation of a `replace` a table holds now
 */

const LEDGER = `CREATE TABLE IF NOT EXISTS main._sluice_loads (load_id VARCHAR, flow VARCHAR NOT NULL, run VARCHAR NOT NULL, generation VARCHAR NOT NULL, target VARCHAR NOT NULL, records BIGINT NOT NULL, loaded_at TIMESTAMPTZ NOT NULL, PRIMARY KEY (load_id, target));
CREATE TABLE IF NOT EXISTS main._sluice_generations (target VARCHAR PRIMARY KEY, flow VARCHAR NOT NULL, generation VARCHAR NOT NULL, swapped_at TIMESTAMPTZ NOT NULL);`;

export async function createLedger(duckdb: Duckdb): Promise<void> {
  await duckdb.query(LEDGER);
}

/** Whether the ledger's tables are there: a database that no prepare has seen has none. */
export async function hasLedger(duckdb: Duckdb): Promise<boolean> {
  const rows = await duckdb.query(
    "SELECT 1 AS found FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = 'main' AND table_name = '_sluice_loads'",
  );
  return rows.length > 0;
}

/** Records of a load that was applied to a target; undefined: it was not. */
export async function appliedRecords(
  duckdb: Duckdb,
  loadId: string,
  target: string,
): Promise<number | undefined> {
  if (!(await hasLedger(duckdb))) return undefined;
  const [row] = await duckdb.query(
    "SELECT records FROM main._sluice_loads WHERE load_id = $1 AND target = $2",
    {
      values: [loadId, target],
    },
  );
  return row === undefined ? undefined : Number(row.records);
}

/** Whether any load of a generation was applied to a target. */
export async function hasLoads(duckdb: Duckdb, target: string, generation: string): Promise<boolean> {
  if (!(await hasLedger(duckdb))) return false;
  const rows = await duckdb.query(
    "SELECT 1 AS found FROM main._sluice_loads WHERE target = $1 AND generation = $2 LIMIT 1",
    { values: [target, generation] },
  );
  return rows.length > 0;
}

/** Enters a load; inside the transaction of its data. `at`: epoch ms. */
export async function enterLoad(duckdb: Duckdb, load: Load, target: string, at: number): Promise<void> {
  await duckdb.query(
    "INSERT INTO main._sluice_loads VALUES ($1, $2, $3, $4, $5, $6::BIGINT, $7::TIMESTAMPTZ)",
    {
      values: [
        load.id,
        load.flow,
        load.run,
        load.generation,
        target,
        String(load.records),
        new Date(at).toISOString(),
      ],
    },
  );
}

/** The generation a replaced table holds; undefined before the first swap. */
export async function currentGeneration(duckdb: Duckdb, target: string): Promise<string | undefined> {
  if (!(await hasLedger(duckdb))) return undefined;
  const [row] = await duckdb.query("SELECT generation FROM main._sluice_generations WHERE target = $1", {
    values: [target],
  });
  return row === undefined ? undefined : String(row.generation);
}

/** Notes which generation a table holds; inside the transaction of the swap. */
export async function enterGeneration(
  duckdb: Duckdb,
  target: string,
  flow: string,
  generation: string,
  at: number,
): Promise<void> {
  await duckdb.query("INSERT OR REPLACE INTO main._sluice_generations VALUES ($1, $2, $3, $4::TIMESTAMPTZ)", {
    values: [target, flow, generation, new Date(at).toISOString()],
  });
}
