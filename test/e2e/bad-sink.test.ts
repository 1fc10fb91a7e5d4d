import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { type S3Fake, startS3Fake } from "../fakes/s3/index.js";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { landedIds, liveIds, ScratchProject, said } from "./scratch-project.js";

// Sinks that refuse: whoever must act is told what to do, other sinks go on, and the next run delivers what is queued.

// The SDK tells Node 20 to make room for Node 22; its version is pinned.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

/** Real processes on a machine that may be busy, and sinks that are tried for some 20 s, most of them asleep. */
const OPTIONS = { concurrent: true, timeout: 120_000 };

const JSONL = "{ connection: files, path: accounts, format: jsonl, compression: none }";
const S3 = "{ connection: lake, path: accounts, format: jsonl, compression: gzip }";
const TABLE = "{ connection: warehouse, table: accounts, write: append }";

interface World {
  readonly org: SalesforceFake;
  readonly s3: S3Fake;
  readonly project: ScratchProject;
  readonly expected: readonly string[];
}

async function withWorld(
  sinks: readonly string[],
  work: (world: World) => Promise<void>,
  options: {
    readonly buckets?: readonly string[];
    readonly project?: ConstructorParameters<typeof ScratchProject>[1];
  } = {},
): Promise<void> {
  const org = await startSalesforceFake({
    pageSize: 100,
    org: { accounts: 300, contacts: 0, opportunities: 0, invoices: 0, users: 3 },
  });
  const s3 = await startS3Fake({ buckets: options.buckets ?? ["lake"] });
  const project = new ScratchProject(org, { s3, ...options.project });
  project.flow("accounts", "Account", sinks);
  try {
    await work({ org, s3, project, expected: liveIds(org, "Account") });
  } finally {
    await org.close();
    await s3.close();
    project.remove();
  }
}

function idsInS3(s3: S3Fake): string[] {
  const objects = s3.objects("lake").filter(({ key }) => key.endsWith(".jsonl.gz"));
  return objects
    .flatMap(({ key }) => {
      const text = gunzipSync(s3.get("lake", key)?.body ?? "").toString();
      return text.trimEnd().split("\n");
    })
    .map((line) => String(JSON.parse(line).Id))
    .sort();
}

/** A folder in which this user can make nothing. Mode bits do not stop root; sysfs does. */
function unwritableFolder(dir: string): string {
  if (process.getuid?.() === 0) return "/sys";
  const folder = join(dir, "closed");
  mkdirSync(folder, { mode: 0o500 });
  return folder;
}

describe("a bucket", OPTIONS, () => {
  it("that refuses (403) ends the run with 3 and names the right; the other sink has everything", async () => {
    await withWorld([S3, JSONL], async ({ s3, project, expected }) => {
      const undo = s3.faults.refuseAll(403, "AccessDenied");
      const refused = await project.run("accounts");
      expect(refused.code).toBe(3);
      expect(refused.document.error).toMatchObject({
        class: "auth",
        code: "S3_ACCESS_DENIED",
        message: expect.stringContaining("s3:PutObject was refused by S3"),
        place: expect.stringMatching(/^s3:\/\/lake\/accounts\//),
        fix: "Allow this identity the action named in the message on the bucket.",
      });
      expect(refused.document.records).toMatchObject({ loaded: 0, queued: expected.length });
      expect(landedIds(project.landed("accounts"))).toEqual(expected);
      undo();
      const next = await project.run("accounts");
      expect(next.code).toBe(0);
      expect(next.document.earlier).toEqual({ runs: 1, records: expected.length });
      expect(idsInS3(s3)).toEqual(expected);
      expect(landedIds(project.landed("accounts"))).toEqual(expected);
    });
  });

  it("that does not exist ends the run with 2; once it is made the queued records go there", async () => {
    await withWorld(
      [S3],
      async ({ s3, project, expected }) => {
        const missing = await project.run("accounts");
        expect(missing.code).toBe(2);
        expect(missing.document.error).toMatchObject({
          class: "config",
          code: "S3_NO_SUCH_BUCKET",
          message: expect.stringContaining("NoSuchBucket: The specified bucket does not exist"),
          place: expect.stringMatching(/^s3:\/\/lake\//),
          fix: "Create the bucket, or correct its name.",
        });
        const { accessKeyId, secretAccessKey, region, url: endpoint } = s3;
        const credentials = { accessKeyId, secretAccessKey };
        const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
        await client.send(new CreateBucketCommand({ Bucket: "lake" }));
        client.destroy();
        expect((await project.run("accounts")).code).toBe(0);
        expect(idsInS3(s3)).toEqual(expected);
      },
      { buckets: ["attic"] },
    );
  });

  // The SDK and the engine both try for a while: some 30 s, nearly all of them asleep.
  it("that is overloaded throughout (503) ends the run with 1, and nothing is lost", {
    timeout: 120_000,
  }, async () => {
    await withWorld([S3], async ({ s3, project, expected }) => {
      const undo = s3.faults.refuseAll(503, "SlowDown");
      const refused = await project.run("accounts");
      expect(refused.code).toBe(1);
      expect(refused.document.error).toMatchObject({
        class: "transient",
        code: "S3_SLOW_DOWN",
        place: expect.stringMatching(/^s3:\/\/lake\/accounts\//),
        fix: "Nothing is lost: what is not written stays queued, and the next run writes it first.",
      });
      expect(refused.document.records).toMatchObject({ loaded: 0, queued: expected.length });
      undo();
      const next = await project.run("accounts");
      expect(next.code).toBe(0);
      expect(next.document.earlier).toEqual({ runs: 1, records: expected.length });
      expect(idsInS3(s3)).toEqual(expected);
    });
  });
});

describe("a folder", OPTIONS, () => {
  it("that cannot be written, or is a file, ends the run with 2 before anything is read", async () => {
    await withWorld([JSONL], async ({ org, s3, project }) => {
      project.write({ "landed/accounts": "not a folder" });
      const file = await project.run("accounts");
      expect(file.code).toBe(2);
      expect(file.document).toMatchObject({
        records: { fetched: 0 },
        error: {
          class: "config",
          code: "FOLDER_NOT_A_FOLDER",
          place: join(project.dir, "landed/accounts"),
          fix: "Choose another path, or move the file away.",
        },
      });
      const path = join(unwritableFolder(project.dir), "landed");
      const closed = new ScratchProject(org, {
        s3,
        connections: { files: `{ connector: folder, path: "${path}" }` },
      });
      closed.flow("accounts", "Account", [JSONL]);
      const denied = await closed.run("accounts");
      closed.remove();
      expect(denied.code).toBe(2);
      expect(denied.document).toMatchObject({
        records: { fetched: 0 },
        error: {
          class: "config",
          code: "FOLDER_NOT_WRITABLE",
          place: expect.stringContaining(path),
          fix: expect.stringMatching(/^Give this user the right to write in .*, or choose another folder\.$/),
        },
      });
      if (process.getuid?.() !== 0) chmodSync(join(project.dir, "closed"), 0o700);
    });
  });

  it("for the data directory that cannot be made is told as such", async () => {
    await withWorld([JSONL], async ({ org, project }) => {
      const dataDir = join(unwritableFolder(project.dir), "data");
      const closed = new ScratchProject(org, { settings: { dataDir } });
      closed.flow("accounts", "Account", [JSONL]);
      const denied = await closed.run("accounts");
      closed.remove();
      expect(denied.code).toBe(2);
      expect(denied.document).toMatchObject({
        run: null,
        error: {
          class: "config",
          code: "DATA_DIR_NOT_WRITABLE",
          place: expect.stringContaining(dataDir),
          fix: "Give this user the right to write there, or name another dataDir in sluice.yaml.",
        },
      });
      if (process.getuid?.() !== 0) chmodSync(join(project.dir, "closed"), 0o700);
    });
  });
});

describe("a DuckDB file", OPTIONS, () => {
  it("that another process has open is waited for, and the run says who has it", async () => {
    await withWorld([TABLE], async ({ project, expected }) => {
      const other = await DuckDBInstance.create(join(project.dir, "warehouse.duckdb"));
      const running = project.start("run accounts --json");
      const waits = await said("will be tried again", running);
      other.closeSync();
      expect(waits).toContain(`warehouse.duckdb is open in another process`);
      expect(waits).toContain(`(process ${process.pid})`);
      const exit = await running.exit;
      expect(exit.code).toBe(0);
      expect(await project.rows("select Id from accounts order by Id")).toEqual(expected);
    });
  });

  it("that is none ends the run with 2 and is left as it is", async () => {
    await withWorld([TABLE], async ({ project }) => {
      project.write({ "warehouse.duckdb": "a,b\n1,2\n".repeat(2_000) });
      const refused = await project.run("accounts");
      expect(refused.code).toBe(2);
      expect(refused.document).toMatchObject({
        records: { fetched: 0 },
        error: {
          class: "config",
          code: "DUCKDB_FILE",
          place: join(project.dir, "warehouse.duckdb"),
          fix: "Name another file in the connection's path, or move this one away.",
        },
      });
    });
  });
});
