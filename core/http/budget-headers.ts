import type { LimitFacts } from "../contracts/index.js";

/** Headers of an answer, names in lower case. */
type Headers = Readonly<Record<string, string>>;

const PREFIXES = ["ratelimit", "rate-limit", "x-ratelimit", "x-rate-limit"] as const;

/**
 * The limit of an answer in whichever spelling: `RateLimit-Limit`, `-Remaining`, `-Reset` as the IETF's draft had them,
 * also as `Rate-Limit-`, `X-RateLimit-` or `X-Rate-Limit-`, and with the limit under the bare name (`X-Rate-Limit: 700`).
 * `-Reset` is in seconds from now; a number that can only be an epoch is none of ours. Undefined: nothing is said.
 */
export function rateLimitHeaders(headers: Headers): LimitFacts | undefined {
  const first = (suffixes: readonly string[]): number | undefined => {
    for (const suffix of suffixes) {
      for (const prefix of PREFIXES) {
        const match = /^\s*(\d{1,12})\s*(?:[,;].*)?$/.exec(headers[`${prefix}${suffix}`] ?? "");
        if (match !== null) return Number(match[1]);
      }
    }
    return undefined;
  };
  const limit = first(["-limit", ""]);
  const remaining = first(["-remaining"]);
  const reset = first(["-reset"]);
  if (limit === undefined && remaining === undefined) return undefined;
  const seconds = reset !== undefined && reset <= 7 * 86_400 ? reset : undefined;
  return { limit, remaining, resetsInMs: seconds === undefined ? undefined : seconds * 1000 };
}

/** One header with several numbers, `total=10; remaining=9; resets=43`. Undefined where it has no `remaining`. */
export function rateLimitList(header: string | undefined): LimitFacts | undefined {
  const part = (...names: string[]): number | undefined => {
    for (const name of names) {
      const match = new RegExp(`(?:^|[;,\\s])${name}\\s*=\\s*(\\d{1,12})`, "i").exec(header ?? "");
      if (match !== null) return Number(match[1]);
    }
    return undefined;
  };
  const remaining = part("remaining");
  const seconds = part("resets", "reset");
  if (remaining === undefined) return undefined;
  return {
    limit: part("total", "limit"),
    remaining,
    resetsInMs: seconds === undefined ? undefined : seconds * 1000,
  };
}
