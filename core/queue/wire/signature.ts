import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../contracts/index.js";
import { canonicalRequest } from "./canonical-request.js";
import { wireRefusals } from "./wire-error.js";

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface SignedRequest {
  readonly method: string;
  /** Path and query as in the request line. */
  readonly target: string;
  /** Names and values in turn, as node has them. */
  readonly rawHeaders: readonly string[];
  readonly service: "sqs" | "s3";
  /** Hex SHA-256 of the body; for S3 what its header says of it. Presigned requests have their own. */
  readonly payloadHash: string;
  /** Headers that decide what is done: a request that has one of them unsigned is refused. */
  readonly mustSign?: readonly string[];
}

/** What a verified signature says, for the chunks of a streamed body, which are signed each behind the one before. */
export interface Verified {
  readonly signature: string;
  readonly signingKey: Buffer;
  /** `20261122T101500Z` */
  readonly timestamp: string;
  readonly scope: string;
}

interface Claim {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly timestamp: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** Milliseconds that a presigned request is good for. */
  readonly expiresMs: number | undefined;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const SCOPE = /Credential=[^/,\s]+\/\d{8}\/([a-z0-9-]+)\/\w+\/aws4_request/;
const CREDENTIAL = /^([^/]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request$/;
const TIMESTAMP = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
const MOST_SKEW_MS = 15 * 60_000;
const LONGEST_PRESIGNED_SECONDS = 7 * 24 * 3600;
const MOST_SIGNING_KEYS = 1000;

/** The region a request was signed for, whether or not the signature holds; undefined for an unsigned one. */
export function signedRegion(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : SCOPE.exec(authorization)?.[1];
}

/** Verifies Signature Version 4, in the Authorization header or in the query string (presigned). */
export class SignatureVerifier {
  readonly #secrets: ReadonlyMap<string, string>;
  readonly #clock: Clock;
  /** A key is good for a day, a region and a service: deriving it costs as much as verifying with it. */
  readonly #signingKeys = new Map<string, Buffer>();

  constructor(keys: readonly AccessKey[], clock: Clock) {
    this.#secrets = new Map(keys.map(({ accessKeyId, secretAccessKey }) => [accessKeyId, secretAccessKey]));
    this.#clock = clock;
  }

  /** AuthError: MissingAuthenticationToken, IncompleteSignature, InvalidClientTokenId, SignatureDoesNotMatch, RequestTimeTooSkewed. */
  verify(request: SignedRequest): Verified {
    const headers = headersOf(request.rawHeaders);
    const claim = claimOf(request, headers);
    const secret = this.#secrets.get(claim.accessKeyId);
    if (secret === undefined)
      throw wireRefusals.signature(
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
      );
    if (claim.service !== request.service)
      throw wireRefusals.signature(
        "SignatureDoesNotMatch",
        `Credential should be scoped to correct service: '${request.service}'.`,
      );
    for (const name of ["host", ...(request.mustSign ?? [])])
      if (headers.has(name) && !claim.signedHeaders.includes(name))
        throw wireRefusals.signature(
          "SignatureDoesNotMatch",
          `'${name}' must be a 'SignedHeader' in the AWS Authorization.`,
        );
    this.#checkTime(claim, request.service);
    const payloadHash =
      claim.expiresMs !== undefined && request.service === "s3" ? "UNSIGNED-PAYLOAD" : request.payloadHash;
    const canonical = canonicalRequest({ ...request, signedHeaders: claim.signedHeaders, payloadHash });
    const scope = `${claim.date}/${claim.region}/${claim.service}/aws4_request`;
    const toSign = [ALGORITHM, claim.timestamp, scope, hash("sha256", canonical, "hex")].join("\n");
    const signingKey = this.#signingKey(claim, secret);
    const expected = createHmac("sha256", signingKey).update(toSign).digest();
    const given = Buffer.from(claim.signature, "hex");
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw wireRefusals.signature(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
      );
    return { signature: claim.signature, signingKey, timestamp: claim.timestamp, scope };
  }

  #checkTime({ timestamp, date, expiresMs }: Claim, service: "sqs" | "s3"): void {
    const at = timeOf(timestamp);
    if (at === undefined || !timestamp.startsWith(date))
      throw wireRefusals.signature(
        "SignatureDoesNotMatch",
        `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${timestamp.slice(0, 8)}'.`,
      );
    const now = this.#clock.now();
    const latest = at + (expiresMs ?? MOST_SKEW_MS);
    if (now <= latest && at - now <= MOST_SKEW_MS) return;
    // S3 has a code of its own for it; elsewhere it is one reason of many not to match.
    if (service === "s3")
      throw wireRefusals.signature(
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
      );
    const current = basicTime(now);
    const limit = basicTime(now > latest ? now - (expiresMs ?? MOST_SKEW_MS) : now + MOST_SKEW_MS);
    throw wireRefusals.signature(
      "SignatureDoesNotMatch",
      now > latest
        ? `Signature expired: ${timestamp} is now earlier than ${limit} (${current} - ${Math.round((expiresMs ?? MOST_SKEW_MS) / 60_000)} min.)`
        : `Signature not yet current: ${timestamp} is still later than ${limit} (${current} + 15 min.)`,
    );
  }

  #signingKey({ accessKeyId, date, region, service }: Claim, secret: string): Buffer {
    const name = `${accessKeyId}/${date}/${region}/${service}`;
    const known = this.#signingKeys.get(name);
    if (known !== undefined) return known;
    let key: Buffer = Buffer.from(`AWS4${secret}`);
    for (const part of [date, region, service, "aws4_request"])
      key = createHmac("sha256", key).update(part).digest();
    // The claim is not verified yet: a stranger must not fill the memory with regions.
    if (this.#signingKeys.size >= MOST_SIGNING_KEYS) this.#signingKeys.clear();
    this.#signingKeys.set(name, key);
    return key;
  }
}

function headersOf(rawHeaders: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.set((rawHeaders[i] ?? "").toLowerCase(), rawHeaders[i + 1] ?? "");
  return headers;
}

function claimOf({ target }: SignedRequest, headers: ReadonlyMap<string, string>): Claim {
  const authorization = headers.get("authorization");
  if (authorization !== undefined) return headerClaim(authorization, headers);
  const question = target.indexOf("?");
  const query = new URLSearchParams(question < 0 ? "" : target.slice(question + 1));
  if (query.has("X-Amz-Signature")) return queryClaim(query);
  throw wireRefusals.signature("MissingAuthenticationToken", "Request is missing Authentication Token");
}

function headerClaim(authorization: string, headers: ReadonlyMap<string, string>): Claim {
  if (!authorization.startsWith(`${ALGORITHM} `))
    throw wireRefusals.signature(
      "IncompleteSignature",
      `Authorization header requires the algorithm '${ALGORITHM}'.`,
    );
  const fields = new Map(
    authorization
      .slice(ALGORITHM.length + 1)
      .split(",")
      .map((field) => {
        const equals = field.indexOf("=");
        return [field.slice(0, equals).trim(), field.slice(equals + 1).trim()] as const;
      }),
  );
  const missing = ["Credential", "Signature", "SignedHeaders"].filter((name) => !fields.get(name));
  const timestamp = headers.get("x-amz-date") ?? fromHttpDate(headers.get("date"));
  const complaints = missing.map((name) => `Authorization header requires '${name}' parameter.`);
  if (timestamp === undefined)
    complaints.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  if (timestamp === undefined || complaints.length > 0)
    throw wireRefusals.signature("IncompleteSignature", complaints.join(" "));
  return {
    ...credentialOf(fields.get("Credential") ?? ""),
    timestamp,
    signedHeaders: (fields.get("SignedHeaders") ?? "").toLowerCase().split(";"),
    signature: fields.get("Signature") ?? "",
    expiresMs: undefined,
  };
}

function queryClaim(query: URLSearchParams): Claim {
  const value = (name: string): string => {
    const found = query.get(name);
    if (found === null || found === "")
      throw wireRefusals.signature(
        "IncompleteSignature",
        `AWS query-string parameters must include '${name}'.`,
      );
    return found;
  };
  const seconds = Number(value("X-Amz-Expires"));
  if (value("X-Amz-Algorithm") !== ALGORITHM || !(seconds >= 1 && seconds <= LONGEST_PRESIGNED_SECONDS))
    throw wireRefusals.signature(
      "IncompleteSignature",
      `X-Amz-Algorithm must be ${ALGORITHM} and X-Amz-Expires from 1 to ${LONGEST_PRESIGNED_SECONDS}.`,
    );
  return {
    ...credentialOf(value("X-Amz-Credential")),
    timestamp: value("X-Amz-Date"),
    signedHeaders: value("X-Amz-SignedHeaders").toLowerCase().split(";"),
    signature: value("X-Amz-Signature"),
    expiresMs: seconds * 1000,
  };
}

function credentialOf(credential: string) {
  const [, accessKeyId, date, region, service] = CREDENTIAL.exec(credential) ?? [];
  if (accessKeyId === undefined || date === undefined || region === undefined || service === undefined)
    throw wireRefusals.signature(
      "IncompleteSignature",
      "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
    );
  return { accessKeyId, date, region, service };
}

function timeOf(timestamp: string): number | undefined {
  const [, year, month, day, hour, minute, second] = TIMESTAMP.exec(timestamp) ?? [];
  if (year === undefined) return undefined;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}

function basicTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

function fromHttpDate(text: string | undefined): string | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : basicTime(ms);
}
