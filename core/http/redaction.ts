import type { Secret } from "../contracts/index.js";

const MASK = "[redacted]";

/** What other systems put into texts and what must never be repeated, known by its shape. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|OAuth)\s+[^\s"',;]+/gi, `$1 ${MASK}`],
  [/\b00D[A-Za-z0-9]{12}!\S{8,}/g, MASK],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?/g, MASK],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, MASK],
  [
    /("?(?:access_?token|refresh_?token|id_?token|client_?secret|assertion|password|authorization|sid)"?\s*[:=]\s*"?)[^"&\s,}]+/gi,
    `$1${MASK}`,
  ],
];

/** Longest excerpt of a foreign body in an error, characters. */
const EXCERPT = 300;

/** Takes secrets out of what others wrote before it enters an error or the log. */
export interface Redaction {
  /** `headers`: credentials just sent; their values are masked as well. */
  text(text: string, headers?: Readonly<Record<string, string>>): string;
  /** First characters of a body on one line, redacted. */
  excerpt(body: string, headers?: Readonly<Record<string, string>>): string;
}

/** `secrets`: values of this connection that must never show. */
export function createRedaction(secrets: readonly Secret[] = []): Redaction {
  const text = (plain: string, headers: Readonly<Record<string, string>> = {}): string => {
    let result = plain;
    for (const secret of secrets) result = mask(result, secret.open());
    for (const value of Object.values(headers)) {
      result = mask(mask(result, value), value.slice(value.lastIndexOf(" ") + 1));
    }
    for (const [shape, replacement] of SHAPES) result = result.replace(shape, replacement);
    return result;
  };
  return {
    text,
    excerpt: (body, headers) => {
      // Redact more than is shown: a secret cut in two at the end would no longer be found.
      const clean = text(body.slice(0, EXCERPT * 20), headers)
        .replace(/\s+/g, " ")
        .trim();
      return clean.length > EXCERPT ? `${clean.slice(0, EXCERPT)}...` : clean;
    },
  };
}

/** Very short values are left: masking every "a" would hide the message, not the secret. */
function mask(text: string, secret: string): string {
  if (secret.length < 6) return text;
  return text.replaceAll(secret, MASK).replaceAll(encodeURIComponent(secret), MASK);
}

/** Method, origin and path: what an error may say about a request. Queries hold values of users and tokens. */
export function shownUrl(method: string, url: string): string {
  const end = url.search(/[?#]/);
  return `${method} ${end < 0 ? url : url.slice(0, end)}`;
}

/** An error's own words without what clients hang onto errors (axios: config, headers, request, response). */
export function plainCause(error: unknown, redaction: Redaction): Error {
  const message = error instanceof Error ? error.message : String(error);
  const cause = new Error(redaction.text(message));
  const code = errorCode(error);
  if (code !== undefined) Object.assign(cause, { code });
  // The stack of an HTTP library says nothing about us and repeats the message unredacted.
  cause.stack = `${cause.name}: ${cause.message}`;
  return cause;
}

/** The `code` of a Node or axios error. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
