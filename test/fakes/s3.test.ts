import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type S3Fake, startS3Fake } from "./s3/index.js";

// Of use to people who may choose their SDK; here it would only spoil the output.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

const Bucket = "lake";
let fake: S3Fake;
let s3: S3Client;

function clientOf(server: S3Fake, more: S3ClientConfig = {}): S3Client {
  const { accessKeyId, secretAccessKey } = server;
  return new S3Client({
    endpoint: server.url,
    region: server.region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    ...more,
  });
}

/** What a refused call says. */
async function refusal(
  work: Promise<unknown>,
): Promise<{ code: string; status: number | undefined; attempts: number | undefined }> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof S3ServiceException))
    throw new Error("expected a refusal by the service", { cause: error });
  return { code: error.name, status: error.$metadata.httpStatusCode, attempts: error.$metadata.attempts };
}

async function bytesOf(Key: string, client = s3): Promise<Buffer> {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
}

const put = (Key: string, Body: string | Buffer = "x", more: object = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));

beforeAll(async () => {
  fake = await startS3Fake({ buckets: [Bucket] });
  s3 = clientOf(fake);
});
afterEach(() => fake.faults.clear());
afterAll(async () => {
  s3.destroy();
  await fake.close();
});

describe("the 25 checks with @aws-sdk/client-s3 and lib-storage, default settings", () => {
  test("1 creates, heads and lists buckets", async () => {
    await s3.send(new CreateBucketCommand({ Bucket: "second" }));
    const head = await s3.send(new HeadBucketCommand({ Bucket: "second" }));
    expect(head.BucketRegion).toBe("us-east-1");
    const { Buckets } = await s3.send(new ListBucketsCommand({}));
    expect(Buckets?.map((bucket) => bucket.Name)).toEqual(["lake", "second"]);
    expect((await refusal(s3.send(new HeadBucketCommand({ Bucket: "absent" })))).status).toBe(404);
  });

  test("2 puts and gets a buffer", async () => {
    const body = randomBytes(100_000);
    const { ETag } = await put("buffer", body);
    expect(ETag).toBe(`"${createHash("md5").update(body).digest("hex")}"`);
    expect((await bytesOf("buffer")).equals(body)).toBe(true);
  });

  test("3 gets ranges", async () => {
    await put("range", "0123456789");
    const get = async (Range: string) => {
      const answer = await s3.send(new GetObjectCommand({ Bucket, Key: "range", Range }));
      return [await answer.Body?.transformToString(), answer.ContentRange];
    };
    expect(await get("bytes=2-4")).toEqual(["234", "bytes 2-4/10"]);
    expect(await get("bytes=7-")).toEqual(["789", "bytes 7-9/10"]);
    expect(await get("bytes=-2")).toEqual(["89", "bytes 8-9/10"]);
    expect((await refusal(get("bytes=10-"))).code).toBe("InvalidRange");
  });

  test("4 copies, keeping or replacing metadata", async () => {
    await put("original", "copied", { Metadata: { a: "1" } });
    const CopySource = `${Bucket}/original`;
    await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource }));
    await s3.send(
      new CopyObjectCommand({
        Bucket,
        Key: "copy2",
        CopySource,
        MetadataDirective: "REPLACE",
        Metadata: { b: "2" },
      }),
    );
    expect((await bytesOf("copy")).toString()).toBe("copied");
    expect(fake.get(Bucket, "copy")?.metadata).toEqual({ a: "1" });
    expect(fake.get(Bucket, "copy2")?.metadata).toEqual({ b: "2" });
  });

  test("5 heads with metadata, type and length", async () => {
    await put("head", "12345", { Metadata: { "sluice-load": "a-1" }, ContentType: "text/csv" });
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "head" }));
    expect(head).toMatchObject({
      ContentLength: 5,
      ContentType: "text/csv",
      Metadata: { "sluice-load": "a-1" },
      ServerSideEncryption: "AES256",
    });
  });

  test("6 says NoSuchKey, and NotFound to HEAD", async () => {
    expect((await refusal(bytesOf("absent"))).code).toBe("NoSuchKey");
    expect((await refusal(s3.send(new HeadObjectCommand({ Bucket, Key: "absent" })))).code).toBe("NotFound");
  });

  test("7 puts a stream (aws-chunked with a CRC32 trailer) without its framing", async () => {
    const body = randomBytes(200_000);
    const stream = Readable.from([body.subarray(0, 70_000), body.subarray(70_000)]);
    await s3.send(new PutObjectCommand({ Bucket, Key: "stream", Body: stream, ContentLength: body.length }));
    expect((await bytesOf("stream")).equals(body)).toBe(true);
    const sent = fake.requests.findLast(
      (request) => request.key === "stream" && request.operation === "PutObject",
    );
    expect(sent?.headers["x-amz-content-sha256"]).toBe("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    expect(sent?.bytes).toBeGreaterThan(body.length);
  });

  test("8 keeps Content-Encoding and drops aws-chunked from it", async () => {
    const body = Readable.from([Buffer.from("zipped")]);
    await s3.send(
      new PutObjectCommand({ Bucket, Key: "encoded", Body: body, ContentLength: 6, ContentEncoding: "gzip" }),
    );
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "encoded" }));
    expect(head.ContentEncoding).toBe("gzip");
    await s3.send(
      new PutObjectCommand({
        Bucket,
        Key: "plain",
        Body: Readable.from([Buffer.from("p")]),
        ContentLength: 1,
      }),
    );
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: "plain" }))).ContentEncoding).toBeUndefined();
  });

  test("9 takes a multipart upload of 12 MB in 3 parts, ETag -3", async () => {
    const body = randomBytes(12 * 2 ** 20);
    const upload = new Upload({
      client: s3,
      params: { Bucket, Key: "multipart", Body: Readable.from([body]) },
    });
    const done = await upload.done();
    expect(done.ETag).toMatch(/^"[0-9a-f]{32}-3"$/);
    expect((await bytesOf("multipart")).equals(body)).toBe(true);
  });

  test("10 If-None-Match: the second put is 412", async () => {
    await put("once", "first", { IfNoneMatch: "*" });
    expect(await refusal(put("once", "second", { IfNoneMatch: "*" }))).toMatchObject({
      code: "PreconditionFailed",
      status: 412,
    });
    expect((await bytesOf("once")).toString()).toBe("first");
  });

  test("11 If-None-Match: ten racing puts have one winner", async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, racer) => put("race", `racer ${racer}`, { IfNoneMatch: "*" })),
    );
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
    const winner = outcomes.findIndex((outcome) => outcome.status === "fulfilled");
    expect((await bytesOf("race")).toString()).toBe(`racer ${winner}`);
  });

  test("12 If-None-Match on completing a multipart upload", async () => {
    await put("taken", "mine");
    const started = await startUpload("taken");
    const part = await sendPart("taken", started, 1, "theirs");
    expect((await refusal(complete("taken", started, [part], { IfNoneMatch: "*" }))).code).toBe(
      "PreconditionFailed",
    );
    expect((await bytesOf("taken")).toString()).toBe("mine");
  });

  test("13 If-Match is compare-and-swap", async () => {
    const { ETag } = await put("swap", "1");
    const second = await put("swap", "2", { IfMatch: ETag });
    expect((await refusal(put("swap", "3", { IfMatch: ETag }))).code).toBe("PreconditionFailed");
    await put("swap", "3", { IfMatch: second.ETag });
    expect((await bytesOf("swap")).toString()).toBe("3");
    expect((await refusal(put("never", "3", { IfMatch: ETag }))).code).toBe("NoSuchKey");
  });

  test("14 lists by prefix in the order of UTF-8 bytes", async () => {
    // U+FF61 sorts behind U+1F600 in UTF-16 and before it in UTF-8.
    const keys = ["list/\u{1f600}", "list/\uff61", "list/b", "list/B", "list/a&<b>", "list/a"];
    for (const key of keys) await put(key);
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "list/" }));
    expect(Contents?.map((entry) => entry.Key)).toEqual(
      ["B", "a", "a&<b>", "b", "\uff61", "\u{1f600}"].map((name) => `list/${name}`),
    );
  });

  test("15 lists with a delimiter", async () => {
    for (const key of ["tree/a/1", "tree/a/2", "tree/b/1", "tree/c"]) await put(key);
    const page = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "tree/", Delimiter: "/" }));
    expect(page.CommonPrefixes?.map((entry) => entry.Prefix)).toEqual(["tree/a/", "tree/b/"]);
    expect(page.Contents?.map((entry) => entry.Key)).toEqual(["tree/c"]);
    expect(page.KeyCount).toBe(3);
  });

  test("16 lists in pages, with common prefixes and StartAfter", async () => {
    for (let number = 0; number < 7; number++) await put(`page/${number}`);
    await put("page/dir/x");
    await put("page/dir/y");
    const seen: (string | undefined)[] = [];
    let token: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket,
          Prefix: "page/",
          Delimiter: "/",
          MaxKeys: 3,
          ContinuationToken: token,
        }),
      );
      seen.push(...(page.Contents ?? []).map((entry) => entry.Key));
      seen.push(...(page.CommonPrefixes ?? []).map((entry) => entry.Prefix));
      token = page.NextContinuationToken;
      expect(page.IsTruncated).toBe(token !== undefined);
    } while (token !== undefined);
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6].map((number) => `page/${number}`).concat("page/dir/"));
    const rest = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "page/", StartAfter: "page/5" }));
    expect(rest.Contents?.map((entry) => entry.Key)).toEqual(["page/6", "page/dir/x", "page/dir/y"]);
  });

  test("17 echoes SSE-S3 and SSE-KMS", async () => {
    const SSEKMSKeyId = "arn:aws:kms:eu-central-1:1:key/k";
    const answer = await put("kms", "x", {
      ServerSideEncryption: "aws:kms",
      SSEKMSKeyId,
      BucketKeyEnabled: true,
    });
    const kms = { ServerSideEncryption: "aws:kms", SSEKMSKeyId, BucketKeyEnabled: true };
    expect(answer).toMatchObject(kms);
    expect(await s3.send(new HeadObjectCommand({ Bucket, Key: "kms" }))).toMatchObject(kms);
    expect(await put("sse", "x", { ServerSideEncryption: "AES256" })).toMatchObject({
      ServerSideEncryption: "AES256",
    });
  });

  test("18 refuses a wrong CRC32, also CRC32C, SHA1 and SHA256", async () => {
    for (const name of ["ChecksumCRC32", "ChecksumCRC32C"])
      expect((await refusal(put("bad", "x", { [name]: "AAAAAA==" }))).code).toBe("BadDigest");
    for (const [name, length] of [
      ["ChecksumSHA1", 20],
      ["ChecksumSHA256", 32],
    ] as const)
      expect((await refusal(put("bad", "x", { [name]: Buffer.alloc(length).toString("base64") }))).code).toBe(
        "BadDigest",
      );
    expect(fake.get(Bucket, "bad")).toBeUndefined();
  });

  test("19 refuses a wrong Content-MD5", async () => {
    const ContentMD5 = createHash("md5").update("other").digest("base64");
    expect((await refusal(put("bad", "x", { ContentMD5 }))).code).toBe("BadDigest");
  });

  test("20 stores checksums and returns them", async () => {
    // Known answers for "123456789".
    await put("crc32", "123456789");
    await put("crc32c", "123456789", { ChecksumAlgorithm: "CRC32C" });
    await put("sha256", "123456789", { ChecksumAlgorithm: "SHA256" });
    const head = (Key: string) => s3.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
    expect((await head("crc32")).ChecksumCRC32).toBe(Buffer.from("cbf43926", "hex").toString("base64"));
    expect((await head("crc32c")).ChecksumCRC32C).toBe(Buffer.from("e3069283", "hex").toString("base64"));
    expect((await head("sha256")).ChecksumSHA256).toBe(
      createHash("sha256").update("123456789").digest("base64"),
    );
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: "crc32" }))).ChecksumCRC32).toBeUndefined();
  });

  test("21 lists and aborts multipart uploads, and lists parts", async () => {
    const started = await startUpload("aborted");
    await sendPart("aborted", started, 2, "b");
    await sendPart("aborted", started, 1, "aa");
    const { Parts } = await s3.send(new ListPartsCommand({ Bucket, Key: "aborted", UploadId: started }));
    expect(Parts?.map((part) => [part.PartNumber, part.Size])).toEqual([
      [1, 2],
      [2, 1],
    ]);
    const list = () => s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: "aborted" }));
    expect((await list()).Uploads?.map((upload) => upload.UploadId)).toEqual([started]);
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: "aborted", UploadId: started }));
    expect((await list()).Uploads ?? []).toEqual([]);
    expect((await refusal(sendPart("aborted", started, 1, "a"))).code).toBe("NoSuchUpload");
  });

  test("22 refuses a part that is too small, unknown, out of order or changed", async () => {
    const started = await startUpload("parts");
    const one = await sendPart("parts", started, 1, "small");
    const two = await sendPart("parts", started, 2, "last");
    expect((await refusal(complete("parts", started, [one, two]))).code).toBe("EntityTooSmall");
    expect((await refusal(complete("parts", started, [two, one]))).code).toBe("InvalidPartOrder");
    expect((await refusal(complete("parts", started, [{ ...one, ETag: two.ETag }]))).code).toBe(
      "InvalidPart",
    );
    expect((await refusal(complete("parts", started, [{ ...one, PartNumber: 9 }]))).code).toBe("InvalidPart");
    await complete("parts", started, [two]);
    expect((await bytesOf("parts")).toString()).toBe("last");
  });

  test("23 refuses a wrong secret, key, region and session token", async () => {
    const call = async (more: S3ClientConfig) => {
      const client = clientOf(fake, more);
      return refusal(client.send(new ListObjectsV2Command({ Bucket }))).finally(() => client.destroy());
    };
    const { accessKeyId, secretAccessKey } = fake;
    expect(await call({ credentials: { accessKeyId, secretAccessKey: "wrong" } })).toMatchObject({
      code: "SignatureDoesNotMatch",
      status: 403,
    });
    expect((await call({ credentials: { accessKeyId: "AKIAOTHER", secretAccessKey } })).code).toBe(
      "InvalidAccessKeyId",
    );
    expect((await call({ region: "eu-west-1" })).code).toBe("AuthorizationHeaderMalformed");
  });

  test("24 deletes one and many", async () => {
    for (const key of ["gone/1", "gone/2", "gone/3 & <4>"]) await put(key);
    await s3.send(new DeleteObjectCommand({ Bucket, Key: "gone/1" }));
    await s3.send(new DeleteObjectCommand({ Bucket, Key: "gone/1" }));
    const Objects = [{ Key: "gone/2" }, { Key: "gone/3 & <4>" }, { Key: "gone/never" }];
    const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(Deleted?.map((entry) => entry.Key)).toEqual(Objects.map((entry) => entry.Key));
    expect((await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "gone/" }))).KeyCount).toBe(0);
  });

  test("25 takes 200 puts at once", async () => {
    await Promise.all(Array.from({ length: 200 }, (_, number) => put(`many/${number}`, `body ${number}`)));
    const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "many/" }));
    expect(KeyCount).toBe(200);
    expect((await bytesOf("many/117")).toString()).toBe("body 117");
  });
});

describe("what a careless double would get wrong", () => {
  test("hostile keys come back as they went in", async () => {
    const keys = ["a b+c%20d", "ü/é/日本", "quote'\"<&>", "a//b", "dots/../x", "percent=100%", "tilde~*()!"];
    for (const key of keys) await put(`hostile/${key}`, key);
    for (const key of keys) expect((await bytesOf(`hostile/${key}`)).toString()).toBe(key);
  });

  test("a multipart checksum is the composite of its parts'", async () => {
    const body = randomBytes(6 * 2 ** 20);
    await new Upload({ client: s3, params: { Bucket, Key: "composite", Body: body } }).done();
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "composite", ChecksumMode: "ENABLED" }));
    expect(head.ChecksumCRC32).toMatch(/^[A-Za-z0-9+/]{6}==-2$/);
    expect(head.ChecksumType).toBe("COMPOSITE");
  });

  test("a changed payload is not what was signed", async () => {
    const { hostname, port } = new URL(fake.url);
    const signed = fake.requests.find(
      (request) => request.operation === "PutObject" && request.key === "buffer",
    );
    const headers = Object.entries({ ...signed?.headers, "content-length": "3", "x-amz-checksum-crc32": "" })
      .filter(([name, value]) => value !== "" && name !== "expect")
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write(`PUT /lake/buffer?x-id=PutObject HTTP/1.1\r\n${headers}\r\nabc`),
      );
      socket.once("data", (data) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.once("error", reject);
    });
    expect(answer).toMatch(/SignatureDoesNotMatch|XAmzContentSHA256Mismatch/);
    expect(fake.get(Bucket, "buffer")?.size).toBe(100_000);
  });

  test("what is not implemented says so", async () => {
    const refused = await refusal(
      put("other", "x", { ChecksumAlgorithm: undefined, ChecksumCRC64NVME: "AAAAAAAAAAA=" }),
    );
    expect(refused).toMatchObject({ code: "NotImplemented", status: 501 });
  });

  test("an old session token is refused", async () => {
    const strict = await startS3Fake({ buckets: [Bucket], sessionToken: "new" });
    const { accessKeyId, secretAccessKey } = strict;
    const client = (sessionToken: string) =>
      clientOf(strict, { credentials: { accessKeyId, secretAccessKey, sessionToken } });
    await client("new").send(new ListObjectsV2Command({ Bucket }));
    expect((await refusal(client("old").send(new ListObjectsV2Command({ Bucket })))).code).toBe(
      "InvalidToken",
    );
    await strict.close();
  });

  test("a clock that is off by more than 15 minutes is refused until the SDK corrects it", async () => {
    const later = await startS3Fake({ buckets: [Bucket], now: () => Date.now() + 20 * 60_000 });
    const client = clientOf(later, { maxAttempts: 1 });
    expect((await refusal(client.send(new ListObjectsV2Command({ Bucket })))).code).toBe(
      "RequestTimeTooSkewed",
    );
    client.destroy();
    await later.close();
  });
});

describe("faults", () => {
  test("a status is answered as often as scripted; the SDK's own repeats get past it", async () => {
    fake.faults.add({
      operation: "PutObject",
      times: 2,
      action: { type: "status", status: 503, code: "SlowDown" },
    });
    const answer = await put("fault/status", "through");
    expect(answer.$metadata.attempts).toBe(3);
    const stop = fake.faults.refuseAll(403, "AccessDenied");
    expect((await refusal(put("fault/denied"))).code).toBe("AccessDenied");
    stop();
    await put("fault/denied");
  });

  test("a reset before applying leaves nothing; one after applying leaves the object and a puzzled client", async () => {
    fake.faults.add({ operation: "PutObject", times: 3, action: { type: "resetBefore" } });
    await expect(put("fault/before")).rejects.toThrow();
    expect(fake.get(Bucket, "fault/before")).toBeUndefined();

    fake.faults.add({ operation: "PutObject", action: { type: "resetAfter" } });
    expect(await refusal(put("fault/after", "applied", { IfNoneMatch: "*" }))).toMatchObject({
      code: "PreconditionFailed",
      attempts: 2,
    });
    expect(fake.get(Bucket, "fault/after")?.body.toString()).toBe("applied");
  });

  test("a cut answer breaks off in the middle of the body", async () => {
    await put("fault/cut", "x".repeat(10_000));
    fake.faults.add({ operation: "GetObject", action: { type: "cut" } });
    await expect(bytesOf("fault/cut")).rejects.toThrow();
    expect((await bytesOf("fault/cut")).length).toBe(10_000);
  });

  test("200 with an error inside, on completing", async () => {
    const started = await startUpload("fault/complete");
    const part = await sendPart("fault/complete", started, 1, "whole");
    fake.faults.add({
      operation: "CompleteMultipartUpload",
      times: 3,
      action: { type: "status", status: 200, code: "InternalError" },
    });
    expect((await refusal(complete("fault/complete", started, [part]))).code).toBe("InternalError");
    await complete("fault/complete", started, [part]);
  });

  test("strikes only what matches, after what may pass", async () => {
    fake.faults.add({
      key: /^fault\/match/,
      after: 1,
      action: { type: "status", status: 403, code: "AccessDenied" },
    });
    await put("fault/other");
    await put("fault/match1");
    expect((await refusal(put("fault/match2"))).code).toBe("AccessDenied");
    await put("fault/match3");
    expect(fake.faults.strikes).toBeGreaterThan(0);
  });
});

describe("on disk", () => {
  test("a restart finds objects, metadata, checksums and uploads under way; rubbish of a kill is swept", async () => {
    const dir = mkdtempSync(join(tmpdir(), "sluice-s3-fake-"));
    try {
      const first = await startS3Fake({ dir, buckets: [Bucket] });
      const client = clientOf(first);
      const body = randomBytes(300_000);
      await client.send(
        new PutObjectCommand({ Bucket, Key: "kept/é", Body: body, Metadata: { load: "l-1" } }),
      );
      await client.send(new PutObjectCommand({ Bucket, Key: "deleted", Body: "x" }));
      await client.send(new DeleteObjectCommand({ Bucket, Key: "deleted" }));
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: "late" }));
      const { ETag } = await client.send(
        new UploadPartCommand({ Bucket, Key: "late", UploadId, PartNumber: 1, Body: "part" }),
      );
      client.destroy();
      await first.close();
      writeFileSync(join(dir, ".tmp", "half"), "half an obj");

      const second = await startS3Fake({ dir, buckets: [Bucket] });
      const again = clientOf(second);
      expect(second.objects(Bucket).map((object) => object.key)).toEqual(["kept/é"]);
      expect((await bytesOf("kept/é", again)).equals(body)).toBe(true);
      expect(second.get(Bucket, "kept/é")?.metadata).toEqual({ load: "l-1" });
      await again.send(
        new CompleteMultipartUploadCommand({
          Bucket,
          Key: "late",
          UploadId,
          MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
        }),
      );
      expect((await bytesOf("late", again)).toString()).toBe("part");
      expect(
        (
          await refusal(
            again.send(new PutObjectCommand({ Bucket, Key: "late", Body: "x", IfNoneMatch: "*" })),
          )
        ).code,
      ).toBe("PreconditionFailed");
      again.destroy();
      await second.close();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe("the command", () => {
  test("prints one line when it is ready, serves, and stops on SIGTERM", async () => {
    const main = fileURLToPath(new URL("../../dist/test/fakes/s3/main.js", import.meta.url));
    const child = spawn(process.execPath, [main, "--bucket", "a-bucket"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const line = await new Promise<string>((resolve, reject) => {
        child.stdout.once("data", (data: Buffer) => resolve(data.toString()));
        child.once("exit", (code) => reject(new Error(`${main} ended with ${code}; is dist built?`)));
      });
      const { url, region, accessKeyId, secretAccessKey } = readySchema.parse(JSON.parse(line));
      const client = new S3Client({
        endpoint: url,
        region,
        forcePathStyle: true,
        credentials: { accessKeyId, secretAccessKey },
      });
      await client.send(new PutObjectCommand({ Bucket: "a-bucket", Key: "k", Body: "x" }));
      client.destroy();
      const code = await new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill("SIGTERM");
      });
      expect(code).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

const readySchema = z.strictObject({
  url: z.string(),
  region: z.string(),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  buckets: z.array(z.string()),
});

async function startUpload(Key: string): Promise<string> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  if (UploadId === undefined) throw new Error("no upload id came");
  return UploadId;
}

async function sendPart(Key: string, UploadId: string, PartNumber: number, Body: string) {
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
  return { PartNumber, ETag };
}

function complete(
  Key: string,
  UploadId: string,
  Parts: { PartNumber: number; ETag: string | undefined }[],
  more: object = {},
) {
  return s3.send(
    new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...more }),
  );
}
