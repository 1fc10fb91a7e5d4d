import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duckdb } from "../../../connectors/duckdb/index.js";
import { readRows } from "../../contracts/reader.js";
import { sinkContract } from "../../contracts/sink.js";
import { hostContext } from "./host.js";

sinkContract("duckdb", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sluice-duckdb-"));
  const path = join(dir, "sub", "warehouse.duckdb");
  return {
    features: { kind: "table", writeModes: ["append", "upsert", "replace"], partitions: false },
    connect: () => duckdb.connect({ path }, hostContext(dir)),
    target: ({ name, write, key }) =>
      duckdb.spec.targetSchema.parse({ table: `sales.${name}`, write, ...(key === undefined ? {} : { key }) }),
    rows: async (name, schema) => {
      const tables = await readRows(
        `(SELECT 1 AS n FROM duckdb_tables() WHERE schema_name = 'sales' AND table_name = '${name}')`,
        { fields: [{ name: "n", type: "integer" }] },
        path,
      );
      return tables.length === 0 ? [] : readRows(`sales.${name}`, schema, path);
    },
    whyNotInterrupted: "DuckDB writes in this process; crash.test.ts kills the process instead",
    close: () => rm(dir, { recursive: true, force: true }),
  };
});
