import { createServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadSdk, makeClient } from "../../../connectors/s3/client.js";
import { configSchema } from "../../../connectors/s3/config.js";
import { s3 } from "../../../connectors/s3/index.js";
import { S3Store, UPLOAD_SIZES } from "../../../connectors/s3/store.js";
import {
  CancelledError,
  type Clock,
  InvariantError,
  type Load,
  type SinkWriter,
} from "../../../core/contracts/index.js";
import { loadOf, plainRecord } from "../../contracts/sample.js";
import { finished } from "../../contracts/sink.js";
import { type Operation, startS3Fake } from "../../fakes/s3/index.js";
import { VirtualClock } from "../../virtual-clock.js";
import { BUCKET, S3Fixture } from "./s3-fixture.js";

const signal = new AbortController().signal;
const RUN = "20260101T000000000Z-0001";
let fixture: S3Fixture;
let serial = 0;

beforeAll(async () => {
  fixture = await S3Fixture.start({ pageKeys: 7 });
});
afterEach(() => fixture.fake.faults.clear());
afterAll(() => fixture.close());

interface OpenOptions {
  readonly target?: Record<string, unknown>;
  readonly config?: Record<string, unknown>;
  readonly clock?: Clock;
}

/** A writer into a path of its own. */
function open({ target = {}, config = {}, clock }: OpenOptions = {}): { path: string; writer: SinkWriter } {
  const path = `p${serial++}`;
  return { path, writer: reopen(path, { target, config, ...(clock === undefined ? {} : { clock }) }) };
}

function reopen(path: string, { target = {}, config = {}, clock }: OpenOptions = {}): SinkWriter {
  const options = { name: path, write: "append" as const, format: "jsonl" as const, compression: "none" };
  const context = clock === undefined ? {} : { clock };
  return fixture.connect(config, context).open(fixture.target({ ...options, ...target }), "accounts");
}

function small(count = 3, number = 0): Load {
  return loadOf(
    Array.from({ length: count }, (_, at) => plainRecord(at + 1)),
    { number },
  );
}

async function thrown(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** A clock whose sleeps are over at once. */
function hastyClock(): { clock: Clock; waits: number[] } {
  const waits: number[] = [];
  const real = new VirtualClock(Date.now());
  const clock: Clock = {
    now: () => real.now(),
    monotonicMs: () => real.monotonicMs(),
    every: (ms, task) => real.every(ms, task),
    sleep: async (ms) => void waits.push(ms),
  };
  return { clock, waits };
}

describe("objects", () => {
  test("have their load as metadata, a checksum and a type, and no Content-Encoding", async () => {
    const { path, writer } = open({ target: { compression: "gzip", partitionBy: ["active"] } });
    const load = small(4);
    const receipt = await writer.write(load, signal);
    const keys = [`${path}/active=false/${load.id}.jsonl.gz`, `${path}/active=true/${load.id}.jsonl.gz`];
    expect(receipt.files.map((file) => file.path)).toEqual(keys.map((key) => `s3://${BUCKET}/${key}`));
    for (const key of keys) {
      const object = fixture.fake.get(BUCKET, key);
      expect(object?.metadata).toEqual({ "sluice-load": load.id, "sluice-part": "0", "sluice-records": "2" });
      expect(object?.headers["content-type"]).toBe("application/gzip");
      expect(object?.headers["content-encoding"]).toBeUndefined();
      expect(object?.checksums.crc32).toMatch(/==$/);
    }
  });

  test("carry the encryption of the connection, manifests too", async () => {
    const sse = { type: "aws:kms", kmsKeyId: "alias/lake", bucketKey: true };
    const { path, writer } = open({ config: { sse } });
    const load = small();
    await writer.finish(
      finished(RUN, RUN, true, [{ load, receipt: await writer.write(load, signal) }]),
      signal,
    );
    const objects = fixture.fake.objects(BUCKET).filter((object) => object.key.startsWith(`${path}/`));
    expect(objects).toHaveLength(2);
    for (const { headers } of objects)
      expect(headers).toMatchObject({
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/lake",
        "x-amz-server-side-encryption-bucket-key-enabled": "true",
      });
  });

  test("lie below the connection's prefix", async () => {
    const { path, writer } = open({ config: { prefix: "raw/crm" } });
    expect(writer.target).toBe(`s3://${BUCKET}/raw/crm/${path}`);
    await writer.write(small(), signal);
    expect(fixture.keys(`raw/crm/${path}`)).toHaveLength(1);
  });

  test("WHEN_REQUIRED sends no checksums, for stores that do not know them", async () => {
    const { path, writer } = open({ config: { checksums: "WHEN_REQUIRED" } });
    await writer.write(small(), signal);
    const [key = ""] = fixture.keys(path);
    expect(fixture.fake.get(BUCKET, key)?.checksums).toEqual({});
  });

  test("Parquet arrives as it was written", async () => {
    const { path, writer } = open({ target: { format: "parquet", compression: "zstd" } });
    await writer.write(small(50), signal);
    const schema = { fields: [{ name: "id", type: "integer" as const }] };
    expect(await fixture.rows(path, schema, "parquet")).toHaveLength(50);
  });
});

describe("answers that are lost, and keys that are taken", () => {
  test("applied, answer lost: the SDK's repeat is refused, and is recognised as ours", async () => {
    const { path, writer } = open();
    fixture.fake.faults.add({ operation: "PutObject", action: { type: "resetAfter" } });
    expect(await writer.write(small(), signal)).toMatchObject({ records: 3, repeated: true });
    expect(fixture.keys(path)).toHaveLength(1);
  });

  test("ten writers of one load at once: one object, and every receipt is right", async () => {
    const { path } = open();
    const load = small();
    const receipts = await Promise.all(Array.from({ length: 10 }, () => reopen(path).write(load, signal)));
    expect(receipts.filter((receipt) => !receipt.repeated)).toHaveLength(1);
    for (const receipt of receipts) expect(receipt.files).toEqual(receipts[0]?.files);
    expect(fixture.keys(path)).toHaveLength(1);
  });

  test("taken by an object without a mark: a conflict, and it stays", async () => {
    const { path, writer } = open();
    const load = small();
    // Written by a run, then by somebody who took the metadata off.
    await writer.write(load, signal);
    const key = `${path}/${load.id}.jsonl`;
    const { CopyObjectCommand, S3Client } = await import("@aws-sdk/client-s3");
    const { url, region, accessKeyId, secretAccessKey } = fixture.fake;
    const client = new S3Client({
      endpoint: url,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    const CopySource = `${BUCKET}/${key}`;
    await client.send(
      new CopyObjectCommand({ Bucket: BUCKET, Key: key, CopySource, MetadataDirective: "REPLACE" }),
    );
    client.destroy();
    const error = await thrown(reopen(path).write(load, signal));
    expect(error).toBeInstanceOf(InvariantError);
    expect(error).toMatchObject({ code: "S3_KEY_CONFLICT", place: `s3://${BUCKET}/${key}` });
  });

  test("taken by the same load with another count: a conflict", async () => {
    const { path, writer } = open();
    await writer.write(small(3), signal);
    expect(await thrown(reopen(path).write(small(4), signal))).toMatchObject({ code: "S3_KEY_CONFLICT" });
  });

  test("409, another write in flight: waited for, then put again", async () => {
    const { clock, waits } = hastyClock();
    const { path, writer } = open({ clock });
    const action = { type: "status", status: 409, code: "ConditionalRequestConflict" } as const;
    fixture.fake.faults.add({ operation: "PutObject", times: 2, action });
    expect(await writer.write(small(), signal)).toMatchObject({ records: 3, repeated: false });
    expect(waits).toEqual([200, 400]);
    expect(fixture.keys(path)).toHaveLength(1);
  });

  test("409 without end: transient", async () => {
    const { writer } = open({ clock: hastyClock().clock });
    const action = { type: "status", status: 409, code: "ConditionalRequestConflict" } as const;
    fixture.fake.faults.add({ operation: "PutObject", times: Number.POSITIVE_INFINITY, action });
    expect(await thrown(writer.write(small(), signal))).toMatchObject({
      kind: "transient",
      code: "S3_CONFLICT",
    });
  });
});

describe("trouble", () => {
  test("a write that S3 keeps waiting ends promptly with the signal", async () => {
    const { writer } = open();
    const controller = new AbortController();
    fixture.fake.faults.add({
      operation: "PutObject",
      action: { type: "slow", ms: 2_000 },
      onStrike: () => controller.abort(),
    });
    expect(await thrown(writer.write(small(), controller.signal))).toBeInstanceOf(CancelledError);
  });

  test("nobody there: transient, and the secret is in no message", async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve, reject) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        if (address === null || typeof address === "string") return reject(new Error("no port"));
        server.close(() => resolve(address.port));
      });
    });
    const { writer } = open({
      config: { endpoint: `http://127.0.0.1:${port}`, secretAccessKey: "s3cr3t-value" },
    });
    const error = await thrown(writer.write(small(), signal));
    expect(error).toMatchObject({ kind: "transient", code: "S3_NETWORK" });
    expect(JSON.stringify(error) + String(error)).not.toContain("s3cr3t-value");
  });

  test("a bucket of another region: which one it is", async () => {
    const { writer } = open({ config: { region: "us-west-2" } });
    expect(await thrown(writer.write(small(), signal))).toMatchObject({
      kind: "config",
      code: "S3_WRONG_REGION",
      fix: "Set region: eu-central-1.",
    });
  });

  test("a mistake in the settings is told by the lint", () => {
    const issues = (more: Record<string, unknown>) =>
      s3.spec.configSchema
        .safeParse({ bucket: "lake", region: "eu-central-1", ...more })
        .error?.issues.map((issue) => issue.path.join("."));
    expect(issues({})).toBeUndefined();
    expect(issues({ bucket: "No Bucket" })).toEqual(["bucket"]);
    expect(issues({ accessKeyId: "AKIA" })).toEqual(["secretAccessKey"]);
    expect(issues({ secretAccessKey: "x" })).toEqual(["accessKeyId"]);
    expect(issues({ endpoint: "http://minio.example" })).toEqual(["endpoint"]);
    expect(issues({ sse: { type: "AES256", kmsKeyId: "k" } })).toEqual(["sse.kmsKeyId"]);
    expect(issues({ prefix: "../x" })).toEqual(["prefix"]);
    expect(issues({ colour: "red" })).toEqual([""]);
  });
});

describe("replace", () => {
  test("finds and removes more than one page of files and journals", async () => {
    const { path } = open();
    const target = { write: "replace", partitionBy: ["name"] };
    const many = loadOf(
      Array.from({ length: 40 }, (_, at) => plainRecord(at, { name: `n${at}` })),
      { run: RUN },
    );
    const first = reopen(path, { target });
    await first.finish(
      finished(RUN, RUN, true, [{ load: many, receipt: await first.write(many, signal) }]),
      signal,
    );
    expect(fixture.keys(path)).toHaveLength(40);
    const run = "20260102T000000000Z-0002";
    const next = loadOf([plainRecord(1)], { run });
    const second = reopen(path, { target });
    await second.finish(
      finished(run, run, true, [{ load: next, receipt: await second.write(next, signal) }]),
      signal,
    );
    expect(fixture.keys(path)).toEqual([`${path}/name=Account%201/${next.id}.jsonl`]);
  });

  test("removes at most a thousand objects with one request", async () => {
    const { url: endpoint } = fixture.fake;
    const config = configSchema.parse(fixture.config({ endpoint }));
    const sdk = await loadSdk();
    const client = makeClient(sdk, config);
    const connect = async () => ({ sdk, client });
    const store = new S3Store({ config, clock: hastyClock().clock, sizes: UPLOAD_SIZES, connect });
    const before = fixture.fake.requests.length;
    await store.remove(
      Array.from({ length: 1_001 }, (_, at) => `absent/${at}`),
      signal,
    );
    const operations = fixture.fake.requests.slice(before).map((request) => request.operation);
    expect(operations).toEqual(["DeleteObjects", "DeleteObjects"]);
    client.destroy();
  });

  test("without the right to delete: auth, and the new generation counts already", async () => {
    const { path } = open();
    const write = async (run: string) => {
      const writer = reopen(path, { target: { write: "replace" } });
      const load = loadOf([plainRecord(1)], { run });
      return { writer, end: finished(run, run, true, [{ load, receipt: await writer.write(load, signal) }]) };
    };
    const first = await write(RUN);
    await first.writer.finish(first.end, signal);
    const second = await write("20260102T000000000Z-0002");
    const action = { type: "status", status: 403, code: "AccessDenied" } as const;
    fixture.fake.faults.add({ operation: "DeleteObjects", action });
    expect(await thrown(second.writer.finish(second.end, signal))).toMatchObject({
      kind: "auth",
      code: "S3_ACCESS_DENIED",
      message: expect.stringContaining("s3:DeleteObject"),
    });
    const current: unknown = JSON.parse(fixture.text(`${path}/_sluice/accounts/current.json`));
    expect(current).toMatchObject({ generation: "20260102T000000000Z-0002" });
    await second.writer.finish(second.end, signal);
    expect(fixture.keys(path)).toHaveLength(1);
  });
});

describe("check", () => {
  const check = (config = {}) => fixture.connect(config).check(signal);
  const refuse = (operation: Operation) =>
    fixture.fake.faults.add({ operation, action: { type: "status", status: 403, code: "AccessDenied" } });

  test("says who and where, and leaves nothing", async () => {
    const before = fixture.fake.objects(BUCKET).length;
    expect(await check({ prefix: "raw" })).toEqual({
      identity: `s3://${BUCKET}/raw`,
      details: {
        region: "eu-central-1",
        endpoint: fixture.fake.url,
        credentials: "AKIAFAKE",
        encryption: "AES256",
        conditionalWrites: "yes",
      },
      warnings: [],
    });
    expect(fixture.fake.objects(BUCKET)).toHaveLength(before);
  });

  test("tells each right that is missing and what goes without it", async () => {
    refuse("HeadBucket");
    refuse("HeadObject");
    refuse("DeleteObject");
    const { warnings } = await check();
    expect(warnings).toEqual([
      expect.stringMatching(/^s3:ListBucket is missing: write: replace/),
      expect.stringMatching(/^s3:GetObject is missing/),
      expect.stringMatching(/^s3:DeleteObject is missing: write: replace .* stays\.$/),
    ]);
    refuse("PutObject");
    expect(await thrown(check())).toMatchObject({ kind: "auth", code: "S3_ACCESS_DENIED" });
  });

  test("warns of a store that overlooks If-None-Match", async () => {
    const careless = await startS3Fake({ buckets: [BUCKET], ignoreConditions: true });
    const { warnings } = await check({ endpoint: careless.url, region: careless.region });
    expect(warnings).toEqual([expect.stringMatching(/overlooks If-None-Match/)]);
    await careless.close();
  });

  test.each([
    ["a wrong secret", { secretAccessKey: "wrong" }, "auth", "S3_WRONG_SECRET"],
    ["an unknown key", { accessKeyId: "AKIAOTHER" }, "auth", "S3_INVALID_ACCESS_KEY"],
    ["no such bucket", { bucket: "absent" }, "config", "S3_NO_SUCH_BUCKET"],
    ["another region", { region: "us-west-2" }, "config", "S3_WRONG_REGION"],
  ])("%s", async (_title, config, kind, code) => {
    expect(await thrown(check(config))).toMatchObject({ kind, code });
  });
});
