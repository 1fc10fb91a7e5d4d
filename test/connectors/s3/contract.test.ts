import { type RefusalCase, sinkContract } from "../../contracts/sink.js";
import type { Format } from "../folder/folder-fixture.js";
import { S3Fixture } from "./s3-fixture.js";

for (const [format, compression, engine] of [
  ["parquet", "zstd", "duckdb"],
  ["jsonl", "gzip", "duckdb"],
] as const satisfies readonly (readonly [Format, string, string])[]) {
  sinkContract(`s3, ${format} ${compression} by ${engine}`, async () => {
    const fixture = await S3Fixture.start();
    const refused = (
      status: number,
      s3Code: string,
      kind: RefusalCase["kind"],
      code: string,
    ): RefusalCase => ({
      title: s3Code,
      arm: () => fixture.fake.faults.refuseAll(status, s3Code),
      kind,
      code,
    });
    return {
      features: { kind: "files", writeModes: ["append", "replace"], partitions: true },
      connect: () => fixture.connect(),
      target: (options) => fixture.target({ ...options, format, compression, engine }),
      rows: (name, schema) => fixture.rows(name, schema, format),
      // Every step is a request: the same for all formats.
      ...(format === "jsonl"
        ? { interrupt: (step, when) => fixture.interrupt(step, when) }
        : { whyNotInterrupted: "interrupted with jsonl; the steps do not depend on the format" }),
      refusals: [
        refused(403, "AccessDenied", "auth", "S3_ACCESS_DENIED"),
        refused(403, "InvalidAccessKeyId", "auth", "S3_INVALID_ACCESS_KEY"),
        refused(403, "SignatureDoesNotMatch", "auth", "S3_WRONG_SECRET"),
        refused(400, "ExpiredToken", "auth", "S3_EXPIRED_TOKEN"),
        refused(404, "NoSuchBucket", "config", "S3_NO_SUCH_BUCKET"),
        refused(301, "PermanentRedirect", "config", "S3_WRONG_REGION"),
        refused(501, "NotImplemented", "config", "S3_NOT_IMPLEMENTED"),
        refused(400, "KMS.NotFoundException", "config", "S3_KMS"),
        refused(400, "BadDigest", "transient", "S3_DAMAGED_ON_THE_WAY"),
        refused(503, "SlowDown", "transient", "S3_SLOW_DOWN"),
        refused(500, "InternalError", "transient", "S3_UNAVAILABLE"),
      ],
      close: () => fixture.close(),
    };
  });
}
