import http from "node:http";
import https from "node:https";
import type { AxiosInstance, AxiosResponse } from "axios";
import {
  CancelledError,
  type Clock,
  ConfigError,
  type ErrorDetails,
  type SluiceError,
  TransientError,
} from "../contracts/index.js";
import { BodyError, readBody } from "./body.js";
import { errorCode, plainCause, type Redaction } from "./redaction.js";

/** One request as it goes out, credentials included. */
export interface Outgoing {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | undefined;
  readonly signal: AbortSignal | undefined;
  /** For errors: method, origin and path. */
  readonly place: string;
}

/** What came back, whatever its status, unpacked. */
export interface Incoming {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** No answer, or no whole one. */
export interface Lost {
  readonly error: SluiceError;
  /** The request never reached the other side, so that sending it again cannot apply it twice. */
  readonly unsent: boolean;
}

export interface ExchangeOptions {
  readonly clock: Clock;
  readonly redaction: Redaction;
  /** No byte for so long, connecting included: the connection is given up. */
  readonly idleTimeoutMs: number;
  /** The whole exchange. */
  readonly totalTimeoutMs: number;
  readonly maxBodyBytes: number;
}

/** Sends single requests over kept-alive connections. Throws CancelledError only. */
export interface Exchange {
  send(request: Outgoing): Promise<Incoming | Lost>;
  /** Closes idle connections. */
  close(): void;
}

export function createExchange(options: ExchangeOptions): Exchange {
  const agents = {
    httpAgent: new http.Agent({ keepAlive: true }),
    httpsAgent: new https.Agent({ keepAlive: true }),
  };
  const instance = createInstance(agents, options);
  return {
    send: async (request) => send(await instance, options, request),
    close: () => {
      agents.httpAgent.destroy();
      agents.httpsAgent.destroy();
    },
  };
}

/** Loaded by those who connect: commands that do not start a sixth of a second sooner. */
async function createInstance(
  agents: { readonly httpAgent: http.Agent; readonly httpsAgent: https.Agent },
  options: ExchangeOptions,
): Promise<AxiosInstance> {
  const { default: axios } = await import("axios");
  return axios.create({
    ...agents,
    adapter: "http",
    // The environment's proxy settings would see our tokens; a proxy is for the owner of the connection to choose.
    proxy: false,
    // A redirect must not carry credentials to another host: the client decides.
    maxRedirects: 0,
    // body.ts reads and unpacks.
    responseType: "stream",
    decompress: false,
    maxBodyLength: Number.POSITIVE_INFINITY,
    timeout: options.idleTimeoutMs,
    transitional: { clarifyTimeoutError: true },
    validateStatus: () => true,
    transformRequest: [(data: unknown) => data],
    transformResponse: [],
  });
}

async function send(
  instance: AxiosInstance,
  options: ExchangeOptions,
  request: Outgoing,
): Promise<Incoming | Lost> {
  const { signal } = request;
  const abort = new AbortController();
  const onAbort = () => abort.abort();
  if (signal?.aborted) throw cancelled(signal);
  signal?.addEventListener("abort", onAbort, { once: true });
  let overdue = false;
  // `every` as a deadline: it is stopped below, long before it would ring again.
  const stopDeadline = options.clock.every(options.totalTimeoutMs, () => {
    overdue = true;
    abort.abort();
  });
  try {
    const response = await instance.request<unknown>({
      method: request.method,
      url: request.url,
      headers: request.headers,
      data: request.body,
      signal: abort.signal,
    });
    const body = await readBody(response.data, {
      maxBytes: options.maxBodyBytes,
      idleMs: options.idleTimeoutMs,
      signal: abort.signal,
    });
    return { status: response.status, headers: plainHeaders(response), body };
  } catch (error) {
    if (signal?.aborted) throw cancelled(signal);
    return lost(error, overdue, options, request.place);
  } finally {
    stopDeadline();
    signal?.removeEventListener("abort", onAbort);
  }
}

function cancelled(signal: AbortSignal): CancelledError {
  return new CancelledError("CANCELLED", "cancelled", { cause: signal.reason });
}

function plainHeaders(response: AxiosResponse): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (typeof value === "string") headers[name.toLowerCase()] = value;
    else if (Array.isArray(value)) headers[name.toLowerCase()] = value.join(", ");
  }
  return headers;
}

/** No connection was made, so nothing was asked. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
]);
const TLS = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH)/;

function lost(error: unknown, overdue: boolean, options: ExchangeOptions, place: string): Lost {
  const code = errorCode(error) ?? "";
  const fault = error instanceof BodyError ? error.fault : undefined;
  const details = (fix?: string): ErrorDetails => ({
    place,
    cause: plainCause(error, options.redaction),
    ...(fix === undefined ? {} : { fix }),
  });
  const transient = (name: string, message: string, fix?: string): Lost => ({
    error: new TransientError(name, message, details(fix)),
    unsent: UNREACHABLE.has(code),
  });
  const refused = (name: string, message: string, fix: string): Lost => ({
    error: new ConfigError(name, message, details(fix)),
    unsent: false,
  });
  if (overdue) return transient("HTTP_TIMEOUT", `no whole answer within ${options.totalTimeoutMs / 1000} s`);
  if (fault === "idle" || code === "ETIMEDOUT" || code === "ECONNABORTED") {
    return transient("HTTP_TIMEOUT", `no answer for ${options.idleTimeoutMs / 1000} s`);
  }
  if (fault === "tooLarge") {
    return refused(
      "HTTP_BODY_TOO_LARGE",
      `the answer is larger than ${options.maxBodyBytes} bytes`,
      "Ask for smaller pages or fewer fields.",
    );
  }
  if (UNREACHABLE.has(code)) {
    return transient("HTTP_UNREACHABLE", `cannot connect (${code})`, "Check the URL and the network.");
  }
  if (TLS.test(code)) {
    return refused("HTTP_TLS", `the server's certificate is not trusted (${code})`, "Check the URL.");
  }
  if (code === "ERR_INVALID_URL" || code === "ERR_BAD_OPTION" || code === "ERR_INVALID_CHAR") {
    return refused("HTTP_BAD_REQUEST", "the request cannot be sent", "Check the URL and the credentials.");
  }
  if (fault !== undefined) return transient("HTTP_BODY_CUT", "the answer broke off");
  return transient("HTTP_CONNECTION_LOST", `the connection was lost${code === "" ? "" : ` (${code})`}`);
}
