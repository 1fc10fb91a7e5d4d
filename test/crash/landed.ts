import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { S3Fake } from "../fakes/s3/index.js";
import { sinkRows } from "./sink-rows.js";

/** How often each version of a record stands in one sink. */
export type Landed = ReadonlyMap<string, number>;

/** A record's version: what must stand in an append sink exactly once. */
export function versionKey(id: string, stampMs: number): string {
  return `${id} ${stampMs}`;
}

/** Reads sinks with DuckDB and nothing of the product. */
export class LandedReader {
  readonly #dir: string;
  readonly #s3: S3Fake;
  readonly #bucket: string;

  constructor(dir: string, s3: S3Fake, bucket: string) {
    this.#dir = dir;
    this.#s3 = s3;
    this.#bucket = bucket;
  }

  folder(path: string): Promise<Landed> {
    return count(`read_parquet('${join(this.#dir, "landed", path)}/**/*.parquet')`);
  }

  async bucket(path: string): Promise<Landed> {
    const copy = join(this.#dir, "downloaded");
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy, { recursive: true });
    let files = 0;
    for (const { key } of this.#s3.objects(this.#bucket)) {
      if (!key.startsWith(`${path}/`) || !key.endsWith(".jsonl.gz")) continue;
      writeFileSync(join(copy, basename(key)), this.#s3.get(this.#bucket, key)?.body ?? "");
      files++;
    }
    if (files === 0) return new Map();
    return count(
      `read_json('${copy}/*.jsonl.gz', format = 'newline_delimited', columns = {Id: 'VARCHAR', SystemModstamp: 'TIMESTAMPTZ'})`,
    );
  }

  table(name: string): Promise<Landed> {
    return count(`warehouse."${name}"`, join(this.#dir, "warehouse.duckdb"));
  }
}

async function count(from: string, warehouse?: string): Promise<Landed> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    if (warehouse !== undefined) await connection.run(`ATTACH '${warehouse}' AS warehouse (READ_ONLY)`);
    const result = await connection.runAndReadAll(versionsOf(from));
    return landedOf(result.getRows());
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** The versions in a relation of the sinks of a project (sink-rows.ts). */
export async function landedIn(dir: string, relation: string): Promise<Landed> {
  return landedOf(await sinkRows(dir, versionsOf(relation)));
}

function versionsOf(relation: string): string {
  return `SELECT Id, epoch_ms(SystemModstamp)::DOUBLE, count(*)::INTEGER FROM ${relation} GROUP BY ALL`;
}

function landedOf(rows: readonly (readonly unknown[])[]): Landed {
  return new Map(rows.map(([id, stamp, times]) => [versionKey(String(id), Number(stamp)), Number(times)]));
}
