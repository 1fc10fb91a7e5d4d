import {
  type Clock,
  ConfigError,
  type Log,
  type RefusedRecord,
  type SourceRecord,
} from "../../core/contracts/index.js";
import { createHttpClient, type HttpClientOptions, type ManagedHttpClient } from "../../core/http/index.js";
import { countsAgainst } from "./buckets.js";
import type { Bucket, Budgets } from "./budget.js";

/** The Date header is of whole seconds and older than its arrival: a smaller difference says nothing. */
const CLOCK_GRAIN_MS = 2_000;
/** More than that is no drift of a clock. */
const CLOCK_NONSENSE_MS = 3_600_000;
const BUCKETS: readonly Bucket[] = ["exports", "account", "helpCenter"];

export type Parameter = readonly [name: string, value: string];

export interface Answer {
  readonly body: unknown;
  /** Of the body, unpacked. */
  readonly bytes: number;
  /** Records of the list `key` that hold a name twice, by their objects in `body`. */
  refused(key: string): Refused;
}

export type Refused = ReadonlyMap<SourceRecord, RefusedRecord>;

/** The API of one account. URLs are built here and never taken from an answer, so that no answer can send us elsewhere. */
export class ZendeskApi {
  readonly #baseUrl: string;
  readonly #budgets: Budgets;
  readonly #clock: Clock;
  readonly #log: Log;
  /** One client per bucket: an answer's headers belong to the bucket of its request. */
  readonly #clients: ReadonlyMap<Bucket, ManagedHttpClient>;
  readonly #login: ManagedHttpClient;
  readonly #warned = new Set<string>();
  #behindMs = 0;
  #accountExists = false;

  constructor(
    baseUrl: string,
    client: HttpClientOptions,
    login: ManagedHttpClient,
    budgets: Budgets,
    context: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#baseUrl = baseUrl;
    this.#budgets = budgets;
    this.#clock = context.clock;
    this.#log = context.log;
    this.#login = login;
    this.#clients = new Map(
      BUCKETS.map((bucket) => [
        bucket,
        createHttpClient({
          ...client,
          buckets: countsAgainst(bucket),
          onAnswer: ({ headers }) => this.#note(headers, bucket),
        }),
      ]),
    );
  }

  get calls(): number {
    return [this.#login, ...this.#clients.values()].reduce((sum, client) => sum + client.calls, 0);
  }

  /** True once the account has answered: a 404 is then about one address. */
  get accountExists(): boolean {
    return this.#accountExists;
  }

  get budgets(): Budgets {
    return this.#budgets;
  }

  /** Epoch ms by whichever clock is behind, ours or Zendesk's. */
  now(): number {
    return this.#clock.now() - this.#behindMs;
  }

  /** `path` behind /api/v2/; waits for the bucket first. */
  async get(
    path: string,
    parameters: readonly Parameter[],
    bucket: Bucket,
    signal: AbortSignal,
  ): Promise<Answer> {
    await this.#budgets.take(bucket, signal);
    const client = this.#clients.get(bucket);
    if (client === undefined) throw new ConfigError("ZENDESK_BUCKET", `there is no bucket ${bucket}`);
    const answer = await client.request({ method: "GET", url: this.url(path, parameters), signal });
    const body = answer.json();
    this.#accountExists = true;
    return {
      body,
      bytes: answer.body.length,
      refused: (key) => answer.refusedRecords([key]),
    };
  }

  url(path: string, parameters: readonly Parameter[]): string {
    const query = new URLSearchParams(
      parameters.map(([name, value]): [string, string] => [name, value]),
    ).toString();
    return `${this.#baseUrl}/api/v2/${path}${query === "" ? "" : `?${query}`}`;
  }

  close(): void {
    this.#login.close();
    for (const client of this.#clients.values()) client.close();
  }

  #note(headers: Readonly<Record<string, string>>, bucket: Bucket): void {
    const behind = this.#clock.now() - Date.parse(headers.date ?? "");
    if (behind > CLOCK_GRAIN_MS && behind < CLOCK_NONSENSE_MS) this.#behindMs = behind;
    this.#budgets.note(headers, bucket);
    const warning = headers["x-zendesk-api-warn"];
    if (warning === undefined || this.#warned.has(warning) || this.#warned.size > 100) return;
    this.#warned.add(warning);
    this.#log.warn(`Zendesk warns: ${warning}`);
  }
}
