import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import type { S3Client } from "@aws-sdk/client-s3";
import { type Clock, TransientError, throwIfCancelled } from "../../core/contracts/index.js";
import {
  type Creation,
  type FileMark,
  type FileStore,
  fileError,
  type StoredText,
} from "../../core/format/index.js";
import type { Sdk } from "./client.js";
import type { S3Config } from "./config.js";
import { refusalOf, s3Error } from "./failure.js";

/*
 * Creating an object:
 *
 *   put        PutObject, or a multipart upload for a large file, with If-None-Match: *
 *    200       created
 *    412       somebody was first, or we were and the answer was lost (the SDK repeats by itself): look
 *    409       another write of this key is in flight: wait, put again from the start
 *    404 NoSuchUpload   the upload was completed and the answer lost: look
 *   look       HEAD: there -> its size and mark, for the caller to compare; absent -> put again
 */

/** How files go up. S3 takes parts of 5 MiB and more. */
export interface UploadSizes {
  /** Up to this size, bytes, a file is sent in one request, from memory, which the SDK can repeat. */
  readonly putBytes: number;
  /** Parts of larger files, bytes. */
  readonly partBytes: number;
  /** Parts in memory at a time. */
  readonly partsAtOnce: number;
}

/** AWS advises parts from 100 MB on. Ours begin earlier, so that four files at a time stay below 64 MiB of memory. */
export const UPLOAD_SIZES: UploadSizes = { putBytes: 16 * 2 ** 20, partBytes: 8 * 2 ** 20, partsAtOnce: 2 };

/** S3 takes at most as many in one upload. */
const MOST_PARTS = 10_000;
const ATTEMPTS = 4;
const CONFLICT_WAIT_MS = 200;
const DELETE_AT_ONCE = 1000;

const CONTENT_TYPES: readonly (readonly [suffix: string, type: string])[] = [
  [".parquet", "application/vnd.apache.parquet"],
  // The suffix says how it is packed. With Content-Encoding some HTTP clients would unpack it silently.
  [".gz", "application/gzip"],
  [".zst", "application/zstd"],
  [".jsonl", "application/x-ndjson"],
  [".csv", "text/csv"],
  [".json", "application/json"],
];

export interface S3Connection {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

export interface S3StoreOptions {
  readonly config: S3Config;
  readonly clock: Clock;
  readonly sizes: UploadSizes;
  readonly connect: () => Promise<S3Connection>;
}

/** A bucket as a FileStore. Marks are user metadata: sluice-load, sluice-part, sluice-records. */
export class S3Store implements FileStore {
  readonly code = "S3";
  readonly limits = { keyBytes: 1024, segmentBytes: 1024 };
  readonly keepsMarks = true;
  readonly parallel = 4;
  readonly #config: S3Config;
  readonly #clock: Clock;
  readonly #sizes: UploadSizes;
  readonly #connect: () => Promise<S3Connection>;

  constructor({ config, clock, sizes, connect }: S3StoreOptions) {
    this.#config = config;
    this.#clock = clock;
    this.#sizes = sizes;
    this.#connect = connect;
  }

  address(key: string): string {
    return `s3://${this.#config.bucket}${key === "" ? "" : `/${key}`}`;
  }

  keyOf(address: string): string | undefined {
    const root = `s3://${this.#config.bucket}/`;
    return address.startsWith(root) ? address.slice(root.length) : undefined;
  }

  /** Nothing has to be made in a bucket. */
  async prepare(_base: string, _dryRun: boolean, signal: AbortSignal): Promise<undefined> {
    throwIfCancelled(signal);
  }

  async create(
    key: string,
    file: { readonly path: string; readonly bytes: number },
    mark: FileMark,
    signal: AbortSignal,
  ): Promise<Creation> {
    // A large file is not sent only to learn at its end that it is there already.
    if (file.bytes > this.#sizes.putBytes) {
      const found = await this.#look(key, signal);
      if (found !== undefined) return found;
    }
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#put(key, file, mark, signal);
      if (outcome === "created") return { created: true, bytes: file.bytes };
      const found = await this.#look(key, signal);
      if (found !== undefined) return found;
      if (attempt === ATTEMPTS)
        throw new TransientError("S3_CONFLICT", "other writes of the same key keep getting in the way", {
          place: this.address(key),
          fix: "Let only one project write there.",
        });
      await this.#clock.sleep(CONFLICT_WAIT_MS * attempt, signal);
    }
  }

  async read(key: string, signal: AbortSignal): Promise<StoredText | undefined> {
    return this.#call(key, "s3:GetObject", signal, async ({ sdk, client }) => {
      try {
        const command = new sdk.GetObjectCommand({ Bucket: this.#config.bucket, Key: key });
        const { Body, ETag } = await client.send(command, { abortSignal: signal });
        return { text: (await Body?.transformToString("utf-8")) ?? "", version: ETag ?? "" };
      } catch (error) {
        if (refusalOf(error).name === "NoSuchKey") return undefined;
        throw error;
      }
    });
  }

  async swap(key: string, text: string, version: string | undefined, signal: AbortSignal): Promise<boolean> {
    return this.#call(key, "s3:PutObject", signal, async ({ sdk, client }) => {
      const condition = version === undefined ? { IfNoneMatch: "*" } : { IfMatch: version };
      const command = new sdk.PutObjectCommand({ ...this.#parameters(key), ...condition, Body: text });
      try {
        await client.send(command, { abortSignal: signal });
        return true;
      } catch (error) {
        // 404: it had this version once, and is gone.
        if (
          [404, 409, 412].includes(refusalOf(error).status ?? 0) &&
          refusalOf(error).name !== "NoSuchBucket"
        )
          return false;
        throw error;
      }
    });
  }

  async size(key: string, signal: AbortSignal): Promise<number | undefined> {
    return (await this.#look(key, signal))?.bytes;
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<string> {
    let token: string | undefined;
    do {
      const page = await this.#call(prefix, "s3:ListBucket", signal, ({ sdk, client }) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket: this.#config.bucket,
            Prefix: prefix,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          { abortSignal: signal },
        ),
      );
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key;
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async remove(keys: readonly string[], signal: AbortSignal): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_AT_ONCE) {
      const Objects = keys.slice(at, at + DELETE_AT_ONCE).map((Key) => ({ Key }));
      await this.#call(Objects[0]?.Key ?? "", "s3:DeleteObject", signal, async ({ sdk, client }) => {
        const Delete = { Objects, Quiet: true };
        const command = new sdk.DeleteObjectsCommand({ Bucket: this.#config.bucket, Delete });
        const { Errors = [] } = await client.send(command, { abortSignal: signal });
        // The request succeeds as a whole even where single keys are refused.
        const [first] = Errors;
        if (first !== undefined)
          throw Object.assign(new Error(`${first.Key}: ${first.Message}`), {
            name: first.Code ?? "InternalError",
          });
      });
    }
  }

  async #put(
    key: string,
    file: { readonly path: string; readonly bytes: number },
    mark: FileMark,
    signal: AbortSignal,
  ): Promise<"created" | "unclear"> {
    const parameters = {
      ...this.#parameters(key),
      IfNoneMatch: "*",
      Metadata: {
        "sluice-load": mark.load,
        "sluice-part": String(mark.part),
        "sluice-records": String(mark.records),
      },
    };
    const body =
      file.bytes > this.#sizes.putBytes
        ? undefined
        : await readFile(file.path).catch((error: unknown) => {
            throw fileError(error, file.path);
          });
    return this.#call(key, "s3:PutObject", signal, async ({ sdk, client }) => {
      try {
        if (body === undefined) await this.#upload(sdk, client, parameters, file, signal);
        else
          await client.send(new sdk.PutObjectCommand({ ...parameters, Body: body }), { abortSignal: signal });
        return "created";
      } catch (error) {
        const { name, status } = refusalOf(error);
        if (status === 412 || status === 409 || name === "NoSuchUpload") return "unclear";
        throw error;
      }
    });
  }

  /** A multipart upload; what an earlier attempt at the same key left unfinished costs storage and goes first. */
  async #upload(
    sdk: Sdk,
    client: S3Client,
    parameters: { readonly Bucket: string; readonly Key: string },
    file: { readonly path: string; readonly bytes: number },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#abortUploads(sdk, client, parameters.Key, signal);
    const abortController = new AbortController();
    const onAbort = () => abortController.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    const body = createReadStream(file.path, { highWaterMark: 2 ** 20 });
    try {
      throwIfCancelled(signal);
      const upload = new sdk.Upload({
        client,
        abortController,
        params: { ...parameters, Body: body, ContentLength: file.bytes },
        partSize: Math.max(this.#sizes.partBytes, Math.ceil(file.bytes / MOST_PARTS)),
        queueSize: this.#sizes.partsAtOnce,
      });
      await upload.done();
    } finally {
      signal.removeEventListener("abort", onAbort);
      body.destroy();
    }
  }

  async #abortUploads(sdk: Sdk, client: S3Client, Key: string, signal: AbortSignal): Promise<void> {
    const Bucket = this.#config.bucket;
    const options = { abortSignal: signal };
    try {
      const command = new sdk.ListMultipartUploadsCommand({ Bucket, Prefix: Key });
      const { Uploads = [] } = await client.send(command, options);
      for (const upload of Uploads)
        if (upload.Key === Key && upload.UploadId !== undefined)
          await client.send(
            new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId: upload.UploadId }),
            options,
          );
    } catch (error) {
      // Tidying up must not need rights or functions that writing does not need.
      const { status } = refusalOf(error);
      if (status === undefined || status >= 500) throw error;
    }
  }

  /** What is under a key; undefined: nothing. */
  async #look(key: string, signal: AbortSignal): Promise<Extract<Creation, { created: false }> | undefined> {
    return this.#call(key, "s3:GetObject", signal, async ({ sdk, client }) => {
      try {
        const command = new sdk.HeadObjectCommand({ Bucket: this.#config.bucket, Key: key });
        const { ContentLength = 0, Metadata = {} } = await client.send(command, { abortSignal: signal });
        return { created: false, bytes: ContentLength, mark: markOf(Metadata) };
      } catch (error) {
        if (refusalOf(error).status === 404) return undefined;
        throw error;
      }
    });
  }

  #parameters(key: string) {
    const { bucket, sse } = this.#config;
    return {
      Bucket: bucket,
      Key: key,
      ContentType: CONTENT_TYPES.find(([suffix]) => key.endsWith(suffix))?.[1] ?? "application/octet-stream",
      ...(sse === undefined ? {} : { ServerSideEncryption: sse.type }),
      ...(sse?.kmsKeyId === undefined ? {} : { SSEKMSKeyId: sse.kmsKeyId }),
      ...(sse?.bucketKey === undefined ? {} : { BucketKeyEnabled: sse.bucketKey }),
    };
  }

  async #call<T>(
    key: string,
    action: string,
    signal: AbortSignal,
    work: (connection: S3Connection) => Promise<T>,
  ): Promise<T> {
    throwIfCancelled(signal);
    try {
      return await work(await this.#connect());
    } catch (error) {
      throw s3Error(error, this.address(key), action, signal);
    }
  }
}

function markOf(metadata: Readonly<Record<string, string>>): FileMark | undefined {
  const { "sluice-load": load, "sluice-part": part, "sluice-records": records } = metadata;
  if (load === undefined || part === undefined || records === undefined) return undefined;
  return { load, part: Number(part), records: Number(records) };
}
