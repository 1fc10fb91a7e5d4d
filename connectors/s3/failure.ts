import {
  AuthError,
  CancelledError,
  ConfigError,
  InvariantError,
  SluiceError,
  TransientError,
} from "../../core/contracts/index.js";

type Row = readonly [kind: "config" | "auth" | "transient", code: string, fix?: string];

/** Names of errors, by S3 and by the SDK, with what they mean for us. */
const ROWS: Readonly<Record<string, Row>> = {
  AccessDenied: [
    "auth",
    "S3_ACCESS_DENIED",
    "Allow this identity the action named in the message on the bucket.",
  ],
  AllAccessDisabled: ["auth", "S3_ACCESS_DENIED", "Ask AWS why access to the bucket is disabled."],
  AccountProblem: ["auth", "S3_ACCOUNT_PROBLEM", "Look at the state of the AWS account."],
  InvalidAccessKeyId: ["auth", "S3_INVALID_ACCESS_KEY", "Set accessKeyId to a key that exists."],
  SignatureDoesNotMatch: ["auth", "S3_WRONG_SECRET", "Set secretAccessKey to the secret of accessKeyId."],
  ExpiredToken: ["auth", "S3_EXPIRED_TOKEN", "Get new temporary credentials."],
  TokenRefreshRequired: ["auth", "S3_EXPIRED_TOKEN", "Get new temporary credentials."],
  InvalidToken: ["auth", "S3_INVALID_TOKEN", "Set sessionToken to the token that came with the key."],
  CredentialsProviderError: [
    "auth",
    "S3_NO_CREDENTIALS",
    "Set accessKeyId and secretAccessKey, or give the environment AWS credentials.",
  ],
  NoSuchBucket: ["config", "S3_NO_SUCH_BUCKET", "Create the bucket, or correct its name."],
  InvalidBucketName: ["config", "S3_NO_SUCH_BUCKET", "Correct the bucket's name."],
  RequestTimeTooSkewed: ["config", "S3_CLOCK_SKEWED", "Set this machine's clock."],
  NotImplemented: [
    "config",
    "S3_NOT_IMPLEMENTED",
    "Use a store that knows conditional writes, or try checksums: WHEN_REQUIRED.",
  ],
  // On its way to the store something changed: another try sends it again.
  BadDigest: ["transient", "S3_DAMAGED_ON_THE_WAY"],
  XAmzContentSHA256Mismatch: ["transient", "S3_DAMAGED_ON_THE_WAY"],
  IncompleteBody: ["transient", "S3_DAMAGED_ON_THE_WAY"],
  RequestTimeout: ["transient", "S3_UNAVAILABLE"],
  SlowDown: ["transient", "S3_SLOW_DOWN"],
  ServiceUnavailable: ["transient", "S3_UNAVAILABLE"],
  InternalError: ["transient", "S3_UNAVAILABLE"],
  OperationAborted: ["transient", "S3_CONFLICT"],
  ConditionalRequestConflict: ["transient", "S3_CONFLICT"],
  PreconditionFailed: ["transient", "S3_CONFLICT"],
  NoSuchUpload: ["transient", "S3_CONFLICT"],
};

const REGION_ERRORS = new Set([
  "PermanentRedirect",
  "TemporaryRedirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
]);

/** What an error of the SDK says about itself, whichever of its classes it has. */
export interface Refusal {
  /** S3's code: `NoSuchBucket`. Answers to HEAD have no body and so often no code. */
  readonly name: string;
  readonly status: number | undefined;
  readonly region: string | undefined;
  readonly message: string;
}

export function refusalOf(error: unknown): Refusal {
  const name = error instanceof Error ? error.name : "";
  const message = error instanceof Error ? error.message : String(error);
  const metadata = property(error, "$metadata");
  const status = property(metadata, "httpStatusCode");
  const headers = property(property(error, "$response"), "headers");
  const region = property(error, "Region") ?? property(headers, "x-amz-bucket-region");
  return {
    name,
    message,
    status: typeof status === "number" ? status : undefined,
    region: typeof region === "string" ? region : undefined,
  };
}

/** A failed call to S3 as a SluiceError. `place`: `s3://bucket/key`; `action`: the right it needs, `s3:PutObject`. */
export function s3Error(error: unknown, place: string, action: string, signal?: AbortSignal): SluiceError {
  if (error instanceof SluiceError) return error;
  const refusal = refusalOf(error);
  if (signal?.aborted || refusal.name === "AbortError")
    return new CancelledError("CANCELLED", "cancelled", { place, cause: error });
  const { name, status, region, message } = refusal;
  if (REGION_ERRORS.has(name) || status === 301 || (status === 400 && region !== undefined))
    return new ConfigError(
      "S3_WRONG_REGION",
      `the bucket is in another region${region === undefined ? "" : `, ${region}`}`,
      {
        place,
        fix: region === undefined ? "Set region to the bucket's region." : `Set region: ${region}.`,
        cause: error,
      },
    );
  // A mistake of the program, not of the network.
  const broken = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  const row = ROWS[name] ?? (broken && status === undefined ? undefined : byStatus(name, status));
  if (row === undefined)
    return new InvariantError("S3_UNEXPECTED", `${action} failed: ${message}`, { place, cause: error });
  const [
    kind,
    code,
    fix = "Nothing is lost: what is not written stays queued, and the next run writes it first.",
  ] = row;
  const text = `${action} was refused by S3: ${name === "" || message.includes(name) ? message : `${name}: ${message}`}`;
  const details = { place, fix, cause: error };
  if (kind === "auth") return new AuthError(code, text, details);
  if (kind === "config") return new ConfigError(code, text, details);
  return new TransientError(
    code,
    code === "S3_NETWORK" ? `S3 could not be reached: ${message}` : text,
    details,
  );
}

function byStatus(name: string, status: number | undefined): Row | undefined {
  if (name.startsWith("KMS."))
    return ["config", "S3_KMS", "Correct sse.kmsKeyId, and allow this identity kms:GenerateDataKey on it."];
  // No answer at all: connection refused or lost, DNS, timeouts, an answer cut off.
  if (status === undefined) return ["transient", "S3_NETWORK"];
  if (status === 401 || status === 403) return ROWS.AccessDenied;
  if (status === 404) return ROWS.NoSuchBucket;
  if (status === 408 || status === 429 || status >= 500) return ["transient", "S3_UNAVAILABLE"];
  // An answer with a good status that could not be read: cut off, or no XML.
  if (status < 300) return ["transient", "S3_NETWORK"];
  return ["config", "S3_REFUSED", "Look the error up in the S3 API reference."];
}

function property(value: unknown, name: string): unknown {
  if (value === null || typeof value !== "object") return undefined;
  return Reflect.get(value, name);
}
