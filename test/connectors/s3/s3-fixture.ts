import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { s3, s3Sink } from "../../../connectors/s3/index.js";
import type { ConnectorContext, Schema, Sink } from "../../../core/contracts/index.js";
import { filesOf, readJsonl, readRows } from "../../contracts/reader.js";
import type { Row } from "../../contracts/sample.js";
import type { Interruption, TargetOptions } from "../../contracts/sink.js";
import { type S3Fake, type S3FakeOptions, startS3Fake } from "../../fakes/s3/index.js";
import { type Format, makeContext } from "../folder/folder-fixture.js";

export const BUCKET = "lake";

/** The S3 sink against the S3 fake. */
export class S3Fixture {
  readonly fake: S3Fake;
  readonly dir = mkdtempSync(join(tmpdir(), "sluice-s3-"));

  private constructor(fake: S3Fake) {
    this.fake = fake;
  }

  static async start(options: S3FakeOptions = {}): Promise<S3Fixture> {
    return new S3Fixture(await startS3Fake({ buckets: [BUCKET], region: "eu-central-1", ...options }));
  }

  config(more: Record<string, unknown> = {}): Record<string, unknown> {
    const { url: endpoint, region, accessKeyId, secretAccessKey } = this.fake;
    return { bucket: BUCKET, region, endpoint, forcePathStyle: true, accessKeyId, secretAccessKey, ...more };
  }

  connect(config: Record<string, unknown> = {}, context: Partial<ConnectorContext> = {}): Sink {
    const parsed = s3.spec.configSchema.parse(this.config(config));
    // Small ones, so that a large file need not be large: 5 MiB is S3's own minimum.
    const sink = s3Sink({ putBytes: 5 * 2 ** 20, partBytes: 5 * 2 ** 20, partsAtOnce: 2 });
    return sink.connect(parsed, makeContext(this.dir, context));
  }

  target(options: TargetOptions & { format?: Format; [key: string]: unknown }): unknown {
    const { name, key: _key, ...rest } = options;
    return s3.spec.targetSchema.parse({ path: name, ...rest });
  }

  /** Keys of data files below a path. */
  keys(path: string): string[] {
    return this.fake
      .objects(BUCKET)
      .map((object) => object.key)
      .filter((key) => key.startsWith(`${path}/`) && !key.includes("/_sluice/"));
  }

  text(key: string): string {
    return this.body(key).toString("utf8");
  }

  body(key: string): Buffer {
    const object = this.fake.get(BUCKET, key);
    if (object === undefined) throw new Error(`${key} is not there`);
    return object.body;
  }

  /** Rows of all data files below a path, copied to disk for the reader. */
  async rows(path: string, schema: Schema, format: Format): Promise<Row[]> {
    const folder = mkdtempSync(join(this.dir, "read-"));
    const paths = this.keys(path).map((key, at) => {
      const file = join(folder, String(at), key.slice(key.lastIndexOf("/") + 1));
      mkdirSync(join(folder, String(at)));
      writeFileSync(file, this.body(key));
      return file;
    });
    try {
      if (format === "jsonl") return readJsonl(paths, schema);
      return paths.length === 0 ? [] : await readRows(filesOf(format, paths), schema);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** From the `step`-th request on nothing is answered; that one is still applied when `after`. */
  interrupt(step: number, when: "before" | "after"): Interruption {
    const controller = new AbortController();
    let struck = false;
    const onStrike = () => {
      struck = true;
      controller.abort();
    };
    const { faults } = this.fake;
    const first = faults.add({
      after: step,
      action: { type: when === "after" ? "resetAfter" : "resetBefore" },
      onStrike,
    });
    const rest = faults.add({
      after: step,
      times: Number.POSITIVE_INFINITY,
      action: { type: "resetBefore" },
      onStrike,
    });
    const disarm = () => {
      first();
      rest();
    };
    return { signal: controller.signal, struck: () => struck, lift: disarm };
  }

  async close(): Promise<void> {
    await this.fake.close();
    rmSync(this.dir, { recursive: true });
  }
}
