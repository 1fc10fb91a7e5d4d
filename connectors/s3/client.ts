import type { S3Client } from "@aws-sdk/client-s3";
import type { S3Config } from "./config.js";

/** Both packages, loaded when first used: importing them costs a third of a second, which `sluice validate` need not pay. */
export async function loadSdk() {
  // The SDK tells Node 20 to make room for Node 22 at every start. Its version is pinned; users cannot act on that.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const [s3, storage] = await Promise.all([import("@aws-sdk/client-s3"), import("@aws-sdk/lib-storage")]);
  return { ...s3, Upload: storage.Upload };
}

export type Sdk = Awaited<ReturnType<typeof loadSdk>>;

/** A store that accepts the connection and then says nothing is given up after these. */
const CONNECT_MS = 10_000;
const SILENCE_MS = 60_000;

export function makeClient(sdk: Sdk, config: S3Config): S3Client {
  const { accessKeyId, secretAccessKey, sessionToken, endpoint, forcePathStyle } = config;
  const token = sessionToken === undefined ? {} : { sessionToken: sessionToken.open() };
  return new sdk.S3Client({
    region: config.region,
    requestChecksumCalculation: config.checksums,
    responseChecksumValidation: config.checksums,
    // The SDK's own repeats: quick ones for a lost connection, SlowDown and 5xx. Longer waits are the engine's.
    maxAttempts: 3,
    retryMode: "standard",
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(forcePathStyle === undefined ? {} : { forcePathStyle }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey: secretAccessKey.open(), ...token } }),
  });
}
