import { createHash } from "node:crypto";
import { z } from "zod";
import { CHECKSUM_ALGORITHMS, type Checksums } from "./checksum.js";
import { S3Error } from "./error.js";
import { type Content, diskShelf, memoryShelf, type Shelf } from "./shelf.js";

const checksumsSchema = z.object({
  crc32: z.string().optional(),
  crc32c: z.string().optional(),
  sha1: z.string().optional(),
  sha256: z.string().optional(),
}) satisfies z.ZodType<Checksums>;
const textsSchema = z.record(z.string(), z.string());
const checksumTypeSchema = z.enum(["FULL_OBJECT", "COMPOSITE"]);

const objectInfoSchema = z.object({
  key: z.string(),
  size: z.number(),
  /** With its quotes. */
  etag: z.string(),
  /** Epoch ms. */
  lastModified: z.number(),
  /** content-type, content-encoding, cache-control and the like, and the server-side encryption headers. */
  headers: textsSchema,
  /** User metadata without `x-amz-meta-`. */
  metadata: textsSchema,
  checksums: checksumsSchema,
  checksumType: checksumTypeSchema,
});
/** What is known about an object besides its bytes. */
export type ObjectInfo = Readonly<z.infer<typeof objectInfoSchema>>;

export interface StoredObject extends ObjectInfo {
  readonly content: Content;
}

const partInfoSchema = z.object({
  number: z.number(),
  size: z.number(),
  etag: z.string(),
  lastModified: z.number(),
  checksums: checksumsSchema,
});
export type Part = Readonly<z.infer<typeof partInfoSchema>> & { readonly content: Content };

const uploadInfoSchema = z.object({
  id: z.string(),
  key: z.string(),
  /** Epoch ms. */
  initiated: z.number(),
  headers: textsSchema,
  metadata: textsSchema,
  algorithm: z.enum(CHECKSUM_ALGORITHMS).optional(),
  checksumType: checksumTypeSchema,
});
export type UploadInfo = Readonly<z.infer<typeof uploadInfoSchema>>;
export type MultipartUpload = UploadInfo & { readonly parts: Map<number, Part> };

/** One bucket: objects by key and the multipart uploads under way, both kept on the shelf. */
export class Bucket {
  readonly name: string;
  readonly uploads = new Map<string, MultipartUpload>();
  readonly #objects = new Map<string, StoredObject>();
  readonly #shelf: Shelf;
  #sorted: string[] | undefined;

  constructor(name: string, shelf: Shelf) {
    this.name = name;
    this.#shelf = shelf;
    shelf.makeFolder([name, "objects"]);
    for (const { stored } of shelf.stored([name, "objects"])) {
      const info = objectInfoSchema.parse(stored.header);
      this.#objects.set(info.key, { ...info, content: stored.content });
    }
    for (const id of shelf.folders([name, "uploads"])) this.#loadUpload(id);
  }

  /** Keys in the order of their UTF-8 bytes, as S3 lists them (not the order of JavaScript strings). */
  keys(): readonly string[] {
    this.#sorted ??= [...this.#objects.keys()]
      .map((key) => ({ key, bytes: Buffer.from(key) }))
      .sort((a, b) => a.bytes.compare(b.bytes))
      .map(({ key }) => key);
    return this.#sorted;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  put(info: ObjectInfo, parts: readonly Content[]): StoredObject {
    const content = this.#shelf.keep([this.name, "objects", fileName(info.key)], info, parts);
    const stored = { ...info, content };
    if (!this.#objects.has(info.key)) this.#sorted = undefined;
    this.#objects.set(info.key, stored);
    return stored;
  }

  delete(key: string): void {
    if (!this.#objects.delete(key)) return;
    this.#sorted = undefined;
    this.#shelf.drop([this.name, "objects", fileName(key)]);
  }

  startUpload(upload: UploadInfo): void {
    this.#shelf.keep([this.name, "uploads", upload.id, "upload"], upload, []);
    this.uploads.set(upload.id, { ...upload, parts: new Map() });
  }

  putPart(upload: MultipartUpload, part: Part): void {
    const { content, ...header } = part;
    const kept = this.#shelf.keep([this.name, "uploads", upload.id, String(part.number)], header, [content]);
    upload.parts.set(part.number, { ...part, content: kept });
  }

  endUpload(id: string): void {
    this.uploads.delete(id);
    this.#shelf.drop([this.name, "uploads", id]);
  }

  get empty(): boolean {
    return this.#objects.size === 0;
  }

  #loadUpload(id: string): void {
    const files = this.#shelf.stored([this.name, "uploads", id]);
    const head = files.find((file) => file.name === "upload");
    if (head === undefined) return;
    const parts = new Map<number, Part>();
    for (const { name, stored } of files) {
      if (name === "upload") continue;
      const part = { ...partInfoSchema.parse(stored.header), content: stored.content };
      parts.set(part.number, part);
    }
    this.uploads.set(id, { ...uploadInfoSchema.parse(head.stored.header), parts });
  }
}

/** Keys are up to 1,024 bytes and may hold anything; file names may not. */
function fileName(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** All buckets of one fake. */
export class Buckets {
  readonly #buckets = new Map<string, Bucket>();
  readonly #shelf: Shelf;

  /** `dir` undefined: in memory. */
  constructor(dir: string | undefined) {
    this.#shelf = dir === undefined ? memoryShelf() : diskShelf(dir);
    for (const name of this.#shelf.folders([])) this.#buckets.set(name, new Bucket(name, this.#shelf));
  }

  names(): string[] {
    return [...this.#buckets.keys()].sort();
  }

  has(name: string): boolean {
    return this.#buckets.has(name);
  }

  /** NoSuchBucket when absent. */
  get(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined)
      throw new S3Error(404, "NoSuchBucket", "The specified bucket does not exist", {
        elements: { BucketName: name },
      });
    return bucket;
  }

  create(name: string): void {
    if (!/^[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/.test(name) || name.includes(".."))
      throw new S3Error(400, "InvalidBucketName", "The specified bucket is not valid.");
    if (this.#buckets.has(name))
      throw new S3Error(
        409,
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
      );
    this.#buckets.set(name, new Bucket(name, this.#shelf));
  }

  delete(name: string): void {
    if (!this.get(name).empty)
      throw new S3Error(409, "BucketNotEmpty", "The bucket you tried to delete is not empty");
    this.#buckets.delete(name);
    this.#shelf.drop([name]);
  }
}
