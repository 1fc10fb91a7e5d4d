import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
  CancelledError,
  type Clock,
  ConfigError,
  type Log,
  type Queues,
  type Random,
} from "../../contracts/index.js";
import { DEFAULT_ACCOUNT } from "./address.js";
import { Connections } from "./connections.js";
import { Front } from "./front.js";
import { OpenCalls } from "./open-calls.js";
import type { MessageBodies } from "./payload-bucket.js";
import { PayloadFiles, Sweeping } from "./payload-files.js";
import type { AccessKey } from "./signature.js";

export interface SqsEndpointOptions {
  readonly queues: Queues;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Without keys a loopback address only. */
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Requests must be signed (SigV4) with one of these; none: unsigned requests and any signature are taken. */
  readonly keys?: readonly AccessKey[];
  /** The waits of 60 s after deleting and purging a queue; test suites that reuse names switch them off. */
  readonly cooldowns: boolean;
  /** Twelve digits, in queue URLs and ARNs; default 000000000000. */
  readonly account?: string;
  /** Objects of the extended client are kept below it; default: none are taken. */
  readonly dataDir?: string;
  /** What queue URLs begin with, where clients reach the endpoint by another address; default: the request's Host. */
  readonly publicUrl?: string;
}

export interface SqsEndpoint {
  /** `http://host:port`. */
  readonly url: string;
  /** Takes no more requests, ends long polls, lets answers finish. */
  close(): Promise<void>;
}

/** Longer than SDKs keep one: the client must be the one to close an idle connection. */
const IDLE_MS = 120_000;
/** A connection on which nothing moves although a request is open: longer than any long poll or fsync. */
const STUCK_MS = 600_000;
/** To receive one request, a payload of 2 GB over a slow line included. */
const LONGEST_REQUEST_MS = 3_600_000;
const MOST_CONNECTIONS = 4096;
/** How long answers may take to leave at close. */
const GRACE_MS = 5_000;

/**
 * Serves the queues as Amazon SQS does, over HTTP. Resolves when it listens.
 * ConfigError: PORT_IN_USE, ADDRESS_NOT_AVAILABLE, NOT_LOOPBACK (no keys and a host that others can reach).
 */
export async function startSqsEndpoint(options: SqsEndpointOptions): Promise<SqsEndpoint> {
  const { clock, host, port, keys = [] } = options;
  if (keys.length === 0 && !isLoopback(host))
    throw new ConfigError(
      "NOT_LOOPBACK",
      `Without access keys the endpoint listens on loopback only, not on ${host}.`,
      {
        place: "--host",
        fix: "Set SLUICE_SQS_ACCESS_KEY_ID and SLUICE_SQS_SECRET_ACCESS_KEY, or leave out the host.",
      },
    );
  const bodies = bodiesOf(options.queues);
  const files =
    options.dataDir === undefined
      ? undefined
      : new PayloadFiles(join(options.dataDir, "payloads"), clock, options.random);
  await files?.sweep();
  const sweeping = files && new Sweeping(files, clock, options.log);
  const calls = new OpenCalls();
  const server = createServer({
    keepAliveTimeout: IDLE_MS,
    requestTimeout: LONGEST_REQUEST_MS,
    noDelay: true,
  });
  server.timeout = STUCK_MS;
  server.maxConnections = MOST_CONNECTIONS;
  const connections = new Connections(server);
  try {
    await listen(server, host, port);
  } catch (error) {
    await sweeping?.stop();
    throw error;
  }
  const url = urlOf(server);
  const front = new Front(
    { ...options, keys, account: options.account ?? DEFAULT_ACCOUNT, ownUrl: url, files, bodies },
    calls,
  );
  server.on("request", (request, response) => void front.answer(request, response));
  let closed: Promise<void> | undefined;
  return {
    url,
    close: () => {
      closed ??= Promise.all([close(server, connections, calls, front, clock), sweeping?.stop()]).then(
        () => undefined,
      );
      return closed;
    },
  };
}

function bodiesOf(queues: Queues): MessageBodies {
  return {
    open: (queue, messageId) => {
      const body = queues.hasQueue(queue) ? queues.openBody(queue, messageId) : undefined;
      return body && { bytes: body.bytes, modifiedAt: body.sentAt, read: () => body.read() };
    },
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException) => reject(listenError(error, host, port));
    server.once("error", refused);
    server.listen({ host, port }, () => {
      server.off("error", refused);
      resolve();
    });
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const details = { place: `${host}:${port}`, cause: error };
  switch (error.code) {
    case "EADDRINUSE":
      return new ConfigError("PORT_IN_USE", `Port ${port} is in use by another program.`, {
        ...details,
        fix: "Stop it, or choose another with --port; --port 0 takes a free one.",
      });
    case "EACCES":
      return new ConfigError("PORT_NOT_ALLOWED", `This user may not listen on port ${port}.`, {
        ...details,
        fix: "Choose a port above 1023 with --port.",
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new ConfigError("ADDRESS_NOT_AVAILABLE", `${host} is not an address of this machine.`, {
        ...details,
        fix: "Give one with --host, such as 127.0.0.1 or 0.0.0.0.",
      });
    default:
      return error;
  }
}

function urlOf(server: Server): string {
  const address: string | AddressInfo | null = server.address();
  if (address === null || typeof address === "string")
    throw new RangeError("a TCP server without an address");
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}

async function close(
  server: Server,
  connections: Connections,
  calls: OpenCalls,
  front: Front,
  clock: Clock,
): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  calls.close();
  connections.closeIdle();
  const waiting = new AbortController();
  const grace = clock.sleep(GRACE_MS, waiting.signal).then(
    () => connections.closeAll(),
    (error) => {
      if (!(error instanceof CancelledError)) throw error;
    },
  );
  await done;
  waiting.abort();
  await grace;
  await front.idle();
}
