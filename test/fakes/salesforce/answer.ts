/** A request as the fake's parts see it: the body read, the URL split. */
export interface FakeRequest {
  readonly method: string;
  /** Raw request target, as sent. */
  readonly target: string;
  /** Path without the query, not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** An answer before faults, compression and the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body in pieces, to be sent one behind the other. */
  readonly body: readonly Buffer[];
  /** False: never gzip (pre-rendered pages, where packing would cost more than all else). */
  readonly compressible: boolean;
  /** Called once the bytes are with the kernel or the socket is gone. */
  readonly release?: () => void;
}

export function jsonAnswer(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return rawAnswer(status, JSON.stringify(value), {
    "content-type": "application/json;charset=UTF-8",
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

/** The REST API's error envelope: always an array. */
export function apiError(
  status: number,
  errorCode: string,
  message: string,
  fields?: readonly string[],
): Answer {
  return jsonAnswer(status, [fields === undefined ? { message, errorCode } : { message, errorCode, fields }]);
}

/** OAuth's error envelope: an object. */
export function oauthError(status: number, error: string, description?: string): Answer {
  return jsonAnswer(status, {
    error,
    ...(description === undefined ? {} : { error_description: description }),
  });
}

export function notFound(): Answer {
  return apiError(404, "NOT_FOUND", "The requested resource does not exist");
}

export function withHeaders(answer: Answer, headers: Record<string, string>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
