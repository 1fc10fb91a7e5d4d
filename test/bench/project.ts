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

const CONNECTIONS: Readonly<Record<string, string>> = {
  files: "{ connector: folder, path: landed }",
  warehouse: "{ connector: duckdb, path: warehouse.duckdb }",
  refusing: `
    connector: s3
    bucket: refused
    region: us-east-1
    endpoint: "\${env:S3_ENDPOINT}"
    forcePathStyle: true
    accessKeyId: "\${env:AWS_ACCESS_KEY_ID}"
    secretAccessKey: "\${env:AWS_SECRET_ACCESS_KEY}"`,
};

export function writeBenchProject(dir: string, sink: BenchSink): void {
  const entry = BENCH_SINKS[sink];
  const connection = /connection: (\w+)/.exec(entry)?.[1] ?? "";
  mkdirSync(join(dir, "flows"), { recursive: true });
  writeFileSync(
    join(dir, "sluice.yaml"),
    `dataDir: .sluice
connections:
  salesforce:
    connector: salesforce
    instanceUrl: "\${env:SF_URL}"
    auth: { type: accessToken, accessToken: "\${env:SF_ACCESS_TOKEN}" }
  ${connection}: ${CONNECTIONS[connection]}
buffer: { highWater: 8GiB }
`,
  );
  writeFileSync(
    join(dir, "flows", `${sink}.yaml`),
    `name: ${sink}\nsource: { connection: salesforce, stream: Bench__c, options: { api: rest } }\nsinks:\n  - ${entry}\n`,
  );
}
