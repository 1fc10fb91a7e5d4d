import { z } from "zod";
import { secret, text, url } from "../../core/contracts/index.js";
import { relativePath } from "../../core/format/index.js";

const sseSchema = z
  .strictObject({
    type: text(z.enum(["AES256", "aws:kms"], "expected one of AES256, aws:kms")).describe(
      "AES256: keys of S3 itself (what S3 does anyway). aws:kms: keys of AWS KMS.",
    ),
    kmsKeyId: text().optional().describe("KMS key: id, alias or ARN; the ARN for a key of another account."),
    bucketKey: z
      .boolean()
      .optional()
      .describe("Ask KMS once per bucket and while rather than once per object."),
  })
  .superRefine(({ type, kmsKeyId, bucketKey }, context) => {
    if (type === "aws:kms") return;
    for (const [name, value] of Object.entries({ kmsKeyId, bucketKey }))
      if (value !== undefined)
        context.addIssue({ code: "custom", path: [name], message: "expected only with type aws:kms" });
  });

/** Connection of the S3 sink in sluice.yaml. */
export const configSchema = z
  .strictObject({
    bucket: text(
      z
        .string()
        .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "expected a bucket name: 3 to 63 of a-z 0-9 . -"),
    ).describe("Name of the bucket."),
    region: text().describe("Region of the bucket, such as eu-central-1. Compatible stores take any."),
    endpoint: url().optional().describe("URL of an S3-compatible store; default Amazon S3."),
    forcePathStyle: z
      .boolean()
      .optional()
      .describe("Puts the bucket into the path rather than the host name, as most compatible stores need."),
    accessKeyId: text().optional().describe("Access key; default the AWS chain: environment, profile, role."),
    secretAccessKey: secret().optional().describe("Secret of accessKeyId."),
    sessionToken: secret().optional().describe("Session token of temporary credentials."),
    prefix: relativePath().default("").describe("Path before the path of every flow."),
    sse: sseSchema.optional().describe("Server-side encryption; default what the bucket does."),
    checksums: text(z.enum(["WHEN_SUPPORTED", "WHEN_REQUIRED"], "expected WHEN_SUPPORTED or WHEN_REQUIRED"))
      .default("WHEN_SUPPORTED")
      .describe(
        "WHEN_SUPPORTED: every upload carries a CRC32. WHEN_REQUIRED: for compatible stores that do not know them.",
      ),
  })
  .superRefine(({ accessKeyId, secretAccessKey, sessionToken }, context) => {
    const missing = (path: string, beside: string) =>
      context.addIssue({ code: "custom", path: [path], message: `expected ${path} beside ${beside}` });
    if (accessKeyId !== undefined && secretAccessKey === undefined) missing("secretAccessKey", "accessKeyId");
    if (accessKeyId === undefined && secretAccessKey !== undefined) missing("accessKeyId", "secretAccessKey");
    if (accessKeyId === undefined && sessionToken !== undefined) missing("accessKeyId", "sessionToken");
  });

export type S3Config = z.output<typeof configSchema>;
