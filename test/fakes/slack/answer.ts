import { type Answer, jsonAnswer } from "../salesforce/answer.js";

export { type Answer, type FakeRequest, jsonAnswer, rawAnswer, withHeaders } from "../salesforce/answer.js";

/** What a method found. `self`: a cursor that leads to this very page, for faults. */
export interface Result {
  readonly body: Record<string, unknown>;
  readonly self?: string;
}

/** A refusal, as Slack gives it: with HTTP 200. */
export class Refusal extends Error {
  readonly error: string;
  readonly more: Readonly<Record<string, unknown>>;
  constructor(error: string, more: Readonly<Record<string, unknown>> = {}) {
    super(error);
    this.error = error;
    this.more = more;
  }
}

export function refusalAnswer(error: string, more: Readonly<Record<string, unknown>> = {}): Answer {
  return jsonAnswer(200, { ok: false, error, ...more });
}

export function rateLimitedAnswer(seconds: number): Answer {
  return jsonAnswer(429, { ok: false, error: "ratelimited" }, { "retry-after": String(seconds) });
}
