import type { Answer, FakeRequest } from "../salesforce/answer.js";

export type { Answer, FakeRequest };

export function jsonAnswer(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return rawAnswer(status, JSON.stringify(value), {
    "content-type": "application/json; charset=utf-8",
    ...headers,
  });
}

export function rawAnswer(
  status: number,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Answer {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  return { status, headers, body: bytes.length === 0 ? [] : [bytes], compressible: true };
}

/** `{"error": ..., "description": ...}`. */
export function apiError(status: number, error: string, description?: string): Answer {
  return jsonAnswer(status, { error, ...(description === undefined ? {} : { description }) });
}

export function oauthError(status: number, error: string, description: string): Answer {
  return jsonAnswer(status, { error, error_description: description });
}

export function recordNotFound(): Answer {
  return apiError(404, "RecordNotFound", "Not found");
}

export function withHeaders(answer: Answer, headers: Record<string, string>): Answer {
  return { ...answer, headers: { ...headers, ...answer.headers } };
}
