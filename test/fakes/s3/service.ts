import { createHash } from "node:crypto";
import {
  type Answer,
  byteRange,
  checksumHeaders,
  document,
  found,
  KEPT_HEADERS,
  noSuchKey,
  objectHeaders,
  pick,
  preconditionFailed,
  SSE_HEADERS,
  written,
} from "./answer.js";
import { type Bucket, Buckets, type ObjectInfo } from "./bucket.js";
import { verifyChecksums } from "./checksum.js";
import { notImplemented, S3Error } from "./error.js";
import type { Operation } from "./fault.js";
import { listPage } from "./listing.js";
import { assemble, createUpload, findUpload, storePart } from "./multipart.js";
import type { S3Request } from "./request.js";
import { memoryContent } from "./shelf.js";
import { elements, textOf } from "./xml.js";

export interface ServiceOptions {
  /** Undefined: in memory. */
  readonly dir: string | undefined;
  readonly region: string;
  /** Keys in a page of a listing at most; S3 may always hand out fewer than asked for. */
  readonly pageKeys: number;
  /** Behaves as those S3-compatible stores that overlook If-None-Match and If-Match. */
  readonly ignoreConditions: boolean;
  /** Epoch ms. */
  readonly now: () => number;
}

/**
 * The operations of S3 over buckets. Every one is synchronous: what it checks and what it stores happen in one tick,
 * so that conditional writes have one winner however many requests race.
 */
export class Service {
  readonly buckets: Buckets;
  readonly #options: ServiceOptions;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.buckets = new Buckets(options.dir);
  }

  /** Applies one request whose body has come whole. Throws S3Error. */
  apply(request: S3Request, body: Buffer): Answer {
    const operations: Record<Operation, () => Answer> = {
      ListBuckets: () => this.#listBuckets(),
      CreateBucket: () => this.#createBucket(request),
      HeadBucket: () => this.#headBucket(request),
      DeleteBucket: () => this.#deleteBucket(request),
      GetBucketLocation: () => this.#location(request),
      ListObjectsV2: () => this.#list(request),
      PutObject: () => this.#put(request, body),
      CopyObject: () => this.#copy(request),
      GetObject: () => this.#read(request, true),
      HeadObject: () => this.#read(request, false),
      DeleteObject: () => this.#delete(request),
      DeleteObjects: () => this.#deleteMany(request, body),
      CreateMultipartUpload: () => this.#createUpload(request),
      UploadPart: () => this.#uploadPart(request, body),
      CompleteMultipartUpload: () => this.#complete(request, body),
      AbortMultipartUpload: () => this.#abort(request),
      ListParts: () => this.#listParts(request),
      ListMultipartUploads: () => this.#listUploads(request),
    };
    return operations[request.operation]();
  }

  #listBuckets(): Answer {
    const Bucket = this.buckets.names().map((Name) => ({ Name, CreationDate: new Date(0).toISOString() }));
    return document("ListAllMyBucketsResult", { Owner: { ID: "sluice" }, Buckets: { Bucket } });
  }

  #createBucket({ bucket = "" }: S3Request): Answer {
    this.buckets.create(bucket);
    return { status: 200, headers: { location: `/${bucket}` } };
  }

  #headBucket(request: S3Request): Answer {
    this.#bucket(request);
    return { status: 200, headers: { "x-amz-bucket-region": this.#options.region } };
  }

  #deleteBucket({ bucket = "" }: S3Request): Answer {
    this.buckets.delete(bucket);
    return { status: 204 };
  }

  #location(request: S3Request): Answer {
    this.#bucket(request);
    // us-east-1 is told by an empty element, since 2006.
    return document("LocationConstraint", this.#options.region === "us-east-1" ? "" : this.#options.region);
  }

  #list(request: S3Request): Answer {
    const { query } = request;
    const bucket = this.#bucket(request);
    const encode = query.get("encoding-type") === "url" ? encodeURIComponent : (text: string) => text;
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter") ?? "";
    const maxKeys = Math.min(Number(query.get("max-keys") ?? 1000), this.#options.pageKeys);
    if (!(maxKeys >= 0)) throw new S3Error(400, "InvalidArgument", "max-keys is not a number");
    const page = listPage(bucket, {
      prefix,
      delimiter,
      maxKeys,
      startAfter: query.get("start-after") ?? "",
      continuationToken: query.get("continuation-token"),
    });
    return document("ListBucketResult", {
      Name: bucket.name,
      Prefix: encode(prefix),
      Delimiter: delimiter === "" ? undefined : encode(delimiter),
      EncodingType: query.get("encoding-type"),
      MaxKeys: maxKeys,
      KeyCount: page.objects.length + page.commonPrefixes.length,
      IsTruncated: page.nextToken !== undefined,
      ContinuationToken: query.get("continuation-token"),
      NextContinuationToken: page.nextToken,
      Contents: page.objects.map((object) => ({
        Key: encode(object.key),
        LastModified: new Date(object.lastModified).toISOString(),
        ETag: object.etag,
        Size: object.size,
        StorageClass: "STANDARD",
        ChecksumAlgorithm: Object.keys(object.checksums).map((name) => name.toUpperCase()),
      })),
      CommonPrefixes: page.commonPrefixes.map((Prefix) => ({ Prefix: encode(Prefix) })),
    });
  }

  #put(request: S3Request, body: Buffer): Answer {
    const { key = "", headers } = request;
    const bucket = this.#bucket(request);
    const checksums = verifyChecksums(headers, body);
    this.#decide(bucket, key, headers);
    const info: ObjectInfo = {
      ...this.#described(request),
      size: body.length,
      etag: `"${createHash("md5").update(body).digest("hex")}"`,
      checksums,
      checksumType: "FULL_OBJECT",
    };
    return written(bucket.put(info, [memoryContent(body)]));
  }

  #copy(request: S3Request): Answer {
    const { key = "", headers } = request;
    const bucket = this.#bucket(request);
    const source = decodeURIComponent(headers["x-amz-copy-source"] ?? "").replace(/^\//, "");
    const slash = source.indexOf("/");
    if (slash < 1)
      throw new S3Error(400, "InvalidArgument", "Copy Source must mention the source bucket and key");
    const original = found(this.buckets.get(source.slice(0, slash)), source.slice(slash + 1));
    const replace = headers["x-amz-metadata-directive"] === "REPLACE";
    if (!replace && original.key === key && this.buckets.get(source.slice(0, slash)) === bucket)
      throw new S3Error(
        400,
        "InvalidRequest",
        "This copy request is illegal because it is trying to copy an object to itself without changing it.",
      );
    this.#decide(bucket, key, headers);
    const { content, ...info } = original;
    const described = this.#described(request);
    const copy = bucket.put(
      { ...info, ...(replace ? described : { key, lastModified: described.lastModified }) },
      [content],
    );
    const { etag: ETag, lastModified } = copy;
    return document("CopyObjectResult", { ETag, LastModified: new Date(lastModified).toISOString() });
  }

  #read(request: S3Request, withBody: boolean): Answer {
    const { key = "", headers, query } = request;
    if (query.has("partNumber")) throw notImplemented("reading by part number");
    const object = found(this.#bucket(request), key);
    const described = { ...objectHeaders(object, headers["x-amz-checksum-mode"] === "ENABLED") };
    if (headers["if-match"] !== undefined && headers["if-match"] !== object.etag)
      throw preconditionFailed("If-Match");
    if (headers["if-none-match"] === object.etag) return { status: 304, headers: described };
    const range = byteRange(headers.range, object.size);
    const [start, end] = range ?? [0, object.size];
    if (range !== undefined) {
      described["content-range"] = `bytes ${start}-${end - 1}/${object.size}`;
      // A checksum of the whole says nothing about a piece.
      for (const name of Object.keys(described))
        if (name.startsWith("x-amz-checksum-")) delete described[name];
    }
    described["content-length"] = String(end - start);
    return {
      status: range === undefined ? 200 : 206,
      headers: described,
      ...(withBody ? { body: object.content.read(start, end) } : {}),
    };
  }

  #delete(request: S3Request): Answer {
    this.#bucket(request).delete(request.key ?? "");
    return { status: 204 };
  }

  #deleteMany(request: S3Request, body: Buffer): Answer {
    const bucket = this.#bucket(request);
    const proofs = Object.keys(verifyChecksums(request.headers, body));
    if (proofs.length === 0 && request.headers["content-md5"] === undefined)
      throw new S3Error(
        400,
        "InvalidRequest",
        "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
      );
    const text = body.toString("utf8");
    const keys = elements(text, "Object").map((entry) => textOf(entry, "Key") ?? "");
    if (keys.length === 0 || keys.length > 1000)
      throw new S3Error(400, "MalformedXML", "The XML you provided was not well-formed: 1 to 1000 objects.");
    for (const key of keys) bucket.delete(key);
    const quiet = textOf(text, "Quiet") === "true";
    return document("DeleteResult", { Deleted: quiet ? [] : keys.map((Key) => ({ Key })) });
  }

  #createUpload(request: S3Request): Answer {
    const { key = "", headers } = request;
    const bucket = this.#bucket(request);
    const described = this.#described(request);
    const algorithm = headers["x-amz-checksum-algorithm"];
    const checksumType = headers["x-amz-checksum-type"];
    const upload = createUpload(bucket, { ...described, algorithm, checksumType }, described.lastModified);
    const answer = document("InitiateMultipartUploadResult", {
      Bucket: bucket.name,
      Key: key,
      UploadId: upload.id,
    });
    const echoed = pick(upload.headers, SSE_HEADERS);
    if (upload.algorithm === undefined) return { ...answer, headers: { ...answer.headers, ...echoed } };
    const chosen = {
      "x-amz-checksum-algorithm": upload.algorithm.toUpperCase(),
      "x-amz-checksum-type": upload.checksumType,
    };
    return { ...answer, headers: { ...answer.headers, ...echoed, ...chosen } };
  }

  #uploadPart(request: S3Request, body: Buffer): Answer {
    const { key = "", query, headers } = request;
    const bucket = this.#bucket(request);
    const upload = findUpload(bucket, key, query.get("uploadId") ?? "");
    const part = storePart(
      bucket,
      upload,
      Number(query.get("partNumber")),
      headers,
      body,
      this.#options.now(),
    );
    return {
      status: 200,
      headers: { etag: part.etag, ...checksumHeaders(part.checksums), ...pick(upload.headers, SSE_HEADERS) },
    };
  }

  #complete(request: S3Request, body: Buffer): Answer {
    const { key = "", query, headers } = request;
    const bucket = this.#bucket(request);
    const upload = findUpload(bucket, key, query.get("uploadId") ?? "");
    const { info, parts } = assemble(upload, body.toString("utf8"), headers, this.#options.now());
    this.#decide(bucket, key, headers);
    bucket.put(
      info,
      parts.map((part) => part.content),
    );
    bucket.endUpload(upload.id);
    const sums = Object.entries(info.checksums).map(([name, value]) => [
      `Checksum${name.toUpperCase()}`,
      value,
    ]);
    const answer = document("CompleteMultipartUploadResult", {
      Location: `/${bucket.name}/${key}`,
      Bucket: bucket.name,
      Key: key,
      ETag: info.etag,
      ...Object.fromEntries(sums),
      ChecksumType: sums.length === 0 ? undefined : info.checksumType,
    });
    return { ...answer, headers: { ...answer.headers, ...pick(info.headers, SSE_HEADERS) } };
  }

  #abort(request: S3Request): Answer {
    const bucket = this.#bucket(request);
    bucket.endUpload(findUpload(bucket, request.key ?? "", request.query.get("uploadId") ?? "").id);
    return { status: 204 };
  }

  #listParts(request: S3Request): Answer {
    const bucket = this.#bucket(request);
    const upload = findUpload(bucket, request.key ?? "", request.query.get("uploadId") ?? "");
    const parts = [...upload.parts.values()].sort((a, b) => a.number - b.number);
    const marker = Number(request.query.get("part-number-marker") ?? 0);
    const limit = Math.min(Number(request.query.get("max-parts") ?? 1000), 1000);
    const page = parts.filter((part) => part.number > marker).slice(0, limit);
    return document("ListPartsResult", {
      Bucket: bucket.name,
      Key: upload.key,
      UploadId: upload.id,
      PartNumberMarker: marker,
      NextPartNumberMarker: page.at(-1)?.number,
      MaxParts: limit,
      IsTruncated: parts.length > 0 && page.at(-1)?.number !== parts.at(-1)?.number,
      Part: page.map((part) => ({
        PartNumber: part.number,
        LastModified: new Date(part.lastModified).toISOString(),
        ETag: part.etag,
        Size: part.size,
      })),
    });
  }

  #listUploads(request: S3Request): Answer {
    const bucket = this.#bucket(request);
    const prefix = request.query.get("prefix") ?? "";
    const uploads = [...bucket.uploads.values()].filter((upload) => upload.key.startsWith(prefix));
    if (uploads.length > 1000 || request.query.has("key-marker")) throw notImplemented("paging of uploads");
    return document("ListMultipartUploadsResult", {
      Bucket: bucket.name,
      Prefix: prefix,
      MaxUploads: 1000,
      IsTruncated: false,
      Upload: uploads.map((upload) => ({
        Key: upload.key,
        UploadId: upload.id,
        Initiated: new Date(upload.initiated).toISOString(),
        StorageClass: "STANDARD",
      })),
    });
  }

  #bucket(request: S3Request): Bucket {
    return this.buckets.get(request.bucket ?? "");
  }

  /** If-None-Match: * and If-Match of a write. */
  #decide(bucket: Bucket, key: string, headers: Readonly<Record<string, string>>): void {
    if (this.#options.ignoreConditions) return;
    const none = headers["if-none-match"];
    const match = headers["if-match"];
    if (none !== undefined && none !== "*") throw notImplemented("If-None-Match with an ETag on a write");
    const current = bucket.get(key);
    if (none === "*" && current !== undefined) throw preconditionFailed("If-None-Match");
    if (match === undefined) return;
    if (current === undefined) throw noSuchKey(key);
    if (match !== current.etag) throw preconditionFailed("If-Match");
  }

  #described(request: S3Request): Pick<ObjectInfo, "key" | "headers" | "metadata" | "lastModified"> {
    const { key = "", headers } = request;
    const kept = pick(headers, [...KEPT_HEADERS, ...SSE_HEADERS]);
    kept["content-type"] ??= "application/octet-stream";
    kept["x-amz-server-side-encryption"] ??= "AES256";
    // `aws-chunked` says how the body travelled, not what it is.
    const encoding = kept["content-encoding"]?.split(",").map((part) => part.trim());
    const real = encoding?.filter((part) => part !== "aws-chunked").join(",");
    if (real === "") delete kept["content-encoding"];
    else if (real !== undefined) kept["content-encoding"] = real;
    const metadata: Record<string, string> = {};
    for (const [name, value] of Object.entries(headers))
      if (name.startsWith("x-amz-meta-")) metadata[name.slice("x-amz-meta-".length)] = value;
    const metadataBytes = Object.entries(metadata).reduce(
      (sum, [name, value]) => sum + name.length + value.length,
      0,
    );
    if (metadataBytes > 2048)
      throw new S3Error(
        400,
        "MetadataTooLarge",
        "Your metadata headers exceed the maximum allowed metadata size",
      );
    return { key, headers: kept, metadata, lastModified: this.#options.now() };
  }
}
