import { notImplemented, S3Error } from "./error.js";
import type { Operation } from "./fault.js";
import { decodeText } from "./signature.js";

/** A request taken apart, before its body came. */
export interface S3Request {
  readonly operation: Operation;
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  readonly query: ReadonlyMap<string, string>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Query keys that ask for another resource than the object or bucket itself; those not handled below are refused. */
const SUBRESOURCES = new Set(
  `accelerate acl analytics attributes cors encryption intelligent-tiering inventory legal-hold lifecycle logging
  metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject replication
  requestPayment restore retention select tagging torrent versioning versions website versionId`.split(/\s+/),
);

/** Path style (`/bucket/key`) and, for `<bucket>.localhost`, virtual-host style. */
export function parseRequest(
  method: string,
  rawPath: string,
  rawQuery: string,
  headers: Readonly<Record<string, string>>,
): S3Request {
  const query = new Map<string, string>();
  for (const pair of rawQuery.split("&")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    query.set(decodeText(at < 0 ? pair : pair.slice(0, at)), at < 0 ? "" : decodeText(pair.slice(at + 1)));
  }
  const host = /^(.+)\.localhost(?::\d+)?$/.exec(headers.host ?? "")?.[1];
  const path = decodeText(host === undefined ? rawPath.slice(1) : `${host}${rawPath}`);
  const slash = path.indexOf("/");
  const bucket = slash < 0 ? path : path.slice(0, slash);
  const key = slash < 0 ? "" : path.slice(slash + 1);
  if (Buffer.byteLength(key) > 1024) throw new S3Error(400, "KeyTooLongError", "Your key is too long");
  for (const name of query.keys()) if (SUBRESOURCES.has(name)) throw notImplemented(`?${name}`);
  const named = {
    query,
    headers,
    bucket: bucket === "" ? undefined : bucket,
    key: key === "" ? undefined : key,
  };
  return { ...named, operation: operationOf(method, named) };
}

function operationOf(method: string, request: Omit<S3Request, "operation">): Operation {
  const { query, bucket, key, headers } = request;
  const has = (name: string) => query.has(name);
  const byMethod = (table: Partial<Record<string, Operation>>): Operation => {
    const operation = table[method];
    if (operation === undefined)
      throw new S3Error(
        405,
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
      );
    return operation;
  };
  if (bucket === undefined) return byMethod({ GET: "ListBuckets" });
  if (key === undefined) {
    if (has("uploads")) return byMethod({ GET: "ListMultipartUploads" });
    if (has("delete")) return byMethod({ POST: "DeleteObjects" });
    if (has("location")) return byMethod({ GET: "GetBucketLocation" });
    if (method === "GET" && query.get("list-type") !== "2") throw notImplemented("ListObjects version 1");
    return byMethod({
      GET: "ListObjectsV2",
      HEAD: "HeadBucket",
      PUT: "CreateBucket",
      DELETE: "DeleteBucket",
    });
  }
  if (has("uploads")) return byMethod({ POST: "CreateMultipartUpload" });
  const copies = headers["x-amz-copy-source"] !== undefined;
  if (has("uploadId")) {
    if (copies) throw notImplemented("UploadPartCopy");
    return byMethod({
      PUT: "UploadPart",
      POST: "CompleteMultipartUpload",
      DELETE: "AbortMultipartUpload",
      GET: "ListParts",
    });
  }
  return byMethod({
    PUT: copies ? "CopyObject" : "PutObject",
    GET: "GetObject",
    HEAD: "HeadObject",
    DELETE: "DeleteObject",
  });
}
