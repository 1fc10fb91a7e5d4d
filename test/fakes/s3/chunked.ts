import { S3Error } from "./error.js";

export interface Unchunked {
  readonly body: Buffer;
  /** Lower-case names. */
  readonly trailers: Readonly<Record<string, string>>;
}

/**
 * Takes `aws-chunked` framing apart: `<hex size>[;extension]\r\n<bytes>\r\n` ... `0\r\n<trailers>\r\n\r\n`. The SDKs send
 * every stream so, with its checksum as a trailer; a server that does not know it stores the framing as content.
 */
export function decodeChunks(
  raw: Buffer,
  announced: { readonly decodedLength: string | undefined; readonly trailers: readonly string[] },
): Unchunked {
  const chunks: Buffer[] = [];
  let at = 0;
  const line = (): string => {
    const end = raw.indexOf("\r\n", at);
    if (end < 0) throw incomplete("a chunk header is cut off");
    const text = raw.toString("latin1", at, end);
    at = end + 2;
    return text;
  };
  for (;;) {
    const size = /^([0-9a-fA-F]{1,8})(?:;.*)?$/.exec(line())?.[1];
    if (size === undefined) throw incomplete("a chunk header is not a size");
    const length = Number.parseInt(size, 16);
    if (length === 0) break;
    if (at + length + 2 > raw.length || raw[at + length] !== 13 || raw[at + length + 1] !== 10)
      throw incomplete("a chunk is shorter than its header says");
    chunks.push(raw.subarray(at, at + length));
    at += length + 2;
  }
  const trailers: Record<string, string> = {};
  while (at < raw.length) {
    const text = line();
    if (text === "") break;
    const colon = text.indexOf(":");
    if (colon < 1) throw malformedTrailer(`"${text}" is not a trailer`);
    trailers[text.slice(0, colon).trim().toLowerCase()] = text.slice(colon + 1).trim();
  }
  if (at !== raw.length) throw malformedTrailer("bytes after the last trailer");
  for (const name of announced.trailers)
    if (trailers[name] === undefined) throw malformedTrailer(`${name} was announced but did not come`);
  for (const name of Object.keys(trailers))
    if (!announced.trailers.includes(name)) throw malformedTrailer(`${name} was not announced`);
  const body = Buffer.concat(chunks);
  if (announced.decodedLength === undefined)
    throw new S3Error(
      411,
      "MissingContentLength",
      "You must provide the x-amz-decoded-content-length header.",
    );
  if (String(body.length) !== announced.decodedLength)
    throw incomplete(`${body.length} bytes came, ${announced.decodedLength} were announced`);
  return { body, trailers };
}

function incomplete(detail: string): S3Error {
  return new S3Error(400, "IncompleteBody", `The request body is not what its length said: ${detail}.`);
}

function malformedTrailer(detail: string): S3Error {
  return new S3Error(
    400,
    "MalformedTrailerError",
    `The request contained trailing data that was not well-formed: ${detail}.`,
  );
}
