import { createHash } from "node:crypto";
import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { ReceiveMessageCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../../core/contracts/index.js";
import { AwsChunked } from "../../../../core/queue/wire/aws-chunked.js";
import { type AccessKey, BUCKET } from "../../../../core/queue/wire/index.js";
import { SignatureVerifier } from "../../../../core/queue/wire/signature.js";
import { VirtualClock } from "../../../virtual-clock.js";
import { scratchDir } from "../../store/scratch-dir.js";
import { afterTest, call, clientOf, raw, type Service, startService } from "./service.js";

const KEYS: AccessKey = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };

interface Setup {
  readonly service: Service;
  readonly s3: S3Client;
  readonly folder: string;
}

async function setup(keys: readonly AccessKey[] = [], credentials = KEYS): Promise<Setup> {
  const scratch = scratchDir();
  afterTest(scratch.remove);
  const service = await startService({ dataDir: scratch.path, keys });
  const s3 = new S3Client({
    endpoint: service.url,
    forcePathStyle: true,
    region: "eu-central-1",
    credentials,
    maxAttempts: 1,
  });
  afterTest(() => s3.destroy());
  return { service, s3, folder: join(scratch.path, "payloads") };
}

const objectsIn = (folder: string) => readdirSync(folder).filter((name) => name !== "incoming");
const incomingIn = (folder: string) => readdirSync(join(folder, "incoming"));

async function get(s3: S3Client, Key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function refusalOf(promise: Promise<unknown>): Promise<readonly unknown[]> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("not refused");
  return [error.name, Reflect.get(Reflect.get(error, "$metadata") ?? {}, "httpStatusCode")];
}

describe("the long body of a flow's message", () => {
  it("is handed out as the extended client's pointer, and read from the bucket it names", async () => {
    const { service, s3 } = await setup();
    const { queues } = service.environment;
    await queues.createQueue("flow--0-lake");
    const body = Buffer.from(`{"text":"${"ü".repeat(600_000)}"}\n`);
    const [sent] = await queues.send("flow--0-lake", [
      { body: await queues.stage(body), attributes: { flow: "flow" } },
    ]);
    const input = { QueueUrl: "flow--0-lake", MessageAttributeNames: ["All"] };
    const { Messages } = await service.client.send(new ReceiveMessageCommand(input));
    const [message] = Messages ?? [];
    const pointer: unknown = JSON.parse(message?.Body ?? "");
    const key = `messages/flow--0-lake/${sent?.messageId}`;
    expect(pointer).toEqual([
      "software.amazon.payloadoffloading.PayloadS3Pointer",
      { s3BucketName: BUCKET, s3Key: key },
    ]);
    expect(message?.MessageAttributes).toEqual({
      flow: { DataType: "String", StringValue: "flow" },
      ExtendedPayloadSize: { DataType: "Number", StringValue: String(body.length) },
    });
    expect((await get(s3, key)).equals(body)).toBe(true);
    const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key }));
    expect(head.ContentLength).toBe(body.length);
    // The client deletes object and message; the object goes with its message.
    await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
    expect((await get(s3, key)).length).toBe(body.length);
    await call(service.url, "DeleteMessage", {
      QueueUrl: "flow--0-lake",
      ReceiptHandle: message?.ReceiptHandle,
    });
    expect(await refusalOf(get(s3, key))).toEqual(["NoSuchKey", 404]);
  });

  it("is handed out itself while the wire can carry it", async () => {
    const { service } = await setup();
    const { queues } = service.environment;
    await queues.createQueue("q");
    const body = "x".repeat(1_048_576);
    await queues.send("q", [{ body: await queues.stage(body) }]);
    const { json } = await call(service.url, "ReceiveMessage", { QueueUrl: "q" });
    expect(json.Messages).toMatchObject([{ Body: body }]);
  });
});

describe("an extended client's payload", () => {
  it("goes through the bucket and its pointer through the queue", async () => {
    const { service, s3, folder } = await setup();
    const payload = Buffer.alloc(3_000_000, "payload ");
    const Key = "prefix/0f2a-payload";
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: payload }));
    await call(service.url, "CreateQueue", { QueueName: "q" });
    const MessageBody = JSON.stringify([
      "software.amazon.payloadoffloading.PayloadS3Pointer",
      { s3BucketName: BUCKET, s3Key: Key },
    ]);
    const MessageAttributes = {
      ExtendedPayloadSize: { DataType: "Number", StringValue: String(payload.length) },
    };
    await service.client.send(new SendMessageCommand({ QueueUrl: "q", MessageBody, MessageAttributes }));
    const { json } = await call(service.url, "ReceiveMessage", { QueueUrl: "q" });
    expect(json.Messages).toMatchObject([{ Body: MessageBody }]);
    expect((await get(s3, Key)).equals(payload)).toBe(true);
    await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }));
    await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }));
    expect(await refusalOf(get(s3, Key))).toEqual(["NoSuchKey", 404]);
    expect(objectsIn(folder)).toEqual([]);
  });

  it("arrives as a stream, in signed and in unsigned requests", async () => {
    for (const keys of [[], [KEYS]]) {
      const { s3, folder } = await setup(keys);
      const chunk = Buffer.alloc(64 * 1024, "abcdefg ");
      const Body = Readable.from(Array.from({ length: 80 }, () => chunk));
      await s3.send(
        new PutObjectCommand({ Bucket: BUCKET, Key: "k", Body, ContentLength: 80 * chunk.length }),
      );
      const stored = await get(s3, "k");
      expect(stored.length).toBe(80 * chunk.length);
      const sha = (data: Buffer) => createHash("sha256").update(data).digest("hex");
      expect(sha(stored)).toBe(sha(Buffer.concat(Array.from({ length: 80 }, () => chunk))));
      expect(incomingIn(folder)).toEqual([]);
    }
  });

  it("is replaced whole", async () => {
    const { s3, folder } = await setup();
    for (const Body of ["one", "two, which is longer", ""]) {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "k", Body }));
      expect((await get(s3, "k")).toString()).toBe(Body);
    }
    expect(objectsIn(folder)).toHaveLength(1);
  });

  it.each([
    "../../escape",
    "/etc/passwd",
    "..",
    ".",
    "a/../../b",
    "incoming",
    "incoming/x",
    "a\u0000b",
    "ü \n%2e%2e/",
  ])("cannot leave its folder: %j", async (Key) => {
    const { service, s3, folder } = await setup();
    const path = `/${BUCKET}/${encodeURIComponent(Key)}`;
    expect((await raw(service.url, { method: "PUT", path, body: "x" })).status).toBe(200);
    expect(objectsIn(folder)).toEqual([createHash("sha256").update(Key).digest("hex")]);
    expect(existsSync(join(folder, "incoming"))).toBe(true);
    expect((await raw(service.url, { method: "GET", path })).body).toBe("x");
    expect((await raw(service.url, { method: "DELETE", path })).status).toBe(204);
    expect(objectsIn(folder)).toEqual([]);
    s3.destroy();
  });

  it.each([
    ["a wrong Content-MD5", { "content-md5": "AAAAAAAAAAAAAAAAAAAAAA==" }, "BadDigest", 400],
    ["a wrong CRC32", { "x-amz-checksum-crc32": "AAAAAA==" }, "BadDigest", 400],
    ["a wrong SHA-256", { "x-amz-checksum-sha256": "AAAA" }, "BadDigest", 400],
    ["a wrong payload hash", { "x-amz-content-sha256": "0".repeat(64) }, "XAmzContentSHA256Mismatch", 400],
    ["another length within", { "x-amz-decoded-content-length": "4" }, "IncompleteBody", 400],
    ["a condition", { "if-none-match": "*" }, "NotImplemented", 501],
    ["a copy", { "x-amz-copy-source": "/a/b" }, "NotImplemented", 501],
  ])("with %s is refused and leaves nothing", async (_name, headers, code, status) => {
    const { service, folder } = await setup();
    const answer = await raw(service.url, { method: "PUT", path: `/${BUCKET}/k`, headers, body: "hello" });
    expect([answer.status, /<Code>(\w+)</.exec(answer.body)?.[1]]).toEqual([status, code]);
    expect([objectsIn(folder), incomingIn(folder)]).toEqual([[], []]);
    expect(service.errors).toEqual([]);
  });

  it.each([
    ["no size", "zz\r\nhello\r\n0\r\n\r\n", "InvalidRequest"],
    ["a cut chunk", "a\r\nhello", "IncompleteBody"],
    ["no last chunk", "5\r\nhello\r\n", "IncompleteBody"],
    ["a chunk that is longer than it says", "3\r\nhello\r\n0\r\n\r\n", "InvalidRequest"],
    ["a wrong trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest"],
    ["an endless line", "5".repeat(10_000), "InvalidRequest"],
  ])("in chunks with %s is refused and leaves nothing", async (_name, body, code) => {
    const { service, folder } = await setup();
    const headers = {
      "content-encoding": "aws-chunked",
      "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      "x-amz-decoded-content-length": "5",
      "x-amz-trailer": "x-amz-checksum-crc32",
    };
    const answer = await raw(service.url, { method: "PUT", path: `/${BUCKET}/k`, headers, body });
    expect([answer.status, /<Code>(\w+)</.exec(answer.body)?.[1]]).toEqual([400, code]);
    expect([objectsIn(folder), incomingIn(folder)]).toEqual([[], []]);
    const good = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    expect(
      (await raw(service.url, { method: "PUT", path: `/${BUCKET}/k`, headers, body: good })).status,
    ).toBe(200);
    expect((await raw(service.url, { method: "GET", path: `/${BUCKET}/k` })).body).toBe("hello");
  });

  it("of a client that leaves in the middle leaves nothing", async () => {
    const { service, folder } = await setup();
    const gone = new AbortController();
    async function* half() {
      yield Buffer.alloc(100_000, 1);
      while (incomingIn(folder).length === 0) await new Promise((resolve) => setImmediate(resolve));
      gone.abort();
      yield Buffer.alloc(100_000, 1);
    }
    const upload = fetch(`${service.url}/${BUCKET}/k`, {
      method: "PUT",
      body: Readable.toWeb(Readable.from(half())) as ReadableStream,
      duplex: "half",
      signal: gone.signal,
    } as RequestInit);
    await expect(upload).rejects.toThrow();
    for (let turn = 0; incomingIn(folder).length > 0; turn++) {
      if (turn > 5000) throw new Error("the upload is still there");
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(objectsIn(folder)).toEqual([]);
  });

  it("that nobody finished is swept at the next start, once it is a day old", async () => {
    const { service, folder } = await setup();
    await service.close();
    const names = ["old", "new"].map((name) => join(folder, "incoming", name));
    for (const name of names) writeFileSync(name, "x");
    const yesterday = (systemClock.now() - 25 * 3600_000) / 1000;
    utimesSync(names[0] ?? "", yesterday, yesterday);
    await startService({ dataDir: join(folder, "..") });
    expect(incomingIn(folder)).toEqual(["new"]);
  });

  it("is kept for 30 days after it was put or read last", async () => {
    const scratch = scratchDir();
    afterTest(scratch.remove);
    const folder = join(scratch.path, "payloads");
    // Files have the time of the machine: the virtual clock begins there.
    const clock = new VirtualClock(systemClock.now());
    const { url } = await startService({ dataDir: scratch.path, clock });
    const path = (key: string) => `/${BUCKET}/${key}`;
    for (const key of ["read", "forgotten"]) await raw(url, { method: "PUT", path: path(key), body: key });
    const day = 24 * 3600_000;
    await clock.advance(20 * day);
    await raw(url, { method: "HEAD", path: path("read") });
    await clock.advance(11 * day);
    const swept = async (count: number) => {
      for (let turn = 0; objectsIn(folder).length > count; turn++) {
        if (turn > 10_000) throw new Error(`more than ${count} are left`);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return objectsIn(folder);
    };
    expect(await swept(1)).toEqual([createHash("sha256").update("read").digest("hex")]);
    await clock.advance(20 * day);
    expect(await swept(0)).toEqual([]);
  });
});

describe("the bucket", () => {
  it("is there, is the only one, and has no other operations", async () => {
    const { s3, service } = await setup();
    await s3.send(new HeadBucketCommand({ Bucket: BUCKET }));
    const put = (Bucket: string) => s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
    expect(await refusalOf(put("other-bucket"))).toEqual(["NoSuchBucket", 404]);
    const codeOf = async (method: string, path: string) => {
      const { status, body } = await raw(service.url, { method, path });
      return [status, /<Code>(\w+)</.exec(body)?.[1]];
    };
    expect(await codeOf("GET", `/${BUCKET}/`)).toEqual([501, "NotImplemented"]);
    expect(await codeOf("GET", `/${BUCKET}/k?acl`)).toEqual([501, "NotImplemented"]);
    expect(await codeOf("PUT", `/${BUCKET}/k?partNumber=1&uploadId=u`)).toEqual([501, "NotImplemented"]);
    expect(await codeOf("POST", `/${BUCKET}/k`)).toEqual([405, "MethodNotAllowed"]);
    expect(await codeOf("PUT", `/${BUCKET}/messages/q/1`)).toEqual([403, "AccessDenied"]);
    expect(await codeOf("PUT", `/${BUCKET}/${"k".repeat(1025)}`)).toEqual([400, "KeyTooLongError"]);
    expect(await codeOf("GET", `/${BUCKET}/%`)).toEqual([400, "InvalidURI"]);
    for (const key of ["nope/1", "q", `${"q".repeat(900)}/1`])
      expect(await codeOf("GET", `/${BUCKET}/messages/${key}`)).toEqual([404, "NoSuchKey"]);
  });

  it("takes nothing where there is no data directory", async () => {
    const { url } = await startService();
    expect((await raw(url, { method: "PUT", path: `/${BUCKET}/k`, body: "x" })).status).toBe(501);
  });

  it("checks signatures where there are keys", async () => {
    const { s3, service } = await setup([KEYS]);
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "a b/ü+(1)", Body: "x" }));
    expect((await get(s3, "a b/ü+(1)")).toString()).toBe("x");
    const answer = await raw(service.url, { method: "GET", path: `/${BUCKET}/a` });
    expect([answer.status, /<Code>(\w+)</.exec(answer.body)?.[1]]).toEqual([403, "AccessDenied"]);
    for (const [credentials, code] of [
      [{ ...KEYS, secretAccessKey: "wrong" }, "SignatureDoesNotMatch"],
      [{ ...KEYS, accessKeyId: "UNKNOWN" }, "InvalidAccessKeyId"],
    ] as const) {
      const wrong = new S3Client({
        endpoint: service.url,
        forcePathStyle: true,
        region: "eu-central-1",
        credentials,
        maxAttempts: 1,
      });
      const put = new PutObjectCommand({ Bucket: BUCKET, Key: "k", Body: "x" });
      expect(await refusalOf(wrong.send(put))).toEqual([code, 403]);
      wrong.destroy();
    }
    const queue = clientOf(service.url, KEYS);
    await queue.send(new SendMessageCommand({ QueueUrl: "nope", MessageBody: "x" })).catch(() => undefined);
    queue.destroy();
  });
});

describe("signed chunks: the example of the S3 documentation", () => {
  const keys = {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  };
  const seed = () =>
    new SignatureVerifier([keys], new VirtualClock(Date.UTC(2013, 4, 24))).verify({
      method: "PUT",
      target: "/examplebucket/chunkObject.txt",
      service: "s3",
      payloadHash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      rawHeaders: [
        ...["Host", "s3.amazonaws.com", "x-amz-date", "20130524T000000Z"],
        ...["x-amz-storage-class", "REDUCED_REDUNDANCY", "Content-Encoding", "aws-chunked"],
        ...["x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"],
        ...["x-amz-decoded-content-length", "66560", "Content-Length", "66824", "Authorization"],
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
      ],
    });
  const body = (letter: string) =>
    Buffer.concat([
      Buffer.from(
        "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
      ),
      Buffer.alloc(65_536, "a"),
      Buffer.from(
        "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
      ),
      Buffer.alloc(1024, letter),
      Buffer.from(
        "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
      ),
    ]);
  async function* pieces(whole: Buffer, size: number) {
    for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
  }
  async function read(whole: Buffer, size: number): Promise<number> {
    let bytes = 0;
    for await (const chunk of new AwsChunked(pieces(whole, size), seed())) bytes += chunk.length;
    return bytes;
  }

  it.each([1, 7, 1000, 65_536, 100_000])("is read in pieces of %i bytes", async (size) => {
    expect(await read(body("a"), size)).toBe(66_560);
  });

  it("is refused with another byte in a chunk, and with its end cut off", async () => {
    await expect(read(body("b"), 1000)).rejects.toMatchObject({ code: "SignatureDoesNotMatch" });
    await expect(read(body("a").subarray(0, 66_000), 1000)).rejects.toMatchObject({ code: "IncompleteBody" });
    const unsigned = Buffer.from("3\r\nabc\r\n0\r\n\r\n");
    await expect(read(unsigned, 1000)).rejects.toMatchObject({ code: "SignatureDoesNotMatch" });
  });
});
