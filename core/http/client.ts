import {
  AuthError,
  type BudgetTicket,
  type Clock,
  ConfigError,
  type ErrorDetails,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  type Log,
  type Random,
  RateLimitError,
  RecordError,
  type RequestBudget,
  type Secret,
  type SluiceError,
  TransientError,
  throwIfCancelled,
} from "../contracts/index.js";
import { packs, sameOriginRedirect, targetUrl } from "./address.js";
import type { Authenticator, Credentials } from "./authenticator.js";
import { backoffMs, limitPauseMs, retryAfterMs } from "./backoff.js";
import { createExchange, type Exchange, type Incoming, type Lost } from "./exchange.js";
import { createRedaction, type Redaction, shownUrl } from "./redaction.js";
import { errorBody, Response } from "./response.js";
import { type Answer, findRow, rowText, type StatusRow } from "./status.js";

export interface HttpClientOptions {
  /** The connection's name in sluice.yaml, for errors and the log. */
  readonly connection: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told of every pause before it begins. */
  readonly onWait?: (wait: { readonly reason: string; readonly ms: number }) => void;
  /** ConnectorContext.budget. Undefined: requests are held back only when the other side refuses them. */
  readonly budget?: RequestBudget | undefined;
  /** Limits that a request counts against where it names none itself. Default: none. */
  readonly buckets?: readonly string[];
  /** Rows of the connector, before the shared ones. */
  readonly statusTable?: readonly StatusRow[];
  readonly auth?: Authenticator;
  /** Values that must show nowhere, beside the credentials themselves. */
  readonly secrets?: readonly Secret[];
  /** No byte for so long: the connection is given up. Default 60,000. */
  readonly idleTimeoutMs?: number;
  /** One exchange in all. Default 600,000. */
  readonly totalTimeoutMs?: number;
  /** Of an answer, unpacked. Default 64 MiB. */
  readonly maxBodyBytes?: number;
  /** Tries of a request in all. Default 5. */
  readonly maxAttempts?: number;
  /** All rate-limit waits of one request together. Default LONGEST_LIMIT_WAIT_MS; a longer one ends the run (scope `park`). */
  readonly maxLimitWaitMs?: number;
  readonly userAgent?: string;
  /** Sees every answer, refused ones included: usage headers. */
  readonly onAnswer?: (answer: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
  }) => void;
}

/** An HttpClient whose connections can be closed. */
export interface ManagedHttpClient extends HttpClient {
  close(): void;
}

/*
 * One request, from the caller's view:
 *
 *   sending --2xx, accept--> done
 *           --refused 401--> renewing --once--> sending            (then AuthError)
 *           --rate limit---> waiting (no attempt spent, bounded in total) --> sending   (hours: RateLimitError park)
 *   sending waits for the budget first, each time: no attempt spent                     (hours: RateLimitError park)
 *           --transient----> backing off (one attempt spent) --> sending                (spent: TransientError)
 *           --anything else> the error of its row
 *
 * A request that is not idempotent leaves `sending` for `backing off` only where it surely was not applied.
 */
export function createHttpClient(options: HttpClientOptions): ManagedHttpClient {
  return new Client(options);
}

/** A run waits so long for a limit, and is parked for more. */
export const LONGEST_LIMIT_WAIT_MS = 900_000;

const MAX_REDIRECTS = 5;

/** How the tries of one request stand. */
interface Progress {
  attempt: number;
  limitWaits: number;
  limitWaitedMs: number;
  renewed: boolean;
}

interface Refusal {
  readonly error: SluiceError;
  /** Known not to have been applied. */
  readonly unsent: boolean;
  readonly maxAttempts?: number;
  readonly retryAfterMs?: number | undefined;
  /** Of a rate limit: whose. */
  readonly bucket?: string | undefined;
  /** Credentials that a renewal may help. */
  readonly renew?: Credentials;
}

class Client implements ManagedHttpClient {
  readonly #options: HttpClientOptions;
  readonly #exchange: Exchange;
  readonly #redaction: Redaction;
  readonly #maxAttempts: number;
  readonly #maxLimitWaitMs: number;
  #calls = 0;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#redaction = createRedaction(options.secrets);
    this.#maxAttempts = options.maxAttempts ?? 5;
    this.#maxLimitWaitMs = options.maxLimitWaitMs ?? LONGEST_LIMIT_WAIT_MS;
    this.#exchange = createExchange({
      clock: options.clock,
      redaction: this.#redaction,
      idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
      totalTimeoutMs: options.totalTimeoutMs ?? 600_000,
      maxBodyBytes: options.maxBodyBytes ?? 64 * 2 ** 20,
    });
  }

  get calls(): number {
    return this.#calls;
  }

  close(): void {
    this.#exchange.close();
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    const kept = await this.#kept(request);
    if (kept !== undefined) return kept;
    const progress: Progress = { attempt: 1, limitWaits: 0, limitWaitedMs: 0, renewed: false };
    for (;;) {
      throwIfCancelled(request.signal);
      const outcome = await this.#try(request);
      if (!("error" in outcome)) return outcome;
      await this.#recover(request, outcome, progress);
    }
  }

  /** The answer that was kept of this request, if there is one and it is good. */
  async #kept(request: HttpRequest): Promise<HttpResponse | undefined> {
    const answer = await request.keep?.answers.get(request.keep.key);
    if (answer === undefined) return undefined;
    const outcome = this.#judge(request, request.url, undefined, answer);
    if (!("error" in outcome)) return outcome;
    await request.keep?.answers.drop(request.keep.key);
    return undefined;
  }

  /** Returns when the request is to be sent again; throws otherwise. */
  async #recover(request: HttpRequest, refusal: Refusal, progress: Progress): Promise<void> {
    const { error } = refusal;
    const { auth, random } = this.#options;
    if (refusal.renew !== undefined && auth !== undefined && !progress.renewed) {
      progress.renewed = true;
      await auth.renew(refusal.renew, request.signal);
      return;
    }
    if (error instanceof RateLimitError) {
      if (error.scope === "park") {
        const ms = this.#closeBucket(request, refusal, error.retryAfterMs);
        throw ms === undefined ? error : parked(error, ms);
      }
      const ms = error.retryAfterMs ?? limitPauseMs(progress.limitWaits, random);
      this.#closeBucket(request, refusal, ms);
      if (progress.limitWaitedMs + ms > this.#longestWaitMs(request)) throw parked(error, ms);
      progress.limitWaits++;
      progress.limitWaitedMs += ms;
      return this.#pause(request, error, ms);
    }
    if (!(error instanceof TransientError)) throw error;
    const attempts = Math.min(this.#maxAttempts, refusal.maxAttempts ?? this.#maxAttempts);
    if (progress.attempt >= attempts || !(isIdempotent(request) || refusal.unsent)) throw spent(error);
    const ms = refusal.retryAfterMs ?? backoffMs(progress.attempt, random);
    if (ms > this.#maxLimitWaitMs) throw spent(error);
    progress.attempt++;
    await this.#pause(request, error, ms);
  }

  /** Nobody on this machine sends what would be refused as well. Returns how long it stays closed. */
  #closeBucket(request: HttpRequest, { bucket }: Refusal, ms: number | undefined): number | undefined {
    const name = bucket ?? this.#buckets(request)[0];
    return name === undefined ? undefined : this.#options.budget?.refused(name, ms);
  }

  #buckets(request: HttpRequest): readonly string[] {
    return request.buckets ?? this.#options.buckets ?? [];
  }

  #longestWaitMs(request: HttpRequest): number {
    return Math.min(this.#maxLimitWaitMs, request.longestWaitMs ?? this.#maxLimitWaitMs);
  }

  /** Waits until the budget lets the request through. */
  #ticket(request: HttpRequest): Promise<BudgetTicket> | undefined {
    const { budget, connection, log, onWait } = this.#options;
    return budget?.take(this.#buckets(request), {
      signal: request.signal,
      longestWaitMs: this.#longestWaitMs(request),
      onWait: (wait) => {
        log.info(`waiting ${wait.ms} ms: ${wait.reason}`, { connection });
        onWait?.(wait);
      },
    });
  }

  async #pause(request: HttpRequest, error: SluiceError, ms: number): Promise<void> {
    const { clock, connection, log, onWait } = this.#options;
    const reason = `${connection}: ${error.message}`;
    log.warn(`waiting ${ms} ms: ${error.message}`, { connection, code: error.code, place: error.place });
    onWait?.({ reason, ms });
    await clock.sleep(ms, request.signal);
  }

  /** One try, redirects within the same origin included. */
  async #try(request: HttpRequest): Promise<HttpResponse | Refusal> {
    const { auth } = this.#options;
    const credentials =
      auth !== undefined && request.authenticate !== false
        ? await auth.credentials(request.signal)
        : undefined;
    let url = targetUrl(request, auth, credentials);
    for (let hops = 0; ; hops++) {
      const incoming = await this.#send(request, url, credentials);
      if ("error" in incoming) return incoming;
      const next = hops < MAX_REDIRECTS ? sameOriginRedirect(request, url, incoming) : undefined;
      if (next === undefined) return this.#take(request, url, credentials, incoming);
      url = next;
    }
  }

  /** Kept before it is judged, since judging may change its bytes. */
  async #take(
    request: HttpRequest,
    url: string,
    credentials: Credentials | undefined,
    incoming: Incoming,
  ): Promise<HttpResponse | Refusal> {
    const { keep } = request;
    if (keep === undefined || !isGood(incoming)) return this.#judge(request, url, credentials, incoming);
    const names = ["content-type", ...(keep.headers ?? [])];
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).filter(([name]) => names.includes(name)),
    );
    await keep.answers.keep(keep.key, { ...incoming, headers });
    const outcome = this.#judge(request, url, credentials, incoming);
    if ("error" in outcome) await keep.answers.drop(keep.key);
    return outcome;
  }

  async #send(
    request: HttpRequest,
    url: string,
    credentials: Credentials | undefined,
  ): Promise<Incoming | Lost> {
    const { clock, log, onAnswer, userAgent } = this.#options;
    const place = this.#place(request, url);
    const ticket = await this.#ticket(request);
    this.#calls++;
    const started = clock.monotonicMs();
    let incoming: Incoming | Lost | undefined;
    try {
      incoming = await this.#exchange.send({
        method: request.method,
        url,
        headers: {
          accept: "application/json",
          "accept-encoding": packs(url) ? "gzip" : "identity",
          "user-agent": userAgent ?? "sluice",
          ...request.headers,
          ...credentials?.headers,
        },
        body: request.body,
        signal: request.signal,
        place,
      });
    } finally {
      // A cancelled one too may have been counted.
      ticket?.answered(incoming !== undefined && "headers" in incoming ? incoming.headers : undefined);
    }
    const ms = Math.round(clock.monotonicMs() - started);
    if ("error" in incoming) {
      log.debug("no answer", { place, code: incoming.error.code, ms });
    } else {
      log.debug("answer", { place, status: incoming.status, bytes: incoming.body.length, ms });
      onAnswer?.(incoming);
    }
    return incoming;
  }

  #judge(
    request: HttpRequest,
    url: string,
    credentials: Credentials | undefined,
    incoming: Incoming,
  ): HttpResponse | Refusal {
    const good = isGood(incoming);
    const place = this.#place(request, url);
    const response = new Response(incoming, request, place, this.#redaction);
    try {
      // Parsed here, so that half a JSON is asked for again like any other broken answer.
      if (good) response.check();
    } catch (error) {
      if (error instanceof TransientError) return { error, unsent: false };
      throw error;
    }
    const answer: Answer = {
      status: incoming.status,
      headers: incoming.headers,
      body: good ? response.parsed : errorBody(incoming.body),
      excerpt: good
        ? ""
        : this.#redaction.excerpt(incoming.body.toString("utf8", 0, 8192), credentials?.headers),
    };
    const row = findRow(this.#options.statusTable ?? [], answer);
    if (row === undefined || row.verdict === "accept") return response;
    return this.#refuse(row, answer, place, credentials);
  }

  #refuse(row: StatusRow, answer: Answer, place: string, credentials: Credentials | undefined): Refusal {
    const clean = (text: string) => this.#redaction.text(text, credentials?.headers);
    const said = answer.excerpt === "" ? "" : `: ${answer.excerpt}`;
    const message = clean(rowText(row.message, answer) ?? `answered ${answer.status}${said}`);
    const fix = rowText(row.fix, answer);
    const details: ErrorDetails = { place, ...(fix === undefined ? {} : { fix: clean(fix) }) };
    const wait = retryAfterMs(answer.headers["retry-after"], this.#options.clock.now());
    switch (row.verdict) {
      case "renew":
        return {
          error: new AuthError(row.code, message, details),
          unsent: true,
          ...(credentials === undefined ? {} : { renew: credentials }),
        };
      case "auth":
        return { error: new AuthError(row.code, message, details), unsent: true };
      case "record":
        return { error: new RecordError(row.code, message, details), unsent: true };
      case "wait":
      case "park":
        return {
          error: new RateLimitError(row.code, message, {
            ...details,
            scope: row.verdict,
            ...(wait === undefined ? {} : { retryAfterMs: wait }),
          }),
          unsent: true,
          bucket: row.bucket,
        };
      case "transient":
        return {
          error: new TransientError(row.code, message, details),
          unsent: false,
          retryAfterMs: wait,
          ...(row.maxAttempts === undefined ? {} : { maxAttempts: row.maxAttempts }),
        };
      default:
        return { error: new ConfigError(row.code, message, details), unsent: true };
    }
  }

  #place(request: HttpRequest, url: string): string {
    return `${this.#options.connection}: ${shownUrl(request.method, url)}`;
  }
}

function isGood({ status }: Incoming): boolean {
  return status >= 200 && status < 300;
}

function isIdempotent(request: HttpRequest): boolean {
  return request.idempotent ?? !(request.method === "POST" || request.method === "PATCH");
}

/** Every try has failed the same way: it is for the caller's next call to try again. */
function spent(error: TransientError): TransientError {
  if (error.fix !== undefined) return error;
  return new TransientError(error.code, error.message, {
    fix: "Try again later: a run goes on where this one stopped.",
    ...(error.place === undefined ? {} : { place: error.place }),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  });
}

function parked(error: RateLimitError, ms: number): RateLimitError {
  return new RateLimitError(error.code, error.message, {
    retryAfterMs: ms,
    scope: "park",
    fix: error.fix ?? "Run the flow again later: it resumes where it stopped.",
    ...(error.place === undefined ? {} : { place: error.place }),
  });
}
