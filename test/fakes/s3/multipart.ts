import { createHash, randomUUID } from "node:crypto";
import type { Bucket, MultipartUpload, ObjectInfo, Part } from "./bucket.js";
import {
  algorithmOf,
  CHECKSUM_ALGORITHMS,
  type ChecksumAlgorithm,
  type Checksums,
  checksum,
  compositeChecksum,
  verifyChecksums,
} from "./checksum.js";
import { S3Error } from "./error.js";
import { joined, memoryContent } from "./shelf.js";
import { elements, textOf } from "./xml.js";

/** S3's smallest size of every part but the last, bytes. */
const MIN_PART_BYTES = 5 * 2 ** 20;
const MAX_PARTS = 10_000;

export interface UploadStart {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** x-amz-checksum-algorithm. */
  readonly algorithm: string | undefined;
  /** x-amz-checksum-type. */
  readonly checksumType: string | undefined;
}

export function createUpload(bucket: Bucket, start: UploadStart, now: number): MultipartUpload {
  const id = randomUUID().replaceAll("-", "");
  const algorithm = start.algorithm === undefined ? undefined : algorithmOf(start.algorithm);
  const checksumType = start.checksumType === "FULL_OBJECT" ? "FULL_OBJECT" : "COMPOSITE";
  if (checksumType === "FULL_OBJECT" && algorithm?.startsWith("sha"))
    throw new S3Error(400, "InvalidRequest", "SHA checksums of multipart uploads are composite only.");
  const { key, headers, metadata } = start;
  bucket.startUpload({ id, key, initiated: now, headers, metadata, algorithm, checksumType });
  return findUpload(bucket, key, id);
}

export function findUpload(bucket: Bucket, key: string, id: string): MultipartUpload {
  const upload = bucket.uploads.get(id);
  if (upload === undefined || upload.key !== key)
    throw new S3Error(
      404,
      "NoSuchUpload",
      "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
      { elements: { UploadId: id } },
    );
  return upload;
}

export function storePart(
  bucket: Bucket,
  upload: MultipartUpload,
  number: number,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  now: number,
): Part {
  if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS)
    throw new S3Error(
      400,
      "InvalidArgument",
      "Part number must be an integer between 1 and 10000, inclusive",
    );
  const sent = verifyChecksums(headers, body);
  if (upload.algorithm !== undefined && Object.keys(sent).some((name) => name !== upload.algorithm))
    throw new S3Error(400, "InvalidRequest", "Checksum Type mismatch occurred, expected another algorithm.");
  const checksums: Checksums =
    upload.algorithm === undefined
      ? sent
      : { [upload.algorithm]: sent[upload.algorithm] ?? checksum(upload.algorithm, body) };
  const etag = `"${createHash("md5").update(body).digest("hex")}"`;
  const part = {
    number,
    size: body.length,
    etag,
    lastModified: now,
    checksums,
    content: memoryContent(body),
  };
  bucket.putPart(upload, part);
  return part;
}

/**
 * The object that completing would make, after checking the list: ascending numbers, parts that exist with these
 * ETags and checksums, and sizes. The caller decides conditions and stores it in the same tick.
 */
export function assemble(
  upload: MultipartUpload,
  document: string,
  headers: Readonly<Record<string, string>>,
  now: number,
): { readonly info: ObjectInfo; readonly parts: readonly Part[] } {
  const listed = elements(document, "Part");
  if (listed.length === 0)
    throw new S3Error(400, "MalformedXML", "The XML you provided was not well-formed: no parts.");
  let previous = 0;
  const parts = listed.map((entry) => {
    const number = Number(textOf(entry, "PartNumber"));
    if (!(number > previous))
      throw new S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order.");
    previous = number;
    const part = upload.parts.get(number);
    if (part === undefined || unquoted(textOf(entry, "ETag")) !== unquoted(part.etag))
      throw invalidPart(number);
    for (const algorithm of CHECKSUM_ALGORITHMS) {
      const claimed = textOf(entry, `Checksum${algorithm.toUpperCase()}`);
      if (claimed !== undefined && claimed !== part.checksums[algorithm]) throw invalidPart(number);
    }
    return part;
  });
  for (const part of parts.slice(0, -1))
    if (part.size < MIN_PART_BYTES)
      throw new S3Error(
        400,
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        {
          elements: { ProposedSize: String(part.size), MinSizeAllowed: String(MIN_PART_BYTES) },
        },
      );
  const md5s = Buffer.concat(parts.map((part) => Buffer.from(unquoted(part.etag) ?? "", "hex")));
  const etag = `"${createHash("md5").update(md5s).digest("hex")}-${parts.length}"`;
  const checksums = checksumsOf(upload, parts);
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const claimed = headers[`x-amz-checksum-${algorithm}`];
    if (claimed !== undefined && claimed !== checksums[algorithm])
      throw new S3Error(400, "BadDigest", `The ${algorithm.toUpperCase()} you specified did not match.`);
  }
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const { key, metadata, checksumType } = upload;
  return {
    parts,
    info: { key, size, etag, lastModified: now, headers: upload.headers, metadata, checksums, checksumType },
  };
}

function checksumsOf(upload: MultipartUpload, parts: readonly Part[]): Checksums {
  const { algorithm } = upload;
  if (algorithm === undefined) return {};
  if (upload.checksumType === "FULL_OBJECT")
    return { [algorithm]: checksum(algorithm, joined(parts.map((part) => part.content))) };
  return { [algorithm]: compositeChecksum(algorithm, partChecksums(algorithm, parts)) };
}

function partChecksums(algorithm: ChecksumAlgorithm, parts: readonly Part[]): string[] {
  return parts.map((part) => part.checksums[algorithm] ?? checksum(algorithm, joined([part.content])));
}

function invalidPart(number: number): S3Error {
  return new S3Error(
    400,
    "InvalidPart",
    "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    { elements: { PartNumber: String(number) } },
  );
}

function unquoted(etag: string | undefined): string | undefined {
  return etag?.replace(/^"|"$/g, "");
}
