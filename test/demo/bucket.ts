import { createWriteStream, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** Copies what a bucket holds into a folder, under the same keys, as any S3 tool would; what is there already stays. */
export async function downloadBucket(env: Readonly<Record<string, string>>, dir: string): Promise<void> {
  // The SDK tells Node 20 to make room for Node 22; its version is pinned and users cannot act on that.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const { GetObjectCommand, ListObjectsV2Command, S3Client } = await import("@aws-sdk/client-s3");
  const client = new S3Client({
    region: "us-east-1",
    endpoint: env.S3_ENDPOINT ?? "",
    forcePathStyle: true,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? "",
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? "",
    },
  });
  const Bucket = env.S3_BUCKET ?? "";
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket, ContinuationToken }));
    for (const { Key = "" } of page.Contents ?? []) {
      const path = join(dir, Key);
      if (existsSync(path)) continue;
      mkdirSync(dirname(path), { recursive: true });
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      if (Body === undefined) throw new Error(`${Key} came without content`);
      await pipeline(Readable.fromWeb(Body.transformToWebStream()), createWriteStream(path));
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  client.destroy();
}
