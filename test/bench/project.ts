import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What is measured: the sink entry of each flow. */
export const BENCH_SINKS = {
  jsonl: "{ connection: files, path: jsonl, format: jsonl, compression: none }",
  "jsonl-gz": "{ connection: files, path: jsonl-gz, format: jsonl, compression: gzip }",
  parquet: "{ connection: files, path: parquet, format: parquet }",
  duckdb: "{ connection: warehouse, table: bench, write: append }",
  refused: "{ connection: refusing, path: refused, format: jsonl, compression: none }",
} as const;
export type BenchSink = keyof typeof BENCH_SINKS;

export function writeBenchProject(dir: string): void {
  mkdirSync(join(dir, "flows"), { recursive: true });
  writeFileSync(
    join(dir, "sluice.yaml"),
    `dataDir: .sluice
connections:
  salesforce:
    connector: salesforce
    instanceUrl: "\${env:SF_URL}"
    auth: { type: accessToken, accessToken: "\${env:SF_ACCESS_TOKEN}" }
  files: { connector: folder, path: landed }
  warehouse: { connector: duckdb, path: warehouse.duckdb }
  refusing:
    connector: s3
    bucket: refused
    region: us-east-1
    endpoint: "\${env:S3_ENDPOINT}"
    forcePathStyle: true
    accessKeyId: "\${env:AWS_ACCESS_KEY_ID}"
    secretAccessKey: "\${env:AWS_SECRET_ACCESS_KEY}"
buffer: { highWater: 8GiB }
`,
  );
  for (const [name, sink] of Object.entries(BENCH_SINKS)) {
    writeFileSync(
      join(dir, "flows", `${name}.yaml`),
      `name: ${name}\nsource: { connection: salesforce, stream: Bench__c }\nsinks:\n  - ${sink}\n`,
    );
  }
}
