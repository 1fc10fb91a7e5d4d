import {
  type HttpRequest,
  type HttpResponse,
  type RefusedRecord,
  type SourceRecord,
  TransientError,
} from "../contracts/index.js";
import { refusedRecords } from "./duplicates.js";
import type { Incoming } from "./exchange.js";
import { decodeUtf8, InvalidUtf8, parseJson } from "./json.js";
import { plainCause, type Redaction } from "./redaction.js";

/** An answer whose JSON is parsed at most once. */
export class Response implements HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly #request: HttpRequest;
  readonly #place: string;
  readonly #redaction: Redaction;
  /** `body`: what was parsed, behind rewriteJson. */
  #parsed: { readonly value: unknown; readonly body: Buffer } | undefined;

  constructor(incoming: Incoming, request: HttpRequest, place: string, redaction: Redaction) {
    this.status = incoming.status;
    this.headers = incoming.headers;
    this.body = incoming.body;
    this.#request = request;
    this.#place = place;
    this.#redaction = redaction;
  }

  /** Undefined where the body was not JSON by its own account. */
  get parsed(): unknown {
    return this.#parsed?.value;
  }

  /** Parses what says it is JSON; refuses HTML where JSON was asked for. */
  check(): void {
    if (this.body.length === 0) return;
    const type = this.headers["content-type"] ?? "";
    const asksForJson = (this.#request.headers?.accept ?? "application/json").includes("json");
    if (/\bjson\b/i.test(type) || (type === "" && asksForJson)) this.json();
    else if (/\bhtml\b/i.test(type) && asksForJson) throw this.#broken("HTTP_HTML", "HTML");
  }

  text(): string {
    try {
      return decodeUtf8(this.body);
    } catch (error) {
      throw this.#broken("HTTP_BAD_TEXT", "bytes that are not UTF-8", error);
    }
  }

  json(): unknown {
    this.#parsed ??= this.#parse();
    return this.#parsed.value;
  }

  refusedRecords(path: readonly string[]): ReadonlyMap<SourceRecord, RefusedRecord> {
    this.#parsed ??= this.#parse();
    return refusedRecords(this.#parsed.body, this.#parsed.value, path);
  }

  #parse(): { readonly value: unknown; readonly body: Buffer } {
    try {
      const { rewriteJson } = this.#request;
      const body = rewriteJson === undefined ? this.body : rewriteJson(this.body);
      return { value: parseJson(body), body };
    } catch (error) {
      if (error instanceof InvalidUtf8)
        throw this.#broken("HTTP_BAD_TEXT", "bytes that are not UTF-8", error);
      const isHtml = /^\s*</.test(this.body.toString("latin1", 0, 64));
      if (isHtml) throw this.#broken("HTTP_HTML", "HTML", error);
      throw this.#broken("HTTP_BAD_JSON", "a broken or unfinished JSON", error);
    }
  }

  #broken(code: string, what: string, cause?: unknown): TransientError {
    const start = this.#redaction.excerpt(this.body.toString("utf8", 0, 8192));
    return new TransientError(code, `answered ${this.status} with ${what}, beginning: ${start}`, {
      place: this.#place,
      ...(cause === undefined ? {} : { cause: plainCause(cause, this.#redaction) }),
    });
  }
}

/** Error bodies are small; a large one is a page of HTML or worse. */
export function errorBody(body: Buffer): unknown {
  if (body.length === 0 || body.length > 1_000_000) return undefined;
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
