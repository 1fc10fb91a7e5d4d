import { request as httpRequest } from "node:http";
import { SQSClient } from "@aws-sdk/client-sqs";
import { afterEach } from "vitest";
import { type Clock, type Environment, type Log, systemClock } from "../../../../core/contracts/index.js";
import {
  type AccessKey,
  type SqsEndpointOptions,
  startSqsEndpoint,
} from "../../../../core/queue/wire/index.js";
import { memoryEnvironment } from "../../../../core/store/index.js";
import { seededRandom } from "../../../seeded-random.js";

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Runs after the test, the last one first. */
export function afterTest(cleanup: () => Promise<void> | void): void {
  cleanups.push(cleanup);
}

export interface Service {
  readonly url: string;
  readonly environment: Environment;
  readonly client: SQSClient;
  /** What the endpoint logged as errors. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

type Setting = Partial<Omit<SqsEndpointOptions, "queues" | "log">> & {
  readonly clock?: Clock;
  readonly environment?: Environment;
};

/** An endpoint over queues in memory, and a client for it; both are closed after the test. */
export async function startService(setting: Setting = {}): Promise<Service> {
  const { clock = systemClock, environment: given, ...options } = setting;
  const random = seededRandom(1);
  const environment = given ?? memoryEnvironment({ clock, random });
  const errors: string[] = [];
  const note = (message: string, fields?: Record<string, unknown>) => {
    errors.push(`${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug: () => undefined, info: () => undefined, warn: note, error: note };
  const endpoint = await startSqsEndpoint({
    queues: environment.queues,
    clock,
    random,
    log,
    host: "127.0.0.1",
    port: 0,
    cooldowns: false,
    ...options,
  });
  const client = clientOf(endpoint.url);
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= (async () => {
      client.destroy();
      await endpoint.close();
      if (given === undefined) await environment.close();
    })();
    return closed;
  };
  afterTest(close);
  return { url: endpoint.url, environment, client, errors, close };
}

export function clientOf(
  endpoint: string,
  credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "anything" },
  region = "eu-central-1",
): SQSClient {
  return new SQSClient({ endpoint, region, credentials, maxAttempts: 1 });
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A request by hand. */
export function raw(
  url: string,
  {
    method = "POST",
    path = "/",
    headers = {},
    body = "",
    signal,
  }: {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Buffer;
    readonly signal?: AbortSignal;
  },
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { hostname, port, path, method, headers, agent: false, ...(signal === undefined ? {} : { signal }) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

export interface JsonAnswer extends RawAnswer {
  readonly json: Record<string, unknown>;
}

/** An action in the JSON protocol, unsigned. */
export async function call(url: string, action: string, input: unknown): Promise<JsonAnswer> {
  const answer = await raw(url, {
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` },
    body: typeof input === "string" ? input : JSON.stringify(input),
  });
  const json: unknown = JSON.parse(answer.body);
  if (typeof json !== "object" || json === null) throw new TypeError(`no object: ${answer.body}`);
  return { ...answer, json: { ...json } };
}

/** An action in the query protocol, unsigned. */
export function query(
  url: string,
  action: string,
  parameters: Readonly<Record<string, string>>,
  path = "/",
): Promise<RawAnswer> {
  return raw(url, {
    path,
    headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    body: new URLSearchParams({ Action: action, Version: "2012-11-05", ...parameters }).toString(),
  });
}

export interface Refusal {
  readonly status: number;
  readonly type: unknown;
  readonly queryError: unknown;
  readonly message: unknown;
}

export function refusalOf({ status, headers, json }: JsonAnswer): Refusal {
  return {
    status,
    type: json.__type,
    queryError: headers["x-amzn-query-error"],
    message: json.message,
  };
}

/** The SDK's own signer, for requests that its commands do not make. */
export async function signerOf(endpoint: string, credentials: AccessKey) {
  const client = clientOf(endpoint, credentials);
  afterTest(() => client.destroy());
  const { signer } = client.config;
  if (signer === undefined) throw new TypeError("the client has no signer");
  return signer();
}
