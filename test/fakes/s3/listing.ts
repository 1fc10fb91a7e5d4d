import type { Bucket, StoredObject } from "./bucket.js";
import { S3Error } from "./error.js";

export interface ListRequest {
  readonly prefix: string;
  readonly delimiter: string;
  readonly startAfter: string;
  readonly continuationToken: string | undefined;
  /** 0-1000. */
  readonly maxKeys: number;
}

export interface ListPage {
  readonly objects: readonly StoredObject[];
  readonly commonPrefixes: readonly string[];
  /** Undefined: this was the last page. */
  readonly nextToken: string | undefined;
}

/**
 * ListObjectsV2 over keys in UTF-8 order. A common prefix counts as one key. The token holds the last key or common
 * prefix handed out, so that a listing goes on correctly while objects come and go.
 */
export function listPage(bucket: Bucket, request: ListRequest): ListPage {
  const after =
    request.continuationToken === undefined
      ? Buffer.from(request.startAfter)
      : fromToken(request.continuationToken);
  const { prefix, delimiter } = request;
  const objects: StoredObject[] = [];
  const commonPrefixes: string[] = [];
  let last = "";
  for (const key of bucket.keys()) {
    if (!key.startsWith(prefix)) continue;
    const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const common = cut < 0 ? undefined : key.slice(0, cut + delimiter.length);
    const entry = common ?? key;
    if (after.length > 0 && Buffer.from(entry).compare(after) <= 0) continue;
    if (common !== undefined && commonPrefixes.at(-1) === common) continue;
    if (objects.length + commonPrefixes.length >= request.maxKeys)
      return { objects, commonPrefixes, nextToken: request.maxKeys === 0 ? undefined : toToken(last) };
    last = entry;
    if (common !== undefined) commonPrefixes.push(common);
    else {
      const object = bucket.get(key);
      if (object !== undefined) objects.push(object);
    }
  }
  return { objects, commonPrefixes, nextToken: undefined };
}

function toToken(key: string): string {
  return `k${Buffer.from(key).toString("base64url")}`;
}

function fromToken(token: string): Buffer {
  if (!/^k[A-Za-z0-9_-]+$/.test(token))
    throw new S3Error(400, "InvalidArgument", "The continuation token provided is incorrect");
  return Buffer.from(token.slice(1), "base64url");
}
