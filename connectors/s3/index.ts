/*
 * Amazon S3 and stores that speak its protocol (MinIO, Ceph, R2 and the like), with @aws-sdk/client-s3. Files are
 * created with If-None-Match: *, so that nothing is ever written over; every upload carries a checksum that S3 verifies.
 * Rights needed: s3:PutObject and s3:GetObject; for write: replace also s3:ListBucket and s3:DeleteObject.
 * Uploads that a kill leaves unfinished cost storage until the same file is written again: a lifecycle rule that aborts
 * incomplete multipart uploads is good to have. Left out: object tags, ACLs, Glue registration.
 */
import { Readable } from "node:stream";
import type {
  CheckReport,
  ConnectorContext,
  Sink,
  SinkConnector,
  SinkSpec,
} from "../../core/contracts/index.js";
import { FileSinkWriter, FileTarget, fileTargetSchema } from "../../core/format/index.js";
import { checkBucket } from "./check.js";
import { loadSdk, makeClient } from "./client.js";
import { configSchema, type S3Config } from "./config.js";
import { s3Error } from "./failure.js";
import { type S3Connection, S3Store, UPLOAD_SIZES, type UploadSizes } from "./store.js";

const spec: SinkSpec = {
  name: "s3",
  title: "Amazon S3",
  description: "Files in a bucket of Amazon S3 or a compatible store: Parquet, jsonl or csv.",
  configSchema,
  targetSchema: fileTargetSchema,
  capabilities: { kind: "files", writeModes: ["append", "replace"], loadBytes: 128_000_000 },
};

/** The S3 sink with other sizes of uploads; tests take small ones. */
export function s3Sink(sizes: UploadSizes): SinkConnector {
  return { spec, connect: (config, context) => new S3Sink(configSchema.parse(config), context, sizes) };
}

export const s3: SinkConnector = s3Sink(UPLOAD_SIZES);

class S3Sink implements Sink {
  readonly #config: S3Config;
  readonly #context: ConnectorContext;
  readonly #sizes: UploadSizes;
  #connection: Promise<S3Connection> | undefined;

  constructor(config: S3Config, context: ConnectorContext, sizes: UploadSizes) {
    this.#config = config;
    this.#context = context;
    this.#sizes = sizes;
  }

  async check(signal: AbortSignal): Promise<CheckReport> {
    const { sdk, client } = await this.#connect();
    return checkBucket(sdk, client, this.#config, this.#context.random, signal);
  }

  open(target: unknown, flow: string): FileSinkWriter {
    const { clock, log, tmpDir } = this.#context;
    const config = this.#config;
    return new FileSinkWriter({
      store: new S3Store({ config, clock, sizes: this.#sizes, connect: () => this.#connect() }),
      prefix: config.prefix,
      target: FileTarget.from(target),
      flow,
      tmpDir,
      log,
    });
  }

  /** One landed file, `s3://bucket/key`, for `sluice query`. */
  async *download(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { sdk, client } = await this.#connect();
    const { bucket: Bucket } = this.#config;
    const Key = path.slice(`s3://${Bucket}/`.length);
    try {
      const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket, Key }), { abortSignal: signal });
      if (Body !== undefined) yield* Readable.from(Body.transformToWebStream());
    } catch (error) {
      throw s3Error(error, path, "s3:GetObject", signal);
    }
  }

  async close(): Promise<void> {
    if (this.#connection === undefined) return;
    const { client } = await this.#connection;
    client.destroy();
  }

  #connect(): Promise<S3Connection> {
    this.#connection ??= loadSdk().then((sdk) => ({ sdk, client: makeClient(sdk, this.#config) }));
    return this.#connection;
  }
}
