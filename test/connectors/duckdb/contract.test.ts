import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duckdb } from "../../../connectors/duckdb/index.js";
import { sinkContract } from "../../contracts/sink.js";
import { hostContext } from "./host.js";
import { tableRows } from "./warehouse.js";

sinkContract("duckdb", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sluice-duckdb-"));
  const path = join(dir, "sub", "warehouse.duckdb");
  return {
    features: { kind: "table", writeModes: ["append", "upsert", "replace"], partitions: false },
    connect: () => duckdb.connect({ path }, hostContext(dir)),
    target: ({ name, write, key }) =>
      duckdb.spec.targetSchema.parse({
        table: `sales.${name}`,
        write,
        ...(key === undefined ? {} : { key }),
      }),
    rows: (name, schema) => tableRows(path, "sales", name, schema),
    whyNotInterrupted: "DuckDB writes in this process; crash.test.ts kills the process instead",
    close: () => rm(dir, { recursive: true, force: true }),
  };
});
