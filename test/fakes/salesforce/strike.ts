import { type Answer, apiError, jsonAnswer, rawAnswer, withHeaders } from "./answer.js";
import { OWN_LOCATOR } from "./bulk/jobs.js";
import type { Fault, StatusPreset } from "./fault-script.js";
import { poisonPage } from "./poison.js";

const HTML =
  "<html><head><title>We are down for maintenance</title></head><body><h1>Sorry for the inconvenience.</h1></body></html>\n";
const HTML_TYPE = { "content-type": "text/html;charset=UTF-8" };

/** The answer that a fault gives instead of doing the work; undefined for faults that change a real answer. */
export function answerInstead(fault: Fault): Answer | undefined {
  if (fault.kind === "htmlPage") return rawAnswer(200, HTML, HTML_TYPE);
  if (fault.kind === "expireToken") return apiError(401, "INVALID_SESSION_ID", "Session expired or invalid");
  if (fault.kind === "answer") {
    const headers = { ...fault.headers };
    const { body } = fault;
    if (body === undefined) return rawAnswer(fault.status, "", headers);
    return typeof body === "string"
      ? rawAnswer(fault.status, body, headers)
      : jsonAnswer(fault.status, body, headers);
  }
  if (fault.kind !== "status") return undefined;
  const answer = presetAnswer(fault.preset);
  const wait = fault.retryAfterSeconds;
  return wait === undefined ? answer : withHeaders(answer, { "retry-after": String(wait) });
}

function presetAnswer(preset: StatusPreset): Answer {
  switch (preset) {
    case "dailyLimit":
      return apiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
    case "concurrentLimit":
      return apiError(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.");
    case "tooManyRequests":
      return apiError(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests.");
    case "serverError":
      return apiError(
        500,
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (1234567890)",
      );
    case "unavailable":
      return apiError(503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable.");
    case "queryTimeout":
      return apiError(400, "QUERY_TIMEOUT", "Your query request was running for too long.");
    case "html":
      return rawAnswer(502, HTML, HTML_TYPE);
  }
}

/** The real answer, damaged. Bodies become one buffer; Content-Length follows the damage. */
export function damage(answer: Answer, fault: Fault, target: string): Answer {
  switch (fault.kind) {
    case "halfJson":
      return reshape(answer, (body) => body.subarray(0, Math.floor(body.length / 2)));
    case "poisonRecord":
      return reshape(answer, (body) => poisonPage(body, fault));
    case "repeatNextRecordsUrl":
      if (answer.headers["sforce-locator"] !== undefined) {
        return withHeaders(answer, { "sforce-locator": answer.headers[OWN_LOCATOR] ?? "null" });
      }
      return reshape(answer, (body) => repeatNext(body, target));
    default:
      return answer;
  }
}

function reshape(answer: Answer, change: (body: Buffer) => Buffer): Answer {
  const body = Buffer.from(change(Buffer.concat(answer.body)));
  answer.release?.();
  const { release: _, ...rest } = answer;
  return { ...rest, body: [body] };
}

/** The head of a page holds the only nextRecordsUrl that counts. */
function repeatNext(body: Buffer, target: string): Buffer {
  const marker = '"nextRecordsUrl":"';
  const from = body.indexOf(marker);
  if (from < 0) return body;
  const to = body.indexOf('"', from + marker.length);
  const own = body.subarray(from + marker.length, to).toString("latin1");
  // A first page has no locator of its own: the cursor's position 0 is the same page.
  const repeated = target.includes("?q=") ? own.replace(/-\d+$/, "-0") : target;
  return Buffer.concat([body.subarray(0, from + marker.length), Buffer.from(repeated), body.subarray(to)]);
}
