import type { AnswersAhead } from "./answers.js";
import type { SourceRecord } from "./record.js";
import type { RefusedRecord } from "./source.js";

/** What a connector sees of the one HTTP client (core/http). Retries, waits, auth and redaction happen inside. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";
  /** Absolute. */
  readonly url: string;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  /** A string is sent as it is; set content-type yourself. */
  readonly body?: string | Buffer;
  readonly signal?: AbortSignal;
  /** False: send without the connection's credentials (token requests). Default true. */
  readonly authenticate?: boolean;
  /** Limits it counts against, by the names of the spec's `buckets`. Default: those of the client. */
  readonly buckets?: readonly string[];
  /** A longer wait for a limit is not begun: RateLimitError of scope `park`. Default: what the client waits. */
  readonly longestWaitMs?: number;
  /** False: a lost answer is not tried again, since the request may have been applied. Default: GET, HEAD, PUT, DELETE true. */
  readonly idempotent?: boolean;
  /**
   * Changes the bytes of a good JSON answer before they are decoded, in place if it likes: to drop what every record
   * repeats, which costs less here than in the objects. Returns what is to be parsed.
   */
  readonly rewriteJson?: (body: Buffer) => Buffer;
  /** A good answer is kept, with the headers named; where one is kept already, nothing is sent. */
  readonly keep?: {
    readonly answers: AnswersAhead;
    readonly key: string;
    /** Lower-case names; content-type in any case. */
    readonly headers?: readonly string[];
  };
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body, unpacked; at most the client's `maxBodyBytes`. Its length is what came, whatever rewriteJson did. */
  readonly body: Buffer;
  /** The body as UTF-8 text. Invalid UTF-8 is a TransientError. */
  text(): string;
  /**
   * The body as JSON. Numbers that a double cannot hold become ExactNumber.
   * Half a JSON or HTML is a TransientError naming the URL and the first characters.
   */
  json(): unknown;
  /**
   * Of an answer that is a page of records: those that hold a key twice, keyed by their objects in `json()`; hand them on as
   * `Page.refused`. `path` leads to the list, `["records"]`, or to a single record; `[]` is the body itself. Nearly free
   * where there is none.
   */
  refusedRecords(path: readonly string[]): ReadonlyMap<SourceRecord, RefusedRecord>;
}

export interface HttpClient {
  /** Resolves for 2xx (and statuses that the connector's table marks `accept`), otherwise throws a SluiceError. */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Requests sent so far, repeats included: what the other side counts against us. */
  readonly calls: number;
}
