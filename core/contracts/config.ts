/**
 * Building blocks for the schemas of connectors (configSchema, optionsSchema, targetSchema).
 *
 * `${env:NAME}` and `${file:path}` may stand in any text of sluice.yaml and of a flow; they arrive as a Secret.
 * These blocks accept a Secret wherever the YAML may hold text, so use them instead of `z.string()` for every key
 * whose value a user types. Each is a plain zod type: `.optional()`, `.default()`, `.describe()`, `.meta()` work, and
 * `z.toJSONSchema(schema, { io: "input" })` sees the text that stands in YAML.
 *
 * Conventions that lint, flow.schema.json and the reference rely on:
 * - use `z.strictObject` so that unknown keys are refused with the nearest valid name;
 * - describe every key with `.describe("One sentence.")` as the LAST call, after `.optional()` or `.default()`;
 * - for blocks that change the type (`duration`, `size`) prefer `.prefault("5m")` to `.default(300_000)`: the docs then show `5m`;
 * - a custom message starts with `expected ...` and never holds the value: lint appends `, found ...` with the value
 *   as it stood in the file, redacted where it was a secret.
 */
import { z } from "zod";
import { Secret } from "./secrets.js";

const open = (value: unknown): unknown => (value instanceof Secret ? value.open() : value);

/**
 * Text in clear: host names, paths, user names. A Secret (from `${env:}`) is opened, so the parsed value is whatever
 * `inner` gives: `text()`, `text(z.string().min(1))`, `text(z.enum(["a", "b"]))`.
 */
export function text(): z.ZodPreprocess<z.ZodString>;
export function text<T extends z.ZodType>(inner: T): z.ZodPreprocess<T>;
export function text(inner: z.ZodType = z.string().min(1, "expected a text that is not empty")) {
  return z.preprocess(open, inner);
}

/** A secret: password, token, private key. Parses to a Secret; a plain string in YAML becomes one too. */
export function secret() {
  return z
    .preprocess(
      open,
      z
        .string("expected a secret")
        .min(1, "expected a secret that is not empty")
        .transform((value) => new Secret(value)),
    )
    .meta({ secret: true, title: "secret" });
}

/** An integer, also from `${env:PORT}` (digits). Parses to a number. */
export function integer(bounds: { readonly min?: number; readonly max?: number } = {}) {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = bounds;
  const range =
    bounds.min !== undefined && bounds.max !== undefined
      ? `expected an integer from ${min} to ${max}`
      : bounds.min !== undefined
        ? `expected an integer of at least ${min}`
        : bounds.max !== undefined
          ? `expected an integer of at most ${max}`
          : "expected an integer";
  return z.preprocess(
    (value) => {
      if (!(value instanceof Secret)) return value;
      const digits = value.open().trim();
      return /^-?\d{1,15}$/.test(digits) ? Number(digits) : digits;
    },
    z.int(range).min(min, range).max(max, range),
  );
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `500ms`, `10s`, `5m`, `1h`, `7d` as milliseconds; undefined for anything else. */
export function parseDuration(value: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,3})?) ?(ms|s|m|h|d)$/.exec(value.trim());
  if (match === null) return undefined;
  const ms = Number(match[1]) * (DURATION_UNITS[match[2] ?? ""] ?? Number.NaN);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** `128MB` (decimal), `128MiB` (binary) as bytes, rounded down; undefined for anything else. */
export function parseSize(value: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?) ?(B|[kK]B|[MGT]B|[KMGT]iB)$/.exec(value.trim());
  if (match === null) return undefined;
  const bytes = Math.floor(
    Number(match[1]) * (SIZE_UNITS[(match[2] ?? "").replace("kB", "KB")] ?? Number.NaN),
  );
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

interface Quantity {
  readonly title: string;
  readonly noun: string;
  readonly example: string;
  readonly pattern: string;
  readonly parse: (value: string) => number | undefined;
}

function quantity(kind: Quantity, bounds: { readonly min?: string; readonly max?: string }) {
  const limit = (bound: string | undefined, unbounded: number): number => {
    if (bound === undefined) return unbounded;
    const value = kind.parse(bound);
    if (value === undefined) throw new RangeError(`"${bound}" is not ${kind.noun}`);
    return value;
  };
  const min = limit(bounds.min, 0);
  const max = limit(bounds.max, Number.MAX_SAFE_INTEGER);
  const expected = `expected ${kind.noun} such as ${kind.example}`;
  const between = `expected ${kind.noun}${bounds.min === undefined ? "" : ` of at least ${bounds.min}`}${
    bounds.min !== undefined && bounds.max !== undefined ? " and" : ""
  }${bounds.max === undefined ? "" : ` of at most ${bounds.max}`}`;
  return z
    .preprocess(
      open,
      z.string(expected).transform((value, context) => {
        const parsed = kind.parse(value);
        const message = parsed === undefined ? expected : parsed < min || parsed > max ? between : undefined;
        if (parsed !== undefined && message === undefined) return parsed;
        context.issues.push({ code: "custom", message: message ?? expected, input: value });
        return z.NEVER;
      }),
    )
    .meta({ title: kind.title, pattern: kind.pattern });
}

/** A time span: `500ms`, `10s`, `5m`, `1h`, `7d`. Parses to milliseconds. */
export function duration(bounds: { readonly min?: string; readonly max?: string } = {}) {
  return quantity(
    {
      title: "duration",
      noun: "a duration",
      example: "10s, 5m, 1h or 7d",
      pattern: "^\\d+(\\.\\d+)? ?(ms|s|m|h|d)$",
      parse: parseDuration,
    },
    bounds,
  );
}

/** A number of bytes: `128MB` (decimal), `128MiB` (binary). Parses to bytes. */
export function size(bounds: { readonly min?: string; readonly max?: string } = {}) {
  return quantity(
    {
      title: "size",
      noun: "a size",
      example: "64KiB or 128MB",
      pattern: "^\\d+(\\.\\d+)? ?(B|[kK]B|[MGT]B|[KMGT]iB)$",
      parse: parseSize,
    },
    bounds,
  );
}

/** True for `localhost`, `*.localhost`, 127.0.0.0/8 and ::1, as `URL.hostname` writes them. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase();
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    host === "[::1]" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
  );
}

/** What is wrong with a URL that we would call, as a lint message; undefined: fine. */
export function urlProblem(value: string): string | undefined {
  if (!URL.canParse(value)) return "expected a URL such as https://host.example";
  const url = new URL(value);
  if (url.protocol !== "https:" && url.protocol !== "http:")
    return "expected a URL that starts with https://";
  if (url.username !== "" || url.password !== "") return "expected a URL without user name and password";
  if (url.protocol === "http:" && !isLoopback(url.hostname))
    return "expected a URL that starts with https:// (plain http is allowed to this machine only)";
  return undefined;
}

/** An https URL, or http to loopback. Parses to the text without trailing slashes, so that paths can be appended. */
export function url() {
  return z
    .preprocess(
      open,
      z.string("expected a URL such as https://host.example").transform((value, context) => {
        const message = urlProblem(value);
        if (message === undefined) return value.replace(/\/+$/, "");
        context.issues.push({ code: "custom", message, input: value });
        return z.NEVER;
      }),
    )
    .meta({ title: "URL", format: "uri" });
}
