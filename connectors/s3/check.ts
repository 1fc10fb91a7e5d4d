import type { S3Client } from "@aws-sdk/client-s3";
import { AuthError, type CheckReport, type Random } from "../../core/contracts/index.js";
import { META_FOLDER } from "../../core/format/index.js";
import type { Sdk } from "./client.js";
import type { S3Config } from "./config.js";
import { refusalOf, s3Error } from "./failure.js";

/**
 * Does what a run does, with a probe object below `_sluice/`: creates it, tries to create it again (which must be
 * refused), looks at it, lists it, removes it. Rights that only some flows need are warnings.
 */
export async function checkBucket(
  sdk: Sdk,
  client: S3Client,
  config: S3Config,
  random: Random,
  signal: AbortSignal,
): Promise<CheckReport> {
  const Bucket = config.bucket;
  const folder = `${config.prefix === "" ? "" : `${config.prefix}/`}${META_FOLDER}/`;
  const Key = `${folder}check-${random.uuid()}`;
  const place = `s3://${Bucket}/${Key}`;
  const options = { abortSignal: signal };
  const warnings: string[] = [];

  /** Runs one call; a refusal for lack of a right becomes a warning when `without` says what cannot be done then. */
  const call = async <T>(action: string, without: string | undefined, work: () => Promise<T>) => {
    try {
      return await work();
    } catch (error) {
      const classed = s3Error(error, place, action, signal);
      if (without === undefined || !(classed instanceof AuthError) || classed.code !== "S3_ACCESS_DENIED")
        throw classed;
      warnings.push(`${action} is missing: ${without}`);
      return undefined;
    }
  };

  const head = await call("s3:ListBucket", "write: replace cannot find what it replaces.", () =>
    client.send(new sdk.HeadBucketCommand({ Bucket }), options),
  );
  const put = () =>
    client.send(new sdk.PutObjectCommand({ Bucket, Key, Body: "check\n", IfNoneMatch: "*" }), options);
  const first = await call("s3:PutObject", undefined, put);
  const conditional = await call("s3:PutObject", undefined, async () => {
    try {
      await put();
      return false;
    } catch (error) {
      if (refusalOf(error).status === 412) return true;
      throw error;
    }
  });
  if (conditional === false)
    warnings.push(
      "The store overlooks If-None-Match: a file is then safe from being written twice only by its name, which follows from its load. Let one project only write there.",
    );
  await call(
    "s3:GetObject",
    "a file that is there already cannot be told from another's; a run would stop.",
    () => client.send(new sdk.HeadObjectCommand({ Bucket, Key }), options),
  );
  await call("s3:DeleteObject", `write: replace cannot remove what it replaced; ${place} stays.`, () =>
    client.send(new sdk.DeleteObjectCommand({ Bucket, Key }), options),
  );
  return {
    identity: `s3://${Bucket}${config.prefix === "" ? "" : `/${config.prefix}`}`,
    details: {
      region: head?.BucketRegion ?? config.region,
      endpoint: config.endpoint ?? "Amazon S3",
      credentials: config.accessKeyId ?? "AWS default chain",
      encryption: first?.ServerSideEncryption ?? "not told",
      conditionalWrites: conditional === true ? "yes" : "no",
    },
    warnings,
  };
}
