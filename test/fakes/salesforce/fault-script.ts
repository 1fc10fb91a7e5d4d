/**
 * Faults by script. A script is a list of rules; the first rule that fires decides a request's fate.
 *
 * As JSON (`main.js --faults file.json`, `PUT /__fake/faults`) and as objects it is the same:
 *
 *   { "seed": 7, "rules": [
 *     { "path": "/query", "on": { "nth": 3 },            "fault": { "kind": "status", "preset": "unavailable", "retryAfterSeconds": 1 } },
 *     { "path": "/query/01g", "on": { "every": 10 },     "fault": { "kind": "cutBody", "fraction": 0.5 } },
 *     { "path": "/oauth2/token", "on": { "nth": [2] },   "fault": { "kind": "resetAfter" } },
 *     { "path": "/query", "on": { "probability": 0.05 }, "times": 20, "fault": { "kind": "status", "preset": "concurrentLimit" } },
 *     { "path": "/query", "on": { "nth": 5 },            "fault": { "kind": "poisonRecord", "poison": "loneSurrogate", "record": 10, "field": "Name" } } ] }
 *
 * `path` is a part of the request target (query string included), or a regular expression between slashes:
 * "/query\\/01g.*-4000$/". Without it every request matches. `method` narrows further. `on` says which of the
 * matching requests: the nth (counted from 1, per rule), every n-th, each with a probability; left out: all.
 * `times` bounds how often the rule fires.
 *
 * When a fault strikes: `resetBefore`, `status` and `expireToken` strike before the request is applied;
 * `resetAfter` after (a token is rotated, a cursor is opened, the call is counted, and the answer is lost); the others change
 * the answer on its way. Control requests (`/__fake/`) never fail.
 */
export interface FaultScript {
  /** For probabilities; default 1. */
  readonly seed?: number;
  readonly rules: readonly FaultRule[];
}

export interface FaultRule {
  readonly path?: string;
  readonly method?: string;
  readonly on?: Occurrence;
  readonly times?: number;
  readonly fault: Fault;
}

export type Occurrence =
  | { readonly nth: number | readonly number[] }
  | { readonly every: number }
  | { readonly probability: number };

export const STATUS_PRESETS = [
  "dailyLimit",
  "concurrentLimit",
  "tooManyRequests",
  "serverError",
  "unavailable",
  "html",
  "queryTimeout",
] as const;
export type StatusPreset = (typeof STATUS_PRESETS)[number];

export const POISONS = [
  "loneSurrogate",
  "invalidUtf8",
  "duplicateKey",
  "hugeText",
  "wrongType",
  "halfRecord",
] as const;
export type Poison = (typeof POISONS)[number];

export type Fault =
  /** A known bad answer; Retry-After only where `retryAfterSeconds` is given. */
  | { readonly kind: "status"; readonly preset: StatusPreset; readonly retryAfterSeconds?: number }
  /** Any answer; `body` that is not text is sent as JSON. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Status 200 and the first half of the right body, complete as far as HTTP can tell. */
  | { readonly kind: "halfJson" }
  /** Status 200 and an HTML page where JSON belongs. */
  | { readonly kind: "htmlPage" }
  /** The whole answer comes late. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /** The answer begins at once and drips: `chunkBytes` every `everyMs`. */
  | { readonly kind: "trickle"; readonly chunkBytes: number; readonly everyMs: number }
  /** Content-Length tells the whole body, the socket closes after this part of it (default half). */
  | { readonly kind: "cutBody"; readonly fraction?: number; readonly bytes?: number }
  | { readonly kind: "resetBefore" }
  | { readonly kind: "resetAfter" }
  /** 401 INVALID_SESSION_ID; the token sent stays dead. */
  | { readonly kind: "expireToken" }
  /**
   * nextRecordsUrl, or Sforce-Locator of a Bulk result, leads to this very page again. On a first page, to itself by its
   * first locator.
   */
  | { readonly kind: "repeatNextRecordsUrl" }
  /** One record of the page is damaged; `record` counts from 0 (default 0), `field` defaults to the first text. */
  | {
      readonly kind: "poisonRecord";
      readonly poison: Poison;
      readonly record?: number;
      readonly field?: string;
      /** hugeText: characters, default 2 MiB. */
      readonly size?: number;
    };

const FAULT_KINDS: ReadonlySet<string> = new Set([
  "status",
  "answer",
  "halfJson",
  "htmlPage",
  "slow",
  "trickle",
  "cutBody",
  "resetBefore",
  "resetAfter",
  "expireToken",
  "repeatNextRecordsUrl",
  "poisonRecord",
]);

/** A script from JSON text or value; throws one clear sentence on anything else. */
export function parseFaultScript(value: unknown): FaultScript {
  if (!isObject(value) || !Array.isArray(value.rules))
    throw new Error("a fault script is { seed?, rules: [...] }");
  const rules = value.rules.map((rule: unknown, n) => {
    if (!isRule(rule))
      throw new Error(`fault rule ${n + 1} is not { path?, method?, on?, times?, fault: { kind } }`);
    return rule;
  });
  const seed = typeof value.seed === "number" ? { seed: value.seed } : {};
  return { ...seed, rules };
}

function isRule(value: unknown): value is FaultRule {
  if (!isObject(value) || !isFault(value.fault)) return false;
  if (!isOptional(value.path, "string") || !isOptional(value.method, "string")) return false;
  if (!isOptional(value.times, "number")) return false;
  return value.on === undefined || isOccurrence(value.on);
}

function isOccurrence(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { nth, every, probability } = value;
  const list = Array.isArray(nth) && nth.every((n) => typeof n === "number");
  return typeof nth === "number" || list || typeof every === "number" || typeof probability === "number";
}

function isFault(value: unknown): value is Fault {
  if (!isObject(value) || typeof value.kind !== "string" || !FAULT_KINDS.has(value.kind)) return false;
  const oneOf = (list: readonly string[], text: unknown) => typeof text === "string" && list.includes(text);
  switch (value.kind) {
    case "status":
      return oneOf(STATUS_PRESETS, value.preset) && isOptional(value.retryAfterSeconds, "number");
    case "answer":
      return typeof value.status === "number";
    case "slow":
      return typeof value.delayMs === "number";
    case "trickle":
      return typeof value.chunkBytes === "number" && typeof value.everyMs === "number";
    case "cutBody":
      return isOptional(value.fraction, "number") && isOptional(value.bytes, "number");
    case "poisonRecord":
      return (
        oneOf(POISONS, value.poison) &&
        isOptional(value.record, "number") &&
        isOptional(value.field, "string") &&
        isOptional(value.size, "number")
      );
    default:
      return true;
  }
}

function isOptional(value: unknown, type: "string" | "number"): boolean {
  return value === undefined || typeof value === type;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
