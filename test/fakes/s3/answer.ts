import type { Bucket, StoredObject } from "./bucket.js";
import { algorithmOf } from "./checksum.js";
import { S3Error } from "./error.js";
import { type Tree, xml } from "./xml.js";

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Headers that S3 keeps with an object and hands back. */
export const KEPT_HEADERS = [
  "content-type",
  "content-encoding",
  "content-disposition",
  "content-language",
  "cache-control",
  "expires",
];
export const SSE_HEADERS = [
  "x-amz-server-side-encryption",
  "x-amz-server-side-encryption-aws-kms-key-id",
  "x-amz-server-side-encryption-bucket-key-enabled",
];

export function document(root: string, tree: Tree): Answer {
  return { status: 200, headers: { "content-type": "application/xml" }, body: xml(root, tree) };
}

export function written(object: StoredObject): Answer {
  const headers = {
    etag: object.etag,
    ...checksumHeaders(object.checksums),
    ...pick(object.headers, SSE_HEADERS),
  };
  return { status: 200, headers };
}

export function objectHeaders(object: StoredObject, withChecksums: boolean): Record<string, string> {
  const metadata = Object.entries(object.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  const checksums = withChecksums ? checksumHeaders(object.checksums) : {};
  return {
    ...object.headers,
    ...Object.fromEntries(metadata),
    ...checksums,
    ...(Object.keys(checksums).length > 0 ? { "x-amz-checksum-type": object.checksumType } : {}),
    etag: object.etag,
    "last-modified": new Date(object.lastModified).toUTCString(),
    "accept-ranges": "bytes",
  };
}

export function checksumHeaders(
  checksums: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(checksums))
    if (value !== undefined) headers[`x-amz-checksum-${algorithmOf(name)}`] = value;
  return headers;
}

export function pick(
  headers: Readonly<Record<string, string>>,
  names: readonly string[],
): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

/** First byte and the byte behind the last; undefined: no (single) range asked for. 416 when it lies outside. */
export function byteRange(header: string | undefined, size: number): [number, number] | undefined {
  const asked = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  const [, from = "", to = ""] = asked ?? [];
  if (asked === null || (from === "" && to === "")) return undefined;
  const start = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === "" || to === "" ? size : Math.min(size, Number(to) + 1);
  if (start >= size || end <= start)
    throw new S3Error(416, "InvalidRange", "The requested range is not satisfiable", {
      elements: { RangeRequested: header ?? "", ActualObjectSize: String(size) },
    });
  return [start, end];
}

export function found(bucket: Bucket, key: string): StoredObject {
  const object = bucket.get(key);
  if (object === undefined) throw noSuchKey(key);
  return object;
}

export function noSuchKey(key: string): S3Error {
  return new S3Error(404, "NoSuchKey", "The specified key does not exist.", { elements: { Key: key } });
}

export function preconditionFailed(condition: string): S3Error {
  return new S3Error(
    412,
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
    {
      elements: { Condition: condition },
    },
  );
}
