import { Secret } from "../contracts/index.js";

const MASK = "[redacted]";

/** Keys whose value is never shown, wherever they stand: headers, form fields, config. Compared without `-` and `_`. */
const SECRET_KEYS = new Set([
  "accesstoken",
  "apikey",
  "assertion",
  "authorization",
  "clientassertion",
  "clientsecret",
  "cookie",
  "idtoken",
  "password",
  "privatekey",
  "proxyauthorization",
  "refreshtoken",
  "secret",
  "secretaccesskey",
  "sessionid",
  "sessiontoken",
  "setcookie",
  "sid",
  "token",
  "xamzsecuritytoken",
]);

/** Shapes that are secrets in any text: what other systems put into URLs, headers and error messages. */
const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|OAuth)\s+[A-Za-z0-9._~+/!=-]{8,}/g, `$1 ${MASK}`],
  // Salesforce session ids: the 15 characters of the org, "!", the key.
  [/\b00D[A-Za-z0-9]{12}![A-Za-z0-9._]{8,}/g, MASK],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, MASK],
  [/\bxox[a-z]-[A-Za-z0-9-]{8,}/g, MASK],
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?(?:-----END \1-----|$)/g, MASK],
  [
    /([?&;\s"'](?:access_token|refresh_token|id_token|client_secret|password|assertion|api_key|sid|X-Amz-Signature|X-Amz-Security-Token)=)[^&\s"']+/gi,
    `$1${MASK}`,
  ],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:)[^/\s@]+@/gi, `$1${MASK}@`],
];

/** Values shorter than this are not searched for in texts: masking every "a" would hide the message, not the secret. */
const SHORTEST_LEARNED = 6;
const DEEPEST = 8;

/** Takes secrets out of texts and values before they are shown or logged. */
export interface Redactor {
  /** From now on the plain text of every Secret inside `value` is masked wherever it appears. */
  learn(value: unknown): void;
  text(text: string): string;
  /** A copy without secrets, ready for JSON: errors become objects, Secrets and secret keys the mask. */
  value(value: unknown): unknown;
}

export function createRedactor(): Redactor {
  // Longest first, so that a secret that contains another is masked as a whole.
  let learned: string[] = [];

  const learnText = (plain: string) => {
    // A key file shows up line by line in error messages as well.
    const lines = plain.split(/\r?\n/).filter((line) => line.length >= 20 && !line.startsWith("-----"));
    for (const part of [plain, plain.trim(), encodeURIComponent(plain), ...lines]) {
      if (part.length >= SHORTEST_LEARNED && !learned.includes(part)) learned.push(part);
    }
    learned = learned.sort((a, b) => b.length - a.length);
  };

  const learn = (value: unknown, seen: Set<object>) => {
    if (value instanceof Secret) return learnText(value.open());
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    const parts = value instanceof Map ? value.values() : Object.values(value);
    for (const part of parts) learn(part, seen);
  };

  const text = (plain: string): string => {
    let result = plain;
    for (const secret of learned) {
      if (result.includes(secret)) result = result.replaceAll(secret, MASK);
    }
    for (const [shape, replacement] of SECRET_SHAPES) result = result.replace(shape, replacement);
    return result;
  };

  const value = (input: unknown, depth: number): unknown => {
    if (typeof input === "string") return text(input);
    if (typeof input === "bigint") return input.toString();
    if (typeof input !== "object" || input === null) return input;
    if (input instanceof Secret) return MASK;
    if (depth >= DEEPEST) return "[...]";
    if (input instanceof Error) return errorFields(input, depth);
    if (Array.isArray(input)) return input.map((item) => value(item, depth + 1));
    if (input instanceof Map) return value(Object.fromEntries(input), depth);
    if (input instanceof Date) return input.toISOString();
    if (Buffer.isBuffer(input)) return `[${input.length} bytes]`;
    const copy: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(input)) {
      const secret = SECRET_KEYS.has(key.toLowerCase().replace(/[-_]/g, ""));
      copy[key] = secret && item !== null && item !== undefined ? MASK : value(item, depth + 1);
    }
    return copy;
  };

  /** An error's own words only: clients hang whole requests, headers included, onto their errors. */
  const errorFields = (error: Error, depth: number): unknown => {
    const fields: Record<string, unknown> = { name: error.name, message: text(error.message) };
    for (const key of ["code", "place", "fix"] as const) {
      const field: unknown = Reflect.get(error, key);
      if (typeof field === "string") fields[key] = text(field);
    }
    if (error.stack !== undefined) fields.stack = text(error.stack);
    if (error.cause !== undefined) fields.cause = value(error.cause, depth + 1);
    return fields;
  };

  return { learn: (input) => learn(input, new Set()), text, value: (input) => value(input, 0) };
}
