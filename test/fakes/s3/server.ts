import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Answer } from "./answer.js";
import type { ObjectInfo } from "./bucket.js";
import { decodeChunks } from "./chunked.js";
import { S3Error } from "./error.js";
import { type FaultAction, Faults, type Operation } from "./fault.js";
import { parseRequest, type S3Request } from "./request.js";
import { Service } from "./service.js";
import { verifyPayload, verifySignature } from "./signature.js";
import { xml } from "./xml.js";

export interface S3FakeOptions {
  /** Default: any free one. */
  readonly port?: number;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** When given, every request must carry it. */
  readonly sessionToken?: string;
  /** Default us-east-1. */
  readonly region?: string;
  /** Keeps everything in files below it, across restarts and kills. Default: in memory. */
  readonly dir?: string;
  /** Made at start where absent. */
  readonly buckets?: readonly string[];
  readonly faults?: Faults;
  /** Keys in a page of a listing at most; default 1000, as S3. */
  readonly pageKeys?: number;
  /** Overlooks If-None-Match and If-Match, as some S3-compatible stores do. */
  readonly ignoreConditions?: boolean;
  /** Epoch ms; default the wall clock. */
  readonly now?: () => number;
}

/** One request as it was answered. */
export interface RequestRecord {
  readonly operation: Operation | "unknown";
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the body on the wire. */
  readonly bytes: number;
  /** 0: no answer was sent. */
  readonly status: number;
}

export interface S3Fake {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly faults: Faults;
  /** The latest requests, oldest first; at most 10,000. */
  readonly requests: RequestRecord[];
  /** Objects of a bucket in the order S3 lists them. */
  objects(bucket: string): ObjectInfo[];
  /** An object with its bytes; undefined when absent. */
  get(bucket: string, key: string): (ObjectInfo & { readonly body: Buffer }) | undefined;
  /** Multipart uploads begun and not ended, by key. */
  openUploads(bucket: string): string[];
  close(): Promise<void>;
}

const REMEMBERED_REQUESTS = 10_000;

/**
 * An honest small S3 on node:http: it verifies signatures and checksums, takes aws-chunked streams apart, decides
 * conditional writes, and refuses what it does not implement. Serves the loopback interface only.
 */
export async function startS3Fake(options: S3FakeOptions = {}): Promise<S3Fake> {
  const { accessKeyId = "AKIAFAKE", secretAccessKey = "fake-secret", region = "us-east-1" } = options;
  const { now = Date.now, faults = new Faults(), sessionToken } = options;
  const service = new Service({
    dir: options.dir,
    region,
    pageKeys: options.pageKeys ?? 1000,
    ignoreConditions: options.ignoreConditions ?? false,
    now,
  });
  for (const bucket of options.buckets ?? [])
    if (!service.buckets.has(bucket)) service.buckets.create(bucket);
  const identity = { accessKeyId, secretAccessKey, sessionToken, region };
  const requests: RequestRecord[] = [];

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const requestId = randomUUID();
    const method = message.method ?? "GET";
    const headers = plainHeaders(message);
    const [rawPath = "/", rawQuery = ""] = splitOnce(message.url ?? "/", "?");
    let request: S3Request | undefined;
    let bytes = 0;
    const answered = (status: number) => {
      if (requests.length >= REMEMBERED_REQUESTS) requests.shift();
      const { operation = "unknown" as const, bucket, key } = request ?? {};
      requests.push({ operation, bucket, key, headers, bytes, status });
    };
    try {
      request = parseRequest(method, rawPath, rawQuery, headers);
      const fault = faults.next(request.operation, request.key);
      const raw = await readBody(message);
      bytes = raw.length;
      const action = fault?.action;
      if (action?.type === "resetBefore") {
        fault?.onStrike?.();
        return drop(message, answered);
      }
      if (action?.type === "slow") {
        fault?.onStrike?.();
        await delay(action.ms);
      }
      if (action?.type === "status") {
        fault?.onStrike?.();
        throw scripted(action);
      }
      verifySignature({ method, rawPath, rawQuery, headers }, identity, now());
      const { body, headers: effective } = unwrap(raw, headers);
      verifyPayload(headers["x-amz-content-sha256"] ?? "", raw);
      const answer = service.apply({ ...request, headers: effective }, body);
      if (action?.type === "resetAfter") {
        fault?.onStrike?.();
        return drop(message, answered);
      }
      if (action?.type === "cut") {
        fault?.onStrike?.();
        return cut(message, answer, answered);
      }
      answered(answer.status);
      send(response, method, answer, requestId);
    } catch (error) {
      if (message.destroyed && !message.complete) return answered(0);
      const refusal = error instanceof S3Error ? error : internal(error);
      answered(refusal.status);
      send(response, method, refused(refusal, request, requestId), requestId);
    }
  };

  const server = createServer((message, response) => void serve(message, response));
  // An idle connection that the server closes just when a client uses it again looks like a fault nobody scripted.
  server.keepAliveTimeout = 120_000;
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the fake has no TCP address");

  return {
    url: `http://127.0.0.1:${address.port}`,
    accessKeyId,
    secretAccessKey,
    region,
    faults,
    requests,
    objects: (name) => {
      const bucket = service.buckets.get(name);
      return bucket.keys().flatMap((key) => {
        const object = bucket.get(key);
        return object === undefined ? [] : [withoutContent(object)];
      });
    },
    get: (name, key) => {
      const object = service.buckets.get(name).get(key);
      if (object === undefined) return undefined;
      return { ...withoutContent(object), body: object.content.read(0, object.size) };
    },
    openUploads: (name) => [...service.buckets.get(name).uploads.values()].map((upload) => upload.key),
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

function withoutContent<T extends ObjectInfo & { content: unknown }>(object: T): Omit<T, "content"> {
  const { content: _, ...info } = object;
  return info;
}

function plainHeaders(message: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(",") : value;
  return headers;
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The content of an aws-chunked body, with its trailers among the headers. */
function unwrap(
  raw: Buffer,
  headers: Record<string, string>,
): { body: Buffer; headers: Record<string, string> } {
  if (!(headers["content-encoding"] ?? "").split(",").some((part) => part.trim() === "aws-chunked"))
    return { body: raw, headers };
  const announced = (headers["x-amz-trailer"] ?? "").split(",").map((name) => name.trim().toLowerCase());
  const { body, trailers } = decodeChunks(raw, {
    decodedLength: headers["x-amz-decoded-content-length"],
    trailers: announced.filter((name) => name !== ""),
  });
  return { body, headers: { ...headers, ...trailers } };
}

function send(response: ServerResponse, method: string, answer: Answer, requestId: string): void {
  const body = method === "HEAD" ? undefined : answer.body;
  const length =
    method === "HEAD" || answer.status === 204 || answer.status === 304
      ? {}
      : { "content-length": String(body?.length ?? 0) };
  response.writeHead(answer.status, {
    server: "sluice-s3-fake",
    "x-amz-request-id": requestId,
    ...length,
    ...answer.headers,
  });
  response.end(body);
}

function refused(error: S3Error, request: S3Request | undefined, requestId: string): Answer {
  const body = xml(
    "Error",
    {
      Code: error.code,
      Message: error.message,
      BucketName: request?.bucket,
      Key: request?.key,
      ...error.elements,
      RequestId: requestId,
      HostId: "sluice-s3-fake",
    },
    false,
  );
  return { status: error.status, headers: { "content-type": "application/xml", ...error.headers }, body };
}

function scripted(fault: Extract<FaultAction, { type: "status" }>): S3Error {
  return new S3Error(fault.status, fault.code, fault.message ?? `Scripted answer: ${fault.code}`);
}

function internal(error: unknown): S3Error {
  return new S3Error(
    500,
    "InternalError",
    `The fake itself failed: ${error instanceof Error ? error.stack : error}`,
  );
}

function drop(message: IncomingMessage, answered: (status: number) => void): void {
  answered(0);
  message.socket.resetAndDestroy();
}

/** Half of the answer, then the end of the connection. */
function cut(message: IncomingMessage, answer: Answer, answered: (status: number) => void): void {
  answered(0);
  const body = answer.body ?? Buffer.alloc(0);
  const head = Object.entries({ ...answer.headers, "content-length": String(body.length) })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  const whole = Buffer.concat([Buffer.from(`HTTP/1.1 ${answer.status} OK\r\n${head}\r\n`, "latin1"), body]);
  const upTo = body.length > 1 ? whole.length - Math.ceil(body.length / 2) : Math.floor(whole.length / 2);
  message.socket.end(whole.subarray(0, upTo));
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
