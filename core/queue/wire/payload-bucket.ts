import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { type Log, RecordError, SluiceError } from "../../contracts/index.js";
import { AwsChunked } from "./aws-chunked.js";
import { QUEUE_NAME } from "./parameters.js";
import { PayloadChecks } from "./payload-checks.js";
import type { Payload, PayloadFiles } from "./payload-files.js";
import type { ObjectAddress } from "./pointer.js";
import type { SignatureVerifier, Verified } from "./signature.js";

/**
 * As much of S3 as the Amazon SQS Extended Client Library needs: GET, HEAD, PUT and DELETE of whole objects in one
 * bucket, by path (`http://host/sluice-payloads/<key>`). Keys below `messages/` are the long bodies of messages in the
 * queues; they can be read while their message is there and are neither written nor deleted on their own.
 */
export const BUCKET = "sluice-payloads";
const MESSAGES = "messages/";
const LONGEST_KEY_BYTES = 1024;

/** Where a message's long body comes from. */
export interface MessageBodies {
  /** Undefined when the message is gone. */
  open(queue: string, messageId: string): Payload | undefined;
}

export function payloadAddress(queue: string, messageId: string): ObjectAddress {
  return { bucket: BUCKET, key: `${MESSAGES}${queue}/${messageId}` };
}

/** Codes of S3 (Error responses), as SDKs tell them apart. */
const STATUS: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  BadDigest: 400,
  EntityTooLarge: 400,
  IncompleteBody: 400,
  IncompleteSignature: 400,
  InvalidAccessKeyId: 403,
  InvalidRequest: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NotImplemented: 501,
  RequestTimeTooSkewed: 403,
  SignatureDoesNotMatch: 403,
  XAmzContentSHA256Mismatch: 400,
};
const INTERNAL = 500;
const UNAVAILABLE = 503;

/** SQS and S3 have different names for the same refusals. */
const RENAMED: Readonly<Record<string, string>> = {
  MissingAuthenticationToken: "AccessDenied",
  InvalidClientTokenId: "InvalidAccessKeyId",
};

/** Query parameters that change nothing; any other asks for something this bucket does not have. */
const HARMLESS = /^(?:x-id|X-Amz-.+)$/;
const UNSUPPORTED_HEADERS = ["x-amz-copy-source", "if-match", "if-none-match"];

export interface PayloadBucketOptions {
  /** Undefined: nothing can be put. */
  readonly files: PayloadFiles | undefined;
  readonly bodies: MessageBodies;
  readonly verifier: SignatureVerifier | undefined;
  readonly log: Log;
}

export class PayloadBucket {
  readonly #options: PayloadBucketOptions;

  constructor(options: PayloadBucketOptions) {
    this.#options = options;
  }

  /** Whether a request is for this bucket rather than for the queues: SQS knows neither PUT nor DELETE nor HEAD. */
  static takes({ method, url = "/" }: IncomingMessage): boolean {
    return method === "PUT" || method === "DELETE" || method === "HEAD" || url.startsWith(`/${BUCKET}/`);
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> {
    response.setHeader("x-amz-request-id", requestId);
    try {
      await this.#run(request, response);
    } catch (error) {
      this.#refuse(request, response, requestId, error);
    }
  }

  async #run(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "/", rawHeaders, headers } = request;
    const payloadHash = headers["x-amz-content-sha256"];
    const verified = this.#options.verifier?.verify({
      method,
      target: url,
      rawHeaders,
      service: "s3",
      payloadHash: typeof payloadHash === "string" ? payloadHash : "UNSIGNED-PAYLOAD",
      mustSign: ["x-amz-content-sha256"],
    });
    const key = keyOf(request);
    if (key === "") {
      // Some clients ask first whether the bucket is there.
      if (method === "HEAD") response.writeHead(200).end();
      else throw new RecordError("NotImplemented", "Only whole objects can be read, put and deleted.");
      return;
    }
    switch (method) {
      case "GET":
      case "HEAD":
        return this.#get(key, method === "HEAD", response);
      case "PUT":
        return this.#put(key, request, response, verified);
      case "DELETE":
        if (!key.startsWith(MESSAGES)) await this.#options.files?.remove(key);
        response.writeHead(204).end();
        return;
      default:
        throw new RecordError(
          "MethodNotAllowed",
          "The specified method is not allowed against this resource.",
        );
    }
  }

  async #get(key: string, headOnly: boolean, response: ServerResponse): Promise<void> {
    const payload = await this.#find(key);
    if (payload === undefined) throw new RecordError("NoSuchKey", "The specified key does not exist.");
    response.writeHead(200, {
      "Content-Type": "binary/octet-stream",
      "Content-Length": payload.bytes,
      "Last-Modified": new Date(payload.modifiedAt).toUTCString(),
      ETag: etag(payload),
    });
    if (headOnly) response.end();
    else await pipeline(payload.read(), response);
  }

  async #find(key: string): Promise<Payload | undefined> {
    const { files, bodies } = this.#options;
    if (!key.startsWith(MESSAGES)) return files?.find(key);
    const [, queue, messageId] = key.split("/");
    if (queue === undefined || messageId === undefined || !QUEUE_NAME.test(queue)) return undefined;
    return bodies.open(queue, messageId);
  }

  async #put(
    key: string,
    request: IncomingMessage,
    response: ServerResponse,
    verified: Verified | undefined,
  ): Promise<void> {
    const { files } = this.#options;
    if (files === undefined)
      throw new RecordError("NotImplemented", "This endpoint has no data directory to keep objects in.");
    if (key.startsWith(MESSAGES))
      throw new RecordError("AccessDenied", `Keys below ${MESSAGES} belong to the messages of the queues.`);
    const header = (name: string): string | undefined => {
      const value = request.headers[name];
      return typeof value === "string" ? value : undefined;
    };
    for (const name of UNSUPPORTED_HEADERS)
      if (header(name) !== undefined)
        throw new RecordError(
          "NotImplemented",
          `A header you provided implies functionality that is not implemented: ${name}`,
        );
    const announced = header("x-amz-decoded-content-length") ?? header("content-length");
    if (announced === undefined && header("transfer-encoding") === undefined)
      throw new RecordError("MissingContentLength", "You must provide the Content-Length HTTP header.");
    const form = header("x-amz-content-sha256") ?? "";
    const signedChunks = form.startsWith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    const chunked = form.startsWith("STREAMING-")
      ? new AwsChunked(request, signedChunks ? verified : undefined)
      : undefined;
    const checks = new PayloadChecks(header);
    const written = await files.write(key, checks.through(chunked ?? request), (bytes) => {
      if (announced !== undefined && Number(announced) !== bytes)
        throw new RecordError(
          "IncompleteBody",
          "You did not provide the number of bytes specified by the Content-Length HTTP header",
        );
      checks.verify(chunked?.trailers ?? new Map());
    });
    response.writeHead(200, { ETag: etag(written), "Content-Length": 0 }).end();
  }

  #refuse(request: IncomingMessage, response: ServerResponse, requestId: string, error: unknown): void {
    if (response.headersSent || response.destroyed) {
      // In the middle of an object: only a cut connection says that it is not complete.
      response.destroy();
      return;
    }
    const { status, code, message } = s3Error(error);
    if (status >= INTERNAL && status !== STATUS.NotImplemented)
      this.#options.log.error("a payload could not be served", { requestId, error: String(error) });
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${escaped(message)}</Message><RequestId>${requestId}</RequestId></Error>`;
    response.writeHead(status, {
      "Content-Type": "application/xml",
      "Content-Length": Buffer.byteLength(body),
      // The rest of an upload is not read.
      ...(request.complete ? undefined : { Connection: "close" }),
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }
}

/** With a dash, as those of multipart uploads: clients take an ETag without one for an MD5 and compare. */
function etag({ bytes, modifiedAt }: Payload): string {
  return `"${modifiedAt.toString(16)}-${bytes}"`;
}

/** Empty for the bucket itself. */
function keyOf({ url = "/" }: IncomingMessage): string {
  const question = url.indexOf("?");
  const path = question < 0 ? url : url.slice(0, question);
  for (const name of new URLSearchParams(question < 0 ? "" : url.slice(question + 1)).keys())
    if (!HARMLESS.test(name))
      throw new RecordError(
        "NotImplemented",
        `The parameter ${name} is not implemented: only whole objects can be read, put and deleted.`,
      );
  const [, bucket, encodedKey = ""] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? [];
  if (bucket !== BUCKET)
    throw new RecordError(
      "NoSuchBucket",
      `The specified bucket does not exist; this endpoint has ${BUCKET}.`,
    );
  let key: string;
  try {
    key = decodeURIComponent(encodedKey);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new RecordError("InvalidURI", "Couldn't parse the specified URI.");
  }
  if (Buffer.byteLength(key) > LONGEST_KEY_BYTES)
    throw new RecordError("KeyTooLongError", "Your key is too long");
  return key;
}

function s3Error(error: unknown): {
  readonly status: number;
  readonly code: string;
  readonly message: string;
} {
  if (error instanceof SluiceError) {
    const code = RENAMED[error.code] ?? error.code;
    const status = STATUS[code];
    if (status !== undefined) return { status, code, message: error.message };
  }
  if (error instanceof Error && "code" in error && error.code === "ENOSPC")
    return { status: UNAVAILABLE, code: "ServiceUnavailable", message: "The disk is full." };
  return {
    status: INTERNAL,
    code: "InternalError",
    message: "We encountered an internal error. The log has it.",
  };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
