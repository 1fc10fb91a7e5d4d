import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One flow per kind of sink, and one that writes to all three. */
export const CRASH_FLOWS = ["to-folder", "to-s3", "to-duckdb", "to-all"] as const;
export type CrashFlow = (typeof CRASH_FLOWS)[number];

/** Small messages, loads and pages, so that a run of a few seconds passes every state many times. */
export function writeCrashProject(dir: string, bucket: string): void {
  mkdirSync(join(dir, "flows"), { recursive: true });
  writeFileSync(
    join(dir, "sluice.yaml"),
    `dataDir: .sluice
connections:
  salesforce:
    connector: salesforce
    instanceUrl: "\${env:SF_URL}"
    loginUrl: "\${env:SF_URL}"
    auth: { type: clientCredentials, clientId: "\${env:SF_CLIENT_ID}", clientSecret: "\${env:SF_CLIENT_SECRET}" }
  files: { connector: folder, path: landed }
  lake:
    connector: s3
    bucket: ${bucket}
    region: us-east-1
    endpoint: "\${env:S3_ENDPOINT}"
    forcePathStyle: true
    accessKeyId: "\${env:AWS_ACCESS_KEY_ID}"
    secretAccessKey: "\${env:AWS_SECRET_ACCESS_KEY}"
  warehouse: { connector: duckdb, path: warehouse.duckdb }
buffer: { messageSize: 64KiB }
`,
  );
  const folder = "{ connection: files, path: NAME, format: parquet, fileSize: 700KB }";
  const s3 = "{ connection: lake, path: NAME, format: jsonl, compression: gzip, fileSize: 700KB }";
  const upsert = "{ connection: warehouse, table: NAME_upsert, write: upsert, key: [Id] }";
  const append = "{ connection: warehouse, table: NAME_append, write: append }";
  const sinks: Record<CrashFlow, readonly string[]> = {
    "to-folder": [folder],
    "to-s3": [s3],
    "to-duckdb": [upsert],
    "to-all": [folder, s3, append, upsert],
  };
  for (const flow of CRASH_FLOWS) {
    const name = flow.replaceAll("-", "_");
    writeFileSync(
      join(dir, "flows", `${flow}.yaml`),
      `name: ${flow}
source: { connection: salesforce, stream: Contact, lookback: 15m, options: { api: rest, pageSize: 500 } }
map:
  - { from: Id, to: Id }
  - { from: LastName, to: LastName }
  - { from: Email, to: Email }
  - { from: SystemModstamp, to: SystemModstamp }
sinks:
${sinks[flow].map((sink) => `  - ${sink.replace("NAME", name)}`).join("\n")}
`,
    );
  }
}
