/**
 * Faults by script. A script is a list of rules; the first rule that fires decides a request's fate. As JSON
 * (`main.js --faults file.json`, `PUT /__fake/faults`) and as objects it is the same:
 *
 *   { "seed": 7, "rules": [
 *     { "path": "conversations.history", "on": { "nth": 3 },         "fault": { "kind": "refuse", "error": "internal_error" } },
 *     { "path": "conversations.history", "on": { "every": 10 },      "fault": { "kind": "rateLimit", "retryAfterSeconds": 3 } },
 *     { "path": "users.list", "on": { "probability": 0.1 },          "fault": { "kind": "cutBody", "fraction": 0.5 } },
 *     { "path": "conversations.history", "channel": "C1",            "fault": { "kind": "refuse", "error": "not_in_channel" } } ] }
 *
 * `path` is a part of the request's path, `channel` narrows to calls for one channel. `on` says which of the matching requests: the
 * nth (counted from 1, per rule), every n-th, each with a probability; left out: all. `times` bounds how often the rule fires.
 *
 * When a fault strikes: `refuse`, `rateLimit`, `answer`, `expireToken` and `resetBefore` before the call is applied; `resetAfter` after
 * (a refresh token is rotated, and the answer is lost); the others change the answer on its way. Control requests never fail.
 */
export interface FaultScript {
  /** For probabilities; default 1. */
  readonly seed?: number;
  readonly rules: readonly FaultRule[];
}

export interface FaultRule {
  readonly path?: string;
  readonly channel?: string;
  readonly on?: Occurrence;
  readonly times?: number;
  readonly fault: Fault;
}

export type Occurrence =
  | { readonly nth: number | readonly number[] }
  | { readonly every: number }
  | { readonly probability: number };

export type Fault =
  /** HTTP 200 and `{"ok":false,"error":...}`; `more` joins it (`needed`, `provided`). */
  | { readonly kind: "refuse"; readonly error: string; readonly more?: Readonly<Record<string, unknown>> }
  | { readonly kind: "rateLimit"; readonly retryAfterSeconds: number }
  /** Any answer; `body` that is not text is sent as JSON. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The token sent is dead from now on: `token_expired`. */
  | { readonly kind: "expireToken" }
  /** Status 200 and the first half of the right body, complete as far as HTTP can tell. */
  | { readonly kind: "halfJson" }
  | { readonly kind: "htmlPage" }
  /** The whole answer comes late. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /** The answer begins at once and drips. */
  | { readonly kind: "trickle"; readonly chunkBytes: number; readonly everyMs: number }
  /** Content-Length tells the whole body, the socket closes after this part of it (default half). */
  | { readonly kind: "cutBody"; readonly fraction?: number }
  | { readonly kind: "resetBefore" }
  | { readonly kind: "resetAfter" }
  /** next_cursor leads to this very page again. */
  | { readonly kind: "repeatCursor" }
  /** Bounds and page numbers are overlooked: files.list gives its first page again. */
  | { readonly kind: "ignoreBounds" };

const KINDS: Readonly<Record<Fault["kind"], (fault: Record<string, unknown>) => boolean>> = {
  refuse: (fault) => typeof fault.error === "string",
  rateLimit: (fault) => typeof fault.retryAfterSeconds === "number",
  answer: (fault) => typeof fault.status === "number",
  expireToken: () => true,
  halfJson: () => true,
  htmlPage: () => true,
  slow: (fault) => typeof fault.delayMs === "number",
  trickle: (fault) => typeof fault.chunkBytes === "number" && typeof fault.everyMs === "number",
  cutBody: (fault) => fault.fraction === undefined || typeof fault.fraction === "number",
  resetBefore: () => true,
  resetAfter: () => true,
  repeatCursor: () => true,
  ignoreBounds: () => true,
};

/** A script from JSON text or value; throws one clear sentence on anything else. */
export function parseFaultScript(value: unknown): FaultScript {
  if (!isObject(value) || !Array.isArray(value.rules))
    throw new Error("a fault script is { seed?, rules: [...] }");
  const rules = value.rules.map((rule: unknown, n) => {
    if (!isRule(rule))
      throw new Error(`fault rule ${n + 1} is not { path?, channel?, on?, times?, fault: { kind } }`);
    return rule;
  });
  return { ...(typeof value.seed === "number" ? { seed: value.seed } : {}), rules };
}

function isRule(value: unknown): value is FaultRule {
  if (!isObject(value) || !isObject(value.fault)) return false;
  const { kind } = value.fault;
  const check = Object.entries(KINDS).find(([name]) => name === kind)?.[1];
  if (check === undefined || !check(value.fault)) return false;
  if (![value.path, value.channel].every((text) => text === undefined || typeof text === "string"))
    return false;
  if (value.times !== undefined && typeof value.times !== "number") return false;
  return value.on === undefined || isOccurrence(value.on);
}

function isOccurrence(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { nth, every, probability } = value;
  const list = Array.isArray(nth) && nth.every((n) => typeof n === "number");
  return typeof nth === "number" || list || typeof every === "number" || typeof probability === "number";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
