import { Prng } from "../salesforce/prng.js";
import { type Answer, apiError, jsonAnswer, rawAnswer, withHeaders } from "./answer.js";
import type { Fault, FaultRule, FaultScript, Occurrence, StatusPreset } from "./fault-script.js";

interface ArmedRule {
  readonly rule: FaultRule;
  readonly matches: (target: string) => boolean;
  seen: number;
  fired: number;
}

/** The rules in force, with their counts. */
export class Faults {
  private rules: ArmedRule[] = [];
  private random = Prng.named(1, "faults");
  /** How often each kind of fault struck. */
  readonly struck: Record<string, number> = {};

  constructor(script: FaultScript = { rules: [] }) {
    this.set(script);
  }

  /** Replaces all rules; counts start again. */
  set(script: FaultScript): void {
    this.random = Prng.named(script.seed ?? 1, "faults");
    this.rules = script.rules.map((rule) => ({ rule, matches: pathMatcher(rule.path), seen: 0, fired: 0 }));
  }

  clear(): void {
    this.rules = [];
  }

  /** Counts the request against every rule it matches; the first rule due gives the fault. */
  strike(method: string, target: string): Fault | undefined {
    let fault: Fault | undefined;
    for (const armed of this.rules) {
      const { rule } = armed;
      if ((rule.method !== undefined && rule.method !== method) || !armed.matches(target)) continue;
      armed.seen += 1;
      if (fault !== undefined || armed.fired >= (rule.times ?? Number.POSITIVE_INFINITY)) continue;
      if (!this.due(rule.on, armed.seen)) continue;
      armed.fired += 1;
      fault = rule.fault;
    }
    if (fault !== undefined) {
      const name = fault.kind === "status" ? fault.preset : fault.kind;
      this.struck[name] = (this.struck[name] ?? 0) + 1;
    }
    return fault;
  }

  private due(on: Occurrence | undefined, seen: number): boolean {
    if (on === undefined) return true;
    if ("every" in on) return seen % on.every === 0;
    if ("probability" in on) return this.random.chance(on.probability);
    return typeof on.nth === "number" ? on.nth === seen : on.nth.includes(seen);
  }
}

function pathMatcher(path: string | undefined): (target: string) => boolean {
  if (path === undefined) return () => true;
  const regular = /^\/(.+)\/([a-z]*)$/.exec(path);
  if (regular?.[1] !== undefined && /[\\^$.*+?()[\]{}|]/.test(regular[1])) {
    const pattern = new RegExp(regular[1], regular[2]);
    return (target) => pattern.test(target);
  }
  return (target) => target.includes(path);
}

const HTML =
  "<html><head><title>Maintenance</title></head><body><h1>We will be back soon.</h1></body></html>\n";
const HTML_TYPE = { "content-type": "text/html; charset=utf-8" };

/** The answer that a fault gives instead of doing the work; undefined for faults that change a real answer. */
export function answerInstead(fault: Fault): Answer | undefined {
  switch (fault.kind) {
    case "htmlPage":
      return rawAnswer(200, HTML, HTML_TYPE);
    case "expireToken":
      return jsonAnswer(401, {
        error: "invalid_token",
        error_description:
          "The access token provided is expired, revoked, malformed or invalid for other reasons.",
      });
    case "answer": {
      const headers = { ...fault.headers };
      if (fault.body === undefined) return rawAnswer(fault.status, "", headers);
      return typeof fault.body === "string"
        ? rawAnswer(fault.status, fault.body, headers)
        : jsonAnswer(fault.status, fault.body, headers);
    }
    case "status": {
      const answer = preset(fault.preset);
      const wait = fault.retryAfterSeconds;
      if (wait === undefined) return answer;
      return { ...answer, headers: { ...answer.headers, "retry-after": String(wait) } };
    }
    default:
      return undefined;
  }
}

function preset(name: StatusPreset): Answer {
  const limited = apiError(429, "APIRateLimitExceeded", "Number of allowed API requests per minute exceeded");
  switch (name) {
    case "tooManyRequests":
      return withHeaders(limited, { "retry-after": "7" });
    case "tooManyRequestsText":
      return rawAnswer(429, "You have exceeded the limit of requests. Try again later.", {
        "content-type": "text/plain",
      });
    case "longLimit":
      return withHeaders(limited, { "retry-after": "86400" });
    case "conflict":
      return apiError(409, "Conflict", "The resource was changed meanwhile");
    case "serverError":
      return apiError(500, "InternalError", "An error occurred. Please try again.");
    case "unavailable":
      return rawAnswer(503, "Service Unavailable", { "content-type": "text/plain" });
    case "html":
      return rawAnswer(502, HTML, HTML_TYPE);
    case "forbidden":
      return apiError(
        403,
        "Forbidden",
        "You do not have access to this page. The scope tickets:read is missing.",
      );
  }
}

/** The real answer, damaged. Bodies become one buffer. */
export function damage(answer: Answer, fault: Fault, query: URLSearchParams): Answer {
  if (fault.kind !== "halfJson" && fault.kind !== "repeatPage") return answer;
  const body = Buffer.concat(answer.body);
  answer.release?.();
  const { release: _, ...rest } = answer;
  const changed =
    fault.kind === "halfJson" ? body.subarray(0, Math.floor(body.length / 2)) : repeated(body, query);
  return { ...rest, body: [Buffer.from(changed)] };
}

/** Leads to where it came from: by cursor, by time, or by page. */
function repeated(body: Buffer, query: URLSearchParams): Buffer {
  const value: unknown = JSON.parse(body.toString("utf8"));
  if (typeof value !== "object" || value === null) return body;
  const page: Record<string, unknown> = { ...value };
  const cursor = query.get("cursor");
  if ("after_cursor" in page) {
    // A page asked for by start_time has no cursor of its own to name: then it names none, and goes on.
    page.after_cursor = cursor;
    page.after_url = null;
    page.end_of_stream = false;
  } else if ("meta" in page) {
    page.meta = { has_more: true, after_cursor: query.get("page[after]"), before_cursor: null };
    page.links = { prev: null, next: null };
  } else if ("end_time" in page) {
    page.end_time = Number(query.get("start_time"));
    page.next_page = `https://fake.zendesk.com/?start_time=${query.get("start_time")}`;
    page.end_of_stream = false;
    // All of one second, or the page would show the way on.
    for (const [name, list] of Object.entries(page)) if (Array.isArray(list)) page[name] = [];
  } else if ("next_page" in page) {
    page.next_page = `https://fake.zendesk.com/?page=${query.get("page") ?? 1}`;
  }
  return Buffer.from(JSON.stringify(page));
}
