/**
 * The canonical form of a request, over which a signature of version 4 is made (AWS General Reference, "Create a
 * signed request"). Server side: everything is taken as it arrived, and in the canonical way written again.
 */
export interface CanonicalParts {
  readonly method: string;
  /** Path and query as in the request line. */
  readonly target: string;
  /** Names and values in turn, as node has them. */
  readonly rawHeaders: readonly string[];
  /** Lower case, sorted, as the client listed them. */
  readonly signedHeaders: readonly string[];
  /** Hex SHA-256 of the body, or the word that stands for it. */
  readonly payloadHash: string;
  /** S3 encodes the path once and keeps its slashes; every other service normalises it and encodes it twice. */
  readonly service: "sqs" | "s3";
}

export function canonicalRequest(parts: CanonicalParts): string {
  const { method, target, rawHeaders, signedHeaders, payloadHash, service } = parts;
  const question = target.indexOf("?");
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? "" : target.slice(question + 1);
  const values = headerValues(rawHeaders, signedHeaders);
  return [
    method,
    service === "s3" ? oncePath(path) : twicePath(path),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${values.get(name)?.join(",") ?? ""}`),
    "",
    signedHeaders.join(";"),
    payloadHash,
  ].join("\n");
}

function headerValues(
  rawHeaders: readonly string[],
  wanted: readonly string[],
): ReadonlyMap<string, string[]> {
  const values = new Map<string, string[]>(wanted.map((name) => [name, []]));
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const list = values.get((rawHeaders[i] ?? "").toLowerCase());
    list?.push((rawHeaders[i + 1] ?? "").trim().replace(/ +/g, " "));
  }
  return values;
}

function oncePath(path: string): string {
  return path
    .split("/")
    .map((segment) => encoded(decoded(segment)))
    .join("/");
}

function twicePath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(encoded(segment));
  }
  const end = segments.length > 0 && path.endsWith("/") ? "/" : "";
  return `/${segments.join("/")}${end}`;
}

/** Sorted by name, then by value, both in their written form; the signature itself is no part of what it signs. */
function canonicalQuery(query: string): string {
  return query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const equals = pair.indexOf("=");
      const name = equals < 0 ? pair : pair.slice(0, equals);
      const value = equals < 0 ? "" : pair.slice(equals + 1);
      return [encoded(decoded(name)), encoded(decoded(value))] as const;
    })
    .filter(([name]) => name !== "X-Amz-Signature")
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** All but letters, digits and `-._~` as %XX. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** What is no encoding stays as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
