import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { S3Error } from "./error.js";

/** Who may sign. */
export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Temporary credentials: every request must carry this token. */
  readonly sessionToken: string | undefined;
  readonly region: string;
}

export interface SignedRequest {
  readonly method: string;
  /** As on the request line, before any decoding. */
  readonly rawPath: string;
  readonly rawQuery: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

const SKEW_MS = 15 * 60_000;

/**
 * Verifies AWS Signature Version 4 in the Authorization header, as S3 does it: the path is signed as it was sent
 * (encoded once), the payload by the value of x-amz-content-sha256.
 */
export function verifySignature(request: SignedRequest, identity: Identity, now: number): void {
  const { headers } = request;
  const authorization = headers.authorization;
  if (authorization === undefined) throw new S3Error(403, "AccessDenied", "Access Denied");
  const parsed =
    /^AWS4-HMAC-SHA256\s+Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request,\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  const date = headers["x-amz-date"];
  const payload = headers["x-amz-content-sha256"];
  if (parsed === null) throw malformed("The authorization header is not AWS Signature Version 4.");
  if (date === undefined || !/^\d{8}T\d{6}Z$/.test(date)) throw malformed("x-amz-date is missing.");
  if (payload === undefined)
    throw new S3Error(
      400,
      "InvalidRequest",
      "Missing required header for this request: x-amz-content-sha256",
    );
  const [, accessKeyId = "", day = "", region = "", service = "", signedNames = "", signature = ""] = parsed;
  if (accessKeyId !== identity.accessKeyId)
    throw new S3Error(
      403,
      "InvalidAccessKeyId",
      "The AWS Access Key Id you provided does not exist in our records.",
      { elements: { AWSAccessKeyId: accessKeyId } },
    );
  if (region !== identity.region)
    throw new S3Error(
      400,
      "AuthorizationHeaderMalformed",
      `The authorization header is malformed; the region '${region}' is wrong; expecting '${identity.region}'`,
      { elements: { Region: identity.region }, headers: { "x-amz-bucket-region": identity.region } },
    );
  if (service !== "s3") throw malformed(`incorrect service "${service}". This endpoint belongs to "s3".`);
  if (identity.sessionToken !== undefined && headers["x-amz-security-token"] !== identity.sessionToken)
    throw new S3Error(400, "InvalidToken", "The provided token is malformed or otherwise invalid.");
  const instant = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (!(Math.abs(now - instant) <= SKEW_MS))
    throw new S3Error(
      403,
      "RequestTimeTooSkewed",
      "The difference between the request time and the current time is too large.",
    );
  const names = signedNames.split(";");
  // Unsigned x-amz- headers could be added on the way, so S3 refuses them.
  const unsigned = Object.keys(headers).filter((name) => name.startsWith("x-amz-") && !names.includes(name));
  if (!names.includes("host") || unsigned.length > 0)
    throw new S3Error(
      403,
      "AccessDenied",
      "There were headers present in the request which were not signed",
      {
        elements: { HeadersNotSigned: unsigned.join(", ") },
      },
    );
  const canonical = [
    request.method,
    canonicalPath(request.rawPath),
    canonicalQuery(request.rawQuery),
    ...names.map((name) => `${name}:${canonicalValue(headers[name] ?? "")}`),
    "",
    signedNames,
    payload,
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256Hex(canonical)].join("\n");
  let key: Buffer = Buffer.from(`AWS4${identity.secretAccessKey}`);
  for (const part of [day, region, service, "aws4_request"]) key = hmac(key, part);
  if (!timingSafeEqual(hmac(key, toSign), Buffer.from(signature, "hex")))
    throw new S3Error(
      403,
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
      { elements: { AWSAccessKeyId: accessKeyId, StringToSign: toSign } },
    );
}

/** The body must be what x-amz-content-sha256 promised when it promised anything. */
export function verifyPayload(promised: string, body: Buffer): void {
  if (promised === "UNSIGNED-PAYLOAD" || promised === "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return;
  if (promised.startsWith("STREAMING-"))
    throw new S3Error(501, "NotImplemented", `This fake does not verify chunk signatures (${promised}).`);
  const actual = sha256Hex(body);
  if (actual !== promised)
    throw new S3Error(
      400,
      "XAmzContentSHA256Mismatch",
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
      { elements: { ClientComputedContentSHA256: promised, S3ComputedContentSHA256: actual } },
    );
}

function canonicalPath(raw: string): string {
  return raw.split("/").map(encode).join("/");
}

function canonicalQuery(raw: string): string {
  if (raw === "") return "";
  return raw
    .split("&")
    .map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? `${encode(pair)}=` : `${encode(pair.slice(0, at))}=${encode(pair.slice(at + 1))}`;
    })
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    .join("&");
}

/** Decodes once, then encodes as AWS does, so that any correct spelling on the wire signs alike. */
function encode(raw: string): string {
  return encodeURIComponent(decodeText(raw)).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** decodeURIComponent that answers S3's error. */
export function decodeText(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new S3Error(400, "InvalidURI", "Couldn't parse the specified URI.");
  }
}

/** Node hands header bytes out as Latin-1; the signer hashed UTF-8. */
function canonicalValue(value: string): string {
  return Buffer.from(value, "latin1").toString("utf8").trim().replace(/ +/g, " ");
}

function malformed(detail: string): S3Error {
  return new S3Error(400, "AuthorizationHeaderMalformed", `The authorization header is malformed; ${detail}`);
}

function sha256Hex(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}
