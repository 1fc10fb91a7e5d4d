/** An answer that refuses: S3's error code, HTTP status and the extra elements S3 puts into the XML body. */
export class S3Error extends Error {
  readonly status: number;
  readonly code: string;
  /** Further elements of the error document, e.g. `Region`, `BucketName`. */
  readonly elements: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    code: string,
    message: string,
    more: { elements?: Record<string, string>; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.name = "S3Error";
    this.status = status;
    this.code = code;
    this.elements = more.elements ?? {};
    this.headers = more.headers ?? {};
  }
}

/** What S3 answers to a part of its API that this fake does not have. Better than a wrong answer. */
export function notImplemented(what: string): S3Error {
  return new S3Error(501, "NotImplemented", `This fake does not implement ${what}.`);
}
