import type { Clock, ConnectorContext, RefusedRecord, SourceRecord } from "../../core/contracts/index.js";
import { createHttpClient, type HttpClientOptions, type ManagedHttpClient } from "../../core/http/index.js";
import { unexpected } from "./errors.js";
import { Quota } from "./quota.js";

/** The Date header is of whole seconds and older than its arrival: a smaller difference says nothing. */
const CLOCK_GRAIN_MS = 2_000;
/** More than that is no drift of a clock. */
const CLOCK_NONSENSE_MS = 3_600_000;

/** Arguments of a call; undefined ones are left out. */
export type Arguments = Readonly<Record<string, string | undefined>>;

/** An answer that said `ok: true`. */
export interface SlackAnswer {
  readonly body: object;
  /** Of the answer, unpacked. */
  readonly bytes: number;
  /** `response_metadata.next_cursor`; undefined where it is missing or empty: this page is the last. */
  readonly nextCursor: string | undefined;
  /** For errors: `slack conversations.history`. */
  readonly place: string;
  /** Items of a list of the answer that hold a key twice. */
  refused(list: string): ReadonlyMap<SourceRecord, RefusedRecord>;
}

/**
 * Calls of the Web API by method name. GET with a query: reading changes nothing, so a lost answer may be asked for again. Every
 * method has a client of its own, since limits are the method's and an answer does not say whose it is.
 */
export class SlackApi {
  readonly quota: Quota;
  readonly #baseUrl: string;
  readonly #options: HttpClientOptions;
  readonly #clients = new Map<string, ManagedHttpClient>();
  readonly #login: ManagedHttpClient;
  readonly #clock: Clock;
  #scopes: readonly string[] | undefined;
  #behindMs = 0;
  readonly #warned = new Set<string>();

  constructor(
    baseUrl: string,
    options: HttpClientOptions,
    login: ManagedHttpClient,
    context: Pick<ConnectorContext, "clock" | "connection" | "log" | "onWait">,
  ) {
    this.#baseUrl = baseUrl;
    this.#options = options;
    this.#login = login;
    this.#clock = context.clock;
    this.quota = new Quota(context);
  }

  /** Scopes of the token, as the last answer told them. */
  get scopes(): readonly string[] | undefined {
    return this.#scopes;
  }

  get calls(): number {
    let sum = this.#login.calls;
    for (const client of this.#clients.values()) sum += client.calls;
    return sum;
  }

  close(): void {
    this.#login.close();
    for (const client of this.#clients.values()) client.close();
  }

  /** One call. Throws what errors.ts makes of a refusal. */
  async call(method: string, args: Arguments, signal: AbortSignal): Promise<SlackAnswer> {
    const query: Record<string, string> = {};
    for (const [name, value] of Object.entries(args)) if (value !== undefined) query[name] = value;
    const url = `${this.#baseUrl}/${method}`;
    const answer = await this.quota.inTurn(method, signal, () =>
      this.#client(method).request({ method: "GET", url, query, signal }),
    );
    const place = `slack ${method}`;
    const body = answer.json();
    if (typeof body !== "object" || body === null) throw unexpected(place, "is no object");
    this.#tellWarning(method, body);
    return {
      body,
      bytes: answer.body.length,
      nextCursor: nextCursor(body),
      place,
      refused: (list) => answer.refusedRecords([list]),
    };
  }

  /** Slack warns beside good answers, of methods that end for one; once is enough. */
  #tellWarning(method: string, body: object): void {
    const warning: unknown = Reflect.get(body, "warning");
    if (typeof warning !== "string" || this.#warned.has(`${method} ${warning}`)) return;
    this.#warned.add(`${method} ${warning}`);
    this.#options.log.warn(`Slack warns about ${method}: ${warning}`, {
      connection: this.#options.connection,
    });
  }

  #client(method: string): ManagedHttpClient {
    let client = this.#clients.get(method);
    if (client === undefined) {
      client = createHttpClient({
        ...this.#options,
        buckets: [method],
        onAnswer: ({ status, headers }) => {
          this.#note(headers.date);
          if (status === 429) this.quota.refused(method, retryAfterMs(headers["retry-after"]));
          const scopes = headers["x-oauth-scopes"];
          if (scopes !== undefined) this.#scopes = scopes.split(",").map((scope) => scope.trim());
        },
      });
      this.#clients.set(method, client);
    }
    return client;
  }

  /** How far Slack's clock is known to stand behind ours, ms; at least 0. */
  get behindMs(): number {
    return this.#behindMs;
  }

  #note(date: string | undefined): void {
    const behind = this.#clock.now() - Date.parse(date ?? "");
    if (behind > CLOCK_GRAIN_MS && behind < CLOCK_NONSENSE_MS) this.#behindMs = behind;
  }
}

/** Slack sends whole seconds, always. Without them the client's own pause has to do. */
function retryAfterMs(header: string | undefined): number {
  const seconds = Number(header);
  return header !== undefined && Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}

function nextCursor(body: object): string | undefined {
  const metadata: unknown = Reflect.get(body, "response_metadata");
  if (typeof metadata !== "object" || metadata === null) return undefined;
  const cursor: unknown = Reflect.get(metadata, "next_cursor");
  return typeof cursor === "string" && cursor !== "" ? cursor : undefined;
}

/** A list of objects of an answer. TransientError where it is none: a page without its list is no empty page. */
export function listOf(answer: SlackAnswer, name: string): readonly SourceRecord[] {
  const list: unknown = Reflect.get(answer.body, name);
  if (!Array.isArray(list)) throw unexpected(answer.place, `has no ${name}`);
  if (!list.every(isObject)) throw unexpected(answer.place, `holds something in ${name} that is no object`);
  return list;
}

/** An object of an answer. */
export function objectOf(answer: SlackAnswer, name: string): SourceRecord {
  const value: unknown = Reflect.get(answer.body, name);
  if (!isObject(value)) throw unexpected(answer.place, `has no ${name}`);
  return value;
}

function isObject(value: unknown): value is SourceRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
